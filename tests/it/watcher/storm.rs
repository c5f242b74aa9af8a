//! What no watcher may be moved by: forgeries, floods, liars, a clock that jumps, a pause, and a death at any moment.

#![allow(clippy::print_stdout, reason = "a test that is left out says why")]

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use hearth::failover::Shape;
use hearth::heartbeat::{Beat, BootId};
use rustix::process::Signal;

use super::door::{json, post};
use super::node::key_of;
use super::rig::{PATIENCE, Rig};
use crate::support::http::connect;
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::poller::Poller;
use crate::support::{stays, wait_until};

/// Longer than a node of the rig may be silent and unreachable before it is given up.
const LONG: Duration = Duration::from_secs(4);

/// Nobody was moved: the record stands, both nodes are up, and nothing was written.
#[track_caller]
fn nothing_moved(rig: &Rig, server: &Knot, serial: &str) {
    let site = rig.wait_for("both are up", |s| s.nodes.iter().all(|n| n.health.is_up() && n.published));
    assert!(site.pending.is_none() && !site.on_fallback, "{site:?}");
    assert_eq!((rig.record(server), server.serial()), (rig.both(), serial.to_owned()));
}

#[test]
fn beats_out_of_order_out_of_time_or_out_of_a_run_that_is_over_do_not_count() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let serial = server.serial();
    let ancient = rig.pi1.falls_silent();
    let next = |boot: u8, sequence: u64| Beat { boot: BootId::new([boot; 16]), sequence, ..ancient.clone() };
    let lies = |beat: Beat| Beat { version: "9.9.9".to_owned(), ..beat };
    let hour = 3_600_000;
    let (boot, last) = (9, ancient.sequence + 1_000);
    let table = [
        ("in time", next(boot, last), 200),
        ("reordered: the one before it comes after it", lies(next(boot, last - 1)), 409),
        ("twice", lies(next(boot, last)), 409),
        ("of the run before", lies(Beat { sequence: last + 1, ..ancient.clone() }), 409),
        ("from an hour ahead", Beat { wall_ms: ancient.wall_ms + hour, ..next(boot, last + 1) }, 200),
        ("from 1970", Beat { wall_ms: 0, ..next(boot, last + 2) }, 200),
        (
            "from the end of time",
            Beat { wall_ms: u64::MAX, uptime_ms: u64::MAX, ..next(boot, last + 3) },
            200,
        ),
        ("the last sequence there is", next(boot, u64::MAX), 200),
        ("after the last one", lies(next(boot, last + 4)), 409),
    ];
    for (what, beat, expected) in &table {
        assert_eq!(post(rig.address, &json(beat), &key_of("pi1")), *expected, "{what}");
    }
    assert!(rig.status().nodes.iter().all(|node| node.version == "0.1.0"), "no lie was believed");
    rig.pi1.lives();
    nothing_moved(&rig, &server, &serial);
}

#[test]
fn a_node_that_claims_the_address_of_another_gains_and_harms_nothing() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    rig.pi1.claims(rig.at(12));
    let site = rig.wait_for("the claim was looked at", |s| {
        s.nodes[0].targets.iter().any(|t| t.address == rig.at(12) && t.failure.is_some())
    });
    assert_eq!(site.nodes[0].targets[0].proven, Some(rig.at(11)));
    // Given up where it says that it is; the other is not touched.
    rig.wait_for_record(&server, &rig.second());
    assert!(rig.status().nodes[1].published);
    rig.pi1.claims(rig.at(11));
    rig.wait_for_record(&server, &rig.both());
    // A fallback's address is no better.
    rig.pi2.claims(rig.at(20));
    rig.wait_for_record(&server, &rig.first());
    assert!(!rig.status().on_fallback);
}

#[test]
fn a_node_that_says_it_is_well_and_is_not_is_given_up() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    // Its beats go on and say that all is well.
    rig.pi1.place.serves(super::node::Serving::Broken);
    rig.wait_for_record(&server, &rig.second());
    assert!(rig.status().nodes[0].beat_ms_ago.is_some_and(|ms| ms < 2_000), "it still says so");
}

/// Sends what a stranger might on one connection after the other, and counts what was answered or cut off.
fn flood(rig: &Rig, until: Instant) -> usize {
    let garbage: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/beat HTTP/1.1\r\nHost: w\r\nContent-Length: 12\r\n\r\nnot any JSON",
        b"POST /v1/beat HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: w\r\n\r\n",
        b"PUT /status.json HTTP/1.1\r\nHost: w\r\nContent-Length: 99999999\r\n\r\n",
    ];
    let mut sent = 0;
    while Instant::now() < until {
        let Ok(mut stream) = connect(rig.address) else { continue };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        // Many requests on one connection; the first that is refused ends it.
        let some = garbage[sent % garbage.len()];
        let _ = stream.write_all(&some.repeat(8));
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0; 512]);
        sent += 8;
    }
    sent
}

#[test]
fn a_flood_of_garbage_moves_nothing_and_beats_get_through() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let (serial, before) = (server.serial(), rig.memory_kib());
    let until = Instant::now() + Duration::from_secs(6);
    let sent: usize = std::thread::scope(|scope| {
        let floods: Vec<_> = (0..2).map(|_| scope.spawn(|| flood(&rig, until))).collect();
        floods.into_iter().map(|flood| flood.join().unwrap()).sum()
    });
    assert!(sent > 1_000, "only {sent} requests were sent");
    nothing_moved(&rig, &server, &serial);
    let grown = rig.memory_kib().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more after {sent} requests");
}

#[test]
fn a_watcher_that_was_stopped_for_a_while_decides_nothing_on_what_it_missed() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let serial = server.serial();
    rig.signal(Signal::STOP);
    stays("the record", LONG, || server.serial());
    rig.signal(Signal::CONT);
    rig.wait_for_note("did not run for");
    wait_until("it decides again", PATIENCE, || rig.ask().filter(|s| s.warming_up_for_ms.is_none()));
    nothing_moved(&rig, &server, &serial);
    // And it has not lost its eyes.
    rig.pi1.dies();
    rig.wait_for_record(&server, &rig.second());
}

#[test]
fn a_clock_that_jumps_an_hour_either_way_moves_nothing_and_loses_nothing() {
    let Some(library) = libfaketime() else {
        println!("left out: libfaketime is not installed");
        return;
    };
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::new(Shape::Address, &server);
    let clock = rig.path("clock");
    std::fs::write(&clock, "+0").unwrap();
    rig.environment = vec![
        ("LD_PRELOAD".to_owned(), library),
        ("FAKETIME_TIMESTAMP_FILE".to_owned(), clock.display().to_string()),
        ("FAKETIME_NO_CACHE".to_owned(), "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
    ];
    rig.start();
    rig.wait_for_record(&server, &rig.both());
    rig.settled();
    let serial = server.serial();
    let noticed =
        || rig.ask().map_or(0, |s| s.timeline.iter().filter(|h| h.text.contains("did not run for")).count());
    for jump in ["+3600", "-3600"] {
        let before = noticed();
        std::fs::write(&clock, jump).unwrap();
        wait_until("the jump is noticed", PATIENCE, || (noticed() > before).then_some(()));
        wait_until("it decides again", PATIENCE, || {
            rig.ask().filter(|s| s.warming_up_for_ms.is_none() && s.isolated_for_ms.is_none())
        });
        nothing_moved(&rig, &server, &serial);
    }
    rig.kill();
    rig.start();
    nothing_moved(&rig, &server, &serial);
    // What is signed an hour off is refused by the name server, and lands once the clock is right.
    rig.pi2.dies();
    rig.wait_for("the write is refused", |s| {
        let pending = s.pending.as_ref().and_then(|p| p.trouble.as_deref());
        pending.is_some_and(|trouble| trouble.contains("clock wrong"))
    });
    std::fs::write(&clock, "+0").unwrap();
    rig.wait_for_record(&server, &rig.first());
}

pub(crate) fn libfaketime() -> Option<String> {
    let places = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/arm-linux-gnueabihf"];
    let path = |place: &str| format!("{place}/faketime/libfaketime.so.1");
    places.iter().map(|place| path(place)).find(|path| std::path::Path::new(path).exists())
}

#[test]
fn killed_at_any_moment_it_leaves_somebody_published_and_ends_where_it_should() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let poller = Poller::start(server.address(), "www.hearth.test", hickory_proto::rr::RecordType::A);
    let mut rig = Rig::at_home(Shape::Address, &server);
    poller.began();
    let mut dice = fastrand::Rng::with_seed(20_261_121);
    let mut epochs = vec![rig.epoch(&server)];
    for round in 0..10 {
        let (one, other) = if round % 2 == 0 { (&rig.pi1, &rig.pi2) } else { (&rig.pi2, &rig.pi1) };
        other.lives();
        one.dies();
        std::thread::sleep(Duration::from_millis(dice.u64(0..4_500)));
        rig.kill();
        rig.start();
        epochs.push(rig.epoch(&server));
    }
    assert!(epochs.is_sorted(), "{epochs:?}");
    rig.pi1.lives();
    rig.pi2.dies();
    rig.wait_for_record(&server, &rig.first());
    rig.settled();
    rig.pi2.lives();
    rig.wait_for_record(&server, &rig.both());
    rig.settled();
    poller.assert_never_empty();
}

#[test]
fn a_node_that_is_silent_but_answers_and_one_that_beats_but_does_not_are_told_apart() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let serial = server.serial();
    // Its beats get lost on the way: visitors still reach it, so it stays.
    let _ = rig.pi1.falls_silent();
    stays("the record", LONG, || server.serial());
    let site = rig.status();
    assert!(site.nodes[0].beat_ms_ago.is_some_and(|ms| ms > 3_000), "{:?}", site.nodes[0]);
    assert_eq!((rig.record(&server), server.serial()), (rig.both(), serial));
    // The other way round: visitors do not reach it, whatever it says.
    rig.pi2.place.serves(super::node::Serving::Nothing);
    rig.wait_for_record(&server, &rig.first());
    assert!(rig.status().nodes[1].beat_ms_ago.is_some_and(|ms| ms < 2_000));
}
