//! Looks at the Pi for the card's status file: the partition, the clock, units that failed, the mount, the last words.
//!
//! Never asks what could hang: a mount is looked up in the kernel's table.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::StatVfsMountFlags;

use super::findings::{Come, Keeping};
use crate::mount::info::Mounted;

/// How many of the last warnings the card is told, and how much of each, in characters.
const LAST_WORDS: (usize, usize) = (10, 160);

/// How the partition behind `keep` stands; `root` is the root of the system.
///
/// # Errors
/// When one of the two cannot be looked at.
pub fn keeping(keep: &Path, root: &Path) -> io::Result<Keeping> {
    if fs::metadata(keep)?.dev() == fs::metadata(root)?.dev() {
        return Ok(Keeping::InMemory);
    }
    let stat = rustix::fs::statvfs(keep)?;
    Ok(match stat {
        _ if stat.f_flag.contains(StatVfsMountFlags::RDONLY) => Keeping::ReadOnly,
        _ if stat.f_bavail < stat.f_blocks / 50 => Keeping::Full,
        _ => Keeping::Kept,
    })
}

/// Whether a time server set the clock (systemd-timesyncd.service(8)).
#[must_use]
pub fn clock(root: &Path) -> Come {
    Come::from(root.join("run/systemd/timesync/synchronized").exists())
}

/// The units of systemd that failed; none where systemd cannot be asked.
#[must_use]
pub fn failed_units() -> Vec<String> {
    let asked = Command::new("systemctl").args(["list-units", "--failed", "--plain", "--no-legend"]).output();
    let said = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    said.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The name that systemd-resolved publishes on the local network, without `.local`
/// (org.freedesktop.resolve1(5); the property is that of LLMNR and of mDNS); None where it cannot be asked.
#[must_use]
pub fn published_name() -> Option<String> {
    let property = "get-property org.freedesktop.resolve1 /org/freedesktop/resolve1 org.freedesktop.resolve1.Manager LLMNRHostname";
    let asked = Command::new("busctl").arg("--json=short").args(property.split(' ')).output().ok()?;
    let said: serde_json::Value = serde_json::from_slice(&asked.stdout).ok()?;
    said["data"].as_str().map(str::to_owned)
}

/// Whether a GlusterFS volume is mounted at `place`.
#[must_use]
pub fn volume(place: &str) -> Come {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mounted = Mounted::line_at(&table, Path::new(place)).and_then(Mounted::of_line);
    Come::from(mounted.is_some_and(|mounted| mounted.kind == "fuse.glusterfs"))
}

/// The last warnings before the last stop, as `last-words` of the image kept them; none when there were none.
#[must_use]
pub fn last_words(file: &Path) -> Vec<String> {
    let (lines, width) = LAST_WORDS;
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let said: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &said[said.len().saturating_sub(lines)..];
    last.iter().map(|line| line.chars().take(width).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_the_roots_own_disk_is_in_memory() {
        let root = tempfile::tempdir().unwrap();
        let keep = root.path().join("keep");
        fs::create_dir(&keep).unwrap();
        assert_eq!(keeping(&keep, root.path()).unwrap(), Keeping::InMemory);
        assert_ne!(keeping(&keep, Path::new("/proc")).unwrap(), Keeping::InMemory, "another disk");
        assert!(keeping(&keep.join("none"), root.path()).is_err());
    }

    #[test]
    fn the_last_of_the_last_words_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("last-words");
        assert_eq!(last_words(&file), [""; 0]);
        let many: String = (1..=12).map(|n| format!("warning {n}{}\n\n", "x".repeat(200))).collect();
        fs::write(&file, many).unwrap();
        let told = last_words(&file);
        assert_eq!((told.len(), told[0].chars().count()), (10, 160));
        assert!(told[0].starts_with("warning 3") && told[9].starts_with("warning 12"), "{told:?}");
    }

    #[test]
    fn a_clock_counts_as_set_when_a_time_server_did_it() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(clock(root.path()), Come::NotYet);
        fs::create_dir_all(root.path().join("run/systemd/timesync")).unwrap();
        fs::write(root.path().join("run/systemd/timesync/synchronized"), "").unwrap();
        assert_eq!(clock(root.path()), Come::Yes);
    }
}
