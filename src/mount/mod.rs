//! The mounts that a node reads from: whether the right thing is mounted, whether it answers, and how full it is.
//!
//! ```text
//! mount <- loader process <- watch -> judge -> status, beat, LEDs
//!                              |----> retry -> systemctl or mount; release of a hung FUSE connection
//! ```
//!
//! Never touches a mount from a thread of the agent: a call that hangs there can be neither cancelled nor killed. The
//! looks are made by a loader process, which is abandoned when it does not answer. Never takes part in serving: a
//! request is answered from memory, whatever this room finds.

pub mod act;
pub mod info;
pub mod judge;
pub mod look;
pub mod retry;
pub mod watch;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One mount to look after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountSettings {
    /// The mount point itself, absolute and without links, as `findmnt` shows it.
    pub path: PathBuf,
    /// What must be mounted there, as the kernel calls it, such as `fuse.glusterfs`.
    pub kind: String,
    /// What the node does there.
    pub access: Access,
    /// Between two looks.
    pub every: Duration,
    /// Whether it is mounted again when it is gone.
    pub remount: Remount,
    /// How long it may hang before its FUSE connection is given up, so that whoever waits for it gets an error. None:
    /// it is waited for.
    pub release_after: Option<Duration>,
}

/// What a node does on a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It reads.
    #[default]
    Read,
    /// It writes too: once a minute a small file is written and removed.
    Write,
}

/// Whether a mount that is gone is mounted again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remount {
    /// It is left to others.
    #[default]
    Off,
    /// Through systemd where it runs, else by mount(8) as /etc/fstab has it.
    Auto,
}
