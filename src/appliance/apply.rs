//! Puts what is in force where the system's programs look for it, at every start: that part of the file system is in memory.
//!
//! Never writes to the card or the persistent partition.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::import::Kept;
use super::store::write_whole;

/// Where units look whether they are wanted (`ConditionPathExists=`).
pub const WANTED: &str = "run/hearth-appliance";

/// Writes the files below `root`.
///
/// # Errors
/// When one cannot be written.
pub fn apply(kept: &Kept, root: &Path) -> io::Result<()> {
    let put = |path: &str, text: &str, mode| write_whole(&root.join(path), text.as_bytes(), mode);
    put("etc/hearth/hearth.toml", &kept.config, 0o644)?;
    put("etc/hostname", &format!("{}\n", kept.hostname()), 0o644)?;
    if let Some(zone) = &kept.settings.timezone {
        link(&root.join("etc/localtime"), &format!("/usr/share/zoneinfo/{}", zone.as_str()))?;
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

/// A link in the place of whatever is there.
fn link(path: &Path, to: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(to, &fresh)?;
    fs::rename(&fresh, path)
}
