//! What the service manager is told: ready, stopping, a line of status, and that the event loop still turns.
//!
//! Speaks sd_notify(3) when `NOTIFY_SOCKET` is set and does nothing otherwise. Never ticks the watchdog on its own
//! account: a tick says that the loop which called [`Pulse::alive`] came round, and a loop that hangs is restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinHandle;

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
/// ticked, and the pulse may be called all the same. Must be called within a tokio runtime.
#[must_use]
pub fn watchdog(line: Timeline) -> Pulse {
    match sd_notify::watchdog_enabled() {
        Some(period) if !period.is_zero() => Pulse::start(line, period, || tell(&[NotifyState::Watchdog])),
        Some(_) | None => Pulse { line, last: Arc::default(), ticker: None },
    }
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

/// The sign of life of one event loop. The ticks end when it is dropped.
#[derive(Debug)]
pub struct Pulse {
    line: Timeline,
    last: Arc<AtomicU64>,
    ticker: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Calls `tick` every quarter of `period` in which [`Pulse::alive`] was called within half of it.
    fn start(line: Timeline, period: Duration, tick: impl Fn() + Send + 'static) -> Self {
        let last = Arc::new(AtomicU64::new(line.now().as_millis()));
        let seen = Arc::clone(&last);
        let ticker = tokio::spawn(async move {
            let mut quarter = tokio::time::interval(period / 4);
            loop {
                quarter.tick().await;
                let alive = Moment::from_millis(seen.load(Ordering::Relaxed));
                if is_alive(alive, line.now(), period) {
                    tick();
                }
            }
        });
        Self { line, last, ticker: Some(ticker) }
    }

    /// Says that the loop came round. Call it from the loop itself, at least every quarter of the watchdog's period.
    pub fn alive(&self) {
        self.last.store(self.line.now().as_millis(), Ordering::Relaxed);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if let Some(ticker) = &self.ticker {
            ticker.abort();
        }
    }
}

fn is_alive(last: Moment, now: Moment, period: Duration) -> bool {
    now.since(last) <= period / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(line: Timeline, period: Duration) -> (Pulse, Arc<AtomicU64>) {
        let ticks = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&ticks);
        let pulse = Pulse::start(line, period, move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        (pulse, ticks)
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_ticked_while_the_loop_turns_and_no_longer() {
        let (pulse, ticks) = counted(Timeline::steady(None, 0), Duration::from_secs(30));
        for _ in 0..60 {
            pulse.alive();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let turning = ticks.load(Ordering::Relaxed);
        assert!((8..=9).contains(&turning), "{turning} ticks in a minute");
        tokio::time::sleep(Duration::from_secs(300)).await;
        let hung = ticks.load(Ordering::Relaxed) - turning;
        assert!(hung <= 2, "{hung} ticks for a loop that hangs");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_pulse_ticks_no_more() {
        let (pulse, ticks) = counted(Timeline::steady(None, 0), Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(ticks.load(Ordering::Relaxed), 1);
        drop(pulse);
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(ticks.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_status_cannot_smuggle_in_a_second_assignment() {
        assert_eq!(one_line("up\nREADY=1"), "up READY=1");
    }
}
