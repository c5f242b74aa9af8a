//! Visitors are sent elsewhere, and back.

use hearth::failover::Shape;
use hearth::heartbeat::SourceState;
use hickory_proto::rr::RecordType;

use super::node::Serving;
use super::rig::Rig;
use crate::support::bind::Bind;
use crate::support::knot::Knot;
use crate::support::name_server::{NameServer, left_out};
use crate::support::poller::Poller;
use crate::support::wait_until;

/// Each case in each shape against each server.
macro_rules! in_each_shape {
    ($module:ident, $server:ty, $shape:expr, [$($case:ident),*]) => {
        mod $module {
            $(#[test]
            fn $case() {
                if !super::left_out(stringify!($module)) {
                    super::$case($shape, &<$server>::start());
                }
            })*
        }
    };
}

in_each_shape!(knot_address, super::Knot, super::Shape::Address, [the_site_moves_away_and_back]);
in_each_shape!(knot_cname, super::Knot, super::Shape::Cname, [the_site_moves_away_and_back]);
in_each_shape!(bind_address, super::Bind, super::Shape::Address, [the_site_moves_away_and_back]);
in_each_shape!(bind_cname, super::Bind, super::Shape::Cname, [the_site_moves_away_and_back]);

fn the_site_moves_away_and_back(shape: Shape, server: &NameServer) {
    let (name, kind) = match shape {
        Shape::Address => ("www.hearth.test", RecordType::A),
        Shape::Cname => ("alias.hearth.test", RecordType::CNAME),
    };
    let foreign = || (server.query("www", RecordType::MX), server.query("www", RecordType::TXT));
    let before = foreign();
    assert!(!before.0.is_empty() && !before.1.is_empty());
    let poller = Poller::start(server.address(), name, kind);
    let rig = Rig::at_home(shape, server);
    poller.began();
    let mut epochs = vec![rig.epoch(server)];

    rig.pi1.dies();
    rig.wait_for_record(server, &rig.second());
    rig.settled();
    epochs.push(rig.epoch(server));

    rig.pi2.dies();
    rig.wait_for_record(server, &rig.away());
    assert!(rig.wait_for("the site is away", |s| s.on_fallback).why.contains("no node is up"));
    rig.settled();
    epochs.push(rig.epoch(server));

    rig.pi1.lives();
    rig.wait_for_record(server, &rig.first());
    rig.settled();
    epochs.push(rig.epoch(server));
    rig.wait_for("the site is home", |s| !s.on_fallback && s.nodes[0].published);

    assert!(epochs.windows(2).all(|pair| pair[0] < pair[1]), "{epochs:?}");
    poller.assert_never_empty();
    assert_eq!(foreign(), before);
}

#[test]
fn an_announced_stop_drops_a_node_although_it_still_answers() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    rig.pi1.leaves();
    rig.wait_for_record(&server, &rig.second());
    let site = rig.status();
    assert!(site.why.contains("said that it is leaving"), "{}", site.why);
    assert_eq!(site.nodes[0].why, "leaving: a restart");
}

#[test]
fn a_node_that_moves_is_published_where_it_has_proved_to_be() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let port = rig.pages.address.port();
    let new = super::node::Place::node((rig.at(77), port).into(), "pi1");
    rig.pi1.claims(rig.at(77));
    rig.wait_for_record(&server, &[rig.at(12).to_string(), rig.at(77).to_string()]);
    drop(new);
}

#[test]
fn an_address_that_does_not_prove_itself_is_never_published() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let before = server.serial();
    let place = super::node::Place::node((rig.at(66), rig.pages.address.port()).into(), "pi1");
    place.serves(Serving::AsStranger);
    rig.pi1.claims(rig.at(66));
    let site = rig.wait_for("the claim was looked at", |s| {
        s.nodes[0].targets.iter().any(|t| t.address == rig.at(66) && t.failure.is_some())
    });
    assert_eq!(site.nodes[0].targets[0].proven, Some(rig.at(11)), "what was proved before");
    assert_eq!(server.serial(), before, "nothing was written");
    // Its beats go on, so it is given up as one that visitors do not reach.
    rig.wait_for_record(&server, &rig.second());
    let text = serde_json::to_string(&rig.status().in_force).unwrap();
    assert!(!text.contains(&rig.at(66).to_string()), "{text}");
}

#[test]
fn a_watcher_that_is_cut_off_decides_nothing() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::at_home(Shape::Address, &server);
    let before = server.serial();
    rig.references.iter_mut().for_each(super::node::Reference::closes);
    let cut = |cut: bool| {
        wait_until("the watcher knows whether it is cut off", super::rig::PATIENCE, || {
            rig.ask().filter(|s| s.isolated_for_ms.is_some() == cut)
        })
    };
    cut(true);
    rig.pi1.dies();
    rig.pi2.dies();
    // Longer than it takes to give a node up.
    let later = wait_until("time passes", super::rig::PATIENCE, || {
        rig.ask().filter(|s| s.isolated_for_ms.is_some_and(|ms| ms > 6_000))
    });
    assert!(later.sites[0].pending.is_none());
    assert!(later.timeline.iter().any(|h| h.text.contains("is cut off")), "{:?}", later.timeline);
    assert!(rig.get("/").text().contains("CUT OFF"));
    assert_eq!(server.serial(), before);
    rig.pi1.lives();
    rig.pi2.lives();
    rig.references.iter_mut().for_each(super::node::Reference::opens);
    wait_until("the watcher warms up", super::rig::PATIENCE, || rig.ask()?.warming_up_for_ms);
    wait_until("the watcher decides again", super::rig::PATIENCE, || {
        rig.ask().filter(|s| s.warming_up_for_ms.is_none() && s.isolated_for_ms.is_none())
    });
    rig.wait_for("both are up", |s| s.nodes.iter().all(|n| n.health.is_up()));
    assert_eq!(rig.record(&server), rig.both());
    assert_eq!(server.serial(), before, "nothing was written");
}

#[test]
fn a_single_reference_that_is_silent_isolates_until_it_answers() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::new(Shape::Address, &server);
    rig.references.truncate(1);
    rig.start();
    rig.wait_for_record(&server, &rig.both());
    rig.references[0].closes();
    wait_until("the watcher is cut off for a while", super::rig::PATIENCE, || {
        rig.ask()?.isolated_for_ms.filter(|ms| *ms > 2_000)
    });
    rig.references[0].opens();
    wait_until("the watcher decides again", super::rig::PATIENCE, || {
        rig.ask().filter(|s| s.warming_up_for_ms.is_none() && s.isolated_for_ms.is_none())
    });
}

#[test]
fn a_broken_fallback_is_not_switched_to_until_it_heals() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    rig.pages.serves(Serving::Broken);
    rig.wait_for("the fallback is seen to be broken", |s| s.fallback[0].state != "good");
    rig.pi2.dies();
    rig.wait_for_record(&server, &rig.first());
    rig.pi1.dies();
    rig.wait_for_note("the fallback is not known to be good");
    assert_eq!(rig.record(&server), rig.first(), "what was published stays");
    rig.pages.serves(Serving::Well);
    rig.wait_for_record(&server, &rig.away());
}

#[test]
fn a_node_with_old_pages_is_shown_and_waits_until_it_has_healed() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    rig.pi2.dies();
    rig.wait_for_record(&server, &rig.first());
    rig.pi1.holds("g2", SourceState::Ok);
    rig.wait_for("the new pages", |site| site.nodes[0].generation.as_deref() == Some("g2"));
    rig.pi2.holds("g1", SourceState::Gone);
    rig.pi2.lives();
    rig.wait_for_note("pi2 could come back but serves g1, and g2 was published last");
    let said = String::from_utf8_lossy(&rig.hearth(&["failover", "status"]).stdout).into_owned();
    let page = rig.get("/").text();
    for shown in ["serves g1, which is not what was published last", "its source is gone"] {
        assert!(said.contains(shown) && page.contains(shown), "{shown}: {said}\n{page}");
    }
    assert_eq!(rig.record(&server), rig.first());
    rig.pi2.holds("g2", SourceState::Ok);
    rig.wait_for_record(&server, &rig.both());
}
