//! A and AAAA: judged apart, and neither left behind on dead addresses.

use super::world::{PAGES, PAGES6, World, node, seconds};
use crate::moment::Moment;

const BOTH: &str = "203.0.113.1 2001:db8::1";

fn home() -> World {
    let mut world = World::with_both_families(&["pi1"]);
    world.until(BOTH, seconds(70));
    world.run(seconds(600));
    world
}

fn away() -> String {
    format!("{PAGES} {PAGES6}")
}

/// Between the moment at which a family first led to the fallback and the one at which both did.
fn apart(world: &World) -> std::time::Duration {
    let first = |all: bool| -> Moment {
        let led = |address: &str, set: &std::collections::BTreeSet<crate::dns::Rdata>| {
            set.iter().any(|rdata| rdata.value() == address)
        };
        let fits = |set: &_| {
            if all { led(PAGES, set) && led(PAGES6, set) } else { led(PAGES, set) || led(PAGES6, set) }
        };
        world.landed.iter().find(|(_, set)| fits(set)).expect("visitors were led away").0
    };
    first(true) - first(false)
}

#[test]
fn no_family_stays_on_dead_addresses_while_the_other_is_on_the_fallback() {
    // Whenever in the rounds of looks the house falls, each family has its own last success.
    for offset in 0..10 {
        let mut world = home();
        world.run(seconds(offset));
        world.kill("pi1");
        world.until(&away(), seconds(120));
        let policy = &world.setup.sites[0].policy;
        // The families' last looks were less than a round apart, and a verdict needs no look of its own.
        let step = policy.probe_every + policy.probe_every / 10;
        assert!(apart(&world) <= step, "{:?} at {offset}\n{}", apart(&world), world.story());
    }
}

#[test]
fn a_family_that_fails_alone_leaves_alone_and_comes_home_alone() {
    let mut world = home();
    world.nodes.get_mut(&node("pi1")).unwrap().serves_six = false;
    world.until(&format!("203.0.113.1 {PAGES6}"), seconds(300));
    world.run(seconds(600));
    assert_eq!(world.record(), format!("203.0.113.1 {PAGES6}"), "{}", world.story());
    world.nodes.get_mut(&node("pi1")).unwrap().serves_six = true;
    world.until(BOTH, seconds(600));
    let four = |set: &std::collections::BTreeSet<crate::dns::Rdata>| {
        set.iter().any(|rdata| rdata.value() == "203.0.113.1")
    };
    assert!(world.landed.iter().all(|(_, set)| four(set)), "{}", world.story());
}

#[test]
fn a_family_whose_fallback_is_not_good_stays_with_an_alarm_and_follows_as_soon_as_it_is() {
    let mut world = home();
    world.fallback_six_good = false;
    world.kill("pi1");
    world.until(&format!("{PAGES} 2001:db8::1"), seconds(120));
    world.run(seconds(120));
    assert!(world.alarmed() && world.story().contains("kept, though no node is up"), "{}", world.story());
    assert_eq!(world.record(), format!("{PAGES} 2001:db8::1"));
    world.fallback_six_good = true;
    world.until(&away(), seconds(70));
}
