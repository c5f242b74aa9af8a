//! Mounting again and letting go: what is done about a mount, as far as the configuration allows it.
//!
//! Never waits in the agent for what may hang: a command is a process of its own with a deadline, one at a time, and
//! one that cannot be ended keeps the next from being started. Never touches any mount but the one it is told.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use super::info::unit_of;

/// How long a command may take. `mount.glusterfs` takes 10 s to find out that nobody is there.
const DEADLINE: Duration = Duration::from_secs(90);

/// How long the last words of a command that has ended are waited for: a daemon that it left behind may hold them open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How many bytes of them are told.
const WORDS: usize = 300;

/// There while systemd runs (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";

/// Where the kernel shows FUSE connections (Documentation/filesystems/fuse.rst, "Control filesystem").
const CONNECTIONS: &str = "/sys/fs/fuse/connections";

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The command of an earlier attempt hangs in the kernel.
    #[error("an earlier attempt hangs and cannot be ended; the next one waits for it")]
    Stuck,
    /// It took too long.
    #[error("`{command}` did not end within {} s", DEADLINE.as_secs())]
    Late {
        /// What was run.
        command: String,
    },
    /// It said no.
    #[error("`{command}` failed: {words}")]
    Failed {
        /// What was run.
        command: String,
        /// What it said last.
        words: String,
    },
    /// A connection could not be given up.
    #[error("{path} cannot be written: {error}; this needs root", path = path.display())]
    Release {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

/// What mounts a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The unit of the path.
    Systemd,
    /// mount(8), as /etc/fstab has it.
    Command,
}

impl By {
    /// What there is on this machine.
    #[must_use]
    pub fn here() -> Self {
        if Path::new(SYSTEMD).is_dir() { Self::Systemd } else { Self::Command }
    }

    /// The commands that mount `path`, and before that take away what is there when it is to be mounted `anew`.
    #[must_use]
    pub fn commands(self, path: &Path, anew: Anew) -> Vec<Vec<String>> {
        let at = path.display().to_string();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        match (self, anew) {
            (Self::Systemd, Anew::No) => vec![words(&["systemctl", "start", &unit_of(path)])],
            (Self::Systemd, Anew::Yes) => vec![words(&["systemctl", "restart", &unit_of(path)])],
            (Self::Command, Anew::No) => vec![words(&["mount", &at])],
            (Self::Command, Anew::Yes) => vec![words(&["umount", "-l", &at]), words(&["mount", &at])],
        }
    }
}

/// Whether what is mounted is taken away first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// It is.
    Yes,
    /// Nothing is mounted.
    No,
}

/// Runs commands, one at a time.
#[derive(Debug, Default)]
pub struct Hands {
    stuck: Option<Child>,
}

impl Hands {
    /// Mounts `path`; the commands that were run.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn mount(&mut self, by: By, path: &Path, anew: Anew) -> Result<String, ActError> {
        let commands = by.commands(path, anew);
        for command in &commands {
            self.run(command).await?;
        }
        Ok(commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join(" && "))
    }

    async fn run(&mut self, words: &[String]) -> Result<(), ActError> {
        if let Some(child) = &mut self.stuck
            && matches!(child.try_wait(), Ok(None))
        {
            return Err(ActError::Stuck);
        }
        self.stuck = None;
        let command = words.join(" ");
        let failed = |words: String| ActError::Failed { command: command.clone(), words };
        let mut child = start(words).map_err(|error| failed(error.to_string()))?;
        let mut stderr = child.stderr.take();
        match timeout(DEADLINE, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                Err(failed(last_words(&mut stderr).await.unwrap_or_else(|| status.to_string())))
            }
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => {
                // An error means that it has ended just now.
                let _ = child.start_kill();
                self.stuck = Some(child);
                Err(ActError::Late { command })
            }
        }
    }
}

fn start(words: &[String]) -> std::io::Result<Child> {
    let (program, arguments) = words.split_first().expect("a command has a name");
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// What a command said last, on one line.
async fn last_words(stderr: &mut Option<ChildStderr>) -> Option<String> {
    let stderr = stderr.as_mut()?;
    let mut said = vec![0; WORDS];
    let length = timeout(LAST_WORDS, stderr.read(&mut said)).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&said[..length]).split_whitespace().collect::<Vec<_>>().join(" ");
    Some(text).filter(|text| !text.is_empty())
}

/// Gives up a FUSE connection: everybody who waits for the file system gets an error at once. The kernel does this
/// without asking the file system, so that it cannot hang with it.
///
/// # Errors
/// [`ActError::Release`].
pub async fn release(connection: u32) -> Result<(), ActError> {
    let path = Path::new(CONNECTIONS).join(connection.to_string()).join("abort");
    let (file, failed) = (path.clone(), |error| ActError::Release { path, error });
    let written = tokio::task::spawn_blocking(move || std::fs::write(file, "1")).await;
    written.expect("writing a file does not panic").map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_name_the_path_and_its_unit() {
        let path = Path::new("/mnt/gluster-1");
        let lines = |by: By, anew| by.commands(path, anew).iter().map(|c| c.join(" ")).collect::<Vec<_>>();
        assert_eq!(lines(By::Systemd, Anew::No), ["systemctl start mnt-gluster\\x2d1.mount"]);
        assert_eq!(lines(By::Systemd, Anew::Yes), ["systemctl restart mnt-gluster\\x2d1.mount"]);
        assert_eq!(lines(By::Command, Anew::No), ["mount /mnt/gluster-1"]);
        assert_eq!(lines(By::Command, Anew::Yes), ["umount -l /mnt/gluster-1", "mount /mnt/gluster-1"]);
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_with_its_last_words() {
        let mut hands = Hands::default();
        let words = ["mount", "/nowhere/at all"].map(str::to_owned);
        let error = hands.run(&words).await.unwrap_err().to_string();
        assert!(error.starts_with("`mount /nowhere/at all` failed: mount: "), "{error}");
        let missing = hands.run(&["no-such-command".to_owned()]).await.unwrap_err().to_string();
        assert!(missing.contains("No such file"), "{missing}");
    }
}
