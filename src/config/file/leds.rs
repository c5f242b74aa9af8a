//! What is written about LEDs and the button: `[leds]`.

use serde::Deserialize;
use toml::Spanned;

use crate::config::value::At;
use crate::leds::LedPreset;
use crate::leds::night::Night;
use crate::leds::settings::{Active, Backend, Bias};

/// `[leds]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [leds]")]
pub(crate) struct Leds {
    /// The board: `traffic-hat`, `pi-traffic`, `fishdish`, `jam-hat`, `pi-liter`, `status-zero`, `ledborg`, `onboard`,
    /// `overlay`, `terminal` or `off` (default).
    pub(crate) preset: Option<LedPreset>,
    /// Other boards that show the same. Default: none.
    #[serde(default)]
    pub(crate) also: Vec<LedPreset>,
    /// How pins are reached: `auto` (default), `gpiocdev` or `rppal`.
    pub(crate) backend: Option<Backend>,
    /// When LEDs sleep, faults excepted, such as `22:00-07:00`. Default: never.
    pub(crate) night: Option<At<Night>>,
    /// Pins of one's own.
    pub(crate) pins: Option<Spanned<LedPins>>,
    /// LEDs of the kernel.
    pub(crate) kernel: Option<Spanned<LedNames>>,
    /// The button. Default: the preset's, if it has one.
    pub(crate) button: Option<Spanned<LedButton>>,
}

/// `[leds.pins]`: `led` alone, or `red`, `amber` and `green`, or `red`, `green` and `blue`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [leds.pins]")]
pub(crate) struct LedPins {
    /// The label of the GPIO chip, as `gpiodetect` prints it. Default: the chip of the 40-pin header.
    pub(crate) chip: Option<At<String>>,
    /// The pins of the only lamp, by offset (on the header: the BCM number).
    pub(crate) led: Option<Vec<u32>>,
    /// The pins of the red lamp.
    pub(crate) red: Option<Vec<u32>>,
    /// The pins of the amber lamp.
    pub(crate) amber: Option<Vec<u32>>,
    /// The pins of the green lamp.
    pub(crate) green: Option<Vec<u32>>,
    /// The pins of the blue lamp.
    pub(crate) blue: Option<Vec<u32>>,
    /// The level that lights a lamp: `high` (default) or `low`.
    pub(crate) active: Option<Active>,
}

/// `[leds.kernel]`: `led` alone, or `red`, `amber` and `green`, or `red`, `green` and `blue`; each a name below
/// `/sys/class/leds`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [leds.kernel]")]
pub(crate) struct LedNames {
    /// The only lamp.
    pub(crate) led: Option<At<String>>,
    /// The red lamp.
    pub(crate) red: Option<At<String>>,
    /// The amber lamp.
    pub(crate) amber: Option<At<String>>,
    /// The green lamp.
    pub(crate) green: Option<At<String>>,
    /// The blue lamp.
    pub(crate) blue: Option<At<String>>,
}

/// `[leds.button]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [leds.button]")]
pub(crate) struct LedButton {
    /// The label of the GPIO chip. Default: the chip of the 40-pin header.
    pub(crate) chip: Option<At<String>>,
    /// The pin, by offset. Default: the preset's.
    pub(crate) pin: Option<u32>,
    /// The level while it is pressed: `low` (default) or `high`.
    pub(crate) active: Option<Active>,
    /// The resistor inside the chip: `pull-up` (default), `pull-down` or `off`.
    pub(crate) bias: Option<Bias>,
    /// The program and its arguments that a press of three seconds starts. Default: none.
    #[serde(default)]
    pub(crate) setup: Vec<String>,
    /// The program and its arguments that a press of eight seconds starts. Default: `["systemctl", "poweroff"]`.
    pub(crate) shutdown: Option<Vec<String>>,
}
