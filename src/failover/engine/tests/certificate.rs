//! The certificate of the fallback, seen to in time.

use super::world::{World, seconds};
use crate::failover::Shape;
use crate::failover::event::Weight;
use crate::moment::Moment;
use crate::policy::Profile;

const BOTH: &str = "203.0.113.1 203.0.113.2";

#[test]
fn a_fallback_that_is_not_good_is_told_once_while_there_is_time_and_not_by_a_watcher_that_is_cut_off() {
    let told = |world: &World, text: &str| world.notes.iter().filter(|(_, n)| n.text.contains(text)).count();
    let (bad, good) =
        ("the fallback is not good, and nothing is switched to it", "the fallback is good again");
    let mut world = World::new(Shape::Address, Profile::Steady);
    world.until(BOTH, seconds(70));
    world.run(seconds(600));
    world.connected = false;
    world.run(seconds(600));
    world.connected = true;
    world.run(seconds(600));
    assert_eq!((told(&world, bad), told(&world, good)), (0, 0), "{}", world.story());
    world.fallback_good = false;
    world.run(seconds(2_000));
    world.start();
    world.run(seconds(2_000));
    assert_eq!((told(&world, bad), told(&world, good)), (1, 0), "{}", world.story());
    world.fallback_good = true;
    world.run(seconds(600));
    assert_eq!((told(&world, bad), told(&world, good)), (1, 1), "{}", world.story());
}

#[test]
fn a_certificate_of_the_fallback_that_is_about_to_end_is_told_once_until_it_is_renewed() {
    let day = seconds(24 * 60 * 60);
    let told = |world: &World| {
        let about = |text: &str| text.contains("certificate") && text.contains("hold a drill");
        world.notes.iter().filter(|(_, n)| n.weight == Weight::Warning && about(&n.text)).count()
    };
    let left = |world: &World| {
        let status = world.engine.status(world.now, Moment::START, Vec::new());
        status.sites[0].fallback[0].certificate().unwrap()
    };
    let mut world = World::new(Shape::Address, Profile::Steady);
    world.certificate_ends = Some(world.now + day * 14 + seconds(3_600));
    world.until(BOTH, seconds(70));
    world.run(seconds(2_000));
    assert_eq!((told(&world), left(&world).as_str()), (0, "its certificate is good for 14 days"));
    world.run(seconds(4_000));
    assert_eq!((told(&world), left(&world).as_str()), (1, "its certificate is good for 13 days"));
    world.start();
    world.run(seconds(2_000));
    assert_eq!(told(&world), 1, "a restart is no news: {}", world.story());

    world.certificate_ends = Some(world.now + day * 90);
    world.run(seconds(1_000));
    assert_eq!((told(&world), left(&world).as_str()), (1, "its certificate is good for 89 days"));
    world.certificate_ends = Some(world.now + day * 3);
    world.run(seconds(1_000));
    assert_eq!(told(&world), 2, "the next one is told again");
    assert_eq!(world.record(), BOTH);
}
