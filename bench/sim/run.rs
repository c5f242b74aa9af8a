//! One story: a seed, what goes wrong in it, and whether all that must hold held.

use std::time::Duration;

use hearth::moment::Moment;
use hearth::policy::{Policy, Profile};

use super::check::Broken;
use super::digest::Digest;
use super::faults::{Planned, draw, heal, play};
use super::mutant::Mutant;
use super::world::{Layout, Telling, World};

/// What is asked of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Faults for ever: nothing bad may happen.
    Safety,
    /// Faults stop: something good must happen.
    Liveness,
}

/// How long the world may take to be well again: a frozen record and a spent budget need an hour each, a hold-down half.
const CONVERGES: Duration = Duration::from_secs(3 * 3_600);

/// A story.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// Where chance comes from.
    pub(crate) seed: u64,
    /// What is asked.
    pub(crate) mode: Mode,
    /// What goes wrong.
    pub(crate) plan: Vec<Planned>,
    profile: Profile,
    nodes: usize,
    witnessed: bool,
    length: Duration,
}

/// What a story has shown.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The first invariant that did not hold.
    pub(crate) broken: Option<Broken>,
    /// Steps of the engine.
    pub(crate) steps: u64,
    /// Landed changes: when, and whether the record has led to the fallback since.
    pub(crate) landings: Vec<(Moment, bool)>,
    /// What was decided.
    pub(crate) digest: Digest,
}

impl Story {
    /// The story of this seed.
    pub(crate) fn draw(seed: u64, length: Duration) -> Self {
        let nodes = [1, 2, 2, 3][usize::try_from(seed % 4).unwrap_or(0)];
        let profile =
            [Profile::Steady, Profile::Fast, Profile::Calm][usize::try_from(seed / 4 % 3).unwrap_or(0)];
        let mode = if seed.is_multiple_of(2) { Mode::Safety } else { Mode::Liveness };
        let witnessed = (seed / 12).is_multiple_of(2);
        Self { seed, mode, plan: draw(seed, nodes, length), profile, nodes, witnessed, length }
    }

    /// Plays it.
    pub(crate) fn tell(&self, mutant: Option<Mutant>) -> Told {
        self.tell_how(mutant, Telling::Leaps)
    }

    /// Plays all of it, and prints what the engine notes.
    pub(crate) fn tell_aloud(&self, mutant: Option<Mutant>) -> Told {
        self.tell_how(mutant, Telling::Aloud)
    }

    /// Plays all of it.
    pub(crate) fn tell_at_length(&self, mutant: Option<Mutant>) -> Told {
        self.tell_how(mutant, Telling::AtLength)
    }

    fn tell_how(&self, mutant: Option<Mutant>, telling: Telling) -> Told {
        let rules = Policy::of(self.profile);
        let policy = mutant.map_or(rules.clone(), |mutant| mutant.policy(rules.clone()));
        let journal = self.seed.is_multiple_of(16);
        let layout = Layout {
            nodes: self.nodes,
            policy,
            rules,
            loss: 0.005,
            references: 4,
            witnessed: self.witnessed,
            journal,
            telling,
        };
        let mut world = World::new(layout, self.seed, mutant);
        let end = Moment::START + self.length;
        play(&mut world, &self.plan, end);
        if self.mode == Mode::Liveness && world.checker.broken.is_none() {
            heal(&mut world, &self.plan, end);
            play(&mut world, &[], end + CONVERGES);
            if !world.all_home() {
                let what = format!("the record holds {} {} h after all was well", world.shown(), 3);
                world.checker.fail(
                    "I5: once all is well visitors are led to every node",
                    world.today(),
                    what,
                );
            }
        }
        if world.checker.broken.is_none() && !world.replays() {
            world.checker.fail("I9: the journal replays to the same state", world.today(), String::new());
        }
        Told {
            broken: world.checker.broken,
            steps: world.steps,
            landings: world.landings,
            digest: world.digest,
        }
    }

    /// The shortest plan that still breaks the same rule: halves, quarters … single faults are left out as long as it
    /// does.
    pub(crate) fn shrink(&self, mutant: Option<Mutant>) -> Self {
        let rule = |story: &Self| story.tell(mutant).broken.map(|broken| broken.rule);
        let wanted = rule(self);
        let mut best = self.clone();
        let mut chunk = best.plan.len().div_ceil(2);
        while chunk > 0 {
            let mut from = 0;
            while from < best.plan.len() {
                let mut shorter = best.clone();
                shorter.plan.drain(from..(from + chunk).min(best.plan.len()));
                if rule(&shorter) == wanted {
                    best = shorter;
                } else {
                    from += chunk;
                }
            }
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
        best
    }
}
