//! Puts what is in force where the system's programs look for it, at every start: that part of the file system is in memory.
//!
//! Never writes to the card or the persistent partition.

use std::fs;
use std::io;
use std::path::Path;

use super::import::Imported;
use super::mistakes_of;
use super::report::Outcome;
use super::store::{link, write_whole};
use super::volume::Volume;
use crate::gluster::plan::UNITS;

/// Where units look whether they are wanted (`ConditionPathExists=`).
pub const WANTED: &str = "run/hearth-appliance";

/// Where the agent looks for its configuration.
pub const IN_FORCE: &str = "etc/hearth/hearth.toml";

/// Writes the files below `root`; `volume` is what the configuration in force says of one.
///
/// # Errors
/// When one cannot be written.
pub fn apply(imported: &Imported, volume: Option<&Volume>, root: &Path) -> io::Result<()> {
    let kept = &imported.kept;
    let put = |path: &str, text: &str, mode| write_whole(&root.join(path), text.as_bytes(), mode);
    put(IN_FORCE, &kept.config, 0o644)?;
    mistakes(&imported.outcome, &mistakes_of(&root.join(IN_FORCE)))?;
    if let Some(volume) = volume {
        set_up(volume, root)?;
    }
    put("etc/hostname", &format!("{}\n", kept.hostname()), 0o644)?;
    if let Some(zone) = &kept.settings.timezone {
        link(&root.join("etc/localtime"), Path::new("/usr/share/zoneinfo").join(zone.as_str()).as_path())?;
    }
    if !kept.settings.ssh_keys.is_empty() {
        let keys: String = kept.settings.ssh_keys.iter().map(|key| format!("{}\n", key.as_str())).collect();
        put("root/.ssh/authorized_keys", &keys, 0o600)?;
        put(&format!("{WANTED}/ssh"), "", 0o644)?;
    }
    if let Some(wifi) = &kept.settings.wifi {
        let country = wifi.country.as_ref().map(|country| format!("Country={}\n", country.as_str()));
        put("etc/iwd/main.conf", &format!("[General]\n{}", country.unwrap_or_default()), 0o644)?;
        put(&format!("{WANTED}/wifi"), "", 0o644)?;
    }
    Ok(())
}

/// Lets the agent say that it runs with something else than the card says: the LEDs are all that most people look at.
fn mistakes(outcome: &Outcome, path: &Path) -> io::Result<()> {
    match outcome {
        Outcome::Wrong { .. } => write_whole(path, outcome.describe().as_bytes(), 0o644),
        Outcome::InForce(_) => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

/// The units that mount the volume, the place of its brick, and word for those who start GlusterFS.
fn set_up(volume: &Volume, root: &Path) -> io::Result<()> {
    let put = |path: &Path, text: &str| write_whole(&root.join(path), text.as_bytes(), 0o644);
    for unit in volume.units() {
        put(&Path::new(UNITS.trim_start_matches('/')).join(&unit.name), &unit.text)?;
    }
    fs::create_dir_all(root.join(volume.brick_parent()))?;
    let wanted = Path::new(WANTED);
    if volume.is_made_here() {
        put(&wanted.join("gluster-made-here"), "")?;
    }
    put(&wanted.join("gluster"), &format!("{}\n", volume.automount()))
}
