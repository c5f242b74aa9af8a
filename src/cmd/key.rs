//! `hearth key`: makes the keys of nodes and watchers, and shows their public halves.
//!
//! Never overwrites a file, and never makes one that others than its owner can read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, anyhow};
use ring::rand::{SecureRandom, SystemRandom};

use super::print;
use crate::cli::KeyCommand;
use crate::heartbeat::seal::{SigningKey, VerifyingKey};

/// Makes or shows a key.
///
/// # Errors
/// When the file is there already (`new`), is not a key (`show`), or cannot be written or read.
pub fn run(command: &KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::New { out: Some(path) } => new_in_file(path),
        KeyCommand::New { out: None } => new_on_terminal(),
        KeyCommand::Show { file } => show(file),
    }
}

fn new_in_file(path: &Path) -> anyhow::Result<()> {
    print(&public_lines(&make(path)?.verifying()))
}

/// Makes a key in a new file, which its owner alone can read.
pub(super) fn make(path: &Path) -> anyhow::Result<SigningKey> {
    let key = generate()?;
    write_private(path, &key).with_context(|| {
        format!("the key cannot be written to {}; a key that is there is never replaced", path.display())
    })?;
    Ok(key)
}

#[expect(
    clippy::print_stderr,
    reason = "standard output carries the private key alone, so that it can be piped"
)]
fn new_on_terminal() -> anyhow::Result<()> {
    let key = generate()?;
    print(&format!("{}\n", key.to_text().expose()))?;
    eprint!("{}", public_lines(&key.verifying()));
    Ok(())
}

fn show(path: &Path) -> anyhow::Result<()> {
    print(&format!("{}\n", read(path)?.verifying()))
}

/// The key in a file.
pub(super) fn read(path: &Path) -> anyhow::Result<SigningKey> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    text.parse().with_context(|| path.display().to_string())
}

fn generate() -> anyhow::Result<SigningKey> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| anyhow!("the system gives no random numbers"))?;
    Ok(SigningKey::from_seed(seed))
}

/// A new file, for its owner alone, on the disk before the public half is told.
fn write_private(path: &Path, key: &SigningKey) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(format!("{}\n", key.to_text().expose()).as_bytes())?;
    file.sync_all()
}

/// The public key, and where it goes.
fn public_lines(key: &VerifyingKey) -> String {
    format!(
        "# Of a node: into its [[peer]] in the watcher's file. Of a watcher: into [heartbeat] of each node.\n\
         public-key = \"{key}\"\n"
    )
}
