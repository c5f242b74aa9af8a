//! The fallback's certificate: what is not good is not switched to, and people hear of it in time.

use std::time::Duration;

use hearth::failover::Shape;

use super::node::Place;
use super::person::done;
use super::rig::{PATIENCE, Rig};
use super::sink::{Mood, Sink};
use crate::support::authority::{Authority, Issued, now};
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::wait_until;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) const SITE: &str = "www.hearth.test";

/// A site whose fallback shows `issued`, and a service that is told of it.
pub(super) fn rig(server: &Knot, authority: &Authority, issued: &Issued) -> (Rig, Sink) {
    let sink = Sink::start(Mood::Takes("ok"));
    let mut rig = Rig::with_pages(Shape::Address, server, |at| Place::secure_pages(at, issued));
    std::fs::write(rig.path("root.pem"), authority.root_pem()).unwrap();
    rig.settings = format!("ca = \"root.pem\"\nnotify = [{{ webhook = {{ url = \"{}\" }} }}]", sink.url("/"));
    rig.start();
    rig.wait_for_record(server, &rig.both());
    rig.settled();
    (rig, sink)
}

#[track_caller]
pub(super) fn wait_to_hear(sink: &Sink, texts: &[&str]) {
    wait_until(&format!("people hear of {texts:?}"), PATIENCE, || {
        let fits = |body: &String| texts.iter().all(|text| body.contains(text));
        sink.asked().iter().any(|asked| fits(&asked.body)).then_some(())
    });
}

#[test]
fn a_fallback_without_a_good_certificate_is_not_switched_to_before_it_has_one() {
    if left_out("Knot") {
        return;
    }
    let (server, authority) = (Knot::start(), Authority::new("hearth test"));
    let (rig, sink) = rig(&server, &authority, &authority.issue(&["other.hearth.test"]));
    wait_to_hear(&sink, &["warning", "nothing is switched to it", "not valid for name"]);
    rig.pages.shows(&authority.issue_ended(&[SITE]));
    rig.wait_for("the end of the certificate is seen", |s| {
        s.fallback[0]
            .state
            .contains("TLS: the certificate has ended; it is renewed while the name leads there")
    });
    rig.pi2.dies();
    rig.wait_for_record(&server, &rig.first());
    let serial = server.serial();
    rig.pi1.dies();
    let why =
        ["kept, though no node is up", "the certificate has ended; it is renewed while the name leads there"];
    wait_to_hear(&sink, &[&["\"alarm\""], &why[..]].concat());
    let (page, said) = (rig.get("/").text(), done(&rig, &["failover", "status"]));
    for text in why {
        assert!(page.contains(text) && said.contains(text), "{text}: {said}\n{page}");
    }
    // Long enough for another verdict and for several looks at the fallback.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!((rig.record(&server), server.serial()), (rig.first(), serial), "what was published stays");
    assert_eq!(sink.about("kept, though no node is up").len(), 1, "told once: {:?}", sink.asked());
    assert!(rig.get("/metrics").text().contains("hearth_fallback_good{site=\"www.hearth.test\""));

    rig.pages.shows(&authority.issue(&[SITE]));
    rig.wait_for_record(&server, &rig.away());
}

#[test]
fn a_certificate_that_ends_in_ten_days_is_a_warning_and_a_drill_shows_whether_it_was_renewed() {
    if left_out("Knot") {
        return;
    }
    let (server, authority) = (Knot::start(), Authority::new("hearth test"));
    let ending = authority.issue_until(&[SITE], now() + DAY * 10 + Duration::from_secs(3_600));
    let (rig, sink) = rig(&server, &authority, &ending);
    wait_to_hear(&sink, &["warning", "the fallback's certificate at", "ends in 10 days", "hold a drill"]);
    assert!(done(&rig, &["failover", "status"]).contains("its certificate is good for 10 days"));

    let renewed = authority.issue(&[SITE]);
    let said = std::thread::scope(|scope| {
        let drill =
            scope.spawn(|| done(&rig, &["failover", "drill", SITE, "--for", "5s", "--reason", "renew"]));
        rig.wait_for_record(&server, &rig.away());
        rig.pages.shows(&renewed);
        drill.join().unwrap()
    });
    assert!(said.contains("home again in"), "{said}");
    rig.wait_for_note("the fallback's certificate was renewed and ends in 88 days");
}
