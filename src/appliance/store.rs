//! Where secrets from the card are kept: as credentials of systemd, encrypted with this machine's key.
//!
//! Never reads one back: systemd does, for the unit that imports it. The key lies on the same card, so this protects a copy of
//! the store and not a stolen card.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::secret::Secret;

/// A directory of encrypted credentials (systemd.exec(5), `ImportCredential=`).
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
    program: PathBuf,
}

impl Store {
    /// The store in `directory`; `program` is systemd-creds(1).
    #[must_use]
    pub fn new(directory: &Path, program: &Path) -> Self {
        Self { directory: directory.to_owned(), program: program.to_owned() }
    }

    /// Whether a credential is kept.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.directory.join(name).exists()
    }

    /// Keeps a secret, in the place of an older one.
    ///
    /// # Errors
    /// When systemd-creds fails, or the disk does; the older one stands then.
    pub fn keep(&self, name: &str, secret: &Secret<String>) -> io::Result<()> {
        let encrypted = self.encrypted(name, secret)?;
        write_whole(&self.directory.join(name), &encrypted, 0o600)
    }

    fn encrypted(&self, name: &str, secret: &Secret<String>) -> io::Result<Vec<u8>> {
        let mut child = Command::new(&self.program)
            .args(["encrypt", "--with-key=host", &format!("--name={name}"), "-", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // A program that ends without reading says why itself.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(secret.expose().as_bytes()));
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("systemd-creds: {}: {}", output.status, said.trim())))
    }
}

/// Writes a file whole or not at all: a new one beside it, flushed, put in its place, and the directory flushed.
///
/// # Errors
/// When the disk refuses; the old file stands then.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new()
        .recursive(true)
        .mode(if mode & 0o077 == 0 { 0o700 } else { 0o755 })
        .create(directory)?;
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(directory)?.sync_all()
}

/// Lets `path` lead to `to`, in one step and in the place of whatever is there; its directory is made.
///
/// # Errors
/// When it cannot be made; the old one stands then.
pub fn link(path: &Path, to: &Path) -> io::Result<()> {
    let fresh = path.with_extension("new");
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(to, &fresh)?;
    fs::rename(&fresh, path)
}
