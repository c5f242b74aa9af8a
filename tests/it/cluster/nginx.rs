//! nginx on a machine, with its files on the volume: what hearth is measured beside.

use super::house::Machine;
use super::volume::{MOUNT, PATIENCE};
use crate::support::wait_until;

/// Where it listens.
pub(super) const PORT: u16 = 8081;

/// Starts it with two workers, as Debian does on two cores. It ends with the machine.
pub(super) fn start(machine: &Machine) {
    let home = machine.path("nginx");
    std::fs::create_dir(&home).unwrap();
    let at = home.display();
    let text = format!(
        "user root; worker_processes 2; pid {at}/pid; error_log {at}/error.log;\n\
         events {{ worker_connections 512; }}\n\
         http {{ sendfile on; access_log off; default_type text/html; client_body_temp_path {at}; proxy_temp_path {at};\n\
         fastcgi_temp_path {at}; uwsgi_temp_path {at}; scgi_temp_path {at};\n\
         server {{ listen 127.0.0.1:{PORT}; root {MOUNT}/www; index index.html;\n\
         location / {{ try_files $uri $uri/ /index.html; }} }} }}\n"
    );
    std::fs::write(home.join("conf"), text).unwrap();
    machine.run(&format!("nginx -c {at}/conf -e {at}/error.log"));
    wait_until("nginx answers", PATIENCE, || {
        machine.begin(|| super::poll::ask(PORT, 0)).join().unwrap().is_ok().then_some(())
    });
}
