//! The commands that are run: questions to `gluster`, and the steps of a plan.
//!
//! Every question ends within [`DEADLINE`]. Never asks what takes the lock of the pool while a machine is away: such a
//! question hangs, and blocks every other command for minutes.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::answer::{self, AnswerError, Link};
use super::health::{Asked, Look};
use super::plan::{Deed, Mounter, Presence, Seen, UNITS};
use super::units::{Unit, units};
use super::{GlusterSettings, Host};

/// For one question. What waits to be healed is answered after the ping timeout of the volume at the latest.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The program is not there, or cannot be run.
    #[error("gluster cannot be run ({0}); install glusterfs-server, and run this as root")]
    NotRun(#[source] io::Error),
    /// It took too long.
    #[error("gluster has not answered for {} s; is the other machine cut off?", DEADLINE.as_secs())]
    Late,
    /// It answered something else.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The mounts of this machine are not known.
    #[error("/proc/self/mountinfo cannot be read: {0}")]
    Mounts(#[source] io::Error),
}

/// What is there, for a plan.
///
/// # Errors
/// [`AskError`].
pub async fn seen(settings: &GlusterSettings, here: &Host) -> Result<Seen, AskError> {
    let parent = settings.brick.parent();
    let there = parent.is_none_or(|parent| Path::new(parent.as_str()).is_dir());
    let (table, place, systemd) = (mounts()?, settings.mount.as_str(), systemd_runs());
    let mounted = is_mounted(&table, place) || (systemd && waits_to_mount(&table, place));
    Ok(Seen {
        peers: answer::peers(&gluster(&["peer", "status"]).await?)?,
        volume: answer::volume(&gluster(&["volume", "info", settings.volume.as_str()]).await?)?,
        brick_parent: presence(there),
        mounted: presence(mounted),
        // What is mounted is not touched: it may hang.
        mount_point: presence(mounted || Path::new(place).is_dir()),
        mounter: if systemd { Mounter::Systemd(units_there(settings, here)) } else { Mounter::Command },
    })
}

/// What there is to judge.
///
/// # Errors
/// [`AskError::NotRun`] and [`AskError::Mounts`]; that a question was not answered is part of the look.
pub async fn look(settings: &GlusterSettings) -> Result<Look, AskError> {
    let volume = settings.volume.as_str();
    let peers = asked(&["peer", "status"], answer::peers).await?;
    let info = asked(&["volume", "info", volume], answer::volume).await?;
    let runs = matches!(&info, Ok(Some(volume)) if volume.started == answer::Started::Started);
    let mounted = presence(is_mounted(&mounts()?, settings.mount.as_str()));
    let mut look = Look { peers, volume: info, heal: None, split: None, processes: None, mounted };
    if runs {
        look.heal = Some(asked(&["volume", "heal", volume, "info"], answer::healing).await?);
        look.split = Some(asked(&["volume", "heal", volume, "info", "split-brain"], answer::healing).await?);
    }
    if runs && everybody_answers(&look) {
        look.processes = Some(asked(&["volume", "status", volume], answer::processes).await?);
    }
    Ok(look)
}

/// Whether no machine is known to be away.
fn everybody_answers(look: &Look) -> bool {
    let connected = |peers: &Vec<answer::Peer>| peers.iter().all(|peer| peer.link == Link::Connected);
    let reached = |bricks: &Vec<answer::Healing>| bricks.iter().all(|brick| brick.unreachable.is_none());
    look.peers.as_ref().is_ok_and(connected)
        && look.heal.as_ref().is_some_and(|heal| heal.as_ref().is_ok_and(reached))
}

/// One question. Only that the program cannot be run at all is an error.
async fn asked<T>(words: &[&str], read: fn(&str) -> Result<T, AnswerError>) -> Result<Asked<T>, AskError> {
    let answer = match gluster(words).await {
        Ok(xml) => read(&xml).map_err(AskError::from),
        Err(error @ AskError::NotRun(_)) => return Err(error),
        Err(error) => Err(error),
    };
    Ok(answer.map_err(|error| error.to_string()))
}

/// What `gluster` printed; a refusal is part of it.
async fn gluster(words: &[&str]) -> Result<String, AskError> {
    let mut command = Command::new("gluster");
    command.args(["--mode=script", "--xml"]).args(words).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(DEADLINE, command.output()).await.map_err(|_| AskError::Late)?;
    Ok(String::from_utf8_lossy(&output.map_err(AskError::NotRun)?.stdout).into_owned())
}

/// The kernel's table of mounts (proc_pid_mountinfo(5)): the mount itself may hang and is not touched.
fn mounts() -> Result<String, AskError> {
    std::fs::read_to_string("/proc/self/mountinfo").map_err(AskError::Mounts)
}

/// Whether a GlusterFS volume is mounted at `place`.
fn is_mounted(table: &str, place: &str) -> bool {
    has(table, place, "fuse.glusterfs")
}

/// Whether a look at `place` mounts it.
fn waits_to_mount(table: &str, place: &str) -> bool {
    has(table, place, "autofs")
}

fn has(table: &str, place: &str, kind: &str) -> bool {
    table.lines().any(|line| {
        let (before, after) = line.split_once(" - ").unwrap_or((line, ""));
        before.split(' ').nth(4) == Some(place) && after.split(' ').next() == Some(kind)
    })
}

/// systemd says so by this directory (sd_booted(3)).
fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether systemd has the units as they should be.
fn units_there(settings: &GlusterSettings, here: &Host) -> Presence {
    let as_wanted = units(settings, here).iter().all(|unit| {
        std::fs::read_to_string(Path::new(UNITS).join(&unit.name)).is_ok_and(|text| text == unit.text)
    });
    presence(as_wanted)
}

const fn presence(there: bool) -> Presence {
    if there { Presence::There } else { Presence::Missing }
}

/// Does one thing. What the command prints goes where our output goes.
///
/// # Errors
/// When the command cannot be run, or the unit cannot be written.
pub async fn perform(deed: &Deed) -> io::Result<ExitStatus> {
    match deed {
        Deed::Run(words) => {
            let [program, words @ ..] = words.as_slice() else { return Ok(ExitStatus::default()) };
            Command::new(program).args(words).stdin(Stdio::null()).status().await
        }
        Deed::Write(units) => write(Path::new(UNITS), units.as_slice()).map(|()| ExitStatus::default()),
    }
}

/// Writes units into a directory.
///
/// # Errors
/// The disk's.
pub fn write(directory: &Path, units: &[Unit]) -> io::Result<()> {
    units.iter().try_for_each(|unit| std::fs::write(directory.join(&unit.name), &unit.text))
}

/// The name that this machine gives itself, when it is one of the volume's.
#[must_use]
pub fn this_machine(settings: &GlusterSettings) -> Option<Host> {
    settings.machine(&rustix::system::uname().nodename().to_string_lossy()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_known_by_its_place_and_its_kind() {
        let table = "36 35 0:40 / /mnt/gluster1 rw,relatime shared:1 - fuse.glusterfs pi1:/gv0 rw\n\
                     37 35 0:41 / /mnt/other rw - autofs systemd-1 rw\n";
        assert!(is_mounted(table, "/mnt/gluster1"));
        assert!(waits_to_mount(table, "/mnt/other"));
        assert!(!is_mounted(table, "/mnt/other") && !is_mounted(table, "/mnt/gluster"));
    }
}
