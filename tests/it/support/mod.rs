//! What several tests need: real servers started on loopback, and waiting with a deadline.

pub(crate) mod authority;
pub(crate) mod bind;
pub(crate) mod browser;
pub(crate) mod dns_proxy;
pub(crate) mod faulty;
pub(crate) mod http;
pub(crate) mod knot;
pub(crate) mod loopback;
pub(crate) mod name_server;
pub(crate) mod netns;
pub(crate) mod pebble;
pub(crate) mod poller;
pub(crate) mod powerdns;
pub(crate) mod vendor;

use std::time::{Duration, Instant};

/// Asks `look` until it answers Some, at most `within`; fails with `what` and never passes without having looked.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < within, "{what}: not seen within {within:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Looks at something for this long, at which nothing may change meanwhile; what it is.
#[track_caller]
pub(crate) fn stays<T: PartialEq + std::fmt::Debug>(
    what: &str,
    span: Duration,
    mut look: impl FnMut() -> T,
) -> T {
    let (start, first) = (Instant::now(), look());
    while start.elapsed() < span {
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(look(), first, "{what}, after {:?}", start.elapsed());
    }
    first
}
