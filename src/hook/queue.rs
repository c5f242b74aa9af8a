//! What waits to be told: a few things, in order; when there are more, the oldest are given up and counted.
//!
//! Never grows beyond its limit, and never makes anybody wait.

use std::collections::VecDeque;

/// What waits.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: VecDeque<T>,
    longest: usize,
    dropped: u64,
}

impl<T> Queue<T> {
    /// An empty one, in which so many wait at most.
    pub(super) fn new(longest: usize) -> Self {
        Self { waiting: VecDeque::new(), longest, dropped: 0 }
    }

    /// Adds one at the end; the oldest makes room for it.
    pub(super) fn push(&mut self, one: T) {
        if self.waiting.len() == self.longest {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(one);
    }

    /// Takes the oldest, and how many were dropped since one was taken last.
    pub(super) fn pop(&mut self) -> Option<(T, u64)> {
        let one = self.waiting.pop_front()?;
        Some((one, std::mem::take(&mut self.dropped)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_in_order_and_what_was_dropped_is_counted_once() {
        let mut queue = Queue::new(16);
        assert_eq!(queue.pop(), None);
        (0..19).for_each(|number| queue.push(number));
        assert_eq!(queue.pop(), Some((3, 3)));
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest, (4..19).map(|number| (number, 0)).collect::<Vec<_>>());
    }
}
