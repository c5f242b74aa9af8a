//! The ping that goes out while the watcher decides, so that somebody notices when it does not.
//!
//! Never pings because it was started: each ping stands for a look at what the deciding loop has just published.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::settings::PingSettings;
use crate::hook::web::{Missed, Webhook};
use crate::host::shutdown::stopped;

/// How long one ping may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How the watcher is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// It looks and decides.
    Beats,
    /// It runs and cannot decide, and why.
    Falters(String),
    /// The deciding loop does not run.
    Stopped,
}

/// Pings until `close`; `feel` says how the watcher is.
pub async fn run(settings: PingSettings, feel: impl Fn() -> Pulse, mut close: watch::Receiver<bool>) {
    let webhook = Webhook::new(settings.url.clone(), LIMIT);
    let mut every = interval(settings.every);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unheard = 0_u64;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stopped(&mut close) => return,
        }
        let Some((url, body)) = ping(&settings, feel()) else { continue };
        let heard = tokio::select! {
            heard = webhook.tell(&url, &body) => heard,
            () = stopped(&mut close) => return,
        };
        note(&settings, heard.err(), &mut unheard);
    }
}

/// What goes where. None: nothing does.
fn ping(settings: &PingSettings, pulse: Pulse) -> Option<(String, String)> {
    let url = settings.url.expose();
    match (pulse, &settings.fail) {
        (Pulse::Beats, _) => Some((url.clone(), String::new())),
        (Pulse::Falters(why), Some(fail)) => Some((format!("{url}{fail}"), why)),
        (Pulse::Falters(_), None) | (Pulse::Stopped, _) => None,
    }
}

/// An outage is told when it begins and when it ends.
fn note(settings: &PingSettings, missed: Option<Missed>, unheard: &mut u64) {
    let place = settings.origin.as_deref().unwrap_or("its secret URL");
    let before = std::mem::replace(unheard, if missed.is_some() { *unheard + 1 } else { 0 });
    match (missed, before) {
        (None, 0) => {}
        (None, times) => tracing::info!("the ping to {place} is heard again, after {times} that were not"),
        (Some(missed), 0) => tracing::warn!("the ping to {place} is not heard: {}", missed.words()),
        (Some(missed), _) => tracing::debug!("the ping to {place} is not heard: {}", missed.words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn it_goes_out_while_the_watcher_decides_and_says_so_when_it_cannot() {
        let settings = |fail: Option<&str>| PingSettings {
            url: Secret::new("https://hc.example/1".to_owned()),
            origin: None,
            every: Duration::from_secs(60),
            fail: fail.map(ToOwned::to_owned),
        };
        let cut = || Pulse::Falters("cut off".to_owned());
        let to = |url: &str, body: &str| Some((url.to_owned(), body.to_owned()));
        assert_eq!(ping(&settings(None), Pulse::Beats), to("https://hc.example/1", ""));
        assert_eq!(ping(&settings(Some("/fail")), cut()), to("https://hc.example/1/fail", "cut off"));
        assert_eq!(ping(&settings(None), cut()), None);
        assert_eq!(ping(&settings(Some("/fail")), Pulse::Stopped), None);
    }
}
