//! Certificates in files: new ones, broken ones, and none.

use std::sync::atomic::{AtomicBool, Ordering};

use hearth::status::FaultCode;

use super::rig::{PATIENCE, Secure, get, wait_for_log};
use crate::agent::rig::{HOST, text};
use crate::support::wait_until;

#[test]
fn a_new_certificate_is_shown_without_one_request_lost() {
    let secure = Secure::start("");
    let (first, done, root) = (secure.shown(HOST).unwrap(), AtomicBool::new(false), secure.authority.root());
    let asked = std::thread::scope(|scope| {
        let load = || {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                let answer = get(secure.at, HOST, &root, "/").expect("no request fails");
                assert_eq!(answer.text(), "home");
                asked += 1;
            }
            asked
        };
        let loads = [scope.spawn(load), scope.spawn(load)];
        secure.authority.issue(&[HOST]).write(&secure.rig.path(""), "www");
        wait_until("the new certificate", PATIENCE, || secure.shown(HOST).filter(|shown| *shown != first));
        done.store(true, Ordering::Relaxed);
        loads.map(|load| load.join().unwrap()).iter().sum::<u32>()
    });
    assert!(asked > 20, "only {asked} requests");
}

#[test]
fn a_broken_certificate_is_told_with_its_remedy_and_the_good_one_stays() {
    let secure = Secure::start("");
    let good = secure.shown(HOST).unwrap();
    let write = |name: &str, text: &str| std::fs::write(secure.rig.path(name), text).unwrap();
    let told = |why: &str| {
        let status = secure.rig.wait_for(why, |status| status.certificates[0].why.contains(why));
        assert!(status.faults.iter().any(|fault| fault.code == FaultCode::TlsOrClock), "{:?}", status.faults);
        assert_eq!(secure.shown(HOST).as_ref(), Some(&good), "{why}");
    };
    write("www.key", &secure.authority.issue(&[HOST]).key);
    told("www.pem: the private key is not that of the first certificate");
    write("www.pem", "no certificate at all");
    told("there is no certificate in it");
    secure.authority.issue_ended(&[HOST]).write(&secure.rig.path(""), "www");
    told("www.pem: it ended on");
    secure.authority.issue(&["www.example.com"]).write(&secure.rig.path(""), "www");
    told("it is not for www.hearth.test, but for www.example.com");
    std::fs::remove_file(secure.rig.path("www.key")).unwrap();
    told("www.key cannot be read");
    secure.authority.issue(&[HOST]).write(&secure.rig.path(""), "www");
    let mended = secure.rig.wait_for("a good one", |status| status.certificates[0].why.is_empty());
    assert!(mended.faults.iter().all(|fault| fault.code != FaultCode::TlsOrClock));
    assert_ne!(secure.shown(HOST).as_ref(), Some(&good));
    wait_for_log(&secure.rig, "www.key cannot be read");
}

#[test]
fn without_a_certificate_the_site_is_served_plain_and_check_config_says_what_is_missing() {
    let mut secure = Secure::prepare("redirect = true\n");
    let checked = secure.rig.hearth(&["check-config"]);
    assert!(
        checked.status.success() && text(&checked).contains("www.pem cannot be read"),
        "{}",
        text(&checked)
    );
    secure.rig.start();
    let served = || crate::support::http::ask(secure.rig.site, "GET", "/", HOST, &[]);
    wait_until("the page", PATIENCE, || (served().status == 200).then_some(()));
    assert_eq!(secure.shown(HOST), None);
    let status = secure.rig.hearth(&["status"]);
    assert!(text(&status).contains("none yet, from"), "{}", text(&status));
}
