//! The numbers of a failover policy, and the three profiles they come in.
//!
//! The reasons and the simulation behind each number are in README ("How it decides").

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A named set of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Quick switches, many more changes.
    Fast,
    /// A home line.
    #[default]
    Steady,
    /// A poor line, or a provider with a small quota.
    Calm,
}

/// How long is long enough. All spans are on the watcher's own time line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Between two probes of a healthy target.
    pub probe_every: Duration,
    /// Between two probes of a target that failed its last one, start to start.
    pub probe_suspect_every: Duration,
    /// To connect.
    pub probe_connect: Duration,
    /// For a whole probe.
    pub probe_total: Duration,
    /// A node that has not beaten for this long is silent.
    pub beat_stale: Duration,
    /// A silence of this length is told to people; it moves nothing by itself.
    pub silence_told: Duration,
    /// No success for this long, with silence: down, when no other target of the family is up.
    pub hard: Duration,
    /// The same, when another published target is up: dropping one of several is cheap.
    pub hard_with_sibling: Duration,
    /// Failures that a hard verdict needs at least.
    pub hard_failures: u32,
    /// No success for this long while beats still arrive: down.
    pub gray: Duration,
    /// The same, when a witness agrees and no majority says otherwise.
    #[serde(default = "gray_agreed")]
    pub gray_agreed: Duration,
    /// As long as witnesses do not agree, a verdict waits, but no longer than this.
    #[serde(default = "dissent")]
    pub dissent: Duration,
    /// A witness's look that began longer ago than this says nothing.
    #[serde(default = "testimony_fresh")]
    pub testimony_fresh: Duration,
    /// Failures without `intermittent_clear` successes in a row between them that make a target degraded.
    pub intermittent: u32,
    /// Successes in a row that clear the count of failures.
    pub intermittent_clear: u32,
    /// Successes in a row that a return needs.
    pub rise: u32,
    /// Beats since the last silence that a return needs.
    pub rise_beats: u32,
    /// Unbroken success that a return needs at least.
    pub rise_span: Duration,
    /// The first hold-down; it doubles with every return in the last hour.
    pub hold: Duration,
    /// The longest hold-down.
    pub hold_cap: Duration,
    /// Returns per `budget_span` and name.
    pub returns: u32,
    /// The span that `returns` is counted over.
    pub budget_span: Duration,
    /// After a start and after an isolation nothing is decided for this long.
    pub warm_up: Duration,
    /// An announced stop is believed for this long.
    pub announced: Duration,
    /// Between two probes of the fallback at rest.
    pub fallback_every: Duration,
    /// Between two probes of the fallback while a target is suspect.
    pub fallback_suspect_every: Duration,
    /// A fallback that was good this long ago is no longer known to be good.
    pub fallback_fresh: Duration,
    /// Between two looks at the references.
    pub reference_every: Duration,
    /// References are judged on what came in within this span.
    pub reference_span: Duration,
    /// A write that has not been confirmed for this long is reported as pending.
    pub write_patience: Duration,
    /// Between two readings of the record at rest.
    pub read_every: Duration,
}

fn gray_agreed() -> Duration {
    Duration::from_secs(60)
}

fn dissent() -> Duration {
    Duration::from_secs(15 * 60)
}

fn testimony_fresh() -> Duration {
    Duration::from_secs(45)
}

impl Policy {
    /// The numbers of a profile.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        let (hard, gray, hold) = match profile {
            Profile::Fast => (25, 90, 60),
            Profile::Steady => (83, 180, 180),
            Profile::Calm => (90, 180, 300),
        };
        let s = Duration::from_secs;
        Policy {
            probe_every: s(10),
            probe_suspect_every: s(3),
            probe_connect: s(4),
            probe_total: s(6),
            beat_stale: s(25),
            silence_told: s(5 * 60),
            hard: s(hard),
            hard_with_sibling: s(25),
            hard_failures: 4,
            gray: s(gray),
            gray_agreed: gray_agreed(),
            dissent: dissent(),
            testimony_fresh: testimony_fresh(),
            intermittent: 10,
            intermittent_clear: 10,
            rise: 5,
            rise_beats: 3,
            rise_span: s(60),
            hold: s(hold),
            hold_cap: s(30 * 60),
            returns: 2,
            budget_span: s(60 * 60),
            warm_up: s(60),
            announced: s(15 * 60),
            fallback_every: s(5 * 60),
            fallback_suspect_every: s(10),
            fallback_fresh: s(15 * 60),
            reference_every: s(10),
            reference_span: s(10),
            write_patience: s(30),
            read_every: s(60 * 60),
        }
    }

    /// The same policy with every span `speed` times shorter, for a demonstration. Counts stay.
    ///
    /// The time-outs of a probe are kept at 200 ms at least: a loopback connection is quick, but a machine is not.
    #[must_use]
    pub fn faster(mut self, speed: f64) -> Self {
        for span in self.spans() {
            *span = span.div_f64(speed).max(Duration::from_millis(1));
        }
        let floor = Duration::from_millis(200);
        self.probe_connect = self.probe_connect.max(floor);
        self.probe_total = self.probe_total.max(floor * 2);
        self
    }

    fn spans(&mut self) -> [&mut Duration; 25] {
        [
            &mut self.probe_every,
            &mut self.probe_suspect_every,
            &mut self.probe_connect,
            &mut self.probe_total,
            &mut self.beat_stale,
            &mut self.silence_told,
            &mut self.hard,
            &mut self.hard_with_sibling,
            &mut self.gray,
            &mut self.gray_agreed,
            &mut self.dissent,
            &mut self.testimony_fresh,
            &mut self.rise_span,
            &mut self.hold,
            &mut self.hold_cap,
            &mut self.budget_span,
            &mut self.warm_up,
            &mut self.announced,
            &mut self.fallback_every,
            &mut self.fallback_suspect_every,
            &mut self.fallback_fresh,
            &mut self.reference_every,
            &mut self.reference_span,
            &mut self.write_patience,
            &mut self.read_every,
        ]
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::of(Profile::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_differ_in_patience_and_hold_down_only() {
        let (fast, steady, calm) =
            (Policy::of(Profile::Fast), Policy::of(Profile::Steady), Policy::of(Profile::Calm));
        assert!(fast.hard < steady.hard && steady.hard < calm.hard);
        assert!(fast.hold < steady.hold && steady.hold < calm.hold);
        let same = Policy { hard: steady.hard, gray: steady.gray, hold: steady.hold, ..fast };
        assert_eq!(same, steady);
    }

    #[test]
    fn a_faster_policy_shortens_every_span_and_no_count() {
        let quick = Policy::of(Profile::Fast).faster(10.0);
        assert_eq!(quick.hard, Duration::from_millis(2_500));
        assert_eq!(quick.rise, 5);
        assert_eq!(Policy::of(Profile::Fast).faster(1.0), Policy::of(Profile::Fast));
        assert_eq!(Policy::of(Profile::Fast).faster(100.0).probe_connect, Duration::from_millis(200));
    }
}
