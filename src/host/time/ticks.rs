//! When periodic things are done: at instants that they share, so that the processor wakes up seldom.
//!
//! Never makes anything earlier or later than its own span allows.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::NEVER;

/// The next instant at which something that is done once in `every` is due: a whole multiple of it since the first time
/// that anybody asked. Who waits for as long, or for a multiple of it, wakes together, and a processor that has nothing
/// else to do sleeps in between.
#[must_use]
pub fn next_tick(every: Duration) -> Instant {
    tick_after(Instant::now(), every)
}

/// Ticks at these instants. What was missed is left out.
#[must_use]
pub fn ticks(every: Duration) -> Interval {
    let mut ticks = interval_at(next_tick(every), every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// Sleeps for about `span`, at least for three quarters of it, and wakes at such an instant. Less than a second is slept
/// exactly.
pub async fn rest(span: Duration) {
    if span < Duration::from_secs(1) {
        return sleep(span).await;
    }
    sleep_until(tick_after(Instant::now() + span * 3 / 4, span)).await;
}

fn tick_after(at: Instant, every: Duration) -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let first = *FIRST.get_or_init(Instant::now);
    let since = at.saturating_duration_since(first);
    let step = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
    let into = u64::try_from(since.as_nanos() % u128::from(step)).unwrap_or(0);
    at.checked_add(Duration::from_nanos(step - into)).unwrap_or_else(|| at + NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_as_long_or_a_multiple_of_it_wakes_together() {
        let [two, four] = [2, 4].map(Duration::from_secs);
        let began = Instant::now();
        rest(two).await;
        let first = Instant::now();
        assert!((two * 3 / 4..=two * 7 / 4).contains(&(first - began)), "{:?}", first - began);
        tokio::time::advance(Duration::from_millis(130)).await;
        let (mut slow, mut quick) = (ticks(four), ticks(two));
        let (slow_at, quick_at) = (slow.tick().await, quick.tick().await);
        // A timer fires at a whole millisecond after it is due.
        let apart = |one: Instant, other: Instant| {
            let over = (one - other).as_micros() % 2_000_000;
            over.min(2_000_000 - over)
        };
        assert_eq!(apart(slow_at, quick_at), 0);
        assert!(apart(slow_at, first) <= 1_000, "{} us", apart(slow_at, first));
        assert!(slow_at - first <= four);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_of_less_than_a_second_is_as_long_as_it_says() {
        let began = Instant::now();
        rest(Duration::from_millis(70)).await;
        assert_eq!(began.elapsed(), Duration::from_millis(70));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_due_is_not_due_now() {
        assert!(next_tick(Duration::MAX) > Instant::now() + NEVER / 2);
    }
}
