//! How GPIO lines are reached on this machine: the character device, rppal, or LEDs that the kernel has taken over.
//!
//! Never opens anything: what the machine has is an argument.

use std::path::PathBuf;

use super::preset::{LedPreset, OVERLAY};
use super::settings::{Backend, ChipName, HEADER_LABELS, KernelLeds, Pins, Place};

/// What a machine has that lamps could be on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its GPIO character devices.
    pub chips: Vec<Chip>,
    /// Whether it has `/dev/gpiomem` or, on a Pi 5, `/dev/gpiomem0`.
    pub gpiomem: bool,
    /// The LEDs of its kernel.
    pub leds: Vec<String>,
}

/// A GPIO character device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    /// The device.
    pub path: PathBuf,
    /// What it says of itself.
    pub is: ChipState,
}

/// What a GPIO character device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChipState {
    /// It has this label and speaks version 2 of the interface.
    Usable(String),
    /// It has this label, and the kernel is older than 5.10: version 1 only.
    Old(String),
    /// This process may not open it.
    Denied,
    /// It does not answer as a GPIO chip does.
    Mute(String),
}

/// A way to the lamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through this character device.
    Lines(PathBuf),
    /// Through rppal.
    Rppal,
    /// The kernel has taken the lines and made LEDs of them.
    Kernel(KernelLeds),
}

/// Why there is no way to the lamps, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// No chip is labelled so.
    #[error("no GPIO chip is {wanted}; this machine has {seen}")]
    NoChip {
        /// What is wanted.
        wanted: String,
        /// What there is.
        seen: String,
    },
    /// A chip is there and may not be opened.
    #[error(
        "no right to open {}: put the user that runs hearth into the group `gpio`, and give the device to that group \
         by a udev rule: SUBSYSTEM==\"gpio\", KERNEL==\"gpiochip*\", GROUP=\"gpio\", MODE=\"0660\"", .0.display()
    )]
    Denied(PathBuf),
    /// The kernel is too old for the character device, and rppal is no way either.
    #[error(
        "{} speaks version 1 of the GPIO interface only: update the kernel to Linux 5.10 or later, or use one of the \
         Raspberry Pi foundation, which has /dev/gpiomem", .0.display()
    )]
    Old(PathBuf),
    /// rppal needs what only kernels of the Raspberry Pi foundation have.
    #[error("rppal needs /dev/gpiomem, which only Raspberry Pi OS has; take backend = \"gpiocdev\"")]
    NoGpiomem,
    /// rppal knows the header only.
    #[error("rppal reaches the 40-pin header only; take backend = \"gpiocdev\" for the chip `{0}`")]
    NotTheHeader(String),
}

/// The way to lamps on pins.
///
/// # Errors
/// [`NoWay`], with what to do.
pub fn way(pins: &Pins, machine: &Machine) -> Result<Way, NoWay> {
    match pins.backend {
        Backend::Gpiocdev => lines(&pins.chip, machine).map(Way::Lines),
        Backend::Rppal => rppal(&pins.chip, machine),
        Backend::Auto => match (taken_over(pins, machine), lines(&pins.chip, machine)) {
            (Some(leds), _) => Ok(Way::Kernel(leds)),
            (None, Ok(device)) => Ok(Way::Lines(device)),
            // Where the character device is missing or too old, and the registers are within reach.
            (None, Err(NoWay::NoChip { .. } | NoWay::Old(_))) if machine.gpiomem => {
                rppal(&pins.chip, machine)
            }
            (None, Err(error)) => Err(error),
        },
    }
}

/// hearth's overlay is loaded: the kernel holds those lines, and nobody else can.
fn taken_over(pins: &Pins, machine: &Machine) -> Option<KernelLeds> {
    let loaded = OVERLAY.iter().all(|name| machine.leds.iter().any(|led| led == name));
    let same = LedPreset::TrafficHat.place(pins.backend) == Some(Place::Pins(pins.clone()));
    match LedPreset::Overlay.place(pins.backend) {
        Some(Place::Kernel(leds)) if loaded && same => Some(leds),
        _ => None,
    }
}

/// The character device with the wanted chip.
///
/// # Errors
/// [`NoWay`], with what to do.
pub fn lines(wanted: &ChipName, machine: &Machine) -> Result<PathBuf, NoWay> {
    let find = |is: &dyn Fn(&ChipState) -> bool| machine.chips.iter().find(|chip| is(&chip.is));
    if let Some(chip) = find(&|is| matches!(is, ChipState::Usable(label) if wanted.is(label))) {
        Ok(chip.path.clone())
    } else if let Some(chip) = find(&|is| matches!(is, ChipState::Old(label) if wanted.is(label))) {
        Err(NoWay::Old(chip.path.clone()))
    } else if let Some(chip) = find(&|is| *is == ChipState::Denied) {
        Err(NoWay::Denied(chip.path.clone()))
    } else {
        Err(NoWay::NoChip { wanted: description(wanted), seen: seen(machine) })
    }
}

fn rppal(chip: &ChipName, machine: &Machine) -> Result<Way, NoWay> {
    match chip {
        ChipName::Label(label) if !HEADER_LABELS.contains(&label.as_str()) => {
            Err(NoWay::NotTheHeader(label.clone()))
        }
        ChipName::Header | ChipName::Label(_) if !machine.gpiomem => Err(NoWay::NoGpiomem),
        ChipName::Header | ChipName::Label(_) => Ok(Way::Rppal),
    }
}

fn description(wanted: &ChipName) -> String {
    match wanted {
        ChipName::Header => format!("that of a Raspberry Pi's header ({})", HEADER_LABELS.join(", ")),
        ChipName::Label(label) => format!("labelled `{label}`"),
    }
}

fn seen(machine: &Machine) -> String {
    let chip = |chip: &Chip| match &chip.is {
        ChipState::Usable(label) | ChipState::Old(label) => format!("`{label}`"),
        ChipState::Denied | ChipState::Mute(_) => format!("{}, which does not answer", chip.path.display()),
    };
    let chips: Vec<_> = machine.chips.iter().map(chip).collect();
    if chips.is_empty() { "none".to_owned() } else { chips.join(", ") }
}

#[cfg(test)]
mod tests;
