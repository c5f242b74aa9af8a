//! What is on its way in the world, in the order in which it arrives.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hearth::moment::Moment;

use super::Coming;

/// What is on its way.
#[derive(Debug, Default)]
pub(crate) struct Parcels {
    /// When each arrives, the how manieth it is, and where it lies. What was sent first arrives first.
    order: BinaryHeap<Reverse<(Moment, u64, usize)>>,
    shelf: Vec<Option<Coming>>,
    free: Vec<usize>,
    sent: u64,
}

impl Parcels {
    /// Sends one off.
    pub(super) fn put(&mut self, at: Moment, parcel: Coming) {
        self.sent += 1;
        let place = self.free.pop().unwrap_or(self.shelf.len());
        if place == self.shelf.len() {
            self.shelf.push(Some(parcel));
        } else {
            self.shelf[place] = Some(parcel);
        }
        self.order.push(Reverse((at, self.sent, place)));
    }

    /// When the next arrives.
    pub(super) fn next(&self) -> Option<Moment> {
        self.order.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next, when it has arrived by `now`.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<Coming> {
        self.next().filter(|at| *at <= now)?;
        let Reverse((_, _, place)) = self.order.pop()?;
        self.free.push(place);
        self.shelf[place].take()
    }

    /// How many are on their way.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Each arrives at another time, which `when` says.
    pub(crate) fn put_off(&mut self, when: impl Fn(Moment, &Coming) -> Moment) {
        let shelf = &self.shelf;
        let later = |Reverse((at, number, place)): Reverse<(Moment, u64, usize)>| {
            let at = shelf[place].as_ref().map_or(at, |parcel| when(at, parcel));
            Reverse((at, number, place))
        };
        self.order = std::mem::take(&mut self.order).into_iter().map(later).collect();
    }
}
