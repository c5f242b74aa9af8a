//! The keeper: a process of its own that holds the lamps and the button, and plays what the agent tells it.
//!
//! It goes dark when the agent falls silent, and ends when the pipe from it does, which the kernel sees to however the
//! agent ends. Asked to terminate it stays: a service manager asks every process of a unit at once, and the agent has
//! something to show while it stops. Never looks at a status, and knows no network.

use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Shown;
use super::button::{Button, Press};
use super::choice::{Machine, lines};
use super::play::Stage;
use super::settings::ButtonPin;
use super::sink;
use super::sink::lines::ButtonLine;
use super::words::{Task, Told, Word};
use crate::host::time::Timeline;

/// How long the last blink is.
pub const FAREWELL: Duration = Duration::from_millis(200);

/// Words that wait to be written to an agent that does not read; what is more is left out.
const BACKLOG: usize = 64;

/// The name under which `hearth` becomes a keeper.
pub const COMMAND: &str = "lamps";

/// What the agent says, line by line.
type Said = Lines<BufReader<pipe::Receiver>>;

/// Runs the keeper on standard input and output, which must be pipes, until the agent is gone.
///
/// # Errors
/// When the first line is no [`Task`], or the process lacks what it needs.
pub fn main() -> io::Result<()> {
    // One thread, which a word wakes up once.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let _deaf = (ignored(SignalKind::terminate())?, ignored(SignalKind::interrupt())?);
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let mut said = BufReader::new(pipe::Receiver::from_owned_fd(input)?).lines();
        let first = said.next_line().await?.unwrap_or_default();
        let task: Task = serde_json::from_str(&first).map_err(io::Error::other)?;
        let tell = speaker()?;
        let presses = task.button.map(|button| presses(&button, &tell)).unwrap_or_else(nothing);
        let stage = Stage::new(task.places, Box::new(sink::open));
        keep(stage, listener(said), presses, tell).await;
        Ok(())
    })
}

/// Takes a signal over, so that it does not end the process.
fn ignored(kind: SignalKind) -> io::Result<tokio::signal::unix::Signal> {
    signal(kind)
}

/// Plays until the agent says goodbye or is gone.
pub async fn keep(
    mut stage: Stage,
    mut words: mpsc::Receiver<Word>,
    mut presses: mpsc::Receiver<Press>,
    tell: mpsc::Sender<Told>,
) {
    let line = Timeline::start(None);
    let mut button = Button::default();
    let mut said = None;
    loop {
        let now = line.uptime();
        let wake = stage.draw(now).into_iter().chain(button.deadline()).min();
        let places = stage.places();
        if said.as_ref() != Some(&places) {
            // An agent that does not read is told at the next change; it may well hang.
            let _ = tell.try_send(Told::Places(places.clone()));
            said = Some(places);
        }
        tokio::select! {
            biased;
            word = words.recv() => match word {
                Some(Word::Show(shown)) => {
                    stage.take(shown, line.uptime());
                    let _ = tell.try_send(Told::Alive);
                }
                Some(Word::Bye) => return farewell(stage, line).await,
                None => return stage.dark("the agent is gone"),
            },
            Some(press) = presses.recv() => press_on(&mut button, Some(press), line.uptime(), &tell),
            () = until(wake, now) => press_on(&mut button, None, line.uptime(), &tell),
        }
    }
}

/// One blink, so that an end on purpose can be told from any other; then dark.
async fn farewell(mut stage: Stage, line: Timeline) {
    stage.take(Shown::Leaving, line.uptime());
    stage.draw(line.uptime());
    tokio::time::sleep(FAREWELL).await;
    stage.dark("the agent has stopped");
}

fn press_on(button: &mut Button, press: Option<Press>, now: Duration, tell: &mpsc::Sender<Told>) {
    let due = button.tick(now);
    let changed = press.and_then(|press| button.change(press, now));
    for gesture in due.into_iter().chain(changed) {
        let _ = tell.try_send(Told::Pressed(gesture));
    }
}

async fn until(wake: Option<Duration>, now: Duration) {
    match wake {
        // A millisecond more: the timer's resolution must not wake us within the step that was just drawn.
        Some(wake) => tokio::time::sleep(wake.saturating_sub(now) + Duration::from_millis(1)).await,
        None => std::future::pending().await,
    }
}

/// The words of the agent. A line that is none ends them: the agent is then another version.
fn listener(mut said: Said) -> mpsc::Receiver<Word> {
    let (send, words) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(Some(line)) = said.next_line().await {
            let Ok(word) = serde_json::from_str(&line) else { return };
            if send.send(word).await.is_err() {
                return;
            }
        }
    });
    words
}

/// Writes to the agent in a task of its own: a pipe that nobody empties must not stop a rhythm.
fn speaker() -> io::Result<mpsc::Sender<Told>> {
    let mut output = pipe::Sender::from_owned_fd(io::stdout().as_fd().try_clone_to_owned()?)?;
    let (tell, mut told) = mpsc::channel::<Told>(BACKLOG);
    tokio::spawn(async move {
        while let Some(told) = told.recv().await {
            let mut line = serde_json::to_vec(&told).expect("what we say is JSON");
            line.push(b'\n');
            if output.write_all(&line).await.is_err() {
                return;
            }
        }
    });
    Ok(tell)
}

/// The changes of the button, read on a thread of its own; none where it cannot be had, which is said.
fn presses(button: &ButtonPin, tell: &mpsc::Sender<Told>) -> mpsc::Receiver<Press> {
    let opened = lines(&button.chip, &Machine::this()).map_err(|error| error.to_string());
    let line = opened.and_then(|device| ButtonLine::open(&device, button).map_err(|error| error.to_string()));
    let line = match line {
        Ok(line) => line,
        Err(trouble) => {
            let _ = tell.try_send(Told::ButtonTrouble(trouble));
            return nothing();
        }
    };
    let (send, presses) = mpsc::channel(16);
    thread::spawn(move || {
        while let Ok(press) = line.wait() {
            if send.blocking_send(press).is_err() {
                return;
            }
        }
    });
    presses
}

/// No button.
fn nothing() -> mpsc::Receiver<Press> {
    mpsc::channel(1).1
}

#[cfg(test)]
mod tests;
