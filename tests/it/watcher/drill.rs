//! `hearth failover drill`: visitors go to the fallback and come home, and what it showed is told.

use hearth::failover::Shape;
use hearth::failover::drill::Stage;
use hearth::failover::view::SiteStatus;
use hickory_proto::rr::RecordType;

use super::node::Serving;
use super::person::{done, text};
use super::rig::Rig;
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::poller::Poller;

const SITE: &str = "www.hearth.test";

fn is_away(site: &SiteStatus) -> bool {
    site.drill.as_ref().is_some_and(|drill| drill.stage == Stage::Away)
}

#[test]
fn visitors_are_sent_to_the_fallback_and_home_again_and_how_long_it_took_is_told() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let poller = Poller::start(server.address(), SITE, RecordType::A);
    let rig = Rig::at_home(Shape::Address, &server);
    poller.began();
    let drill = ["failover", "drill", SITE, "--for", "8s", "--reason", "the monthly one"];
    let said = std::thread::scope(|scope| {
        let drill = scope.spawn(|| done(&rig, &drill));
        rig.wait_for_record(&server, &rig.away());
        rig.wait_for("visitors are away", is_away);
        let metrics = rig.get("/metrics").text();
        for line in ["site_drill", "site_overridden"] {
            assert!(metrics.contains(&format!("hearth_{line}{{site=\"{SITE}\"}} 1")), "{metrics}");
        }
        assert!(rig.get("/").text().contains("the monthly one; visitors are on the fallback"));
        drill.join().unwrap()
    });
    // It came home before the command ended, and without anybody's word.
    assert_eq!(rig.record(&server), rig.both());
    for step in ["visitors are on the fallback", "to the fallback in ", "home again in "] {
        assert!(said.contains(step), "{step}: {said}");
    }
    for note in ["drill: the record leads to the fallback", "1 of 1 name servers", "leads home again"] {
        rig.wait_for_note(note);
    }
    let site = rig.status();
    let last = site.last_drill.expect("it is remembered");
    assert!(last.there_ms.is_some() && last.back_ms.is_some() && last.trouble.is_none(), "{last:?}");
    assert!(site.drill.is_none() && site.pinned.is_none());
    assert!(done(&rig, &["failover", "status"]).contains("home again in"));
    let metrics = rig.get("/metrics").text();
    assert!(metrics.contains(&format!("hearth_site_drill_well{{site=\"{SITE}\"}} 1")), "{metrics}");
    poller.assert_never_empty();
    done(&rig, &["watcher", "replay"]);
}

#[test]
fn a_watcher_that_is_killed_in_the_middle_ends_the_drill_when_it_is_back() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::at_home(Shape::Address, &server);
    let left = rig.hearth(&["failover", "drill", SITE, "--for", "31m", "--reason", "too long"]);
    assert!(left.status.code() == Some(1) && text(&left).contains("at most 30 min"), "{}", text(&left));
    let mut drill = rig.begin(&["failover", "drill", SITE, "--for", "20s", "--reason", "a power cut"]);
    rig.wait_for_record(&server, &rig.away());
    rig.wait_for("visitors are away", is_away);
    // Whoever began it goes away, and it goes on.
    drill.kill().unwrap();
    drill.wait().unwrap();
    rig.kill();
    assert_eq!(rig.record(&server), rig.away());
    rig.start();
    rig.wait_for_record(&server, &rig.both());
    rig.wait_for_note("leads home again");
}

#[test]
fn a_drill_is_refused_with_a_fallback_that_is_not_good_and_with_an_override() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let serial = server.serial();
    let refused = |why: &str| {
        let output = rig.hearth(&["failover", "drill", SITE, "--reason", "no"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(why), "{}", text(&output));
    };
    done(&rig, &["failover", "freeze", SITE, "--for", "1h", "--reason", "the provider moves"]);
    refused("the record is frozen");
    done(&rig, &["failover", "auto", SITE]);
    rig.pages.serves(Serving::Broken);
    rig.wait_for("the fallback is seen to be broken", |s| s.fallback[0].state != "good");
    refused("the fallback is not known to be good");
    assert_eq!((rig.record(&server), server.serial()), (rig.both(), serial));
}
