//! The 40-pin header: what its pins are for otherwise, and which of ours get in each other's way.
//!
//! Never asks the kernel: who holds a line at this moment is found out when the line is asked for.

use std::collections::BTreeMap;

use super::face::Wiring;
use super::settings::{ChipName, LampSettings, Place};

/// The highest offset that is on the header.
pub const LAST: u32 = 27;

/// What a pin of the header is for when a bus or interface is switched on (Raspberry Pi documentation, "GPIO and the
/// 40-pin header"), and what to do about it.
#[must_use]
pub const fn function(pin: u32) -> Option<(&'static str, &'static str)> {
    Some(match pin {
        0 | 1 => ("the EEPROM of HATs", "the firmware reads it at boot; take another pin"),
        2 | 3 => ("I2C1, with resistors to 3.3 V", "I2C must be off (no `dtparam=i2c_arm=on` in config.txt)"),
        7 | 8 => ("a chip select of SPI0", "SPI must be off (no `dtparam=spi=on` in config.txt)"),
        9..=11 => ("SPI0", "SPI must be off (no `dtparam=spi=on` in config.txt)"),
        14 | 15 => ("the serial console", "the console must be off (no `console=serial0` in cmdline.txt)"),
        _ => return None,
    })
}

/// Two things that are to be on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GPIO {pin} of {chip} is to be both {first} and {second}")]
pub struct Conflict {
    pin: u32,
    chip: ChipName,
    first: String,
    second: String,
}

/// What is to be on each line: lamps by their names, and the button.
fn uses(settings: &LampSettings) -> Vec<((&ChipName, u32), String)> {
    let mut uses = Vec::new();
    for place in &settings.places {
        let Place::Pins(pins) = place else { continue };
        for (name, lines) in pins.wiring.lamps().iter().zip(&pins.lamps) {
            let name =
                if pins.wiring == Wiring::One { "the lamp".to_owned() } else { format!("the {name} lamp") };
            uses.extend(lines.iter().map(|line| ((&pins.chip, *line), name.clone())));
        }
    }
    let button = settings.button.as_ref().map(|button| &button.pin);
    uses.extend(button.map(|button| ((&button.chip, button.pin), "the button".to_owned())));
    uses
}

/// The lines that more than one thing is to be on.
#[must_use]
pub fn conflicts(settings: &LampSettings) -> Vec<Conflict> {
    let mut seen: BTreeMap<(String, u32), String> = BTreeMap::new();
    let mut found = Vec::new();
    for ((chip, pin), second) in uses(settings) {
        match seen.get(&(chip.to_string(), pin)) {
            Some(first) => found.push(Conflict { pin, chip: chip.clone(), first: first.clone(), second }),
            None => {
                seen.insert((chip.to_string(), pin), second);
            }
        }
    }
    found
}

/// What of the settings is on a pin of the header that has another function, or on none of its pins at all.
#[must_use]
pub fn cautions(settings: &LampSettings) -> Vec<(String, &'static str)> {
    let on_header = uses(settings).into_iter().filter(|((chip, _), _)| **chip == ChipName::Header);
    let caution = |((_, pin), what): ((&ChipName, u32), String)| match function(pin) {
        _ if pin > LAST => Some((
            format!("{what} is on GPIO {pin}, which the header does not have"),
            "take a pin from 2 to 27",
        )),
        Some((function, todo)) => Some((format!("{what} is on GPIO {pin}, which is {function}"), todo)),
        None => None,
    };
    on_header.filter_map(caution).collect()
}
