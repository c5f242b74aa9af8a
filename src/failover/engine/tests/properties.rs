//! What must hold whatever happens: random worlds, checked at every landed change.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::world::{PAGES, World, node, seconds};
use crate::dns::Rdata;
use crate::failover::Shape;
use crate::failover::engine::Engine;
use crate::failover::event::Command;
use crate::moment::Moment;
use crate::policy::Profile;

/// One thing that happens to the world.
#[derive(Clone, Debug)]
enum Turn {
    Kill(bool),
    Revive(bool),
    Gray(bool),
    Silent(bool),
    Leave(bool),
    Fallback(bool),
    Connected(bool),
    Provider(bool),
    References(u32),
    Restart,
    Stall,
    /// Something is published; it reaches the one, the other or both.
    Publish(u8, bool, bool),
    /// Somebody wants a drill of so many seconds.
    Drill(u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => any::<bool>().prop_map(Turn::Kill),
        5 => any::<bool>().prop_map(Turn::Revive),
        1 => any::<bool>().prop_map(Turn::Gray),
        1 => any::<bool>().prop_map(Turn::Silent),
        1 => any::<bool>().prop_map(Turn::Leave),
        1 => any::<bool>().prop_map(Turn::Fallback),
        2 => any::<bool>().prop_map(Turn::Connected),
        2 => any::<bool>().prop_map(Turn::Provider),
        1 => (0u32..=4).prop_map(Turn::References),
        1 => Just(Turn::Restart),
        1 => Just(Turn::Stall),
        3 => (1u64..1_800).prop_map(Turn::Drill),
        3 => (0u8..4, any::<bool>(), any::<bool>()).prop_map(|(what, one, two)| Turn::Publish(what, one, two)),
    ]
}

fn name(first: bool) -> &'static str {
    if first { "pi1" } else { "pi2" }
}

fn play(world: &mut World, turn: &Turn) {
    match turn {
        Turn::Kill(which) => world.kill(name(*which)),
        Turn::Revive(which) => world.revive(name(*which)),
        Turn::Gray(which) => world.nodes.get_mut(&node(name(*which))).unwrap().serves = false,
        Turn::Silent(which) => world.nodes.get_mut(&node(name(*which))).unwrap().beats = false,
        Turn::Leave(which) => world.leave(name(*which)),
        Turn::Fallback(good) => world.fallback_good = *good,
        Turn::Connected(yes) => world.connected = *yes,
        Turn::Provider(yes) => {
            world.provider = *yes;
            world.try_to_write();
        }
        Turn::References(n) => world.references = *n,
        Turn::Restart => world.start(),
        Turn::Publish(what, one, two) => {
            for (reached, name) in [(one, "pi1"), (two, "pi2")] {
                if *reached {
                    world.publish(name, &what.to_string());
                }
            }
        }
        Turn::Drill(span) => world.command(Command::Drill { span: seconds(*span) }),
        Turn::Stall => world.step(crate::failover::event::Event::Stalled(seconds(60))),
    }
}

fn check(world: &World, nodes: usize) {
    let mine: BTreeSet<Rdata> =
        ["203.0.113.1", "203.0.113.2", PAGES].map(|a| Rdata::A(a.parse().unwrap())).into();
    let pages = Rdata::A(PAGES.parse().unwrap());
    for (at, set) in &world.landed {
        assert!(!set.is_empty(), "empty at {at}");
        assert!(set.is_subset(&mine), "{set:?} at {at}");
        assert!(!set.contains(&pages) || set.len() == 1, "{set:?} at {at} mixes home and fallback");
    }
    // The first write fills an empty record: there was nothing to change.
    let changes = &world.landed[1.min(world.landed.len())..];
    let in_hour =
        |from: Moment| changes.iter().filter(|(at, _)| *at >= from && *at - from < seconds(3_600)).count();
    let most = changes.iter().map(|(at, _)| in_hour(*at)).max().unwrap_or(0);
    assert!(most <= 2 * 2 + nodes, "{most} changes in an hour\n{}", world.story());
}

fn replays(world: &World) {
    let mut again = Engine::default();
    for (at, event, effects) in &world.journal {
        assert_eq!(&again.step(*at, event), effects, "at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_the_record_is_sound_and_once_all_is_well_visitors_are_home(
        turns in proptest::collection::vec((1u64..400, turn()), 1..60),
        fast in any::<bool>(),
    ) {
        let profile = if fast { Profile::Fast } else { Profile::Steady };
        let mut world = World::new(Shape::Address, profile);
        for (gap, turn) in &turns {
            world.run(Duration::from_secs(*gap));
            play(&mut world, turn);
        }
        (world.connected, world.provider, world.fallback_good, world.references) = (true, true, true, 4);
        world.try_to_write();
        for which in [true, false] {
            world.revive(name(which));
        }
        // A foreign-looking state may be frozen for an hour, a spent budget needs one too, and a hold-down half.
        world.run(seconds(3 * 3_600));
        prop_assert_eq!(world.record(), "203.0.113.1 203.0.113.2", "{}", world.story());
        check(&world, 2);
        replays(&world);
    }

    #[test]
    fn a_watcher_that_is_cut_off_writes_nothing(
        turns in proptest::collection::vec((1u64..200, turn()), 1..30),
    ) {
        let mut world = World::new(Shape::Address, Profile::Fast);
        world.run(seconds(300));
        world.connected = false;
        world.run(seconds(30));
        let before = world.engine.sites.iter().next().map(|s| s.epoch);
        for (gap, turn) in turns.iter().filter(|(_, t)| !matches!(t, Turn::Connected(_) | Turn::Restart)) {
            world.run(Duration::from_secs(*gap));
            play(&mut world, turn);
        }
        prop_assert_eq!(before, world.engine.sites.iter().next().map(|s| s.epoch));
    }
}
