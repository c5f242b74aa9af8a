//! Drills: visitors go to the fallback and come home, and nothing keeps them away.

use super::world::{BOTH, PAGES, World, node, seconds, site};
use crate::dns::{Rdata, RdataSet};
use crate::failover::event::{Command, Event};
use crate::failover::lane::Side;

fn drill(world: &mut World, span: u64) {
    world.command(Command::Drill { span: seconds(span) });
}

#[track_caller]
fn told(world: &World, text: &str) {
    assert!(world.notes.iter().any(|(_, note)| note.text.contains(text)), "{text}\n{}", world.story());
}

#[test]
fn a_drill_leads_away_and_home_without_a_hold_down_and_costs_one_return() {
    let mut world = World::at_rest();
    let left = |world: &World| {
        let lane = world.site().lanes.values().next().unwrap();
        lane.returns_left(world.now, &world.setup.sites[0].policy)
    };
    let before = left(&world);
    drill(&mut world, 120);
    world.until(PAGES, seconds(2));
    world.run(seconds(5));
    told(&world, "drill: the record leads to the fallback");
    let epoch = world.site().epoch;
    world.step(Event::Confirmed { site: site(), epoch, agree: 2, asked: 3 });
    told(&world, "drill: 2 of 3 name servers lead to the fallback");
    assert!(world.until(BOTH, seconds(200)) >= seconds(110));
    world.run(seconds(60));
    told(&world, "drill: the record leads home again");
    assert_eq!((left(&world), world.landed.len()), (before - 1, 3), "{}", world.story());
    assert!(world.site().drill.is_none() && world.site().pin.is_none());
}

#[test]
fn a_drill_is_refused_when_the_way_there_or_back_could_fail() {
    type Prepare = fn(&mut World);
    let cases: [(&str, u64, Prepare); 8] = [
        ("at most 30 min", 1_801, |_| {}),
        ("is frozen", 60, |w| w.command(Command::Freeze { span: seconds(600) })),
        ("an override stands", 60, |w| w.pin(Side::Home, seconds(600))),
        ("not known to be good", 60, |w| {
            w.fallback_good = false;
            w.run(seconds(900));
        }),
        ("no node of A is up", 60, |w| {
            for name in ["pi1", "pi2"] {
                w.nodes.get_mut(&node(name)).unwrap().serves = false;
            }
            w.run(seconds(20));
        }),
        ("the watcher does not decide now", 60, |w| {
            w.connected = false;
            w.run(seconds(30));
        }),
        ("the watcher does not decide now", 60, |w| {
            w.start();
            w.run(seconds(30));
        }),
        ("needs a return", 60, |w| {
            for _ in 0..3 {
                drill(w, 60);
                w.run(seconds(120));
            }
        }),
    ];
    for (why, span, prepare) in cases {
        let mut world = World::at_rest();
        prepare(&mut world);
        drill(&mut world, span);
        told(&world, why);
        world.run(seconds(10));
        assert_eq!(world.record(), BOTH, "{why}: {}", world.story());
    }
}

#[test]
fn a_drill_ends_early_when_the_fallback_fails_or_when_it_is_called_off() {
    let mut world = World::at_rest();
    drill(&mut world, 1_800);
    world.until(PAGES, seconds(2));
    world.fallback_good = false;
    world.until(BOTH, seconds(200));
    told(&world, "the drill is cut short");

    let mut world = World::at_rest();
    drill(&mut world, 1_800);
    world.until(PAGES, seconds(2));
    world.command(Command::Auto);
    world.until(BOTH, seconds(5));
}

#[test]
fn a_node_that_fails_during_a_drill_waits_as_ever_and_the_other_brings_visitors_home() {
    let mut world = World::at_rest();
    drill(&mut world, 300);
    world.until(PAGES, seconds(2));
    world.kill("pi2");
    world.run(seconds(200));
    world.revive("pi2");
    world.until("203.0.113.1", seconds(110));
    world.run(seconds(20));
    assert_eq!(world.record(), "203.0.113.1", "{}", world.story());
    world.until(BOTH, seconds(900));
}

#[test]
fn a_drill_outlives_the_watcher_and_still_ends_at_home() {
    let mut world = World::at_rest();
    drill(&mut world, 120);
    world.until(PAGES, seconds(2));
    world.run(seconds(100));
    world.start();
    world.until(BOTH, seconds(200));
}

/// The record as the provider would show it to a reading that begins now.
fn reading(world: &World, epoch: Option<u64>) -> Event {
    let result = Ok(RdataSet::new(world.record.clone()).into_iter().collect());
    Event::Read { site: site(), started: world.now, result, epoch }
}

#[test]
fn nobody_leaves_for_a_fallback_that_has_died_since_the_last_look() {
    let mut world = World::at_rest();
    world.fallback_good = false;
    let landed = world.landed.len();
    drill(&mut world, 120);
    world.run(seconds(200));
    told(&world, "the drill is called off: the fallback is not known to be good");
    assert_eq!((world.record().as_str(), world.landed.len()), (BOTH, landed), "{}", world.story());
    assert!(world.site().drill.is_none() && world.site().pin.is_none());
}

#[test]
fn a_fallback_that_dies_during_a_drill_keeps_visitors_for_less_than_a_minute() {
    let mut world = World::at_rest();
    drill(&mut world, 1_800);
    world.until(PAGES, seconds(2));
    world.run(seconds(60));
    world.fallback_good = false;
    assert!(world.until(BOTH, seconds(200)) < seconds(45), "{}", world.story());
    world.run(seconds(5));
    let last = world.site().last_drill.clone().unwrap();
    assert_eq!(last.trouble.as_deref(), Some("the fallback fails"));
    assert!(last.there.is_some() && last.back.is_some(), "{last:?}");
}

#[test]
fn a_second_drill_and_one_on_the_way_home_are_refused() {
    let mut world = World::at_rest();
    drill(&mut world, 60);
    drill(&mut world, 60);
    told(&world, "is refused: a drill is under way");
    world.until(PAGES, seconds(2));
    world.provider = false;
    world.run(seconds(90));
    let refused = world.engine.may_drill(&site(), seconds(60), world.now);
    assert_eq!(refused, Err("a drill is under way".to_owned()));
    world.provider = true;
    world.try_to_write();
    world.until(BOTH, seconds(10));
}

#[test]
fn a_drill_whose_way_out_never_lands_tells_that_it_showed_nothing() {
    let mut world = World::at_rest();
    world.provider = false;
    drill(&mut world, 60);
    world.run(seconds(70));
    world.provider = true;
    world.try_to_write();
    world.run(seconds(10));
    let last = world.site().last_drill.clone().unwrap();
    assert_eq!(last.trouble.as_deref(), Some("the record did not lead to the fallback in time"));
    assert_eq!((last.there, world.record().as_str()), (None, BOTH), "{}", world.story());
}

#[test]
fn a_drill_in_a_house_that_burns_down_ends_on_the_fallback_and_says_so() {
    let mut world = World::at_rest();
    drill(&mut world, 300);
    world.until(PAGES, seconds(2));
    world.run(seconds(20));
    world.kill("pi1");
    world.kill("pi2");
    world.run(seconds(600));
    told(&world, "the drill ends on the fallback");
    assert!(world.alarmed());
    assert_eq!(world.record(), PAGES, "{}", world.story());
    world.revive("pi1");
    world.revive("pi2");
    world.until(BOTH, seconds(1_200));
}

#[test]
fn a_watcher_that_is_cut_off_during_a_drill_leaves_visitors_there_and_sends_them_home_afterwards() {
    let mut world = World::at_rest();
    drill(&mut world, 60);
    world.until(PAGES, seconds(2));
    world.run(seconds(10));
    world.connected = false;
    world.run(seconds(300));
    assert_eq!(world.record(), PAGES, "{}", world.story());
    world.connected = true;
    world.until(BOTH, seconds(300));
}

#[test]
fn a_drill_whose_way_out_did_not_land_before_the_watcher_died_is_called_off() {
    let mut world = World::at_rest();
    let landed = world.landed.len();
    world.provider = false;
    drill(&mut world, 1_800);
    world.run(seconds(5));
    world.start();
    world.provider = true;
    world.run(seconds(120));
    told(&world, "called off: the record does not lead to the fallback");
    assert!(world.site().drill.is_none() && world.site().pin.is_none(), "{}", world.story());
    assert_eq!((world.record().as_str(), world.landed.len()), (BOTH, landed));
}

#[test]
fn a_freeze_or_a_foreign_change_in_the_middle_holds_visitors_where_they_are_and_no_longer() {
    let mut world = World::at_rest();
    drill(&mut world, 60);
    world.until(PAGES, seconds(2));
    world.command(Command::Freeze { span: seconds(600) });
    world.run(seconds(500));
    assert_eq!(world.record(), PAGES, "{}", world.story());
    world.until(BOTH, seconds(200));

    let mut world = World::at_rest();
    drill(&mut world, 60);
    world.until(PAGES, seconds(2));
    world.run(seconds(5));
    world.record = [Rdata::A("198.51.100.1".parse().unwrap())].into();
    for _ in 0..2 {
        let read = reading(&world, None);
        world.step(read);
        world.run(seconds(4));
    }
    told(&world, "somebody else has changed the record");
    world.run(seconds(3_000));
    assert_eq!(world.record(), "198.51.100.1", "nobody is fought");
    world.until(BOTH, seconds(900));
    world.run(seconds(5));
    assert!(world.site().drill.is_none(), "{}", world.story());
}

#[test]
fn a_node_that_sends_visitors_home_in_the_middle_ends_the_drill() {
    let mut world = World::at_rest();
    drill(&mut world, 1_800);
    world.until(PAGES, seconds(2));
    world.run(seconds(5));
    world.record = [Rdata::A("203.0.113.1".parse().unwrap())].into();
    let read = reading(&world, Some(world.site().epoch + 1));
    world.step(read);
    world.run(seconds(5));
    told(&world, "the drill is called off");
    assert!(world.site().pin.is_none(), "{}", world.story());
    world.until(BOTH, seconds(900));
}

#[test]
fn an_override_takes_the_place_of_a_drill() {
    let mut world = World::at_rest();
    drill(&mut world, 60);
    world.until(PAGES, seconds(2));
    world.pin(Side::Fallback, seconds(600));
    world.run(seconds(300));
    assert_eq!(world.record(), PAGES, "{}", world.story());
    let last = world.site().last_drill.clone().unwrap();
    assert_eq!(last.trouble.as_deref(), Some("an override took its place"));
}

#[test]
fn the_end_of_a_drill_says_whether_the_certificate_was_renewed() {
    let day = seconds(24 * 60 * 60);
    for (renewed, text) in
        [(true, "was renewed and ends in 89 days"), (false, "is the same and ends in 19 days")]
    {
        let mut world = World::at_rest();
        world.certificate_ends = Some(world.now + day * 20);
        world.run(seconds(600));
        drill(&mut world, 120);
        world.until(PAGES, seconds(2));
        if renewed {
            world.certificate_ends = Some(world.now + day * 90);
        }
        world.until(BOTH, seconds(200));
        world.run(seconds(5));
        told(&world, text);
    }
}
