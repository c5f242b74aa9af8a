//! A watcher that only bears witness: it looks at what the one that decides asks for, and says what it saw.
//!
//! Needs no rights at any DNS provider, listens nowhere and keeps nothing. Never decides anything.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::config::WitnessConfig;
use crate::heartbeat::receive::FORM;
use crate::heartbeat::send::{SendError, Sender, SenderError, SenderSettings};
use crate::heartbeat::{Answer, Beat, BootId, RecordsReport};
use crate::host::time::Timeline;
use crate::host::{notify, random, shutdown};
use crate::probe::ProberSettings;
use crate::probe::witness::Witness;

/// How often it says that it is alive to whoever supervises it.
const PULSE: Duration = Duration::from_secs(2);

/// Bears witness until it is told to stop.
///
/// # Errors
/// When no beat can be sent to the decider as it is configured.
pub async fn run(config: WitnessConfig, stop: watch::Receiver<bool>) -> Result<(), SenderError> {
    let line = Timeline::start(None);
    let sender = Sender::new(config.decider.clone(), &SenderSettings::default())?;
    let trusts = ProberSettings { extra_roots: config.decider.roots.clone() };
    let (witness, rounds) = Witness::new(line, &trusts)?;
    let errands = witness.errands();
    let boot = BootId::new(random::bytes());
    let teller = Teller { config, line, sender, boot, sequence: 0, witness, link: Link::Untried };
    notify::ready();
    let mut stopping = stop;
    tokio::select! {
        () = shutdown::stopped(&mut stopping) => {}
        () = teller.run() => {}
        () = rounds.run(errands) => {}
        () = pulse(line) => {}
    }
    notify::stopping();
    Ok(())
}

async fn pulse(line: Timeline) {
    let mut pulse = notify::watchdog(line);
    let mut due = tokio::time::interval(pulse.patience().map_or(PULSE, |patience| patience.min(PULSE)));
    loop {
        due.tick().await;
        pulse.alive();
    }
}

/// How the last beat went, so that only a change is told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Link {
    Untried,
    Answered,
    Broken(String),
}

/// Beats to the decider.
struct Teller {
    config: WitnessConfig,
    line: Timeline,
    sender: Sender,
    boot: BootId,
    sequence: u64,
    witness: Witness,
    link: Link,
}

impl Teller {
    async fn run(mut self) {
        let mut due = tokio::time::interval(self.config.every);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            let answered = self.beat().await;
            self.tell(&answered);
        }
    }

    async fn beat(&mut self) -> Result<Answer, SendError> {
        self.sequence += 1;
        let mut beat = Beat {
            form: FORM,
            node: self.config.name.clone(),
            boot: self.boot,
            sequence: self.sequence,
            uptime_ms: u64::try_from(self.line.uptime().as_millis()).unwrap_or(u64::MAX),
            wall_ms: self.line.wall_ms(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            addresses: Vec::new(),
            sites: Vec::new(),
            mounts: Vec::new(),
            records: RecordsReport::None,
            led: "witness".to_owned(),
            leaving: None,
            testimonies: Vec::new(),
        };
        let told = self.witness.testify(&mut beat);
        let answered = self.sender.beat(&beat, &self.config.key).await;
        match &answered {
            Ok(answer) => self.witness.heard(told, answer.errand.clone()),
            Err(_) => self.witness.unheard(),
        }
        answered
    }

    /// Says in the log how the line to the decider stands, whenever that changes.
    fn tell(&mut self, answered: &Result<Answer, SendError>) {
        let link = answered.as_ref().map_or_else(|e| Link::Broken(e.to_string()), |_| Link::Answered);
        if link == self.link {
            return;
        }
        let url = &self.sender.pin().url;
        match &link {
            Link::Broken(why) => tracing::warn!("{url}: {why}; nothing is witnessed until it answers"),
            Link::Answered | Link::Untried => {
                tracing::info!("{url} answers under its key and is told what is seen")
            }
        }
        self.link = link;
    }
}
