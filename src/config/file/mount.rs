//! What is written about a mount that the agent looks after: `[[mount]]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::config::value::At;
use crate::mount::{Access, Remount};

/// `[[mount]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[mount]]")]
pub(crate) struct Mount {
    /// The mount point itself, as `findmnt` shows it. Required.
    pub(crate) path: Spanned<PathBuf>,
    /// The type of the file system, as `findmnt` shows it. Default: `fuse.glusterfs`. A site below `path` is read only
    /// from a file system of this type.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// `read` (default) or `write`: then a small file is written and removed once a minute.
    pub(crate) access: Option<Access>,
    /// Between two looks. Default: `2s`.
    pub(crate) every: Option<At<Duration>>,
    /// `off` (default) or `auto`: mounted again when it is gone, through systemd where it runs, else by mount(8). Needs
    /// root.
    pub(crate) remount: Option<Remount>,
    /// How long it may hang before its FUSE connection is given up. Default: it is waited for. Needs root.
    pub(crate) release_after: Option<At<Duration>>,
}
