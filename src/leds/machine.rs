//! What this machine has that lamps could be on: its GPIO chips, its LEDs.
//!
//! Never changes anything: a chip is opened and asked for its name.

use std::fs;
use std::io;
use std::path::Path;

use gpiocdev::{AbiVersion, chip};

use super::choice::{Chip, ChipState, Machine};

impl Machine {
    /// This machine.
    #[must_use]
    pub fn this() -> Self {
        Self::below(Path::new("/"), ask)
    }

    /// A machine whose files are below `root`, and whose chips answer by `ask`.
    #[must_use]
    pub fn below(root: &Path, ask: impl Fn(&Path) -> ChipState) -> Self {
        let devices = names(&root.join("dev"));
        let chips = devices.iter().filter(|name| is_chip(name)).map(|name| {
            let path = root.join("dev").join(name);
            Chip { is: ask(&path), path }
        });
        Self {
            chips: chips.collect(),
            gpiomem: devices.iter().any(|name| name == "gpiomem" || name == "gpiomem0"),
            leds: names(&root.join("sys/class/leds")),
        }
    }
}

/// The names in a directory, in order; none when it is not there.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn is_chip(name: &str) -> bool {
    let number = name.strip_prefix("gpiochip");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Asks a device what it is.
fn ask(path: &Path) -> ChipState {
    match answer(path) {
        Ok(state) => state,
        Err(_) if is_denied(path) => ChipState::Denied,
        Err(error) => ChipState::Mute(error.to_string()),
    }
}

fn answer(path: &Path) -> Result<ChipState, gpiocdev::Error> {
    let chip = chip::Chip::from_path(path)?;
    let label = chip.info()?.label;
    Ok(match chip.supports_abi_version(AbiVersion::V2) {
        Ok(()) => ChipState::Usable(label),
        Err(_) => ChipState::Old(label),
    })
}

fn is_denied(path: &Path) -> bool {
    let opened = fs::OpenOptions::new().read(true).write(true).open(path);
    opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
