//! Policies without an engine: so many failures in a row move the site away, so many successes bring it back.

use std::time::Duration;

use hearth::moment::Moment;

use super::faults::Fault;
use super::line::{LOSS, Line, YEAR};

/// A policy that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Naive {
    /// What it is called in the table.
    pub(crate) name: &'static str,
    /// Between two probes, in seconds.
    pub(crate) every: u64,
    /// Failures in a row that move the site away.
    pub(crate) fall: u32,
    /// Successes in a row that bring it back.
    pub(crate) rise: u32,
}

/// The shapes that others have.
pub(crate) const NAIVE: &[Naive] = &[
    Naive { name: "15 min x 2/1 (a cron job)", every: 900, fall: 2, rise: 1 },
    Naive { name: "60 s x 1/1", every: 60, fall: 1, rise: 1 },
    Naive { name: "60 s x 3/1", every: 60, fall: 3, rise: 1 },
    Naive { name: "30 s x 3/3", every: 30, fall: 3, rise: 3 },
    Naive { name: "10 s x 3/1", every: 10, fall: 3, rise: 1 },
    Naive { name: "10 s x 3/3", every: 10, fall: 3, rise: 3 },
    Naive { name: "10 s x 10/20", every: 10, fall: 10, rise: 20 },
];

impl Naive {
    /// When it switched in this year, and whether to the fallback. A switch that it cannot make while it is cut off is
    /// made as soon as it can be, as scripts do.
    pub(crate) fn live(self, line: &Line, seed: u64) -> Vec<(Moment, bool)> {
        let mut chance = fastrand::Rng::with_seed(seed ^ 0x7a1e);
        let mut switches = Vec::new();
        let (mut away, mut wants, mut failures, mut successes) = (false, false, 0, 0);
        let (mut next, mut active) = (0, Vec::new());
        let mut at = Moment::START;
        while at < Moment::START + YEAR {
            at = at + Duration::from_secs(self.every);
            active.retain(|i: &usize| line.plan[*i].at + line.plan[*i].span > at);
            while line.plan.get(next).is_some_and(|p| p.at <= at) {
                active.push(next);
                next += 1;
            }
            let mut cut = false;
            let mut lost = chance.f64() < LOSS;
            for i in &active {
                match line.plan[*i].fault {
                    Fault::Cut => cut = true,
                    Fault::Lossy(_, p) => lost |= chance.f64() < p,
                    _ => lost = true,
                }
            }
            if lost || cut {
                (failures, successes) = (failures + 1, 0);
            } else {
                (failures, successes) = (0, successes + 1);
            }
            if failures >= self.fall {
                wants = true;
            } else if successes >= self.rise {
                wants = false;
            }
            if wants != away && !cut {
                away = wants;
                switches.push((at + Duration::from_secs(2), away));
            }
        }
        switches
    }
}
