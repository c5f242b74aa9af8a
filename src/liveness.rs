//! Is a target up? Probes, beats and `now` in; the health of one node in one address family out.
//!
//! A target is judged by what a visitor would meet (probes) and by what the node says of itself (beats). Only both
//! together, or probes alone for much longer, take a target down; beats alone never do. Never sends a probe, never
//! reads a clock, and never decides what is published: that is [`crate::failover`]'s business.

mod grounds;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::heartbeat::BootId;
use crate::moment::Moment;
use crate::policy::Policy;
use crate::probe::outcome::{Failure, Outcome};

pub use self::grounds::{Accord, Grounds, Stakes};

/// How a target looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// No probe has come back since the evidence began.
    Unknown,
    /// The last probe succeeded.
    Up,
    /// It fails now and then, and is up at the moment.
    Degraded,
    /// The last probe failed; it is looked at more often.
    Suspect,
    /// Neither probes nor beats get through.
    DownHard,
    /// Beats arrive, probes fail: visitors do not get through.
    DownGray,
    /// It was down and answers again; it must go on for a while.
    Recovering,
    /// It said that it is leaving.
    Draining,
}

impl Health {
    /// Whether visitors can be sent there now.
    #[must_use]
    pub const fn is_up(self) -> bool {
        matches!(self, Health::Up | Health::Degraded)
    }

    /// Whether visitors should not be sent there.
    #[must_use]
    pub const fn is_down(self) -> bool {
        matches!(self, Health::DownHard | Health::DownGray | Health::Draining)
    }

    /// In words.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Health::Unknown => "not looked at yet",
            Health::Up => "up",
            Health::Degraded => "up, but fails now and then",
            Health::Suspect => "suspect: the last look failed",
            Health::DownHard => "down: neither answers nor beats",
            Health::DownGray => "down for visitors, though its beats arrive",
            Health::Recovering => "answers again, must go on for a while",
            Health::Draining => "said that it is leaving",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Degraded => "degraded",
            Health::Suspect => "suspect",
            Health::DownHard => "down-hard",
            Health::DownGray => "down-gray",
            Health::Recovering => "recovering",
            Health::Draining => "draining",
        })
    }
}

/// What a node has said of itself, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beats {
    /// When the last beat came.
    last: Option<Moment>,
    /// When the first one came after the last silence.
    #[serde(default)]
    heard_since: Option<Moment>,
    /// Beats since the last silence.
    in_row: u32,
    /// The run of the agent that the last beat came from.
    boot: Option<BootId>,
    /// It is leaving; believed until then.
    leaving_until: Option<Moment>,
}

impl Beats {
    /// A beat has arrived.
    pub fn record(&mut self, now: Moment, boot: BootId, policy: &Policy) {
        if self.silent(now, policy) {
            self.heard_since = Some(now);
        }
        if self.silent(now, policy) || self.boot != Some(boot) {
            self.in_row = 0;
            self.leaving_until = None;
        }
        self.in_row = self.in_row.saturating_add(1);
        self.last = Some(now);
        self.boot = Some(boot);
    }

    /// The node has said that it is leaving.
    pub fn record_leaving(&mut self, now: Moment, policy: &Policy) {
        self.leaving_until = Some(now + policy.announced);
    }

    /// Whether the node has been silent for longer than it may.
    #[must_use]
    pub fn silent(&self, now: Moment, policy: &Policy) -> bool {
        self.last.is_none_or(|last| now - last >= policy.beat_stale)
    }

    /// Whether an announced stop still holds.
    #[must_use]
    pub fn leaving(&self, now: Moment) -> bool {
        self.leaving_until.is_some_and(|until| now < until)
    }

    /// When the last beat came.
    #[must_use]
    pub fn last(&self) -> Option<Moment> {
        self.last
    }

    /// Beats since the last silence.
    #[must_use]
    pub fn in_row(&self) -> u32 {
        self.in_row
    }

    /// Forgets how many beats came in a row, and keeps when the last one came and an announced stop.
    pub fn discard_evidence(&mut self) {
        self.in_row = 0;
    }

    /// Whether more beats change nothing.
    #[must_use]
    pub fn is_at_rest(&self, now: Moment, policy: &Policy) -> bool {
        self.in_row >= policy.rise_beats && !self.silent(now, policy) && !self.leaving(now)
    }

    /// When silence begins or an announcement ends, whichever comes next after `now`.
    #[must_use]
    pub fn next_deadline(&self, now: Moment, policy: &Policy) -> Option<Moment> {
        let silence = self.last.map(|last| last + policy.beat_stale);
        [silence, self.leaving_until].into_iter().flatten().filter(|at| *at > now).min()
    }
}

/// What is known of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liveness {
    /// Where the node says that it is; probed.
    address: IpAddr,
    /// Where it has proved to be; published.
    proven: Option<IpAddr>,
    /// When this evidence began.
    begun: Moment,
    /// When the last successful probe was started, and when it came back.
    last_success: Option<(Moment, Moment)>,
    /// Failures since the last success.
    failures: u32,
    /// The last failure.
    last_failure: Option<Failure>,
    /// Successes since the last failure.
    successes: u32,
    /// Since when there has been nothing but success.
    success_since: Option<Moment>,
    /// Failures without a full run of successes between them.
    intermittent: u32,
    /// Whether it is down, and how. Latched until it has risen.
    down: Option<Down>,
    /// The last probe that came back.
    last_look: Option<Moment>,
}

/// How a target is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Down {
    Hard,
    Gray,
}

impl Liveness {
    /// A target of which nothing is known but where it says it is.
    #[must_use]
    pub fn new(address: IpAddr, now: Moment) -> Self {
        Self {
            address,
            proven: None,
            begun: now,
            last_success: None,
            failures: 0,
            last_failure: None,
            successes: 0,
            success_since: None,
            intermittent: 0,
            down: None,
            last_look: None,
        }
    }

    /// Where the node says that it is.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Where it has proved to be.
    #[must_use]
    pub fn proven(&self) -> Option<IpAddr> {
        self.proven
    }

    /// The last failure, while the target fails.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.last_failure.as_ref().filter(|_| self.failures > 0)
    }

    /// Failures since the last success.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When the last probe came back.
    #[must_use]
    pub fn last_look(&self) -> Option<Moment> {
        self.last_look
    }

    /// When the last successful probe came back.
    #[must_use]
    pub fn last_success(&self) -> Option<Moment> {
        self.last_success.map(|(_, back)| back)
    }

    /// Successes since the last failure, and for how long there has been nothing else.
    #[must_use]
    pub fn steadiness(&self, now: Moment) -> (u32, Duration) {
        (self.successes, self.success_since.map_or(Duration::ZERO, |since| now - since))
    }

    /// For how long nobody has got through: since the last success, or the beginning of the evidence.
    #[must_use]
    pub fn unreached(&self, now: Moment) -> Duration {
        now - self.unreached_since()
    }

    /// The node says that it is somewhere else now. What was proven stays published until the new place is proven.
    pub fn moved(&mut self, address: IpAddr, now: Moment) {
        if address != self.address {
            let (proven, down) = (self.proven, self.down);
            *self = Self { proven, down, ..Self::new(address, now) };
        }
    }

    /// Forgets all evidence: it was gathered while the watcher could not be trusted. The verdict that stands stays.
    pub fn discard_evidence(&mut self, now: Moment) {
        *self = Self { proven: self.proven, down: self.down, ..Self::new(self.address, now) };
    }

    /// A probe of `address` that was started at `started` has come back.
    pub fn record(
        &mut self,
        now: Moment,
        started: Moment,
        address: IpAddr,
        outcome: &Outcome,
        policy: &Policy,
    ) {
        let overtaken = self.last_success.is_some_and(|(success, _)| started < success);
        if address != self.address || started < self.begun {
            return;
        }
        self.last_look = Some(now);
        match outcome {
            Outcome::Up { .. } => self.record_success(now, started, policy),
            // A later probe has already come back with a success: this one was lost, not answered with a no.
            Outcome::Failed(_) if overtaken => {}
            Outcome::Failed(failure) => self.record_failure(failure),
        }
    }

    fn record_success(&mut self, now: Moment, started: Moment, policy: &Policy) {
        self.proven = Some(self.address);
        self.last_success =
            Some(self.last_success.map_or((started, now), |(s, n)| (s.max(started), n.max(now))));
        self.failures = 0;
        self.last_failure = None;
        self.successes = self.successes.saturating_add(1);
        self.success_since.get_or_insert(started);
        if self.successes >= policy.intermittent_clear {
            self.intermittent = 0;
        }
    }

    fn record_failure(&mut self, failure: &Failure) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(failure.clone());
        self.successes = 0;
        self.success_since = None;
        self.intermittent = self.intermittent.saturating_add(1);
    }

    /// Whether there has been success for so long that more of it changes nothing: what went wrong before is forgotten.
    #[must_use]
    pub fn is_at_rest(&self, now: Moment, policy: &Policy) -> bool {
        self.down.is_none()
            && self.intermittent == 0
            && self.successes >= policy.intermittent_clear
            && self.steady(now, policy.rise_span, policy)
    }

    /// Whether it has been down and failing for so long that more of it changes nothing.
    #[must_use]
    pub fn is_given_up(&self, now: Moment, beats: &Beats, policy: &Policy) -> bool {
        let settled = match self.down {
            None => false,
            Some(Down::Hard) => beats.silent(now, policy),
            Some(Down::Gray) => beats.is_at_rest(now, policy),
        };
        settled && self.failures >= policy.intermittent.max(policy.hard_failures) && !beats.leaving(now)
    }

    /// Since when nobody got through: the last success, or the beginning of the evidence.
    #[must_use]
    pub fn unreached_since(&self) -> Moment {
        self.last_success.map_or(self.begun, |(_, back)| back)
    }

    /// Judges the target, and latches a verdict of down.
    pub fn judge(&mut self, now: Moment, beats: &Beats, grounds: &Grounds, policy: &Policy) -> Health {
        self.down = match self.down {
            None => self.verdict(now, beats, grounds, policy),
            Some(_) if self.steady(now, policy.rise_span, policy) => None,
            Some(Down::Gray) if self.failures > 0 && beats.silent(now, policy) => Some(Down::Hard),
            Some(down) => Some(down),
        };
        self.health(now, beats, policy)
    }

    /// Whether a verdict of down stands.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.down.is_some()
    }

    /// Whether the next look at it may end with a verdict: it is not down, and has failed often enough. Nobody needs the
    /// grounds of a verdict otherwise.
    #[must_use]
    pub fn is_at_stake(&self, policy: &Policy) -> bool {
        self.down.is_none() && self.failures >= policy.hard_failures
    }

    fn verdict(&self, now: Moment, beats: &Beats, grounds: &Grounds, policy: &Policy) -> Option<Down> {
        if !self.is_at_stake(policy) {
            return None;
        }
        let unreached = now - self.unreached_since();
        if beats.silent(now, policy) {
            (unreached >= grounds.hard(policy)).then_some(Down::Hard)
        } else {
            // An outage that has just ended is no gray one: its first beat comes before the next probe.
            let heard = now - beats.heard_since.unwrap_or(now);
            (unreached.min(heard) >= grounds.gray(policy)).then_some(Down::Gray)
        }
    }

    /// How the target looks, with the verdict that stands.
    #[must_use]
    pub fn health(&self, now: Moment, beats: &Beats, policy: &Policy) -> Health {
        match self.down {
            _ if beats.leaving(now) => Health::Draining,
            Some(_) if self.failures == 0 && self.successes > 0 => Health::Recovering,
            Some(Down::Hard) => Health::DownHard,
            Some(Down::Gray) => Health::DownGray,
            None if self.failures > 0 => Health::Suspect,
            None if self.successes == 0 => Health::Unknown,
            None if self.intermittent >= policy.intermittent => Health::Degraded,
            None => Health::Up,
        }
    }

    /// Whether the target may return after a hold-down of `hold`: enough successes over a long enough time, and enough
    /// beats.
    #[must_use]
    pub fn risen(&self, now: Moment, beats: &Beats, hold: Duration, policy: &Policy) -> bool {
        self.steady(now, hold.max(policy.rise_span), policy)
            && beats.in_row() >= policy.rise_beats
            && !beats.silent(now, policy)
            && !beats.leaving(now)
    }

    /// Whether there has been nothing but success for `span`, and enough of it.
    fn steady(&self, now: Moment, span: Duration, policy: &Policy) -> bool {
        self.successes >= policy.rise && self.success_since.is_some_and(|since| now - since >= span)
    }

    /// The next moment at which time alone can change the verdict.
    #[must_use]
    pub fn next_deadline(&self, now: Moment, grounds: &Grounds, policy: &Policy) -> Option<Moment> {
        if !self.is_at_stake(policy) {
            return None;
        }
        let since = self.unreached_since();
        let both = [since + grounds.hard(policy), since + grounds.gray(policy)];
        both.into_iter().filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests;
