//! Where lamps and a button are, as the configuration says it and the keeper is told it.
//!
//! Never opens anything.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::face::Wiring;
use super::night::Night;

/// Everything about LEDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LampSettings {
    /// Where lamps are; all of them show the same state.
    pub places: Vec<Place>,
    /// The button, if there is one.
    pub button: Option<ButtonSettings>,
    /// When they sleep, if ever.
    pub night: Option<Night>,
}

/// The button and what its gestures start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ButtonSettings {
    /// Where it is.
    pub pin: ButtonPin,
    /// The program, with its arguments, that opens the set-up window; empty: the gesture does nothing.
    pub setup: Vec<String>,
    /// The program, with its arguments, that switches the machine off; empty: the gesture does nothing.
    pub shutdown: Vec<String>,
}

/// A place with lamps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Drawn on standard error.
    Terminal,
    /// On GPIO lines.
    Pins(Pins),
    /// LEDs that the kernel drives.
    Kernel(KernelLeds),
}

/// Lamps on GPIO lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// The chip that the lines belong to.
    pub chip: ChipName,
    /// What lamps there are.
    pub wiring: Wiring,
    /// The lines of each lamp, by offset, in the order of [`Wiring::lamps`]. At least one for each.
    pub lamps: Vec<Vec<u32>>,
    /// When a lamp is lit.
    pub active: Active,
    /// How the lines are reached.
    pub backend: Backend,
}

/// LEDs of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelLeds {
    /// What lamps there are.
    pub wiring: Wiring,
    /// For each lamp the names that it may have below `/sys/class/leds`: the first that exists is taken.
    pub lamps: Vec<Vec<String>>,
}

/// A button on a GPIO line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ButtonPin {
    /// The chip that the line belongs to.
    pub chip: ChipName,
    /// The line, by offset.
    pub pin: u32,
    /// When the button is down.
    pub active: Active,
    /// What holds the line when the button is up.
    pub bias: Bias,
}

/// A GPIO chip. Never its number: that depends on the order in which drivers are loaded, and the header of a Pi 5 has
/// been number 4 and number 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChipName {
    /// The one that the 40-pin header of a Raspberry Pi is connected to, whatever it is called there.
    Header,
    /// The one with this label.
    Label(String),
}

/// What the chips of the 40-pin header are labelled: on boards up to the 3 and on the Zero 2 W, on the 4, and on the 5.
pub const HEADER_LABELS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];

impl ChipName {
    /// Whether a chip with this label is meant.
    #[must_use]
    pub fn is(&self, label: &str) -> bool {
        match self {
            ChipName::Header => HEADER_LABELS.contains(&label),
            ChipName::Label(own) => own == label,
        }
    }
}

impl fmt::Display for ChipName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChipName::Header => f.write_str("the 40-pin header"),
            ChipName::Label(label) => f.write_str(label),
        }
    }
}

/// The level that lights a lamp, or that a pressed button has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Active {
    /// The supply voltage.
    High,
    /// Ground.
    Low,
}

/// The resistor of an input line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// To the supply voltage, inside the chip: for a button that connects to ground.
    #[default]
    PullUp,
    /// To ground, inside the chip: for a button that connects to the supply voltage.
    PullDown,
    /// None inside the chip: the board has its own.
    Off,
}

/// How GPIO lines are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// Whatever this machine has: the character device, else rppal.
    #[default]
    Auto,
    /// The kernel's GPIO character device, version 2 (Linux 5.10 and later).
    Gpiocdev,
    /// The registers themselves, through the crate rppal; kernels of the Raspberry Pi foundation only.
    Rppal,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Terminal => f.write_str("terminal"),
            Place::Pins(pins) => write!(f, "GPIO {} of {}", named(pins.wiring, &pins.lamps), pins.chip),
            Place::Kernel(leds) => write!(f, "kernel LEDs {}", named(leds.wiring, &leds.lamps)),
        }
    }
}

/// `red 24, amber 23, green 22`
fn named<T: fmt::Display>(wiring: Wiring, lamps: &[Vec<T>]) -> String {
    let lines = |lines: &Vec<T>| lines.iter().map(T::to_string).collect::<Vec<_>>().join("+");
    let lamp = |(name, of): (&&str, &Vec<T>)| format!("{name} {}", lines(of));
    wiring.lamps().iter().zip(lamps).map(lamp).collect::<Vec<_>>().join(", ")
}
