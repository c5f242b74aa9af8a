//! The loader seen from outside: started, asked, and abandoned when it does not answer.
//!
//! Never waits for longer than [`DEADLINE`] without a sign of life, and never leaves more than [`MOST_ABANDONED`] stuck
//! processes behind: what hangs in the kernel cannot be killed, so the next one is started only when there is room.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::wire::{self, Ask, Tell};

/// The longest silence of a loader that is still waited for.
pub const DEADLINE: Duration = Duration::from_secs(3);

/// At most so many loaders are stuck at any time.
const MOST_ABANDONED: usize = 2;

/// Why a loader did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// It said nothing for too long.
    #[error("the file system has not answered for {} s", DEADLINE.as_secs())]
    Hung,
    /// So many hang already that no other is started.
    #[error("loaders hang in the file system; the next one is started when one of them ends")]
    Full,
    /// It could not be started, or ended.
    #[error("the loader process failed: {0}; it is started again")]
    Ended(std::io::Error),
}

/// The loader that answers, and those that do not any more.
#[derive(Debug)]
pub struct Loaders {
    program: PathBuf,
    current: Option<Running>,
    abandoned: Vec<Child>,
    most_abandoned: usize,
}

#[derive(Debug)]
struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What starts a loader: with nothing of ours but two pipes, and away from any directory that could hang.
#[must_use]
pub fn command(program: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.arg0("hearth").arg("loader").env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

impl Loaders {
    /// Loaders are started from this program, when they are needed, as `PROGRAM loader`.
    #[must_use]
    pub fn of(program: PathBuf) -> Self {
        Self { program, current: None, abandoned: Vec::new(), most_abandoned: MOST_ABANDONED }
    }

    /// The same, with another bound on those that are stuck.
    #[must_use]
    pub fn abandoning_at_most(mut self, most: usize) -> Self {
        self.most_abandoned = most;
        self
    }

    /// Whether there is one that waits for a question.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.current.is_some()
    }

    /// Asks; the answers are read by [`next`](Self::next).
    ///
    /// # Errors
    /// [`Silence`]; the next question goes to another loader.
    pub async fn ask(&mut self, ask: &Ask) -> Result<(), Silence> {
        let frame = ask.encode();
        let running = self.running()?;
        let sent = timeout(DEADLINE, running.input.write_all(&frame)).await;
        self.judge(sent)
    }

    /// The next answer that is more than a sign of life.
    ///
    /// # Errors
    /// [`Silence`]; the next question goes to another loader.
    pub async fn next(&mut self) -> Result<Tell, Silence> {
        loop {
            let running = self.running()?;
            let read = timeout(DEADLINE, read(&mut running.output)).await;
            let tell = self.judge(read)?;
            if tell != Tell::Alive {
                return Ok(tell);
            }
        }
    }

    fn judge<T>(
        &mut self,
        outcome: Result<std::io::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, Silence> {
        let silence = match outcome {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => Silence::Ended(error),
            Err(_) => Silence::Hung,
        };
        self.abandon();
        Err(silence)
    }

    /// Leaves the current loader to itself. It is killed, which takes effect when its file system lets go of it.
    pub fn abandon(&mut self) {
        if let Some(mut running) = self.current.take() {
            // An error means that it has ended already.
            let _ = running.child.start_kill();
            self.abandoned.push(running.child);
        }
    }

    /// The loader that answers, started if there is none.
    fn running(&mut self) -> Result<&mut Running, Silence> {
        if self.current.is_none() {
            self.abandoned.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
            if self.abandoned.len() >= self.most_abandoned {
                return Err(Silence::Full);
            }
            self.current = Some(self.start().map_err(Silence::Ended)?);
        }
        Ok(self.current.as_mut().expect("it was started just now"))
    }

    fn start(&self) -> std::io::Result<Running> {
        let mut child = Command::from(command(&self.program)).kill_on_drop(true).spawn()?;
        let missing = || std::io::Error::other("a pipe to the loader is missing");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = BufReader::with_capacity(wire::LARGEST, child.stdout.take().ok_or_else(missing)?);
        Ok(Running { child, input, output })
    }
}

/// Reads one frame.
async fn read(output: &mut BufReader<ChildStdout>) -> std::io::Result<Tell> {
    let mut head = [0; wire::HEAD];
    output.read_exact(&mut head).await?;
    let (kind, length) = wire::head(head).map_err(std::io::Error::other)?;
    let mut payload = vec![0; length];
    output.read_exact(&mut payload).await?;
    Tell::decode(kind, &payload).map_err(std::io::Error::other)
}
