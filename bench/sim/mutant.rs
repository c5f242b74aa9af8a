//! Faults of the engine itself, made on purpose: each must be caught, or the invariants are too weak.
//!
//! They sit at the engine's seams: its numbers, what it is told, what it wants.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hearth::dns::{Rdata, RdataSet};
use hearth::failover::event::{Command, Effect, Event};
use hearth::policy::Policy;
use hearth::probe::outcome::Outcome;

use super::world::PAGES;

/// A way in which the engine could be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// References are not listened to.
    NoIsolation,
    /// It decides as soon as it has started.
    NoWarmUp,
    /// One lost probe is an outage.
    OneFailureIsDown,
    /// A silent node that fails is given up after an hour.
    SlowVerdict,
    /// A node that beats is never given up.
    NoGrayVerdict,
    /// One of several is kept as long as a last one.
    NoSiblingTier,
    /// Any number of returns.
    NoBudget,
    /// At most one change an hour, leaving included.
    LeavingIsLimited,
    /// It never comes back.
    NoReturn,
    /// A fallback is good whatever it answers.
    NoFallbackGate,
    /// Whoever answers is the node.
    NoProof,
    /// A failing node takes all its siblings with it.
    AllLeaveTogether,
    /// The fallback stands beside the nodes.
    Mixed,
    /// The record is emptied when all is lost.
    EmptySet,
    /// What is wanted is asked for again and again.
    NoOpWrites,
    /// Every write has the same number.
    EpochStandsStill,
    /// Writes give no reason.
    NoReason,
    /// What it no longer wants is written all the same.
    NoAbandon,
    /// A change by somebody else is not seen.
    BlindToEdits,
    /// An override never ends.
    PinForEver,
    /// Beats are not heard: everybody is silent.
    DeafToBeats,
    /// A success is not heard once a node has failed.
    NeverRecovers,
    /// The answer of a write is not heard.
    DeafToWrites,
    /// Witnesses are not heard.
    DeafToWitnesses,
}

/// In this order they are tried.
pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant::NoIsolation,
    Mutant::NoWarmUp,
    Mutant::OneFailureIsDown,
    Mutant::SlowVerdict,
    Mutant::NoGrayVerdict,
    Mutant::NoSiblingTier,
    Mutant::NoBudget,
    Mutant::LeavingIsLimited,
    Mutant::NoReturn,
    Mutant::NoFallbackGate,
    Mutant::NoProof,
    Mutant::AllLeaveTogether,
    Mutant::Mixed,
    Mutant::EmptySet,
    Mutant::NoOpWrites,
    Mutant::EpochStandsStill,
    Mutant::NoReason,
    Mutant::NoAbandon,
    Mutant::BlindToEdits,
    Mutant::PinForEver,
    Mutant::DeafToBeats,
    Mutant::NeverRecovers,
    Mutant::DeafToWrites,
    Mutant::DeafToWitnesses,
];

impl Mutant {
    /// Its numbers.
    pub(crate) fn policy(self, mut policy: Policy) -> Policy {
        let day = Duration::from_secs(86_400);
        match self {
            Mutant::NoWarmUp => policy.warm_up = Duration::ZERO,
            Mutant::OneFailureIsDown => {
                policy.hard_failures = 1;
                policy.hard = Duration::ZERO;
                policy.hard_with_sibling = Duration::ZERO;
                policy.gray = Duration::ZERO;
            }
            Mutant::SlowVerdict => {
                policy.hard = Duration::from_secs(3_600);
                policy.hard_with_sibling = Duration::from_secs(3_600);
            }
            Mutant::NoGrayVerdict => policy.gray = day,
            Mutant::NoSiblingTier => policy.hard_with_sibling = policy.hard * 4,
            Mutant::NoBudget => {
                policy.returns = 1_000;
                policy.hold = Duration::ZERO;
                policy.hold_cap = Duration::ZERO;
            }
            _ => {}
        }
        policy
    }

    /// What it hears. None: it is deaf to it.
    pub(crate) fn event(self, mut event: Event, told: Option<&BTreeSet<Rdata>>) -> Option<Event> {
        match (self, &mut event) {
            (Mutant::NoIsolation, Event::References { answered, asked }) => *answered = *asked,
            (Mutant::NoFallbackGate, Event::FallbackSeen { failure, .. }) => *failure = None,
            (Mutant::NoProof, Event::Probed { address, outcome, .. }) if *address == LIAR => {
                *outcome = Outcome::Up { latency_ms: 1, generation: None };
            }
            (Mutant::BlindToEdits, Event::Read { result, .. }) => {
                if let (Ok(sets), Some(told)) = (result, told) {
                    *sets = RdataSet::new(told.iter().cloned()).into_iter().collect();
                }
            }
            (Mutant::PinForEver, Event::Command { command: Command::Pin { span, .. }, .. }) => {
                *span *= 100_000
            }
            (Mutant::DeafToBeats, Event::Beat(beat)) if beat.sequence > 1 => return None,
            (Mutant::DeafToWrites, Event::Written { .. }) => return None,
            (Mutant::DeafToWitnesses, Event::Witnessed(_)) => return None,
            (Mutant::NeverRecovers, Event::Probed { outcome, .. })
                if outcome.is_up() && told.is_some_and(|told| told.contains(&Rdata::A(PAGES))) =>
            {
                return None;
            }
            _ => {}
        }
        Some(event)
    }

    /// What it wants.
    pub(crate) fn effects(self, effects: Vec<Effect>, told: Option<&BTreeSet<Rdata>>) -> Vec<Effect> {
        let pages = Rdata::A(PAGES);
        let homewards = |sets: &[RdataSet]| !sets.iter().any(|set| set.contains(&pages));
        let away = told.is_some_and(|told| told.contains(&pages));
        let change = |effect: Effect| match (self, effect) {
            (Mutant::NoAbandon, Effect::Abandon { .. }) => None,
            (mutant, Effect::Write { site, mut epoch, mut sets, mut why }) => {
                match mutant {
                    Mutant::NoReturn if away && homewards(&sets) => return None,
                    Mutant::LeavingIsLimited if !away && !homewards(&sets) && epoch % 2 == 0 => return None,
                    Mutant::AllLeaveTogether if homewards(&sets) => sets = one_of(&sets),
                    Mutant::Mixed if homewards(&sets) => sets = with(&sets, &pages),
                    Mutant::EmptySet if !homewards(&sets) => sets.clear(),
                    Mutant::EpochStandsStill => epoch = 1,
                    Mutant::NoReason => why.clear(),
                    _ => {}
                }
                Some(Effect::Write { site, epoch, sets, why })
            }
            (_, effect) => Some(effect),
        };
        let mut effects: Vec<Effect> = effects.into_iter().filter_map(change).collect();
        if self == Mutant::NoOpWrites
            && let Some(write) = effects.iter().find(|effect| matches!(effect, Effect::Write { .. })).cloned()
        {
            effects.push(write);
        }
        effects
    }
}

/// Where a node that lies says that it is.
pub(crate) const LIAR: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 66));

fn one_of(sets: &[RdataSet]) -> Vec<RdataSet> {
    sets.iter().filter_map(|set| RdataSet::new(set.iter().take(1).cloned()).ok()).collect()
}

fn with(sets: &[RdataSet], more: &Rdata) -> Vec<RdataSet> {
    sets.iter().filter_map(|set| RdataSet::new(set.iter().chain([more]).cloned()).ok()).collect()
}
