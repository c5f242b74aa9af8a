//! What the LEDs are told beside the state: acknowledged faults, what somebody asked them to show, the night. And what
//! the button starts.
//!
//! Never decides what is shown: that is [`crate::leds::shown`]'s.

use std::time::{Duration, SystemTime};

use tokio::process::Command;
use tokio::sync::mpsc;

use super::event::{Event, LampEvent};
use crate::host::time::minute_of_day;
use crate::leds;
use crate::leds::button::Gesture;
use crate::leds::drive::Heard;
use crate::leds::night::Night;
use crate::leds::settings::ButtonSettings;
use crate::moment::Moment;
use crate::status::{AgentStatus, Announced, FaultCode, LampPlace, LampStatus};

/// How long a box shows which one it is.
pub(super) const IDENTIFYING: Duration = Duration::from_secs(30);

/// How long the set-up window is said to be open.
const SETUP_WINDOW: Duration = Duration::from_secs(30 * 60);

/// The longest that anything may be announced for.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What the LEDs were told.
#[derive(Debug, Default)]
pub(super) struct Lamps {
    night: Option<Night>,
    acknowledged: Vec<FaultCode>,
    announced: Option<(Announced, Moment)>,
    places: Vec<LampPlace>,
}

impl Lamps {
    pub(super) fn sleeping(night: Option<Night>) -> Self {
        Self { night, ..Self::default() }
    }

    /// Takes what was told, by what `status` says now.
    pub(super) fn take(&mut self, event: LampEvent, status: &AgentStatus, now: Moment) {
        match event {
            LampEvent::Acknowledged => self.acknowledged = leds::faults(status).collect(),
            LampEvent::Announced(what, span) => self.announced = Some((what, now + span.min(LONGEST))),
            LampEvent::Places(places) => self.places = places,
        }
    }

    /// What of it holds now. A fault that was mended is forgotten, so that it is new when it comes back.
    pub(super) fn settle(&mut self, status: &AgentStatus, now: Moment, wall: SystemTime) -> LampStatus {
        self.acknowledged.retain(|code| leds::faults(status).any(|fault| fault == *code));
        self.announced = self.announced.filter(|(_, until)| now < *until);
        LampStatus {
            acknowledged: self.acknowledged.clone(),
            announced: self.announced.map(|(what, _)| what),
            night: self.night.is_some_and(|night| night.covers(minute_of_day(wall))),
            places: self.places.clone(),
        }
    }
}

/// Hears the keeper until it is gone, and does what the button says.
pub(super) async fn obey(
    mut heard: mpsc::Receiver<Heard>,
    button: Option<ButtonSettings>,
    events: mpsc::Sender<Event>,
) {
    while let Some(heard) = heard.recv().await {
        let event = match heard {
            Heard::Places(places) => Some(LampEvent::Places(places)),
            Heard::Pressed(gesture) => pressed(gesture, button.as_ref()),
        };
        // The board is gone only when the agent is on its way out.
        if let Some(event) = event {
            let _ = events.send(Event::Lamps(event)).await;
        }
    }
}

fn pressed(gesture: Gesture, button: Option<&ButtonSettings>) -> Option<LampEvent> {
    tracing::info!("the button: {gesture:?}");
    match gesture {
        Gesture::Acknowledge => Some(LampEvent::Acknowledged),
        Gesture::Identify => Some(LampEvent::Announced(Announced::Identify, IDENTIFYING)),
        Gesture::Setup => {
            let started = start("setup", button.map(|button| &button.setup[..]));
            started.then_some(LampEvent::Announced(Announced::Setup, SETUP_WINDOW))
        }
        Gesture::Shutdown => {
            start("shutdown", button.map(|button| &button.shutdown[..]));
            None
        }
    }
}

/// Starts what a gesture stands for; whether there was anything to start.
fn start(key: &'static str, command: Option<&[String]>) -> bool {
    let Some((program, arguments)) = command.and_then(<[String]>::split_first) else {
        tracing::warn!("the button asks for something that `{key}` in [leds.button] does not name");
        return false;
    };
    match Command::new(program).args(arguments).stdin(std::process::Stdio::null()).spawn() {
        Ok(mut child) => {
            tokio::spawn(async move {
                if let Ok(status) = child.wait().await
                    && !status.success()
                {
                    tracing::warn!("what `{key}` in [leds.button] names ended with {status}");
                }
            });
            true
        }
        Err(error) => {
            tracing::warn!("`{program}`, which `{key}` in [leds.button] names, cannot be started: {error}");
            false
        }
    }
}
