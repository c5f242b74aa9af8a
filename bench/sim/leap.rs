//! What can be left out of a story without a change to what follows.
//!
//! At rest the engine does nothing but look, and when it looks is a function of the time line ([`Rounds`]): so a world
//! in which nothing will go wrong for a while can be taken up again shortly before something does, and is the same by
//! then as if it had been played. A probe that is lost alone among many that are not leads to nothing either.

use std::cmp::Reverse;
use std::time::Duration;

use hearth::address::Family;
use hearth::failover::event::Target;
use hearth::failover::rounds::Rounds;
use hearth::moment::Moment;

use super::world::{Coming, Process, World};

/// How long the world is played before something happens: beats enough for a return, a look at every place.
const LEAD: Duration = Duration::from_secs(45);

/// After this time a lost probe is forgotten: ten successes, and a minute of nothing else.
const FORGOTTEN: Duration = Duration::from_secs(150);

/// After a lost probe the next ones are sent within this time.
const AGAIN: Duration = Duration::from_secs(9);

/// A look that is due may be this late, and then fall into the next second.
const LATE: Duration = Duration::from_millis(60);

/// Leaps are no longer than this, so that no time is searched twice in vain.
const LONGEST: Duration = Duration::from_secs(6 * 3_600);

/// Leaps that are shorter are not worth it.
const WORTH: Duration = Duration::from_secs(30);

/// Probes that are lost at any time: a second in which one sent to a node is lost comes up with a certain chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    seed: u64,
    /// Of 2^64 seconds, so many.
    bound: u64,
}

impl Noise {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a chance of 2^64")]
    pub(super) fn new(seed: u64, loss: f64) -> Self {
        Self { seed, bound: (loss * u64::MAX as f64) as u64 }
    }

    /// Whether what is sent to node `i` at `at` is lost.
    pub(super) fn hits(self, i: usize, at: Moment) -> bool {
        let second = at.as_millis() / 1_000;
        let seed = self.seed.wrapping_mul(31).wrapping_add(i as u64) ^ second.rotate_left(20);
        fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..) < self.bound
    }

    fn hits_within(self, i: usize, from: Moment, span: Duration) -> bool {
        (0..=span.as_secs() + 1).any(|second| self.hits(i, from + Duration::from_secs(second)))
    }
}

impl World {
    /// Where to go on, when nothing can happen until shortly before `to` or before the next loss that may matter.
    pub(super) fn leap(&self, to: Moment) -> Option<Moment> {
        let to = to.min(self.now + LONGEST);
        if to.since(self.now) < LEAD + WORTH || !self.is_quiet() {
            return None;
        }
        let matters = (0..self.nodes.len()).filter_map(|i| self.first_that_matters(i, to)).min();
        let mut over = matters.unwrap_or(to).back(LEAD);
        // Where the world is taken up again everything is looked at, which is not so when it is played.
        while (0..self.nodes.len()).any(|i| self.noise.hits_within(i, over, LATE)) {
            over = over.back(Duration::from_secs(1));
        }
        (over.since(self.now) >= WORTH).then_some(over)
    }

    /// The first loss on the way to node `i` that does not stand alone.
    fn first_that_matters(&self, i: usize, to: Moment) -> Option<Moment> {
        let rounds = self.rounds(i)?;
        let every = self.layout.policy.probe_every;
        let lost = |after: Moment| {
            let looks =
                std::iter::successors(Some(rounds.next(after, every)), |at| Some(rounds.next(*at, every)));
            let hit = |at: &Moment| self.noise.hits(i, *at) || self.noise.hits(i, *at + LATE);
            looks.take_while(|at| *at < to).find(hit)
        };
        let mut this = lost(self.now)?;
        loop {
            let again = Duration::from_secs(1);
            let next = lost(this).unwrap_or(to);
            if next.since(this) < FORGOTTEN + LEAD
                || self.noise.hits_within(i, this + again, AGAIN)
                || self.counts_at_a_stop(this)
            {
                return Some(this);
            }
            this = Some(next).filter(|next| *next < to)?;
        }
    }

    /// A node that visitors left although it was well returns when it has been well for long enough: a loss that is no
    /// longer ago than the longest hold-down is remembered then.
    fn counts_at_a_stop(&self, loss: Moment) -> bool {
        let remembered = self.layout.policy.hold_cap + FORGOTTEN;
        self.stops.iter().any(|stop| *stop >= loss && stop.since(loss) <= remembered)
    }

    fn rounds(&self, i: usize) -> Option<Rounds> {
        let node = &self.nodes[i];
        let family = Family::of(node.address);
        self.engine.rounds(&Target { site: self.site.clone(), node: node.name().clone(), family })
    }

    /// Whether nothing is wrong, nothing is on its way but beats, and the engine is at rest.
    fn is_quiet(&self) -> bool {
        self.process == Process::Runs
            && self.wish.is_none()
            && self.faults == 0
            && self.parcels.len() == self.regulars()
            && self.all_home()
            && self.engine.is_at_rest(self.now)
    }

    /// The next beat of each node, and the next look of the witness, is the first that falls on the time that is played.
    pub(super) fn put_off_beats(&mut self) {
        let every = 10_000;
        let late = |at: Moment| (self.now - at).as_millis().div_ceil(every);
        let put_off = |Reverse((at, number)): Reverse<(Moment, u64)>| {
            let rounds = u64::try_from(late(at)).unwrap_or(0);
            Reverse((at + Duration::from_secs(10 * rounds), number))
        };
        self.coming = std::mem::take(&mut self.coming).into_iter().map(put_off).collect();
        debug_assert!(
            self.parcels.values().all(|parcel| matches!(parcel, Coming::Beat(_) | Coming::Witness))
        );
    }
}
