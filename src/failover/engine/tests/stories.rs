//! What should happen, told as stories with times.

use std::time::Duration;

use super::world::{BOTH, FAMILY, PAGES, World, node, seconds, site};
use crate::dns::{Rdata, RdataSet};
use crate::failover::Shape;
use crate::failover::content::Freshness;
use crate::failover::engine::Engine;
use crate::failover::event::{Command, Event, Target};
use crate::failover::lane::Side;
use crate::policy::Profile;
use crate::probe::outcome::Outcome;

fn within(took: Duration, from: f64, to: f64) {
    assert!((from..=to).contains(&took.as_secs_f64()), "{took:?} is not within {from} to {to} s");
}

#[test]
fn nothing_is_decided_before_the_watcher_is_warm() {
    let mut world = World::new(Shape::Address, Profile::Steady);
    world.run(seconds(59));
    assert_eq!(world.record(), "");
    within(world.until(BOTH, seconds(20)), 0.5, 3.0);
}

#[test]
fn one_of_two_is_dropped_in_25_to_30_s_and_comes_back_after_the_hold_down() {
    let mut world = World::at_rest();
    world.kill("pi2");
    within(world.until("203.0.113.1", seconds(60)), 15.0, 35.0);
    world.revive("pi2");
    within(world.until(BOTH, seconds(400)), 180.0, 215.0);
}

#[test]
fn the_whole_site_moves_75_to_85_s_after_it_went_down_and_returns() {
    let mut world = World::at_rest();
    world.kill("pi2");
    world.until("203.0.113.1", seconds(60));
    world.run(seconds(60));
    world.kill("pi1");
    within(world.until(PAGES, seconds(120)), 73.0, 86.0);
    world.run(seconds(3_600));
    assert_eq!(world.record(), PAGES);
    world.revive("pi1");
    world.revive("pi2");
    world.until(BOTH, seconds(400));
}

#[test]
fn a_gray_failure_moves_the_site_after_180_s() {
    let mut world = World::at_rest();
    for name in ["pi1", "pi2"] {
        world.nodes.get_mut(&node(name)).unwrap().serves = false;
    }
    within(world.until(PAGES, seconds(400)), 168.0, 195.0);
}

#[test]
fn silence_alone_moves_nothing() {
    let mut world = World::at_rest();
    for name in ["pi1", "pi2"] {
        world.nodes.get_mut(&node(name)).unwrap().beats = false;
    }
    world.run(seconds(7_200));
    assert_eq!(world.record(), BOTH);
    let told = world.story().matches("has not beaten for 5 min").count();
    assert_eq!(told, 2, "each is told of once\n{}", world.story());
}

#[test]
fn a_clock_that_is_far_off_is_told_of_once_and_moves_nothing() {
    let mut world = World::at_rest();
    world.skew_ms = -3_600_000;
    world.run(seconds(600));
    world.skew_ms = 0;
    world.run(seconds(60));
    assert_eq!(world.story().matches("is -3600 s off").count(), 2, "{}", world.story());
    assert_eq!(world.landed.len(), 1);
}

#[test]
fn an_announced_stop_counts_at_once_and_a_return_costs_the_hold_down_only() {
    let mut world = World::at_rest();
    world.leave("pi1");
    within(world.until("203.0.113.2", seconds(5)), 0.0, 1.0);
    world.run(seconds(40));
    world.revive("pi1");
    within(world.until(BOTH, seconds(400)), 180.0, 215.0);
}

#[test]
fn a_new_address_is_published_when_it_is_proven_and_costs_no_return() {
    let mut world = World::at_rest();
    world.nodes.get_mut(&node("pi1")).unwrap().address = "203.0.113.77".parse().unwrap();
    world.speak("pi1");
    within(world.until("203.0.113.2 203.0.113.77", seconds(10)), 0.0, 1.0);
}

#[test]
fn an_address_that_is_claimed_and_not_proven_is_never_published() {
    let mut world = World::at_rest();
    world.nodes.get_mut(&node("pi1")).unwrap().address = "198.51.100.66".parse().unwrap();
    world.nodes.get_mut(&node("pi1")).unwrap().serves = false;
    world.speak("pi1");
    world.run(seconds(1_000));
    assert!(!world.landed.iter().any(|(_, set)| set.contains(&"A 198.51.100.66".parse::<Rdata>().unwrap())));
    assert_eq!(world.record(), "203.0.113.2", "the old place is dead as well");
}

#[test]
fn a_node_is_told_where_it_has_proved_to_be_and_not_where_it_only_claims_to_be() {
    let mut world = World::at_rest();
    let proven = |world: &World| world.engine.told(&node("pi1"), world.now)[0].proven.clone();
    let before = proven(&world);
    assert_eq!(before.len(), 1);
    world.nodes.get_mut(&node("pi1")).unwrap().address = "198.51.100.66".parse().unwrap();
    world.nodes.get_mut(&node("pi1")).unwrap().serves = false;
    world.speak("pi1");
    world.run(seconds(30));
    assert_eq!(proven(&world), before);
    world.nodes.get_mut(&node("pi1")).unwrap().serves = true;
    world.run(seconds(30));
    assert_eq!(proven(&world), ["198.51.100.66".parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn a_fallback_that_is_not_known_to_be_good_is_never_switched_to() {
    let mut world = World::at_rest();
    world.fallback_good = false;
    world.run(seconds(1_000));
    world.kill("pi1");
    world.kill("pi2");
    world.run(seconds(3_000));
    assert_eq!(world.record().split(' ').count(), 1, "the last set stays");
    assert!(world.alarmed());
    world.fallback_good = true;
    within(world.until(PAGES, seconds(60)), 0.0, 15.0);
}

#[test]
fn a_fallback_that_has_died_since_the_last_look_at_rest_is_found_out_before_a_quick_switch() {
    for begin in 0..12 {
        let mut world = World::with_nodes(Shape::Address, Profile::Fast, &["pi1"]);
        world.run(seconds(600 + begin));
        world.fallback_good = false;
        world.kill("pi1");
        world.run(seconds(120));
        assert_eq!(world.record(), "203.0.113.1", "killed {begin} s later\n{}", world.story());
    }
}

#[test]
fn a_fallback_that_was_dead_at_the_first_look_is_found_within_a_minute_of_its_return() {
    let mut world = World::new(Shape::Address, Profile::Steady);
    world.fallback_good = false;
    world.run(seconds(30));
    world.fallback_good = true;
    world.run(seconds(61));
    assert_eq!(world.engine.may_pin(&site(), Side::Fallback, world.now), Ok(()));
}

#[test]
fn a_single_reference_that_is_silent_isolates_until_it_answers() {
    let mut world = World::at_rest();
    world.setup.references = 1;
    world.start();
    world.run(seconds(120));
    for _ in 0..5 {
        world.step(Event::References { answered: 0, asked: 1 });
        world.step(Event::Tick);
        assert!(world.engine.isolation.since().is_some());
    }
    world.step(Event::References { answered: 1, asked: 1 });
    assert!(world.engine.isolation.since().is_none());
}

#[test]
fn a_watcher_that_is_cut_off_decides_nothing_and_forgets_what_it_saw() {
    let mut world = World::at_rest();
    world.connected = false;
    world.run(seconds(1_800));
    world.connected = true;
    world.run(seconds(3_600));
    assert_eq!(world.record(), BOTH);
    assert_eq!(world.landed.len(), 1, "{}", world.story());
}

#[test]
fn a_watcher_that_is_cut_off_sleeps_between_its_looks() {
    let mut world = World::at_rest();
    world.connected = false;
    world.run(seconds(60));
    assert!(world.engine.is_cut_off());
    // Longer than a warm-up, and longer than a silence that would be told.
    for _ in 0..900 {
        world.step(Event::Tick);
        let wake = world.engine.next_wake().unwrap();
        assert!(wake > world.now, "due at {wake}, which is past at {}", world.now);
        world.run(seconds(1));
    }
}

#[test]
fn a_write_that_was_decided_before_the_cut_does_not_land_after_it() {
    let mut world = World::at_rest();
    world.provider = false;
    world.kill("pi2");
    world.run(seconds(45));
    assert!(world.site().pending.is_some());
    world.connected = false;
    world.run(seconds(60));
    world.revive("pi2");
    (world.connected, world.provider) = (true, true);
    world.try_to_write();
    world.run(seconds(3_600));
    assert_eq!(world.landed.len(), 1, "{}", world.story());
}

#[test]
fn a_reading_that_began_before_a_write_landed_is_not_taken_for_a_change_by_somebody_else() {
    let mut world = World::at_rest();
    let (started, record) = (world.now, world.record.clone());
    world.leave("pi1");
    world.until("203.0.113.2", seconds(5));
    world.run(seconds(2));
    let result = Ok(RdataSet::new(record).into_iter().collect());
    world.step(Event::Read { site: site(), started, result, epoch: None });
    assert_eq!(world.site().frozen_until, None);
    world.run(seconds(10));
    assert_eq!((world.record().as_str(), world.landed.len()), ("203.0.113.2", 2), "{}", world.story());
}

#[test]
fn a_watcher_without_a_memory_goes_on_from_the_epoch_of_its_mark() {
    let mut world = World::at_rest();
    let before = world.site().epoch;
    let (started, result) = (world.now, Ok(world.sets()));
    world.step(Event::Read { site: site(), started, result, epoch: Some(before + 40) });
    world.leave("pi1");
    assert_eq!(world.site().epoch, before + 41);
}

#[test]
fn a_stall_discards_evidence() {
    let mut world = World::at_rest();
    world.kill("pi2");
    world.run(seconds(15));
    world.step(Event::Stalled(seconds(90)));
    world.revive("pi2");
    world.run(seconds(600));
    assert_eq!(world.landed.len(), 1, "{}", world.story());
}

#[test]
fn a_provider_that_is_gone_delays_a_write_and_the_latest_wish_lands() {
    let mut world = World::at_rest();
    world.provider = false;
    world.kill("pi2");
    world.run(seconds(60));
    world.kill("pi1");
    world.run(seconds(120));
    assert_eq!(world.record(), BOTH);
    world.provider = true;
    world.try_to_write();
    assert_eq!(world.record(), PAGES);
}

#[test]
fn what_is_overtaken_by_recovery_is_written_back_even_though_it_never_landed() {
    let mut world = World::at_rest();
    world.provider = false;
    world.kill("pi2");
    world.run(seconds(60));
    world.revive("pi2");
    world.run(seconds(400));
    world.provider = true;
    world.try_to_write();
    world.run(seconds(10));
    assert_eq!(world.record(), BOTH);
    assert!(world.site().pending.is_none());
}

#[test]
fn returns_are_held_down_ever_longer_and_budgeted() {
    let mut world = World::with_nodes(Shape::Address, Profile::Steady, &["pi1"]);
    world.until("203.0.113.1", seconds(70));
    for cycle in 0..40 {
        world.kill("pi1");
        world.run(seconds(120));
        world.revive("pi1");
        world.run(seconds(200 + 10 * cycle));
    }
    let most = busiest_hour(&world);
    assert!((4..=5).contains(&most), "{most} changes in an hour");
}

fn busiest_hour(world: &World) -> usize {
    let count = |from: &crate::moment::Moment| {
        world.landed.iter().filter(|(at, _)| *at >= *from && *at - *from < seconds(3_600)).count()
    };
    world.landed.iter().map(|(at, _)| count(at)).max().unwrap_or(0)
}

#[test]
fn a_foreign_change_freezes_the_record_for_an_hour() {
    let mut world = World::at_rest();
    world.record = [Rdata::A("198.51.100.1".parse().unwrap())].into();
    world.run(seconds(4_000));
    assert!(world.alarmed());
    assert_eq!(world.record(), "198.51.100.1");
    world.until(BOTH, seconds(3_700));
}

#[test]
fn the_last_node_that_says_it_leaves_waits_for_a_look_at_a_fallback_that_has_just_died() {
    let mut world = World::with_nodes(Shape::Address, Profile::Steady, &["pi1"]);
    world.run(seconds(700));
    world.fallback_good = false;
    world.leave("pi1");
    world.run(seconds(60));
    assert_eq!(world.record(), "203.0.113.1", "{}", world.story());
}

#[test]
fn one_stale_reading_is_no_foreign_change() {
    let mut world = World::at_rest();
    let before = "198.51.100.1".parse().unwrap();
    let result = Ok(vec![RdataSet::of(Rdata::A(before))]);
    world.step(Event::Read { site: site(), started: world.now, result, epoch: None });
    world.run(seconds(60));
    assert!(!world.alarmed(), "{}", world.story());
    world.kill("pi2");
    world.until("203.0.113.1", seconds(60));
}

#[test]
fn a_write_that_was_given_up_and_landed_nevertheless_is_no_foreign_change() {
    let mut world = World::at_rest();
    world.provider = false;
    world.kill("pi2");
    world.run(seconds(60));
    world.record = [Rdata::A("203.0.113.1".parse().unwrap())].into();
    world.step(Event::Stalled(seconds(2)));
    world.provider = true;
    world.run(seconds(300));
    assert!(!world.story().contains("somebody else"), "{}", world.story());
}

#[test]
fn a_frozen_record_stays_and_what_would_be_done_is_told() {
    let mut world = World::at_rest();
    world.command(Command::Freeze { span: seconds(600) });
    world.kill("pi2");
    world.run(seconds(580));
    assert_eq!(world.record(), BOTH);
    assert_eq!(world.story().matches("but for the freeze: pi2 left").count(), 1, "{}", world.story());
    world.until("203.0.113.1", seconds(40));
    world.command(Command::Freeze { span: seconds(6_000) });
    world.revive("pi2");
    world.run(seconds(300));
    world.command(Command::Auto);
    world.until(BOTH, seconds(60));
}

#[test]
fn visitors_are_kept_away_from_a_drained_node_until_that_ends() {
    let mut world = World::at_rest();
    world.command(Command::Drain { node: node("pi2"), span: seconds(900) });
    within(world.until("203.0.113.1", seconds(30)), 0.0, 2.0);
    world.run(seconds(800));
    assert_eq!(world.record(), "203.0.113.1");
    world.until(BOTH, seconds(400));
    assert_eq!(world.landed.len(), 3, "{}", world.story());
}

#[test]
fn an_override_holds_until_it_ends() {
    let mut world = World::at_rest();
    world.pin(Side::Fallback, seconds(600));
    within(world.until(PAGES, seconds(10)), 0.0, 1.0);
    world.run(seconds(550));
    assert_eq!(world.record(), PAGES);
    world.until(BOTH, seconds(200));
    world.pin(Side::Fallback, seconds(6_000));
    world.until(PAGES, seconds(10));
    world.command(Command::Auto);
    world.until(BOTH, seconds(3_700));
}

#[test]
fn an_override_to_something_dead_is_refused() {
    let mut world = World::at_rest();
    world.fallback_good = false;
    world.run(seconds(600));
    assert!(world.engine.may_pin(&site(), Side::Fallback, world.now).is_err());
    world.pin(Side::Fallback, seconds(600));
    world.run(seconds(60));
    assert_eq!(world.record(), BOTH);
}

#[test]
fn a_cname_names_one_node_stays_with_it_and_moves_to_the_next() {
    let mut world = World::new(Shape::Cname, Profile::Steady);
    world.until("pi1.example.com", seconds(70));
    world.run(seconds(600));
    world.kill("pi1");
    within(world.until("pi2.example.com", seconds(60)), 15.0, 35.0);
    world.revive("pi1");
    world.run(seconds(3_600));
    assert_eq!(world.record(), "pi2.example.com", "a return is no reason for a change");
    world.kill("pi2");
    world.until("pi1.example.com", seconds(60));
    world.kill("pi1");
    world.until("user.github.io", seconds(100));
}

#[test]
fn a_watcher_that_died_goes_on_where_it_was() {
    let mut world = World::at_rest();
    world.kill("pi2");
    world.run(seconds(15));
    world.start();
    world.run(seconds(600));
    assert_eq!(world.record(), "203.0.113.1");
    let landed = world.landed.len();
    world.start();
    world.run(seconds(600));
    assert_eq!(world.landed.len(), landed, "a start by itself changes nothing");
}

#[test]
fn a_write_that_landed_while_the_watcher_died_is_recognised() {
    let mut world = World::at_rest();
    world.kill("pi2");
    world.until("203.0.113.1", seconds(60));
    // Right after the write, before its confirmation was heard.
    world.start();
    world.run(seconds(300));
    assert!(!world.story().contains("somebody else"), "{}", world.story());
    assert_eq!(world.landed.len(), 2);
}

#[test]
fn a_decision_that_did_not_land_before_the_death_is_made_again_from_new_evidence() {
    let mut world = World::at_rest();
    world.provider = false;
    world.kill("pi2");
    world.run(seconds(50));
    assert!(world.site().pending.is_some());
    world.revive("pi2");
    world.provider = true;
    world.start();
    world.run(seconds(600));
    assert_eq!(world.landed.len(), 1, "{}", world.story());
}

#[test]
fn a_dead_site_is_moved_when_the_watch_begins() {
    let mut world = World::new(Shape::Address, Profile::Steady);
    world.kill("pi1");
    world.kill("pi2");
    within(world.until(PAGES, seconds(200)), 60.0, 150.0);
}

#[test]
fn the_record_that_is_found_is_taken_over_without_a_write() {
    let mut world = World::new(Shape::Address, Profile::Steady);
    world.record = ["203.0.113.1", "203.0.113.2"].map(|a| Rdata::A(a.parse().unwrap())).into();
    world.start();
    world.run(seconds(600));
    assert!(world.landed.is_empty());
}

#[test]
fn a_replayed_beat_changes_nothing() {
    let mut world = World::at_rest();
    let beats: Vec<Event> = world
        .journal
        .iter()
        .filter(|(_, e, _)| matches!(e, Event::Beat(_)))
        .map(|(_, e, _)| e.clone())
        .collect();
    world.kill("pi1");
    world.kill("pi2");
    for beat in beats.iter().cycle().take(400) {
        world.step(beat.clone());
        world.run(Duration::from_millis(500));
    }
    assert_eq!(world.record(), PAGES);
}

#[test]
fn a_probe_of_an_unknown_target_is_ignored() {
    let mut world = World::at_rest();
    let target = Target { site: site(), node: node("pi9"), family: FAMILY };
    let outcome = Outcome::Up { latency_ms: 1, generation: None };
    let address = "203.0.113.9".parse().unwrap();
    world.step(Event::Probed { target, address, started: world.now, outcome });
    world.run(seconds(100));
    assert_eq!(world.record(), BOTH);
}

#[test]
fn the_journal_replays_to_the_same_effects_and_state() {
    let mut world = World::at_rest();
    world.kill("pi2");
    world.run(seconds(100));
    world.start();
    world.kill("pi1");
    world.run(seconds(400));
    world.revive("pi1");
    world.run(seconds(900));
    let mut again = Engine::default();
    for (at, event, effects) in &world.journal {
        let event: Event = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
        assert_eq!(&again.step(*at, &event), effects, "at {at}: {event:?}");
    }
    let text = serde_json::to_string(&again).unwrap();
    assert_eq!(serde_json::from_str::<Engine>(&text).unwrap(), again);
}

/// pi2 was away while something new was published, and is back with what it had.
fn back_with_old_pages() -> World {
    let mut world = World::at_rest();
    world.kill("pi2");
    world.until("203.0.113.1", seconds(60));
    world.publish("pi1", "new");
    world.run(seconds(60));
    world.revive("pi2");
    world.run(seconds(600));
    world
}

#[test]
fn a_node_with_old_pages_waits_until_it_has_healed() {
    let mut world = back_with_old_pages();
    assert_eq!(world.record(), "203.0.113.1", "{}", world.story());
    assert_eq!(world.story().matches("pi2 could come back but serves").count(), 1, "{}", world.story());
    world.publish("pi2", "new");
    within(world.until(BOTH, seconds(60)), 0.0, 11.0);
}

#[test]
fn old_pages_are_better_than_none() {
    let mut world = back_with_old_pages();
    world.kill("pi1");
    within(world.until("203.0.113.2", seconds(120)), 15.0, 90.0);
    assert!(!world.landed.iter().any(|(_, set)| set.iter().any(|rdata| rdata.value() == PAGES)));
}

#[test]
fn a_site_on_the_fallback_returns_with_old_pages_when_nobody_has_the_new_ones() {
    let mut world = back_with_old_pages();
    world.kill("pi2");
    world.run(seconds(60));
    world.kill("pi1");
    world.until(PAGES, seconds(200));
    world.revive("pi2");
    world.until("203.0.113.2", seconds(1_000));
    world.revive("pi1");
    world.until(BOTH, seconds(1_000));
}

#[test]
fn nodes_that_never_agree_share_the_visitors_again_after_an_hour() {
    let mut world = back_with_old_pages();
    world.run(seconds(1_800));
    assert_eq!(world.record(), "203.0.113.1");
    world.until(BOTH, seconds(1_900));
}

#[test]
fn a_publish_that_was_taken_back_is_current_again() {
    let mut world = World::at_rest();
    world.publish("pi1", "new");
    world.publish("pi2", "new");
    world.kill("pi2");
    world.until("203.0.113.1", seconds(60));
    world.publish("pi1", "abc");
    world.run(seconds(30));
    world.revive("pi2");
    world.run(seconds(600));
    assert_eq!(world.record(), "203.0.113.1", "the new pages were taken back");
    world.publish("pi2", "abc");
    world.until(BOTH, seconds(60));
}

#[test]
fn nodes_that_differ_are_seen_and_nobody_is_taken_out_for_it() {
    let mut world = World::at_rest();
    world.publish("pi1", "new");
    world.run(seconds(3_600));
    assert_eq!(world.record(), BOTH);
    let status = world.engine.status(world.now, world.now, Vec::new());
    let told: Vec<_> =
        status.sites[0].nodes.iter().map(|node| (node.content, node.remark().is_some())).collect();
    assert_eq!(told, [(Freshness::Current, false), (Freshness::Stale, true)]);
}
