//! What is said about why a record is what it is, against what then happens.

use super::world::{PAGES, World, seconds, site};
use crate::failover::Shape;
use crate::failover::lane::Side;
use crate::failover::why::RrsetWhy;
use crate::policy::Profile;

fn why(world: &World) -> RrsetWhy {
    world.engine.explain(&site(), world.now).unwrap().rrsets.remove(0)
}

fn about(lines: &[String], node: &str) -> String {
    lines.iter().find(|line| line.starts_with(node)).unwrap_or_else(|| panic!("{node} in {lines:?}")).clone()
}

/// The seconds that a line names after `before`.
fn named(line: &str, before: &str) -> f64 {
    let (_, rest) = line.split_once(before).unwrap_or_else(|| panic!("no {before} in {line}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

fn at_home(names: &[&str]) -> World {
    let mut world = World::with_nodes(Shape::Address, Profile::Steady, names);
    world.run(seconds(600));
    world
}

#[test]
fn at_rest_it_tells_the_thresholds_and_where_visitors_would_go() {
    let told = why(&at_home(&["pi1", "pi2"]));
    assert!(
        told.stands.contains("203.0.113.1") && told.because.contains("answered when the watch began"),
        "{told:?}"
    );
    let leave = about(&told.changes, "pi1");
    assert!(
        leave.contains("for 25 s (another is up)") && leave.contains("for 3 min, when its beats go on"),
        "{leave}"
    );
    let alone = why(&at_home(&["pi1"]));
    assert!(about(&alone.changes, "pi1").contains("for 83 s (nobody else is up)"), "{alone:?}");
    assert!(
        told.changes.iter().any(|line| line.contains("known to be good") && line.contains(PAGES)),
        "{told:?}"
    );
    assert!(about(&told.evidence, "pi2").contains("up, since"), "{told:?}");
}

#[test]
fn the_time_that_is_left_until_a_node_leaves_is_the_time_until_it_leaves() {
    let mut world = at_home(&["pi1"]);
    world.kill("pi1");
    world.run(seconds(40));
    let told = why(&world);
    let left = named(&about(&told.changes, "pi1 leaves"), "leaves after ");
    assert!(about(&told.evidence, "pi1").contains("suspect"), "{told:?}");
    let took = world.until(PAGES, seconds(120));
    assert!((took.as_secs_f64() - left).abs() <= 3.0, "said {left} s, took {took:?}");
}

#[test]
fn the_time_that_is_left_until_a_node_comes_back_is_the_time_until_it_comes_back() {
    let mut world = at_home(&["pi1"]);
    world.kill("pi1");
    world.until(PAGES, seconds(120));
    let told = why(&world);
    assert!(about(&told.changes, "pi1 comes back").contains("3 min of unbroken success"), "{told:?}");
    assert!(told.because.contains("no node is up"), "{told:?}");
    world.revive("pi1");
    world.run(seconds(120));
    let told = why(&world);
    let left = named(&about(&told.changes, "pi1 comes back"), "comes back after ");
    let took = world.until("203.0.113.1", seconds(300));
    assert!((took.as_secs_f64() - left).abs() <= 3.0, "said {left} s, took {took:?}");
    let told = why(&world);
    assert!(told.changes.iter().any(|line| line.contains("1 of 2 returns")), "{told:?}");
}

#[test]
fn what_holds_the_watcher_back_is_told() {
    let mut world = at_home(&["pi1", "pi2"]);
    let held = |world: &World| world.engine.explain(&site(), world.now).unwrap().held.join("\n");
    assert_eq!(held(&world), "");
    world.pin(Side::Fallback, seconds(3_600));
    world.run(seconds(10));
    assert!(held(&world).contains("somebody wants it so for another 59 min: a test"), "{}", held(&world));
    world.references = 0;
    world.run(seconds(60));
    assert!(held(&world).contains("0 of 4 references answer"), "{}", held(&world));
    world.references = 4;
    world.run(seconds(20));
    assert!(held(&world).contains("warms up"), "{}", held(&world));
}

#[test]
fn a_site_that_is_not_watched_has_no_reason() {
    let world = at_home(&["pi1"]);
    assert_eq!(world.engine.explain(&"other.example.com".parse().unwrap(), world.now), None);
}
