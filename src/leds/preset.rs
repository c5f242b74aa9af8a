//! The boards that hearth knows: which pins their lamps and buttons are on.
//!
//! Never says that a board is there: nobody can ask it. Pins are BCM numbers, which are the offsets of the header's chip.

use serde::{Deserialize, Serialize};

use super::face::Wiring;
use super::settings::{Active, Backend, ChipName, KernelLeds, Pins, Place};

/// Where the LEDs are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedPreset {
    /// Three lamps on pins that no bus uses: red 24, amber 23, green 22; button 25. The same pins as `gpiozero`'s
    /// `TrafficHat`.
    TrafficHat,
    /// Low Voltage Labs' Pi Traffic: red 9, amber 10, green 11, which are SPI0's.
    PiTraffic,
    /// Fish Dish: red 9, amber 22, green 4; button 7.
    Fishdish,
    /// Jam HAT: two lamps of each colour; button 19.
    JamHat,
    /// Pi-LITEr: a bar of eight, which blinks as one.
    PiLiter,
    /// STATUS Zero: red on the first strip, both on the second for amber, green on the third.
    StatusZero,
    /// LedBorg: one lamp that mixes colours.
    Ledborg,
    /// The activity LED of the board itself; no wiring. A Pi 5 shows none to a mainline kernel.
    Onboard,
    /// The LEDs of hearth's device-tree overlay.
    Overlay,
    /// Lamps drawn on the terminal.
    Terminal,
    /// No lamps.
    #[default]
    Off,
}

impl LedPreset {
    /// Everything that can be chosen.
    pub const ALL: [LedPreset; 11] = [
        LedPreset::TrafficHat,
        LedPreset::PiTraffic,
        LedPreset::Fishdish,
        LedPreset::JamHat,
        LedPreset::PiLiter,
        LedPreset::StatusZero,
        LedPreset::Ledborg,
        LedPreset::Onboard,
        LedPreset::Overlay,
        LedPreset::Terminal,
        LedPreset::Off,
    ];

    /// Where its lamps are, if it has any. `backend` says how pins are reached.
    #[must_use]
    pub fn place(self, backend: Backend) -> Option<Place> {
        let pins = |wiring, lamps: &[&[u32]]| {
            let lamps = lamps.iter().map(|lamp| lamp.to_vec()).collect();
            let (chip, active) = (ChipName::Header, Active::High);
            Some(Place::Pins(Pins { chip, wiring, lamps, active, backend }))
        };
        match self {
            Self::TrafficHat => pins(Wiring::Three, &[&[24], &[23], &[22]]),
            Self::PiTraffic => pins(Wiring::Three, &[&[9], &[10], &[11]]),
            Self::Fishdish => pins(Wiring::Three, &[&[9], &[22], &[4]]),
            Self::JamHat => pins(Wiring::Three, &[&[5, 6], &[12, 13], &[16, 17]]),
            Self::PiLiter => pins(Wiring::One, &[&[4, 17, 27, 18, 22, 23, 24, 25]]),
            Self::StatusZero => pins(Wiring::Three, &[&[17], &[22, 27], &[10]]),
            Self::Ledborg => pins(Wiring::Rgb, &[&[17], &[27], &[22]]),
            Self::Onboard => kernel(Wiring::One, &[&["ACT", "led0"]]),
            Self::Overlay => kernel(Wiring::Three, &[&OVERLAY[..1], &OVERLAY[1..2], &OVERLAY[2..]]),
            Self::Terminal => Some(Place::Terminal),
            Self::Off => None,
        }
    }

    /// The pin of its button, active low, if it has one.
    #[must_use]
    pub const fn button(self) -> Option<u32> {
        match self {
            Self::TrafficHat => Some(25),
            Self::Fishdish => Some(7),
            Self::JamHat => Some(19),
            Self::PiTraffic
            | Self::PiLiter
            | Self::StatusZero
            | Self::Ledborg
            | Self::Onboard
            | Self::Overlay
            | Self::Terminal
            | Self::Off => None,
        }
    }
}

/// What hearth's device-tree overlay calls its LEDs: red, amber, green.
pub const OVERLAY: [&str; 3] = ["hearth:red:fault", "hearth:amber:status", "hearth:green:status"];

fn kernel(wiring: Wiring, lamps: &[&[&str]]) -> Option<Place> {
    let names = |lamp: &&[&str]| lamp.iter().map(|&name| name.to_owned()).collect();
    Some(Place::Kernel(KernelLeds { wiring, lamps: lamps.iter().map(names).collect() }))
}
