//! The agent's side: starts the keeper, tells it what the status says, and hears what it has to say.
//!
//! A word goes out at every publication of the status, so a board that does not publish any more leaves the lamps dark.
//! A keeper that ends or does not answer is started again: lamps that hang would be no better than an agent that does.
//! Never touches a lamp.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::button::Gesture;
use super::settings::LampSettings;
use super::words::{LEASE, Task, Told, Word};
use super::{keeper, shown};
use crate::host::shutdown::stopped;
use crate::host::time::Timeline;
use crate::status::{AgentStatus, LampPlace};

/// Between the end of a keeper and the start of the next.
const BREATHER: Duration = Duration::from_secs(2);

/// How long a word may take to be handed over. A pipe holds hundreds.
const HANDING: Duration = Duration::from_secs(1);

/// How long the keeper may take for its last blink.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the keeper says that others want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// How its places stand.
    Places(Vec<LampPlace>),
    /// The button was used.
    Pressed(Gesture),
}

/// Shows what `status` says until the stop is wanted or nobody publishes any more; the lamps are dark afterwards.
/// `program` is this program, which becomes the keeper.
pub async fn drive(
    settings: LampSettings,
    program: PathBuf,
    mut status: watch::Receiver<AgentStatus>,
    heard: mpsc::Sender<Heard>,
    mut shutdown: watch::Receiver<bool>,
) {
    let task = Task { places: settings.places, button: settings.button.map(|button| button.pin) };
    if task.places.is_empty() && task.button.is_none() {
        return stopped(&mut shutdown).await;
    }
    loop {
        let ended = keeping(&program, &task, &mut status, &heard, shutdown.clone()).await;
        let Err(error) = ended else { return };
        tracing::warn!("the lamps are started again: {error}");
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            () = tokio::time::sleep(BREATHER) => {}
        }
    }
}

/// One keeper, until it fails or the stop is wanted.
async fn keeping(
    program: &PathBuf,
    task: &Task,
    status: &mut watch::Receiver<AgentStatus>,
    heard: &mpsc::Sender<Heard>,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut keeper = Keeper::start(program, task).await?;
    status.mark_changed();
    let line = Timeline::start(None);
    // When it answered last, while a word waits for an answer.
    let mut waiting_since: Option<Duration> = None;
    loop {
        let patience = waiting_since.map(|since| LEASE.saturating_sub(line.uptime().saturating_sub(since)));
        tokio::select! {
            biased;
            () = stopped(&mut shutdown) => return keeper.end().await,
            changed = status.changed() => {
                if changed.is_err() {
                    return keeper.end().await;
                }
                let word = Word::Show(shown(&status.borrow_and_update()));
                keeper.say(&word).await?;
                waiting_since.get_or_insert(line.uptime());
            }
            told = keeper.told.next_line() => {
                let told = told?.ok_or_else(|| io::Error::other("their process ended"))?;
                waiting_since = None;
                take(serde_json::from_str(&told).map_err(io::Error::other)?, heard).await;
            }
            () = silence(patience) => {
                return Err(io::Error::other(format!("their process has not answered for {} s", LEASE.as_secs())));
            }
        }
    }
}

async fn silence(patience: Option<Duration>) {
    match patience {
        Some(patience) => tokio::time::sleep(patience).await,
        None => std::future::pending().await,
    }
}

async fn take(told: Told, heard: &mpsc::Sender<Heard>) {
    let heard_now = match told {
        Told::Alive => return,
        Told::Places(places) => {
            for place in places.iter().filter(|place| !place.trouble.is_empty()) {
                tracing::warn!("lamps: {}: {}", place.what, place.trouble);
            }
            Heard::Places(places)
        }
        Told::Pressed(gesture) => Heard::Pressed(gesture),
        Told::ButtonTrouble(trouble) => return tracing::warn!("the button cannot be used: {trouble}"),
    };
    // The board is gone only when the agent is on its way out.
    let _ = heard.send(heard_now).await;
}

/// The keeper's process. It is killed when this is dropped.
struct Keeper {
    child: Child,
    words: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
}

impl Keeper {
    async fn start(program: &PathBuf, task: &Task) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg0("hearth")
            .arg(keeper::COMMAND)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own: Ctrl-C on a terminal reaches the agent, which says goodbye.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("a pipe to the lamps is missing");
        let words = child.stdin.take().ok_or_else(missing)?;
        let told = BufReader::new(child.stdout.take().ok_or_else(missing)?).lines();
        let mut keeper = Self { child, words, told };
        keeper.say(task).await?;
        Ok(keeper)
    }

    async fn say(&mut self, word: &impl serde::Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(word).expect("what we say is JSON");
        line.push(b'\n');
        timeout(HANDING, self.words.write_all(&line))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// A clean stop: the last blink, and dark.
    async fn end(mut self) -> io::Result<()> {
        self.say(&Word::Bye).await?;
        match timeout(GOODBYE, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.child.kill().await,
        }
    }
}
