//! The card's FAT partition, as a directory: read, and written in place.
//!
//! Never changes where a file of a person lies or how long it is: FAT keeps no journal, so a plug that is pulled while its
//! tables change can cost files that nobody touched. Bytes that are overwritten in place change no table.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The length that the status file is made with, in bytes.
const ROOM: usize = 16 * 1024;

/// The partition.
#[derive(Clone, Debug)]
pub struct Card {
    directory: PathBuf,
}

impl Card {
    /// The partition that is mounted at `directory`.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The names of the files at its root, in no order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The content of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.directory.join(name))
    }

    /// Overwrites a file with as many bytes as it has, and waits for the disk.
    ///
    /// # Errors
    /// When the lengths differ, or it cannot be written; it may hold both then, each sector one of them.
    pub fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let _writable = self.writable()?;
        let file = OpenOptions::new().write(true).open(self.directory.join(name))?;
        if file.metadata()?.len() != bytes.len() as u64 {
            return Err(io::Error::other(format!("{name} changed its length meanwhile")));
        }
        file.write_all_at(bytes, 0)?;
        file.sync_all()
    }

    /// Writes the status file unless it says the same already: in place where it has room, with spaces after the text.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell(&self, name: &str, text: &str) -> io::Result<()> {
        let told = self.read(name).unwrap_or_default();
        let room = if told.len() >= text.len() { told.len() } else { text.len().next_multiple_of(ROOM) };
        let mut padded = text.as_bytes().to_vec();
        padded.resize(room, b' ');
        if padded == told {
            return Ok(());
        }
        if told.len() == room {
            return self.overwrite(name, &padded);
        }
        let _writable = self.writable()?;
        let mut file = File::create(self.directory.join(name))?;
        file.write_all(&padded)?;
        file.sync_all()
    }

    /// Makes the partition writable until the guard is dropped, if it is not.
    fn writable(&self) -> io::Result<Writable<'_>> {
        let read_only =
            rustix::fs::statvfs(&self.directory)?.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
        if read_only {
            self.remount("remount,rw")?;
        }
        Ok(Writable { card: self, again_read_only: read_only })
    }

    fn remount(&self, how: &str) -> io::Result<()> {
        let status = Command::new("mount").args(["-o", how]).arg(&self.directory).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("mount -o {how}: {status}"))) }
    }
}

/// While this lives the partition can be written.
struct Writable<'a> {
    card: &'a Card,
    again_read_only: bool,
}

impl Drop for Writable<'_> {
    fn drop(&mut self) {
        if self.again_read_only
            && let Err(error) = self.card.remount("remount,ro")
        {
            tracing::warn!("{} stays writable: {error}", self.card.directory.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_overwritten_in_place_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let card = Card::at(directory.path());
        fs::write(directory.path().join("a"), "12345").unwrap();
        card.overwrite("a", b"1***5").unwrap();
        assert_eq!(card.read("a").unwrap(), b"1***5");
        assert!(card.overwrite("a", b"1").is_err());
        assert_eq!(card.names().unwrap(), ["a"]);
    }

    #[test]
    fn the_status_file_keeps_its_length_and_is_not_written_twice() {
        let directory = tempfile::tempdir().unwrap();
        let (card, path) = (Card::at(directory.path()), directory.path().join("status"));
        card.tell("status", "long\r\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), ROOM as u64);
        card.tell("status", "x\r\n").unwrap();
        let told = fs::read_to_string(&path).unwrap();
        assert_eq!((told.len(), told.trim_end()), (ROOM, "x"));
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        card.tell("status", "x\r\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    }
}
