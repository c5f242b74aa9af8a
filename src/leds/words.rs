//! What agent and keeper say to each other: one line of JSON for each word.
//!
//! The agent speaks at every publication of its status, changed or not; the keeper answers each word.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Shown;
use super::button::Gesture;
use super::settings::{ButtonPin, Place};
use crate::status::LampPlace;

/// How long a state may be shown after the last word: the agent publishes at least every four seconds, so one word can be
/// lost. No lamp outlives an agent that hangs by more than ten seconds, the kernel's own leases included.
pub const LEASE: Duration = Duration::from_secs(9);

/// The first line: what the keeper is there for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Where lamps are.
    pub places: Vec<Place>,
    /// Where the button is, if there is one.
    pub button: Option<ButtonPin>,
}

/// What the agent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// This is how it stands.
    Show(Shown),
    /// A clean stop: one last blink, then dark.
    Bye,
}

/// What the keeper says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// It heard the word and plays it.
    Alive,
    /// How its places stand; said at the beginning and at every change.
    Places(Vec<LampPlace>),
    /// The button was used.
    Pressed(Gesture),
    /// What is wrong with the button.
    ButtonTrouble(String),
}
