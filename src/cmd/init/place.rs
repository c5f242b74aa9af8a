//! Where `hearth init` writes: a directory, who owns what in it, and who may read it.
//!
//! The daemons run as the user `hearth` when there is one: it owns the secrets, and may read the configuration.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cmd::key;
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;

/// The file of the provider's secret, beside the configuration.
pub(super) const SECRET: &str = "dns.secret";

/// The user that the packages make.
const USER: &str = "hearth";

/// Where the configuration is, or is to be.
pub(super) struct Place {
    config: PathBuf,
    directory: PathBuf,
    /// User and group of the daemons, when this process may give files to them.
    daemon: Option<(u32, u32)>,
}

/// A file that must be there.
pub(super) enum Made {
    /// It was not there before.
    New(PathBuf),
    /// It was, and was not touched.
    Kept(PathBuf),
}

impl Place {
    /// Looks whether a configuration can be written at `config`, and makes its directory.
    ///
    /// # Errors
    /// When one is there and `replace` was not said, or the directory cannot be made.
    pub(super) fn new(config: &Path, replace: Replace) -> anyhow::Result<Self> {
        if replace == Replace::Never && fs::symlink_metadata(config).is_ok() {
            bail!("{} is there already; edit it, or say --replace to write it anew", config.display());
        }
        let config = std::path::absolute(config).context("the current directory is gone")?;
        let directory = config.parent().context("the configuration must be a file")?.to_owned();
        let daemon = if rustix::process::geteuid().is_root() { user(USER) } else { None };
        let place = Self { config, directory, daemon };
        place.make_directory().with_context(|| format!("{} cannot be made", place.directory.display()))?;
        Ok(place)
    }

    /// The configuration.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// The file of the provider's secret.
    pub(super) fn secret(&self) -> PathBuf {
        self.directory.join(SECRET)
    }

    /// Whether a person has yet to fill it.
    pub(super) fn secret_is_empty(&self) -> bool {
        fs::metadata(self.secret()).is_ok_and(|file| file.len() == 0)
    }

    /// The key in the file `name`, which is made when it is missing.
    pub(super) fn key(&self, name: &str) -> anyhow::Result<(VerifyingKey, Made)> {
        let path = self.directory.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Ok((key::read(&path)?.verifying(), Made::Kept(path)));
        }
        let key = key::make(&path)?;
        self.give(&path, Share::Nobody)?;
        Ok((key.verifying(), Made::New(path)))
    }

    /// An empty file for the provider's secret, unless there is one.
    pub(super) fn make_secret(&self) -> anyhow::Result<Made> {
        let path = self.secret();
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => {
                self.give(&path, Share::Nobody)?;
                Ok(Made::New(path))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Made::Kept(path)),
            Err(error) => Err(error).with_context(|| format!("{} cannot be made", path.display())),
        }
    }

    /// Writes the configuration beside its place and moves it there: whole or not at all.
    pub(super) fn write_config(&self, text: &str) -> anyhow::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o640))?;
        self.give(file.path(), Share::Group)?;
        file.persist(&self.config)?;
        Ok(())
    }

    fn make_directory(&self) -> anyhow::Result<()> {
        if !self.directory.exists() {
            DirBuilder::new().recursive(true).mode(0o750).create(&self.directory)?;
            self.give(&self.directory, Share::Group)?;
        }
        Ok(())
    }

    /// Hands `path` to the daemons: to their user, or to their group beside root.
    fn give(&self, path: &Path, share: Share) -> anyhow::Result<()> {
        let Some((user, group)) = self.daemon else { return Ok(()) };
        let owner = match share {
            Share::Nobody => user,
            Share::Group => 0,
        };
        chown(path, Some(owner), Some(group))
            .with_context(|| format!("{} cannot be given away", path.display()))
    }
}

/// Who may read a file beside its owner.
#[derive(Clone, Copy)]
enum Share {
    /// It is the daemons' own.
    Nobody,
    /// It is root's, and the daemons' group may read it.
    Group,
}

/// What becomes of a configuration that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Replace {
    /// It stays, and this is an error.
    Never,
    /// It is written anew.
    Wanted,
}

/// The numbers of a user of this machine and of its group.
fn user(name: &str) -> Option<(u32, u32)> {
    entry(&fs::read_to_string("/etc/passwd").ok()?, name)
}

/// The numbers of `name` in the text of passwd(5).
pub(super) fn entry(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What this node is called unless something else is said.
pub(super) fn host_name() -> Option<NodeName> {
    super::node_name(&rustix::system::uname().nodename().to_string_lossy())
}
