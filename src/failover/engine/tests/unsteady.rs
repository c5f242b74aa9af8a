//! A node that fails now and then: told once, and nobody is moved.

use super::world::{BOTH, World, node, seconds};
use crate::failover::event::{Effect, Weight};
use crate::moment::Moment;

/// Looks at pi2 fail for some seconds, and succeed for some.
fn wobble(world: &mut World, times: u32) {
    for _ in 0..times {
        world.nodes.get_mut(&node("pi2")).unwrap().serves = false;
        world.run(seconds(11));
        world.nodes.get_mut(&node("pi2")).unwrap().serves = true;
        world.run(seconds(30));
    }
}

fn warned(world: &World) -> usize {
    let unsteady = |text: &str| text.contains("pi2 at 203.0.113.2") && text.contains("fails now and then");
    world.notes.iter().filter(|(_, n)| n.weight == Weight::Warning && unsteady(&n.text)).count()
}

#[test]
fn a_node_that_fails_now_and_then_is_a_warning_once_until_it_is_steady_again() {
    let mut world = World::at_rest();
    wobble(&mut world, 12);
    assert_eq!(warned(&world), 1, "{}", world.story());
    assert_eq!((world.record().as_str(), world.landed.len()), (BOTH, 1), "nobody is moved");
    world.run(seconds(300));
    wobble(&mut world, 12);
    assert_eq!(warned(&world), 2, "the next time is news: {}", world.story());
}

#[test]
fn the_end_of_an_outage_is_no_unsteadiness() {
    let mut world = World::at_rest();
    world.kill("pi2");
    world.run(seconds(300));
    world.revive("pi2");
    world.until(BOTH, seconds(600));
    assert_eq!(warned(&world), 0, "{}", world.story());
}

/// When looks at pi2 began, since `since`.
fn looks(world: &World, since: Moment) -> Vec<Moment> {
    let is_one = |e: &Effect| matches!(e, Effect::Probe { target, .. } if target.node == node("pi2"));
    let looked = world.journal.iter().filter(|(at, _, effects)| *at >= since && effects.iter().any(is_one));
    looked.map(|(at, ..)| *at).collect()
}

#[test]
fn a_node_that_fails_is_looked_at_every_three_seconds_start_to_start() {
    let mut world = World::at_rest();
    world.kill("pi2");
    world.run(seconds(20));
    let since = world.now;
    world.run(seconds(600));
    let looks = looks(&world, since);
    assert!((190..=210).contains(&looks.len()), "{} looks in 600 s", looks.len());
    for (one, next) in looks.iter().zip(&looks[1..]) {
        let span = (*next - *one).as_secs_f64();
        assert!((2.6..=3.4).contains(&span), "{span} s at {one}");
    }
}
