//! What can be left out of a story without a change to what follows.
//!
//! At rest the engine does nothing but look, and when it looks is a function of the time line ([`Rounds`]): so a world
//! in which nothing will go wrong for a while can be taken up again shortly before something does, and is the same by
//! then as if it had been played. A probe that is lost alone among many that are not leads to nothing either. The same is
//! so of a world in which nodes have not served for long and visitors are led elsewhere.

use std::time::Duration;

use hearth::address::Family;
use hearth::dns::Rdata;
use hearth::failover::event::{Event, Target};
use hearth::failover::rounds::Rounds;
use hearth::moment::Moment;

use super::world::{Coming, Node, PAGES, Process, World};

/// How long the world is played before something happens: a look at every place, and beats enough for a return, of which
/// the first comes at once.
const LEAD: Duration = Duration::from_secs(25);

/// After this time a lost probe is forgotten: ten successes, and a minute of nothing else.
const FORGOTTEN: Duration = Duration::from_secs(150);

/// After a lost probe the next ones are sent within this time.
const AGAIN: Duration = Duration::from_secs(10);

/// A look that is due may be this late, and then fall into the next second.
const LATE: Duration = Duration::from_millis(2);

/// Leaps that are shorter are not worth it.
const WORTH: Duration = Duration::from_secs(30);

/// Probes that are lost at any time: a second in which one sent to a node is lost comes up with a certain chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    seed: u64,
    /// The logarithm of the chance that a second is not one of them.
    calm: f64,
}

/// The seconds are drawn in blocks of this many, each from a seed of its own: any can be asked for, in any order.
const BLOCK: u64 = 256;

impl Noise {
    pub(super) fn new(seed: u64, loss: f64) -> Self {
        Self { seed, calm: (-loss).ln_1p() }
    }

    /// Whether what is sent to node `i` at `at` is lost.
    pub(super) fn hits(self, i: usize, at: Moment) -> bool {
        let second = at.as_millis() / 1_000;
        self.block(i, second / BLOCK).any(|hit| hit == second)
    }

    fn hits_within(self, i: usize, from: Moment, span: Duration) -> bool {
        self.seconds(i, from, from + span).next().is_some()
    }

    /// The seconds from that of `from` to that of `to` in which what is sent to node `i` is lost, in order.
    fn seconds(self, i: usize, from: Moment, to: Moment) -> impl Iterator<Item = Moment> {
        let (first, last) = (from.as_millis() / 1_000, to.as_millis() / 1_000);
        (first / BLOCK..=last / BLOCK)
            .flat_map(move |block| self.block(i, block))
            .filter(move |second| (first..=last).contains(second))
            .map(|second| Moment::from_millis(second * 1_000))
    }

    /// The seconds of a block in which it is so. From one to the next it is a geometric step, so nothing is asked of
    /// those between.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole steps, never negative"
    )]
    fn block(self, i: usize, block: u64) -> impl Iterator<Item = u64> {
        let seed = self.seed.wrapping_mul(31).wrapping_add(i as u64) ^ block.rotate_left(20);
        let mut chance = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut step = move || 1 + ((1.0 - chance.f64()).ln() / self.calm) as u64;
        let first = step();
        std::iter::successors(Some(first), move |place| Some(place.saturating_add(step())))
            .take_while(|place| *place <= BLOCK)
            .map(move |place| block * BLOCK + place - 1)
    }
}

/// Losses of which each may be remembered when the next comes.
#[derive(Clone, Copy, Debug)]
struct Chain {
    first: Moment,
    last: Moment,
    failures: u32,
}

impl Chain {
    fn and(self, lost: Moment) -> Self {
        Self { last: lost, failures: self.failures + 1, ..self }
    }
}

impl World {
    /// Where to go on, when nothing can happen until shortly before `to` or before the next loss that may matter.
    pub(super) fn leap(&self, to: Moment) -> Option<Moment> {
        if to.since(self.now) < LEAD + WORTH || !self.is_quiet() {
            return None;
        }
        let up = || (0..self.nodes.len()).filter(|i| self.nodes[*i].serves());
        let sooner = |to, i| self.first_that_matters(i, to).unwrap_or(to);
        let mut over = up().fold(to, sooner).back(LEAD);
        // Where the world is taken up again everything is looked at, which is not so when it is played.
        while up().any(|i| self.noise.hits_within(i, over, LATE)) {
            over = over.back(Duration::from_secs(1));
        }
        (over.since(self.now) >= WORTH).then_some(over)
    }

    /// The first loss on the way to node `i` that may matter, or the first of those that are still remembered then.
    /// Fewer failures than a verdict needs lead to nothing and are forgotten, in whatever order they come.
    fn first_that_matters(&self, i: usize, to: Moment) -> Option<Moment> {
        let rounds = self.rounds(i)?;
        let every = self.layout.policy.probe_every;
        let is_looked_at = |second: Moment| {
            let look = rounds.next(second.back(LATE + Duration::from_millis(1)), every);
            look.since(second) < Duration::from_secs(1)
        };
        let mut chain: Option<Chain> = None;
        for lost in self.noise.seconds(i, self.now, to) {
            if chain.is_none_or(|chain| lost.since(chain.last) > AGAIN) && !is_looked_at(lost) {
                continue;
            }
            let kept = chain.filter(|chain| lost.since(chain.last) < FORGOTTEN + LEAD);
            let this = kept.map_or(Chain { first: lost, last: lost, failures: 1 }, |chain| chain.and(lost));
            if this.failures >= self.layout.policy.hard_failures || self.counts_at_a_stop(lost) {
                return Some(this.first);
            }
            chain = Some(this);
        }
        chain.filter(|chain| to.since(chain.last) < FORGOTTEN + LEAD).map(|chain| chain.first)
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

    /// Whether nothing is wrong but that nodes do not serve, nothing is on its way that would be news, and the engine is at
    /// rest.
    fn is_quiet(&self) -> bool {
        self.process == Process::Runs
            && self.wish.is_none()
            && self.faults == self.nodes.iter().map(|node| node.down + node.web_down).sum::<u32>()
            && self.parcels.iter().all(|parcel| is_beat(parcel) || self.is_in_vain(parcel))
            && self.is_as_it_should_be()
            && self.engine.is_at_rest(self.now)
    }

    /// Whether visitors are led to the nodes that serve, or to the fallback when none does.
    fn is_as_it_should_be(&self) -> bool {
        let mut up = self.nodes.iter().filter(|node| node.serves()).map(|node| Rdata::from(node.address));
        if up.clone().next().is_none() {
            return self.record.iter().eq([&Rdata::A(PAGES)]);
        }
        up.clone().count() == self.record.len() && up.all(|rdata| self.record.contains(&rdata))
    }

    /// Whether it is a look at a node that does not serve.
    fn is_in_vain(&self, parcel: &Coming) -> bool {
        let Coming::Event(Event::Probed { target, outcome, .. }) = parcel else { return false };
        !outcome.is_up() && self.nodes.iter().any(|node| *node.name() == target.node && !node.serves())
    }

    /// Goes on at `over`: the next beat of each node, and the next look of the witness, is the first that falls on the
    /// time that is played. Looks in vain begin anew. Nobody is to seem silent who was only not listened to.
    pub(super) fn go_on_at(&mut self, over: Moment) {
        self.now = over;
        self.parcels.keep(is_beat);
        self.parcels.put_off(|at| {
            let rounds = u64::try_from((over - at).as_millis().div_ceil(10_000)).unwrap_or(0);
            at + Duration::from_secs(10 * rounds)
        });
        let beats: Vec<_> = self.nodes.iter_mut().filter(|node| node.down == 0).map(Node::beat).collect();
        beats.into_iter().for_each(|beat| self.step(Event::Beat(beat)));
    }
}

/// Whether it is what comes at any time: a beat, or a look of the witness.
fn is_beat(parcel: &Coming) -> bool {
    matches!(parcel, Coming::Beat(_) | Coming::Witness)
}
