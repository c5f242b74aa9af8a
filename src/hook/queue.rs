//! What waits for a hook: a few changes, in order; when there are more, the oldest are given up and counted.
//!
//! Never grows beyond [`LONGEST`], and never makes anybody wait.

use std::collections::VecDeque;

use super::Change;

/// How many changes wait at most.
pub(super) const LONGEST: usize = 16;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Change>,
    dropped: u64,
}

impl Queue {
    /// Adds a change at the end; the oldest makes room for it.
    pub(super) fn push(&mut self, change: Change) {
        if self.waiting.len() == LONGEST {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(change);
    }

    /// Takes the oldest change, and how many were dropped since one was taken last.
    pub(super) fn pop(&mut self) -> Option<(Change, u64)> {
        let change = self.waiting.pop_front()?;
        Some((change, std::mem::take(&mut self.dropped)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Subject;
    use super::*;

    fn change(number: usize) -> Change {
        let text = || number.to_string();
        let (node, name, kind, reason) = (text(), text(), text(), text());
        Change { event: Subject::Record, node, name, kind, old: Vec::new(), new: Vec::new(), reason }
    }

    #[test]
    fn the_newest_stay_in_order_and_what_was_dropped_is_counted_once() {
        let mut queue = Queue::default();
        assert_eq!(queue.pop(), None);
        (0..LONGEST + 3).for_each(|number| queue.push(change(number)));
        assert_eq!(queue.pop(), Some((change(3), 3)));
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest, (4..LONGEST + 3).map(|number| (change(number), 0)).collect::<Vec<_>>());
        assert_eq!(rest.len(), LONGEST - 1);
    }
}
