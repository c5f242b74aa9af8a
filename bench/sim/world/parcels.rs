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

    /// All that is on its way, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Coming> {
        self.shelf.iter().flatten()
    }

    /// Loses those that are not `kept`.
    pub(crate) fn keep(&mut self, kept: impl Fn(&Coming) -> bool) {
        let (shelf, free) = (&mut self.shelf, &mut self.free);
        self.order.retain(|Reverse((_, _, place))| {
            let stays = shelf[*place].as_ref().is_some_and(&kept);
            if !stays {
                shelf[*place] = None;
                free.push(*place);
            }
            stays
        });
    }

    /// Each arrives at another time, which `when` says.
    pub(crate) fn put_off(&mut self, when: impl Fn(Moment) -> Moment) {
        let later = |Reverse((at, number, place))| Reverse((when(at), number, place));
        self.order = std::mem::take(&mut self.order).into_iter().map(later).collect();
    }
}
