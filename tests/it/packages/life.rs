//! The life of a package: installed, set up, reloaded, hung, killed, upgraded, removed, purged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::machine::Machine;
use super::{at, quick, said, text};
use crate::support::wait_until;

const SOON: Duration = Duration::from_secs(60);

/// Asks for the page as a visitor does.
const VISIT: &str = "curl --silent --fail --max-time 10 --header 'Host: www.example.com' http://127.0.0.1/";

/// Visits as long as /visiting exists, and counts what was answered and what was not.
const VISITS: &str = "touch /visiting; good=0; bad=0; while [ -e /visiting ]; do if [ \"$(curl --silent --fail \
    --max-time 10 --header 'Host: www.example.com' http://127.0.0.1/)\" = hello ]; then good=$((good+1)); else \
    bad=$((bad+1)); fi; done; echo $good $bad";

/// Finds what a package has left behind.
pub(super) const LEFT: &str = "find / -xdev -iname '*hearth*' -not -path '/proc/*' -not -path '/sys/*' \
    -not -path '/srv/*' -not -path '/hearth.deb' -not -path '/var/log/journal/*' -not -path '/tmp/*'";

/// A directory with the package of the program that is tested, hearth.deb, and one that only differs in its version,
/// later.deb.
fn packages() -> tempfile::TempDir {
    let directory = at("target/packages-test");
    fs::create_dir_all(&directory).unwrap();
    let own = tempfile::tempdir().unwrap();
    // Tests run beside each other, and packages/build has one place to build in.
    let script =
        "set -e; rm -f \"$2\"/*.deb; packages/build --with \"$1\"; mv \"$2\"/hearth_*.deb \"$3/hearth.deb\"";
    said(
        Command::new("flock")
            .arg(directory.join("lock"))
            .args(["bash", "-c", script, "bash", env!("CARGO_BIN_EXE_hearth")])
            .args([directory.as_path(), own.path()])
            .current_dir(at("")),
    );
    add_a_later_one(own.path());
    own
}

/// Makes later.deb of the hearth.deb in a directory.
pub(super) fn add_a_later_one(directory: &Path) {
    let script = "set -e; dpkg-deb -R hearth.deb later; sed -i 's/^Version:.*/Version: 99.0-1/' later/DEBIAN/control; \
        dpkg-deb --root-owner-group -b -Znone later later.deb; rm -r later";
    said(Command::new("sh").args(["-c", script]).current_dir(directory));
}

impl Machine {
    /// The agent's process; there must be one.
    #[track_caller]
    fn process(&self) -> String {
        self.process_of("hearth")
    }

    /// A service's main process; there must be one.
    #[track_caller]
    fn process_of(&self, service: &str) -> String {
        let process =
            self.said(&format!("systemctl show --property MainPID --value {service}")).trim().to_owned();
        assert!(process.parse::<u32>().is_ok_and(|process| process > 1), "no process: {process}");
        process
    }

    /// Does what makes one agent follow another, and waits for that.
    #[track_caller]
    fn reloads(&self, line: &str) {
        let count = "journalctl --unit hearth --grep 'SIGHUP' --output cat | wc -l";
        let serving = "journalctl --unit hearth --grep 'serving the kept copy' --output cat | wc -l";
        let before = (self.said(count), self.said(serving));
        self.said(line);
        wait_until("another agent", SOON, || {
            (self.said(count) != before.0 && self.said(serving) != before.1).then_some(())
        });
    }

    /// Waits until the service is up with another process than `before`.
    #[track_caller]
    fn wait_for_another(&self, before: &str) {
        self.wait_for_another_of("hearth", before);
    }

    /// The same of any service. State and process are read at once: between two looks a service may end, and has then no
    /// process, which is told as 0.
    #[track_caller]
    fn wait_for_another_of(&self, service: &str, before: &str) {
        let look =
            format!("systemctl show --property MainPID,ActiveState --value {service} | sort | tr '\\n' ' '");
        wait_until("another process", SOON, || {
            let seen = self.said(&look);
            let (process, state) = seen.trim().split_once(' ')?;
            (state == "active" && process != "0" && process != before).then_some(())
        });
    }

    /// Does something while visitors come, and tells how many were answered; none may be turned away.
    #[track_caller]
    fn visited(&self, during: impl FnOnce()) {
        let visits = self.start(VISITS);
        self.wait_for("test -e /visiting", SOON);
        during();
        fs::remove_file(self.path("/visiting")).unwrap();
        let counted = text(&visits.wait_with_output().unwrap().stdout);
        let (good, bad) = counted.trim().split_once(' ').expect(&counted);
        assert!(good.parse::<u32>().unwrap() > 3, "{counted}");
        assert_eq!(bad, "0", "visitors turned away, of {good}");
    }
}

fn a_life_in(suite: &str) {
    if quick("a test with a Debian in a container") {
        return;
    }
    let packages = packages();
    let Some(machine) = Machine::boot(suite, &packages.path().join("hearth.deb")) else { return };
    installs(&machine);
    serves(&machine);
    outlives(&machine);
    refuses(&machine);
    watches(&machine);
    fs::copy(packages.path().join("later.deb"), machine.path("/later.deb")).unwrap();
    upgrades(&machine);
    goes(&machine);
}

fn installs(machine: &Machine) {
    machine.said("dpkg -i /hearth.deb");
    machine.said("hearth --version && id hearth | grep -q gpio && man -w hearth 2>/dev/null || test -e /usr/share/man/man1/hearth.1.gz");
    assert_eq!(machine.said("systemctl show --property ActiveState --value hearth").trim(), "inactive");
    let directory = fs::metadata(machine.path("/etc/hearth")).unwrap();
    assert_eq!(directory.permissions().mode() & 0o7777, 0o750);
}

fn serves(machine: &Machine) {
    machine.said("mkdir -p /srv/www && echo hello >/srv/www/index.html");
    let told = machine.said("hearth init --name pi1 --site www.example.com </dev/null");
    assert!(told.contains("[[peer]]") && told.contains("systemctl enable --now hearth"), "{told}");
    // A hang is to be seen within the patience of a test.
    machine.said("mkdir -p /run/systemd/system/hearth.service.d");
    let shorter = "[Service]\nWatchdogSec=4\n";
    machine.said(&format!(
        "printf '{}' >/run/systemd/system/hearth.service.d/test.conf",
        shorter.replace('\n', "\\n")
    ));
    machine.said("systemctl daemon-reload && systemctl enable --now hearth");
    machine.wait_for(VISIT, SOON);
    assert_eq!(machine.said("stat --format %U /proc/$(systemctl show -P MainPID hearth)").trim(), "hearth");
    machine.said("hearth status");
    // Nothing is served there yet: a visitor is told so at once.
    let tls = machine.run("curl --silent --max-time 10 http://127.0.0.1:443/");
    assert_ne!(tls.status.code(), Some(28), "a visitor of port 443 waits in vain");
    assert!(!tls.status.success());
}

fn outlives(machine: &Machine) {
    // A reload: the program is another one, in the same process.
    machine.visited(|| {
        for _ in 0..3 {
            machine.reloads("systemctl reload hearth");
        }
    });
    // A reload with a mistake changes nothing.
    let before = machine.process();
    machine.said("cp -p /etc/hearth/hearth.toml /good && echo 'nonsense = 1' >>/etc/hearth/hearth.toml");
    assert!(!machine.run("systemctl reload hearth").status.success());
    machine.said(VISIT);
    assert_eq!(machine.process(), before);
    machine.said("cp -p /good /etc/hearth/hearth.toml");
    // A hang: the watchdog ends it.
    machine.said(&format!("kill -STOP {before}"));
    machine.wait_for_another(&before);
    machine.wait_for(VISIT, SOON);
    // A crash, again and again: who comes next waits for the next agent.
    for _ in 0..4 {
        let before = machine.process();
        machine.said(&format!("kill -KILL {before} && {VISIT}"));
        machine.wait_for_another(&before);
    }
    // A restart turns nobody away either.
    machine.visited(|| {
        for _ in 0..3 {
            let before = machine.process();
            machine.said("systemctl restart hearth");
            machine.wait_for_another(&before);
            machine.said(VISIT);
        }
    });
    // A full disk.
    let before = machine.process();
    machine
        .said("mount -t tmpfs -o size=4k,mode=0700 tmpfs /var/lib/hearth && chown hearth: /var/lib/hearth");
    machine.said("dd if=/dev/zero of=/var/lib/hearth/full 2>/dev/null; true");
    machine.said("systemctl restart hearth");
    machine.wait_for_another(&before);
    machine.wait_for(VISIT, SOON);
    machine.said("umount --lazy /var/lib/hearth");
    machine.said("systemctl restart hearth");
    machine.wait_for(VISIT, SOON);
}

/// A mistake that is there at a start: visitors are refused, and none of them has it tried again.
fn refuses(machine: &Machine) {
    machine.said("cp -p /etc/hearth/hearth.toml /good && echo 'nonsense = 1' >>/etc/hearth/hearth.toml");
    assert!(!machine.run("systemctl restart hearth").status.success());
    machine.wait_for(&format!("{VISIT}; [ $? -eq 7 ]"), SOON);
    let tried = "journalctl --sync; journalctl --output cat --grep 'Main process exited, code=exited, status=2' | wc -l";
    assert_eq!(machine.said(tried).trim(), "1");
    machine.said("cp -p /good /etc/hearth/hearth.toml && systemctl start hearth");
    machine.wait_for(VISIT, SOON);
}

/// The watcher's unit on the same machine, for as long as the agent makes room.
fn watches(machine: &Machine) {
    machine.said("systemctl stop hearth && mv /etc/hearth/hearth.toml /node.toml");
    let (key, words) = (
        machine.said("hearth key show /etc/hearth/node.key"),
        "--site www.example.com --fallback user.github.io \
        --provider rfc2136 --zone example.com --server 127.0.0.1 --account watcher",
    );
    machine.said(&format!("hearth init --watcher {words} --peer pi1={} </dev/null", key.trim()));
    machine.said("echo c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmU= >/etc/hearth/dns.secret");
    machine.said("mkdir -p /run/systemd/system/hearth-watcher.service.d");
    machine.said(
        "printf '[Service]\\nWatchdogSec=4\\n' >/run/systemd/system/hearth-watcher.service.d/test.conf",
    );
    machine.said("systemctl daemon-reload && systemctl start hearth-watcher");
    let process = || machine.process_of("hearth-watcher");
    assert_eq!(machine.said(&format!("stat --format %U /proc/{}", process())).trim(), "hearth");
    machine.said("hearth status");
    machine.said("test -d /var/lib/hearth-watcher/journal");
    // A reload, a hang and a crash end in another process; a mistake in the configuration in the same one.
    for line in ["systemctl reload hearth-watcher", "kill -STOP", "kill -KILL"] {
        let before = process();
        machine.said(&if line.starts_with("kill") { format!("{line} {before}") } else { line.to_owned() });
        machine.wait_for_another_of("hearth-watcher", &before);
    }
    let before = process();
    machine.said("cp -p /etc/hearth/hearth.toml /good && echo 'nonsense = 1' >>/etc/hearth/hearth.toml");
    assert!(!machine.run("systemctl reload hearth-watcher").status.success());
    assert_eq!(process(), before);
    // An upgrade while it watches, and a stop on purpose.
    machine.said("cp -p /good /etc/hearth/hearth.toml && dpkg -i /hearth.deb");
    machine.wait_for_another_of("hearth-watcher", &before);
    machine.said("systemctl stop hearth-watcher");
    assert_eq!(machine.said("systemctl show --property Result --value hearth-watcher").trim(), "success");
    machine.said("rm -r /run/systemd/system/hearth-watcher.service.d");
    machine
        .said("mv /node.toml /etc/hearth/hearth.toml && systemctl daemon-reload && systemctl start hearth");
    machine.wait_for(VISIT, SOON);
}

fn upgrades(machine: &Machine) {
    machine.visited(|| machine.reloads("dpkg -i /later.deb"));
    assert_eq!(machine.said("dpkg-query -W -f '${Version}' hearth"), "99.0-1");
}

fn goes(machine: &Machine) {
    // A stop closes the port: a visitor is refused, and does not wait.
    machine.said("systemctl stop hearth");
    machine.wait_for(&format!("{VISIT}; [ $? -eq 7 ]"), SOON);
    assert_eq!(machine.said("systemctl is-active hearth || true").trim(), "inactive");
    machine.said("systemctl start hearth");
    machine.wait_for(VISIT, SOON);
    // A removal keeps what a person wrote and what was learnt.
    machine.said("dpkg -r hearth");
    assert_eq!(machine.run(VISIT).status.code(), Some(7), "curl: refused");
    machine
        .said("test -s /etc/hearth/hearth.toml && test -s /etc/hearth/node.key && test -d /var/lib/hearth");
    // A purge keeps nothing.
    machine.said("dpkg -P hearth && rm -r /run/systemd/system/hearth.service.d");
    assert_eq!(machine.said(LEFT), "", "left behind");
    assert!(!machine.run("getent passwd hearth").status.success());
    assert!(!machine.run("getent group hearth").status.success());
}

#[test]
fn a_package_lives_and_leaves_in_debian_12() {
    a_life_in("bookworm");
}

#[test]
fn a_package_lives_and_leaves_in_debian_13() {
    a_life_in("trixie");
}
