//! `hearth-sim`: the watcher's engine in a world where everything goes wrong, years in seconds.
//!
//! Not part of the program that is shipped. `cargo run --release --example hearth-sim -- --help`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it found")]

mod crew;
#[path = "mod.rs"]
mod sim;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use hearth::policy::{Policy, Profile};
use sim::digest::Digest;
use sim::line::{Figures, Line, Witnesses};
use sim::mutant::MUTANTS;
use sim::naive::NAIVE;
use sim::run::{Story, Told};
use sim::world::Telling;

/// The watcher's engine in a world of random faults
#[derive(Debug, Parser)]
enum Words {
    /// Plays random schedules and checks what must always hold
    Schedules {
        /// How many
        #[arg(long, default_value_t = 1_000)]
        count: u64,
        /// The first seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How long each is, in hours
        #[arg(long, default_value_t = 24)]
        hours: u64,
        /// Play each a second time with nothing left out, and compare
        #[arg(long)]
        compare: bool,
    },
    /// Plays schedules against engines that are wrong on purpose: each must be caught
    Mutants {
        /// How many schedules each gets at most
        #[arg(long, default_value_t = 10_000)]
        count: u64,
    },
    /// Compares policies on the synthetic home line
    Line {
        /// How many years
        #[arg(long, default_value_t = 4)]
        years: u64,
        /// The threshold of a hard verdict in `steady`, in seconds; can be given several times
        #[arg(long)]
        hard: Vec<u64>,
        /// Let somebody else look too, from a place of his own
        #[arg(long)]
        witness: bool,
        /// Leave the policies of others out
        #[arg(long)]
        ours: bool,
        /// Play all of it
        #[arg(long)]
        at_length: bool,
    },
}

fn main() -> ExitCode {
    match Words::parse() {
        Words::Schedules { count, seed, hours, compare } => schedules(count, seed, hours, compare),
        Words::Mutants { count } => mutants(count),
        Words::Line { years, hard, witness, ours, at_length } => {
            let telling = if at_length { Telling::AtLength } else { Telling::Leaps };
            let witnesses = if witness { Witnesses::One } else { Witnesses::None };
            let lines: Vec<Line> = (1..=years).map(Line::draw).collect();
            head();
            if !ours {
                compare(&lines);
            }
            for (name, policy) in policies(&hard) {
                live(&lines, &name, &policy, witnesses, telling);
            }
            ExitCode::SUCCESS
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the speed is measured in real time")]
fn schedules(count: u64, first: u64, hours: u64, compare: bool) -> ExitCode {
    let begun = Instant::now();
    let draw = |seed| Story::draw(seed, Duration::from_secs(hours * 3_600));
    let tell = |at| {
        let (seed, story) = (first + at, draw(first + at));
        let told = story.tell(None);
        if compare {
            differ(seed, &told, &story.tell_at_length(None));
        }
        (seed, told)
    };
    let all = crew::work(count, tell, |(_, told)| told.broken.is_some());
    if let Some((seed, broken)) = all.iter().find_map(|(seed, told)| Some((*seed, told.broken.as_ref()?))) {
        let story = draw(seed);
        println!("seed {seed}, {:?}: {} at {}: {}", story.mode, broken.rule, broken.at, broken.what);
        let short = story.shrink(None);
        short.plan.iter().for_each(|planned| println!("  {planned}"));
        short.tell_aloud(None);
        return ExitCode::FAILURE;
    }
    let steps: u64 = all.iter().map(|(_, told)| told.steps).sum();
    let landed: usize = all.iter().map(|(_, told)| told.landings.len()).sum();
    let seconds = begun.elapsed().as_secs_f64();
    let digest = all.iter().fold(Digest::default(), |sum, (_, told)| sum.and(told.digest));
    println!("{count} schedules of {hours} h: all held; {landed} changes landed (digest {digest})");
    println!("{steps} steps in {seconds:.1} s");
    ExitCode::SUCCESS
}

/// Says where a story that was played with leaps went another way than the same at length.
fn differ(seed: u64, short: &Told, long: &Told) {
    if long.landings != short.landings {
        let at = short.landings.iter().zip(&long.landings).find(|(a, b)| a != b);
        println!("seed {seed}: {} and {} changes, first {at:?}", short.landings.len(), long.landings.len());
    }
}

fn mutants(count: u64) -> ExitCode {
    let mut survivors = 0;
    for mutant in MUTANTS {
        let story = |at| Story::draw(1 + at, Duration::from_secs(24 * 3_600)).tell(Some(*mutant)).broken;
        let told = crew::work(count, story, Option::is_some);
        match told.into_iter().zip(1..).find_map(|(broken, seed)| Some((seed, broken?))) {
            Some((seed, broken)) => println!("{mutant:?}: caught by schedule {seed}: {}", broken.rule),
            None => {
                survivors += 1;
                println!("{mutant:?}: survived {count} schedules");
            }
        }
    }
    println!("{} mutants, {survivors} survived", MUTANTS.len());
    if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn head() {
    println!(
        "| policy | changes | false | useless | detect p50 / p95, s | dead, min | needless, min | most in an hour |"
    );
    println!("|-|-|-|-|-|-|-|-|");
}

fn compare(lines: &[Line]) {
    for naive in NAIVE {
        let mut figures = Figures::default();
        lines.iter().zip(1..).for_each(|(line, seed)| figures.add(line, &naive.live(line, seed)));
        println!("{}", figures.row(naive.name));
    }
}

/// The three profiles, or `steady` with other thresholds.
fn policies(hard: &[u64]) -> Vec<(String, Policy)> {
    let profile = |profile| (format!("hearth {profile:?}"), Policy::of(profile));
    let steady = |seconds: &u64| {
        let hard = Duration::from_secs(*seconds);
        (format!("hearth Steady with {seconds} s"), Policy { hard, ..Policy::default() })
    };
    if hard.is_empty() {
        [Profile::Fast, Profile::Steady, Profile::Calm].map(profile).into()
    } else {
        hard.iter().map(steady).collect()
    }
}

/// How long this thread has had a core so far (/proc/pid/schedstat, proc(5)): others may be at work beside it.
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

fn live(lines: &[Line], name: &str, policy: &Policy, witnesses: Witnesses, telling: Telling) {
    let (mut figures, mut steps, mut digest) = (Figures::default(), 0, Digest::default());
    let begun = spent();
    for line in lines {
        let lived = line.live(policy, witnesses, telling);
        figures.add(line, &lived.landings);
        steps += lived.steps;
        digest = digest.and(lived.digest);
    }
    let seconds = (spent() - begun).as_secs_f64();
    println!("{}", figures.row(name));
    eprintln!(
        "{:.1} policy-years a second of one core, {steps} steps, {:.0} ns each, digest {digest}",
        lines.len() as f64 / seconds,
        seconds * 1e9 / steps as f64
    );
}
