//! The lamp task: follows the status and plays its rhythm on a sink.
//!
//! Holds a lease on the truth: a status that was not published again within [`LEASE`] belongs to a loop that hangs, and
//! the lamps go dark. They go dark at the end of the task as well. Never shows a state that nobody stands for.

use std::time::Duration;

use tokio::sync::watch;

use super::rhythm::{lamps, rhythm};
use super::sink::terminal::Terminal;
use super::sink::{Pace, Sink};
use super::{LedPreset, Shown, shown};
use crate::host::shutdown::stopped;
use crate::host::time::Timeline;
use crate::status::AgentStatus;

/// How long a status may be shown after it was published. Whoever publishes it does so again at least every third of
/// this, changed or not.
pub const LEASE: Duration = Duration::from_secs(30);

/// Shows what `status` says until the stop is wanted or nobody publishes any more; the lamps are dark afterwards.
pub async fn drive(
    preset: LedPreset,
    status: watch::Receiver<AgentStatus>,
    mut shutdown: watch::Receiver<bool>,
) {
    match preset {
        LedPreset::Off => stopped(&mut shutdown).await,
        LedPreset::Terminal => play(&mut Terminal::on_stderr(), status, shutdown).await,
    }
}

/// What the task plays.
struct Playing {
    shown: Shown,
    /// Since when.
    began: Duration,
    /// When the status was published last.
    published: Duration,
}

async fn play<S: Sink>(
    sink: &mut S,
    mut status: watch::Receiver<AgentStatus>,
    mut shutdown: watch::Receiver<bool>,
) {
    let line = Timeline::start(None);
    let now = || line.uptime();
    let first = shown(&status.borrow_and_update());
    let mut playing = Playing { shown: first, began: now(), published: now() };
    loop {
        let wake = draw(sink, &playing, now());
        tokio::select! {
            // A stop that comes together with a change is a stop.
            biased;
            () = stopped(&mut shutdown) => break,
            changed = status.changed() => match changed {
                Ok(()) => playing.take(shown(&status.borrow_and_update()), now()),
                Err(_) => break,
            },
            () = wait(wake) => {}
        }
    }
    report(sink.dark("the agent is gone"));
}

impl Playing {
    /// A new state begins its rhythm; the same one goes on in it.
    fn take(&mut self, shown: Shown, now: Duration) {
        if shown != self.shown {
            (self.shown, self.began) = (shown, now);
        }
        self.published = now;
    }
}

/// Draws what is to be seen now, and says after how long it will be something else. None: not before a publication.
fn draw<S: Sink>(sink: &mut S, playing: &Playing, now: Duration) -> Option<Duration> {
    let age = now.saturating_sub(playing.published);
    if age >= LEASE {
        report(sink.dark("the agent's loop has not said anything for too long; it may hang"));
        return None;
    }
    let elapsed = now.saturating_sub(playing.began);
    report(sink.show(playing.shown, lamps(playing.shown, elapsed)));
    let lease = LEASE - age;
    Some(match sink.pace() {
        Pace::Changes => lease,
        Pace::Steps => rhythm(playing.shown).until_next(elapsed).min(lease),
    })
}

async fn wait(span: Option<Duration>) {
    match span {
        // A millisecond more: the timer's resolution must not wake us within the step that was just drawn.
        Some(span) => tokio::time::sleep(span + Duration::from_millis(1)).await,
        None => std::future::pending().await,
    }
}

/// Lamps that cannot be drawn are no reason to stop serving.
fn report(outcome: std::io::Result<()>) {
    if let Err(error) = outcome {
        tracing::debug!("the lamps could not be drawn: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::rhythm::{Lamps, Level};
    use super::super::tests::healthy;
    use super::*;
    use crate::host::shutdown::Shutdown;
    use crate::status::Phase;

    /// Remembers what was shown; None is dark.
    #[derive(Default)]
    struct Seen(Vec<(Option<Shown>, Lamps)>);

    impl Sink for Seen {
        fn show(&mut self, shown: Shown, lamps: Lamps) -> io::Result<()> {
            self.0.push((Some(shown), lamps));
            Ok(())
        }

        fn dark(&mut self, _why: &str) -> io::Result<()> {
            self.0.push((None, Lamps::DARK));
            Ok(())
        }

        fn pace(&self) -> Pace {
            Pace::Steps
        }
    }

    async fn seconds(n: u64) {
        tokio::time::sleep(Duration::from_secs(n)).await;
    }

    /// Plays what `script` publishes until it ends, then stops.
    async fn watched<F: Future<Output = ()>>(script: impl FnOnce(watch::Sender<AgentStatus>) -> F) -> Seen {
        let (status, shutdown, mut seen) =
            (watch::Sender::new(healthy()), Shutdown::manual(), Seen::default());
        let (receiver, stop) = (status.subscribe(), shutdown.receiver());
        let script = async {
            script(status).await;
            shutdown.begin();
        };
        tokio::join!(play(&mut seen, receiver, stop), script);
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn each_step_of_the_rhythm_is_drawn_once_and_the_lamps_are_dark_at_the_end() {
        let seen = watched(async |_publish| seconds(11).await).await.0;
        let green: Vec<_> = seen.iter().map(|(_, lamps)| lamps.green).collect();
        assert_eq!(green, [Level::On, Level::Off, Level::On, Level::Off, Level::On, Level::Off]);
        assert_eq!(seen.last(), Some(&(None, Lamps::DARK)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_that_nobody_publishes_again_goes_dark_and_comes_back_with_the_next() {
        let seen = watched(async |publish| {
            seconds(25).await;
            publish.send_modify(|status| status.uptime_ms += 1);
            seconds(29).await;
            publish.send_modify(|status| status.uptime_ms += 1);
            seconds(300).await;
            publish.send_modify(|status| status.phase = Phase::Leaving);
        });
        let seen: Vec<_> = seen.await.0.into_iter().map(|(shown, _)| shown).collect();
        let dark: Vec<_> = seen.iter().enumerate().filter(|(_, s)| s.is_none()).map(|(n, _)| n).collect();
        assert_eq!(dark.len(), 2, "once for the hang and once at the end: {seen:?}");
        assert!(dark[0] > 30, "84 s of rhythm before it went dark: {seen:?}");
        assert_eq!(dark[1], seen.len() - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_publication_that_changes_nothing_does_not_make_the_rhythm_stumble() {
        let seen = watched(async |publish| {
            for _ in 0..10 {
                seconds(1).await;
                publish.send_modify(|status| status.uptime_ms += 1000);
            }
        });
        let seen = seen.await.0;
        let offs = seen.iter().filter(|(shown, lamps)| shown.is_some() && lamps.green == Level::Off).count();
        assert_eq!(offs, 2, "the dips at 4.9 s and 9.9 s: {seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_is_gone_leaves_no_lamp_on() {
        let (status, shutdown, mut seen) =
            (watch::Sender::new(healthy()), Shutdown::manual(), Seen::default());
        let receiver = status.subscribe();
        drop(status);
        play(&mut seen, receiver, shutdown.receiver()).await;
        assert_eq!(seen.0.last(), Some(&(None, Lamps::DARK)));
    }
}
