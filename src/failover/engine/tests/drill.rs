//! Drills: visitors go to the fallback and come home, and nothing keeps them away.

use super::world::{PAGES, World, seconds, site};
use crate::failover::Shape;
use crate::failover::event::{Command, Event};
use crate::failover::lane::Side;
use crate::policy::Profile;

const BOTH: &str = "203.0.113.1 203.0.113.2";

fn home() -> World {
    let mut world = World::new(Shape::Address, Profile::Steady);
    world.until(BOTH, seconds(70));
    world.run(seconds(600));
    world
}

fn drill(world: &mut World, span: u64) {
    world.command(Command::Drill { span: seconds(span) });
}

#[track_caller]
fn told(world: &World, text: &str) {
    assert!(world.notes.iter().any(|(_, note)| note.text.contains(text)), "{text}\n{}", world.story());
}

#[test]
fn a_drill_leads_away_and_home_without_a_hold_down_and_costs_one_return() {
    let mut world = home();
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
    let cases: [(&str, u64, Prepare); 5] = [
        ("at most 30 min", 1_801, |_| {}),
        ("is frozen", 60, |w| w.command(Command::Freeze { span: seconds(600) })),
        ("an override stands", 60, |w| w.pin(Side::Home, seconds(600))),
        ("not known to be good", 60, |w| {
            w.fallback_good = false;
            w.run(seconds(900));
        }),
        ("needs a return", 60, |w| {
            for _ in 0..3 {
                drill(w, 60);
                w.run(seconds(120));
            }
        }),
    ];
    for (why, span, prepare) in cases {
        let mut world = home();
        prepare(&mut world);
        drill(&mut world, span);
        told(&world, why);
        world.run(seconds(10));
        assert_eq!(world.record(), BOTH, "{why}: {}", world.story());
    }
}

#[test]
fn a_drill_ends_early_when_the_fallback_fails_or_when_it_is_called_off() {
    let mut world = home();
    drill(&mut world, 1_800);
    world.until(PAGES, seconds(2));
    world.fallback_good = false;
    world.until(BOTH, seconds(200));
    told(&world, "the drill is cut short");

    let mut world = home();
    drill(&mut world, 1_800);
    world.until(PAGES, seconds(2));
    world.command(Command::Auto);
    world.until(BOTH, seconds(5));
}

#[test]
fn a_node_that_fails_during_a_drill_waits_as_ever_and_the_other_brings_visitors_home() {
    let mut world = home();
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
    let mut world = home();
    drill(&mut world, 120);
    world.until(PAGES, seconds(2));
    world.run(seconds(100));
    world.start();
    world.until(BOTH, seconds(200));
}
