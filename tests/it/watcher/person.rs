//! A person's word against the watcher's, through `hearth failover`.

use std::process::Output;

use hearth::failover::Shape;

use super::node::Serving;
use super::rig::Rig;
use crate::support::knot::Knot;
use crate::support::name_server::left_out;

pub(super) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
pub(super) fn done(rig: &Rig, words: &[&str]) -> String {
    let output = rig.hearth(words);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    text(&output)
}

#[test]
fn visitors_go_where_a_person_wants_them_until_told_otherwise() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let status = done(&rig, &["failover", "status"]);
    assert!(status.contains("www.hearth.test: at home") && status.contains("pi1"), "{status}");

    done(&rig, &["failover", "to-fallback", "www.hearth.test", "--for", "1h", "--reason", "paint"]);
    rig.wait_for_record(&server, &rig.away());
    let site = rig.wait_for("the override is shown", |s| s.pinned.is_some() && s.on_fallback);
    assert!(site.pinned.unwrap().contains("paint"));
    let status = done(&rig, &["failover", "status"]);
    assert!(status.contains("ON THE FALLBACK") && status.contains("paint"), "{status}");

    done(&rig, &["failover", "to-home", "www.hearth.test", "--for", "1h", "--reason", "dry"]);
    rig.wait_for_record(&server, &rig.both());
    done(&rig, &["failover", "auto", "www.hearth.test"]);
    rig.wait_for("the override is over", |s| s.pinned.is_none());
    assert_eq!(rig.record(&server), rig.both());
}

#[test]
fn a_person_freezes_a_record_and_drains_a_node_and_both_are_shown_with_their_reason() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    done(&rig, &["failover", "drain", "pi2", "--for", "1h", "--reason", "new card"]);
    rig.wait_for_record(&server, &rig.first());
    let status = done(&rig, &["failover", "status"]);
    assert!(status.contains("drained   pi2") && status.contains("new card"), "{status}");

    done(&rig, &["failover", "freeze", "www.hearth.test", "--for", "1h", "--reason", "the provider moves"]);
    let serial = server.serial();
    rig.pi1.dies();
    rig.wait_for("pi1 is given up", |s| s.nodes[0].health.is_down());
    let status = done(&rig, &["failover", "status"]);
    assert!(status.contains("the provider moves"), "{status}");
    let metrics = rig.get("/metrics").text();
    for line in [
        "hearth_site_frozen_by_hand{site=\"www.hearth.test\"} 1",
        "hearth_site_frozen{site=\"www.hearth.test\"} 0",
        "hearth_node_drained{site=\"www.hearth.test\",node=\"pi2\"} 1",
        "hearth_node_drained{site=\"www.hearth.test\",node=\"pi1\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert_eq!(server.serial(), serial, "the record is left as it is");
    rig.pi1.lives();

    done(&rig, &["failover", "auto", "www.hearth.test"]);
    rig.wait_for_record(&server, &rig.both());
    let unknown = rig.hearth(&["failover", "drain", "pi9", "--reason", "which one?"]);
    assert!(text(&unknown).contains("pi9 serves no site of this watcher"), "{}", text(&unknown));
}

#[test]
fn an_override_ends_by_itself() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    done(&rig, &["failover", "to-fallback", "www.hearth.test", "--for", "4s", "--reason", "a try"]);
    rig.wait_for_record(&server, &rig.away());
    rig.wait_for_record(&server, &rig.both());
    rig.wait_for("it is over", |s| s.pinned.is_none());
    rig.wait_for_note("is over; the watcher decides again");
}

#[test]
fn a_person_is_refused_a_fallback_that_is_dead_and_a_site_that_nobody_watches() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    rig.pages.serves(Serving::Broken);
    rig.wait_for("the fallback is seen to be broken", |s| s.fallback[0].state != "good");
    let before = server.serial();
    for (site, why) in [
        ("www.hearth.test", "the fallback is not known to be good"),
        ("other.hearth.test", "is not a site of this watcher"),
    ] {
        let refused = rig.hearth(&["failover", "to-fallback", site, "--reason", "no"]);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
        assert!(text(&refused).contains(why), "{}", text(&refused));
    }
    assert!(rig.status().pinned.is_none());
    assert_eq!(server.serial(), before);
}

#[test]
fn a_person_is_told_why_a_site_stands_as_it_does_even_when_the_watcher_is_gone() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::new(Shape::Address, &server);
    let nothing = rig.hearth(&["dns", "why", "www.hearth.test"]);
    assert_eq!(nothing.status.code(), Some(3), "{}", text(&nothing));
    assert!(!rig.state.exists(), "asking writes nothing");
    rig.start();
    rig.wait_for_record(&server, &rig.both());
    rig.settled();
    rig.pi2.dies();
    rig.wait_for_record(&server, &rig.first());
    rig.settled();
    let told = done(&rig, &["dns", "why", "www.hearth.test"]);
    let (home, dropped) = ("www.hearth.test: at home", "pi2");
    assert!(told.contains(home) && told.contains(dropped) && told.contains("lately"), "{told}");
    let json: serde_json::Value =
        serde_json::from_str(&done(&rig, &["dns", "why", "www.hearth.test", "--json"])).unwrap();
    assert_eq!(
        (&json["watcher"]["from"], &json["watcher"]["site"]["site"]),
        (&"running".into(), &"www.hearth.test".into())
    );
    let lines = json["watcher"]["timeline"].as_array().unwrap();
    assert!(!lines.is_empty() && lines.iter().all(|line| line["site"] == "www.hearth.test"), "{lines:?}");

    rig.kill();
    let told = done(&rig, &["dns", "why", "www.hearth.test"]);
    let gone = "no watcher runs here";
    assert!(told.contains(gone) && told.contains(home) && told.contains("lately"), "{told}");
    let unknown = rig.hearth(&["dns", "why", "other.hearth.test"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", text(&unknown));
    assert!(text(&unknown).contains("www.hearth.test"), "{}", text(&unknown));
}
