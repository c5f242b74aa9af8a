//! What the service manager is told: ready, stopping, a line of status, and that the event loop still turns.
//!
//! Speaks sd_notify(3) when `NOTIFY_SOCKET` is set and does nothing otherwise. Never ticks the watchdog on its own
//! account: a tick says that the loop which called [`Pulse::alive`] came round, and a loop that hangs is restarted.

use std::fmt;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::host::time::Timeline;
use crate::moment::Moment;

/// Says that the service does what it is there for.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Says that the service is on its way out, on purpose.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says in one line what the service is about; `systemctl status` shows it.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(&one_line(line))]);
}

/// Ticks the watchdog for as long as the loop that holds the [`Pulse`] calls it. Without `WATCHDOG_USEC` nothing is
/// ticked, and the pulse may be called all the same.
#[must_use]
pub fn watchdog(line: Timeline) -> Pulse {
    let period = sd_notify::watchdog_enabled().filter(|period| !period.is_zero());
    Pulse(period.map(|period| Ticks::new(line, period, || tell(&[NotifyState::Watchdog]))))
}

/// The protocol has one assignment on each line: a line break would begin another.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// A service manager that cannot be told is no reason to stop serving.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager could not be told {state:?}: {error}");
    }
}

/// The sign of life of one event loop. It has no timer: nothing wakes up for it but the loop that it stands for.
#[derive(Debug)]
pub struct Pulse(Option<Ticks>);

impl Pulse {
    /// Says that the loop came round. Call it from the loop itself, at least every [`patience`](Self::patience).
    pub fn alive(&mut self) {
        if let Some(ticks) = &mut self.0 {
            ticks.alive();
        }
    }

    /// How long the loop may rest: a quarter of the watchdog's period. None: as long as it likes.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        self.0.as_ref().map(|ticks| ticks.every)
    }
}

/// A watchdog that waits for ticks.
struct Ticks {
    line: Timeline,
    every: Duration,
    last: Option<Moment>,
    tick: Box<dyn Fn() + Send + Sync>,
}

impl Ticks {
    fn new(line: Timeline, period: Duration, tick: impl Fn() + Send + Sync + 'static) -> Self {
        Self { line, every: period / 4, last: None, tick: Box::new(tick) }
    }

    /// Ticks, unless that was done less than a quarter of the period ago.
    fn alive(&mut self) {
        let now = self.line.now();
        if self.last.is_none_or(|last| now.since(last) >= self.every) {
            self.last = Some(now);
            (self.tick)();
        }
    }
}

impl fmt::Debug for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticks").field("every", &self.every).field("last", &self.last).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn counted(line: Timeline, period: Duration) -> (Pulse, Arc<AtomicU64>) {
        let ticks = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&ticks);
        let tick = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        (Pulse(Some(Ticks::new(line, period, tick))), ticks)
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_ticked_while_the_loop_turns_and_no_longer() {
        let (mut pulse, ticks) = counted(Timeline::steady(None, 0), Duration::from_secs(30));
        for _ in 0..60 {
            pulse.alive();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let turning = ticks.load(Ordering::Relaxed);
        assert!((7..=9).contains(&turning), "{turning} ticks in a minute");
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(ticks.load(Ordering::Relaxed), turning, "nobody ticks for a loop that hangs");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_turns_as_seldom_as_it_may_is_never_taken_for_one_that_hangs() {
        let (mut pulse, ticks) = counted(Timeline::steady(None, 0), Duration::from_secs(4));
        for _ in 0..30 {
            pulse.alive();
            tokio::time::sleep(pulse.patience().expect("it is watched")).await;
        }
        assert_eq!(ticks.load(Ordering::Relaxed), 30);
    }

    #[test]
    fn a_status_cannot_smuggle_in_a_second_assignment() {
        assert_eq!(one_line("up\nREADY=1"), "up READY=1");
    }
}
