//! The watcher's parts at a size that no home has, for measuring: `bench-watcher [--sites N] [--minutes M]`.
//!
//! Time is virtual, and one core carries all: what a step of engine and journal costs on this machine passes on the
//! virtual clock too, so what waits for the core is late as it would be.

#![allow(clippy::print_stdout, reason = "what was measured goes where it can be pasted from")]

mod world;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hearth::heartbeat::receive::{FORM, examine};
use hearth::heartbeat::seal::{Purpose, SigningKey};
use hearth::heartbeat::{Beat, BootId, RecordsReport, SiteReport, SourceState};

use world::{Report, World};

/// How many beats are verified.
const BEATS: u32 = 50_000;

/// How many nodes die in the large world, and in as many small ones.
const DEATHS: usize = 200;

fn main() -> anyhow::Result<()> {
    let (mut sites, mut minutes) = (1_000, 15);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_default().parse()?;
        match word.as_str() {
            "--sites" => sites = value,
            "--minutes" => minutes = value,
            other => anyhow::bail!("what is {other}?"),
        }
    }
    println!("beats verified on one core: {:.0} a second", verified());
    let mut small = Report::default();
    for seed in 0..DEATHS as u64 {
        small.merge(World::new(1, seed)?.run(Duration::from_secs(600), 1));
    }
    tell("1 site x 2 nodes", &small);
    let large = World::new(sites, 1)?.run(Duration::from_secs(60 * minutes as u64), DEATHS);
    tell(&format!("{sites} sites x 2 nodes"), &large);
    println!("resident memory at the end of it: {} MB", memory_kib("VmRSS:") / 1024);
    println!("                  at its highest: {} MB", memory_kib("VmHWM:") / 1024);
    Ok(())
}

fn tell(what: &str, report: &Report) {
    let (p50, p99) = (report.detected(0.50), report.detected(0.99));
    println!(
        "{what}: {} of {} deaths detected, p50 {:.1} s, p99 {:.1} s; {} steps, {:.0} us each; one core {:.1} % busy; \
         {:.1} MB of journal an hour",
        report.detections.len(),
        report.deaths,
        p50.as_secs_f64(),
        p99.as_secs_f64(),
        report.steps,
        report.busy.as_secs_f64() * 1e6 / report.steps as f64,
        100.0 * report.busy.as_secs_f64() / report.span.as_secs_f64(),
        report.journal as f64 / 1e6 * 3_600.0 / report.span.as_secs_f64(),
    );
}

/// Beats that are read and verified in a second.
#[expect(clippy::disallowed_methods, reason = "a program of its own, which is its own host")]
fn verified() -> f64 {
    let key = SigningKey::from_seed([1; 32]);
    let beat = Beat {
        form: FORM,
        node: "pi1".parse().expect("a name"),
        boot: BootId::new([7; 16]),
        sequence: 1,
        uptime_ms: 1,
        wall_ms: 1_700_000_000_000,
        version: "0.1.0".to_owned(),
        addresses: Vec::new(),
        sites: vec![SiteReport {
            hosts: vec!["www.example.com".to_owned()],
            generation: Some("ab".repeat(32)),
            source: SourceState::Ok,
        }],
        mounts: Vec::new(),
        records: RecordsReport::InForce,
        led: "healthy".to_owned(),
        leaving: None,
        testimonies: Vec::new(),
    };
    let body = serde_json::to_vec(&beat).expect("a beat is JSON");
    let seal = key.seal(Purpose::Beat, &body).to_string();
    let peers = BTreeMap::from([(beat.node, key.verifying())]);
    let began = Instant::now();
    for _ in 0..BEATS {
        black_box(examine(black_box(&body), Some(&seal), &peers)).expect("the seal is good");
    }
    f64::from(BEATS) / began.elapsed().as_secs_f64()
}

/// A line of `/proc/self/status` (proc_pid_status(5)).
fn memory_kib(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|l| l.strip_prefix(line)?.trim().split(' ').next()?.parse().ok());
    found.unwrap_or(0)
}
