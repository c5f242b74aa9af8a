//! The flashable image's own part: a person edits files on the card's FAT partition, and the Pi does what they say.
//!
//! Never edits such a file but to star secrets out, byte for byte in place, so that a pulled plug cannot damage the card's
//! file system; never starts a program that it finds there.
//!
//! ```text
//! hearth.toml       -> text (repaired) -> secrets taken out -> checked -> kept -> /etc/hearth/hearth.toml
//! rpi-preseed.toml  -> what hearth.toml leaves open: name, Wi-Fi, SSH, time zone
//! outcome, addresses, agent -> report -> hearth-status.txt
//! ```
//!
//! What was taken is kept on the persistent partition and is in force at every start, whatever becomes of the card's
//! files; they are looked at again when they differ from what was taken.

pub mod apply;
pub mod card;
pub mod findings;
pub mod import;
pub mod look;
pub mod names;
pub mod preseed;
pub mod report;
pub mod secrets;
pub mod settings;
pub mod slots;
pub mod store;
pub mod text;
pub mod update;
pub mod volume;

use std::path::{Path, PathBuf};

pub use settings::PiSettings;

/// The file beside a configuration that says what is wrong with the one that was to take its place: whoever puts
/// configurations there and passed one over writes it, and takes it away again.
#[must_use]
pub fn mistakes_of(path: &Path) -> PathBuf {
    path.with_extension("mistakes")
}

/// The configuration, on the card.
pub const CONFIG: &str = "hearth.toml";

/// What Raspberry Pi Imager 2 writes, on the card.
pub const PRESEED: &str = "rpi-preseed.toml";

/// The outcome, on the card.
pub const STATUS: &str = "hearth-status.txt";
