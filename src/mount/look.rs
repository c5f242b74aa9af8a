//! What the loader process does to look at a mount: the one place that touches it.
//!
//! Every call here may hang, so nothing here is called by the agent itself.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::Access;
use super::info::Mounted;
use crate::site::load::wire::Tell;

/// What is mounted, as this process sees it.
const TABLE: &str = "/proc/self/mountinfo";

/// The small file by which a mount is tried that is to be written; the dot keeps it out of a site.
const TRIAL: &str = ".hearth-write-test";

/// The line of the mount at `path`; empty when there is none. Does not touch the mount.
///
/// # Errors
/// When the table cannot be read: there is no /proc.
pub fn line_at(path: &[u8]) -> io::Result<Vec<u8>> {
    let table = fs::read(TABLE)?;
    let line = Mounted::line_at(&table, Path::new(OsStr::from_bytes(path)));
    Ok(line.unwrap_or_default().to_vec())
}

/// The type of the file system that a descriptor is on, as the table has it. Whatever is mounted over its path since,
/// this is what was opened.
#[must_use]
pub fn kind_of(fd: &OwnedFd) -> Option<String> {
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    let id = about.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()?;
    Some(Mounted::with_id(&fs::read(TABLE).ok()?, id)?.kind)
}

/// Opens the directory at `path`, reads a name in it and how full it is, and writes when that is wanted.
///
/// # Errors
/// What the file system says when it cannot even be read.
pub fn room(path: &[u8], access: Access) -> Result<Tell, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(OsStr::from_bytes(path), flags, Mode::empty())?;
    Dir::read_from(&directory)?.next().transpose()?;
    let full = rustix::fs::fstatvfs(&directory)?;
    let unwritable = match access {
        Access::Read => String::new(),
        Access::Write => try_to_write(&directory).err().map(|errno| errno.to_string()).unwrap_or_default(),
    };
    let bytes = |blocks: u64| blocks.saturating_mul(full.f_frsize);
    Ok(Tell::Room { total: bytes(full.f_blocks), free: bytes(full.f_bavail), unwritable })
}

/// Writes a small file and removes it.
fn try_to_write(directory: &OwnedFd) -> Result<(), Errno> {
    let name = format!("{TRIAL}.{}", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory.as_fd(), name.as_str(), flags, Mode::from_raw_mode(0o600))?;
    let written = rustix::io::write(&file, b"hearth tries whether it can write here\n");
    rustix::fs::unlinkat(directory.as_fd(), name.as_str(), AtFlags::empty())?;
    written.map(|_| ())
}
