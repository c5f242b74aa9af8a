//! Work that is shared by all cores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What `work` returns for 0, 1, 2 … up to `count`, in order. Nothing is begun that comes after one that `ends` it all;
/// everything before that one is whole.
pub(crate) fn work<T: Send>(
    count: u64,
    work: impl Fn(u64) -> T + Sync,
    ends: impl Fn(&T) -> bool + Sync,
) -> Vec<T> {
    let (next, end) = (AtomicU64::new(0), AtomicU64::new(count));
    let one = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= end.load(Ordering::Relaxed) {
                return done;
            }
            let result = work(at);
            if ends(&result) {
                end.fetch_min(at + 1, Ordering::Relaxed);
            }
            done.push((at, result));
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<(u64, T)> = thread::scope(|scope| {
        let crew: Vec<_> = (0..cores).map(|_| scope.spawn(one)).collect();
        crew.into_iter().flat_map(|worker| worker.join().expect("a worker does not panic")).collect()
    });
    all.retain(|(at, _)| *at < end.load(Ordering::Relaxed));
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}
