//! The watcher's engine in a world of random faults: what must hold holds, and a wrong engine is caught.

#[path = "../../bench/sim/mod.rs"]
#[allow(dead_code, reason = "the simulator's command uses more of it than these tests")]
mod sim;

use std::time::Duration;

use sim::mutant::{MUTANTS, Mutant};
use sim::run::Story;

const DAY: Duration = Duration::from_secs(86_400);

/// A schedule that catches each mutant, as `hearth-sim mutants` found it.
fn catching(mutant: Mutant) -> u64 {
    match mutant {
        Mutant::SlowVerdict | Mutant::NoSiblingTier => 2,
        Mutant::NoBudget
        | Mutant::LeavingIsLimited
        | Mutant::NoReturn
        | Mutant::NoProof
        | Mutant::EmptySet
        | Mutant::DeafToWitnesses => 4,
        Mutant::PinForEver | Mutant::DeafToWrites => 5,
        Mutant::NeverRecovers => 9,
        Mutant::NoGrayVerdict => 12,
        Mutant::NoFallbackGate => 14,
        Mutant::BlindToEdits => 123,
        Mutant::NoAbandon => 182,
        Mutant::NoIsolation
        | Mutant::NoWarmUp
        | Mutant::OneFailureIsDown
        | Mutant::AllLeaveTogether
        | Mutant::Mixed
        | Mutant::NoOpWrites
        | Mutant::EpochStandsStill
        | Mutant::NoReason
        | Mutant::DeafToBeats => 1,
    }
}

#[test]
fn random_days_break_nothing_that_must_hold() {
    let mut landed = 0;
    for seed in 1..=24 {
        let told = Story::draw(seed, DAY).tell(None);
        assert_eq!(told.broken, None, "seed {seed}");
        landed += told.landings.len();
    }
    assert!(landed > 100, "only {landed} changes landed: nothing was put to the test");
}

#[test]
fn what_is_leapt_over_changes_nothing() {
    let mut leapt = 0;
    for seed in 1..=6 {
        let story = Story::draw(seed, DAY);
        let (short, long) = (story.tell(None), story.tell_at_length(None));
        assert_eq!(short.landings, long.landings, "seed {seed}");
        leapt += long.steps - short.steps;
    }
    assert!(leapt > 10_000, "only {leapt} steps were left out: nothing was put to the test");
}

#[test]
fn every_way_to_be_wrong_is_caught() {
    for mutant in MUTANTS {
        let story = Story::draw(catching(*mutant), DAY);
        assert!(story.tell(Some(*mutant)).broken.is_some(), "{mutant:?} was not caught");
    }
}
