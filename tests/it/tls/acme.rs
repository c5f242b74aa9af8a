//! Certificates from pebble: the three ways to prove a host, what goes wrong, and two nodes with one certificate.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hearth::status::{AgentStatus, CertificateStatus};
use hearth::tls::certificate::{day, read_chain};
use hickory_proto::rr::RecordType;
use rustls::pki_types::CertificateDer;

use super::rig::{PATIENCE, connect, get};
use crate::agent::rig::{HOST, Rig, free_port};
use crate::support::authority::now;
use crate::support::knot::Knot;
use crate::support::name_server::{ZONE, left_out};
use crate::support::pebble::{EveryName, Pebble, Plan};
use crate::support::{http, stays, wait_until};
use crate::watcher::storm::libfaketime;

pub(super) fn root(pebble: &Pebble) -> CertificateDer<'static> {
    read_chain(pebble.root().as_bytes()).unwrap().remove(0)
}

/// What a visitor who trusts `root` is shown.
pub(super) fn shown(
    at: std::net::SocketAddr,
    root: &CertificateDer<'static>,
) -> Option<CertificateDer<'static>> {
    let mut stream = connect(at, HOST, root, &[]).ok()?;
    stream.conn.complete_io(&mut stream.sock).ok()?;
    stream.conn.peer_certificates().map(|chain| chain[0].clone().into_owned())
}

pub(super) fn certificate(status: &AgentStatus) -> &CertificateStatus {
    &status.certificates[0]
}

/// An agent whose site has HTTPS at a port, by this authority.
pub(super) fn rig(acme: &str) -> (Rig, std::net::SocketAddr) {
    let at = free_port();
    (Rig::new(&format!("[site.tls]\nlisten = [\"{at}\"]\n{acme}")), at)
}

pub(super) fn provider(knot: &Knot, writer: &str) -> String {
    let server = knot.address();
    format!(
        "[provider.home]\nkind = \"rfc2136\"\nserver = \"{server}\"\nzone = \"{ZONE}\"\nname-servers = [\"{server}\"]\n\
         key = {{ name = \"{writer}\", secret = {{ file = \"tsig.key\" }} }}\n"
    )
}

fn modes(directory: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mode = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().metadata().unwrap().permissions().mode() & 0o777
    };
    entries.map(mode).collect()
}

#[test]
fn a_host_is_proven_by_a_text_that_goes_again_and_no_other_is_touched() {
    if left_out("pebble and knot") {
        return;
    }
    let knot = Knot::start();
    let texts = || knot.query("_acme-challenge.www", RecordType::TXT);
    let before = texts();
    assert_eq!(before.len(), 1, "somebody else's");
    let pebble = Pebble::start(&Plan { bad_nonces: 20, ..Plan::asking(knot.address()) });
    let (mut rig, at) =
        rig(&(pebble.acme(", provider = \"home\", contact = \"me@example.com\"") + &provider(&knot, "pi1")));
    rig.start();
    let status = rig.wait_for("a certificate", |status| certificate(status).until.is_some());
    let until = certificate(&status).until.unwrap();
    assert!(until > now().as_secs() + 80 * 86_400, "{}", day(until));
    let page = wait_until("the page", PATIENCE, || {
        get(at, HOST, &root(&pebble), "/").ok().filter(|a| a.status == 200)
    });
    assert_eq!(page.text(), "home");
    assert_eq!(texts(), before, "the proof is gone, and the other text stands");
    let own = rig.path("state/acme");
    assert!(modes(&own).len() >= 2 && modes(&own).iter().all(|mode| *mode == 0o600), "{:?}", modes(&own));
    assert_eq!(own.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!rig.log().contains("PRIVATE KEY"));

    let leaf = shown(at, &root(&pebble)).unwrap();
    rig.stop();
    rig.start();
    rig.wait_for("the certificate that was kept", |status| certificate(status).until == Some(until));
    assert_eq!(shown(at, &root(&pebble)), Some(leaf));
    assert_eq!(pebble.orders(), 1);
}

#[test]
fn a_host_is_proven_by_a_file_and_by_a_handshake() {
    if left_out("pebble") {
        return;
    }
    let dns = EveryName::start();
    for challenge in ["http-01", "tls-alpn-01"] {
        let at = free_port();
        let rig = Rig::new("");
        let plan = Plan { http: rig.site.port(), tls: at.port(), ..Plan::asking(dns.at) };
        let pebble = Pebble::start(&plan);
        let acme = pebble.acme(&format!(", challenge = \"{challenge}\""));
        rig.also(&format!("[site.tls]\nlisten = [\"{at}\"]\nredirect = true\n{acme}"));
        let mut rig = rig;
        rig.start();
        let status = rig.wait_for(challenge, |status| certificate(status).until.is_some());
        assert_eq!(certificate(&status).from, format!("127.0.0.1 by {challenge}"));
        assert!(shown(at, &root(&pebble)).is_some(), "{challenge}");
        let plain = http::ask(rig.site, "GET", "/.well-known/acme-challenge/x", HOST, &[]);
        assert_eq!(plain.status, 404, "an authority is never sent elsewhere");
    }
}

#[test]
fn a_proof_that_is_not_found_costs_nobody_the_site_and_is_not_tried_again_at_once() {
    if left_out("pebble") {
        return;
    }
    let dns = EveryName::start();
    // It looks where nobody listens.
    let pebble = Pebble::start(&Plan::asking(dns.at));
    let (mut rig, at) = rig(&pebble.acme(""));
    rig.start();
    let failed = |status: &AgentStatus| certificate(status).why.contains("the next try is in");
    let status = rig.wait_for("the failure", failed);
    let why = &certificate(&status).why;
    assert!(why.contains("connection") && why.contains("1") && why.contains("min"), "{why}");
    assert!(!certificate(&status).needs_person, "{why}");
    let page = || http::ask(rig.site, "GET", "/", HOST, &[]).status;
    wait_until("the page", PATIENCE, || (page() == 200).then_some(()));
    assert_eq!((shown(at, &root(&pebble)), pebble.orders()), (None, 1));
    rig.kill();
    rig.start();
    let orders = stays("a restart is no reason to ask again", Duration::from_secs(2), || pebble.orders());
    assert_eq!(orders, 1);
}

#[test]
fn renewal_loses_no_request() {
    if left_out("pebble and knot") {
        return;
    }
    let knot = Knot::start();
    let pebble = Pebble::start(&Plan { validity: Duration::from_secs(15), ..Plan::asking(knot.address()) });
    let (mut rig, at) = rig(&(pebble.acme(", provider = \"home\"") + &provider(&knot, "pi1")));
    rig.start();
    let root = root(&pebble);
    wait_until("the page", PATIENCE, || get(at, HOST, &root, "/").ok().filter(|a| a.status == 200));
    let (first, done) = (shown(at, &root).unwrap(), AtomicBool::new(false));
    let asked = std::thread::scope(|scope| {
        let load = || {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(get(at, HOST, &root, "/").expect("no request fails").text(), "home");
                asked += 1;
            }
            asked
        };
        let loads = [scope.spawn(load), scope.spawn(load)];
        wait_until("another certificate", PATIENCE * 2, || shown(at, &root).filter(|shown| *shown != first));
        done.store(true, Ordering::Relaxed);
        loads.map(|load| load.join().unwrap()).iter().sum::<u32>()
    });
    assert!(asked > 100, "only {asked} requests");
}

#[test]
fn of_two_nodes_one_renews_and_both_show_it() {
    if left_out("pebble and knot") {
        return;
    }
    let knot = Knot::start();
    let pebble = Pebble::start(&Plan::asking(knot.address()));
    let share = tempfile::tempdir().unwrap();
    let acme =
        pebble.acme(&format!(", provider = \"home\", share = \"{}\"", share.path().join("tls").display()));
    let (mut one, at_one) = rig(&(acme.clone() + &provider(&knot, "pi1")));
    let (two, at_two) = rig(&(acme + &provider(&knot, "pi2")));
    let mut two = two.called("pi2", [127, 0, 9, 2]);
    one.start();
    two.start();
    let until = |rig: &Rig| {
        let has =
            |status: &AgentStatus| certificate(status).until.is_some() && certificate(status).why.is_empty();
        certificate(&rig.wait_for("a certificate", has)).until
    };
    assert_eq!(until(&one), until(&two));
    let root = root(&pebble);
    assert_eq!((shown(at_one, &root).is_some(), shown(at_one, &root)), (true, shown(at_two, &root)));
    assert_eq!(pebble.orders(), 1);

    // Without the volume each has its own copy.
    one.stop();
    std::fs::rename(share.path().join("tls"), share.path().join("gone")).unwrap();
    std::fs::write(share.path().join("tls"), "no directory").unwrap();
    one.start();
    until(&one);
    assert_eq!(shown(at_one, &root), shown(at_two, &root));
    assert_eq!(pebble.orders(), 1);
}

#[test]
fn what_was_kept_and_is_damaged_is_had_anew() {
    if left_out("pebble and knot") {
        return;
    }
    let knot = Knot::start();
    let pebble = Pebble::start(&Plan::asking(knot.address()));
    let (mut rig, at) = rig(&(pebble.acme(", provider = \"home\"") + &provider(&knot, "pi1")));
    rig.start();
    rig.wait_for("a certificate", |status| certificate(status).until.is_some());
    let first = shown(at, &root(&pebble)).unwrap();
    rig.stop();
    let files: Vec<_> =
        std::fs::read_dir(rig.path("state/acme")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in &files {
        let text = std::fs::read(file).unwrap();
        std::fs::write(file, &text[..text.len() / 2]).unwrap();
    }
    rig.start();
    rig.wait_for("another certificate", |status| certificate(status).until.is_some());
    let second = shown(at, &root(&pebble)).unwrap();
    assert!(first != second && pebble.orders() == 2);
    assert!(rig.log().contains("is damaged"), "{}", rig.log());
}

#[test]
fn a_clock_that_is_wrong_takes_nothing_from_visitors() {
    if left_out("pebble, knot and faketime") {
        return;
    }
    let Some(library) = libfaketime() else {
        println!("left out: libfaketime is not installed");
        return;
    };
    let knot = Knot::start();
    let pebble = Pebble::start(&Plan::asking(knot.address()));
    let (mut rig, at) = rig(&(pebble.acme(", provider = \"home\"") + &provider(&knot, "pi1")));
    rig.start_at("1970-01-01 00:10:00", &library);
    let waits = rig.wait_for("the wait", |status| certificate(status).why.contains("clock"));
    assert!(certificate(&waits).until.is_none());
    let page = || http::ask(rig.site, "GET", "/", HOST, &[]).status;
    wait_until("the page", PATIENCE, || (page() == 200).then_some(()));
    assert_eq!(pebble.orders(), 0);
    rig.stop();
    rig.start_as_it_is();
    let until = certificate(&rig.wait_for("it", |status| certificate(status).until.is_some())).until;
    rig.stop();
    for wrong in ["1970-01-01 00:10:00", "+10y"] {
        rig.start_at(wrong, &library);
        let kept = rig.wait_for("what is kept", |status| {
            certificate(status).until == until && !certificate(status).why.is_empty()
        });
        let why = &certificate(&kept).why;
        assert!(why.contains("clock") || why.contains("cannot be asked"), "{wrong}: {why}");
        assert!(shown(at, &root(&pebble)).is_some(), "{wrong}");
        rig.stop();
    }
    assert_eq!(pebble.orders(), 1);
}
