//! Where one task takes what others put in: they never wait, and it waits for them.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::queue::Queue;

/// A queue with a bell.
#[derive(Debug)]
pub(crate) struct Letterbox<T> {
    waiting: Mutex<Queue<T>>,
    bell: Notify,
}

impl<T> Letterbox<T> {
    /// An empty one, in which so many wait at most; then the oldest are given up.
    pub(crate) fn new(longest: usize) -> Self {
        Self { waiting: Mutex::new(Queue::new(longest)), bell: Notify::new() }
    }

    /// Puts one in. Never waits.
    pub(crate) fn put(&self, one: T) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        self.bell.notify_one();
    }

    /// The next, and how many were given up before it.
    pub(crate) async fn next(&self) -> (T, u64) {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match next {
                Some(next) => return next,
                None => self.bell.notified().await,
            }
        }
    }
}
