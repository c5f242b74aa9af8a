//! What the LEDs show: one status, one rhythm; the rhythm alone carries the meaning.

use serde::{Deserialize, Serialize};

/// Where the LEDs are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedPreset {
    /// Lamps drawn on the terminal.
    Terminal,
    /// No lamps.
    #[default]
    Off,
}
