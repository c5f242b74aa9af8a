//! The access log: one line for each answer, written by a thread of its own.
//!
//! A request only appends to a buffer in memory. It never waits for a file or for the journal: when whoever writes does
//! not keep up, lines are dropped and counted. What a client sent is escaped before it reaches a line.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod line;
mod stamp;
mod writer;

pub use line::Answered;
pub use stamp::Stamp;

/// What is written of each answer, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// The file that lines are appended to. None: the log of the process, which is the journal under systemd.
    pub file: Option<PathBuf>,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Nothing is written.
    #[default]
    None,
    /// The combined log format of Apache and nginx.
    Combined,
    /// One JSON object.
    Json,
}

/// So much may wait to be written; a line more is dropped.
const ROOM: usize = 1 << 20;

/// Lines are written when so many bytes wait, or so much time has gone by since the first of them.
const ENOUGH: usize = 64 * 1024;
const RHYTHM: Duration = Duration::from_millis(250);

/// Takes lines. Clones share the writer, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct AccessLog(Option<Arc<Handle>>);

/// The senders' end; dropped, it tells the writer to finish.
#[derive(Debug)]
struct Handle {
    format: LogFormat,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// There is a first line, or there are enough.
    enough: Condvar,
    /// Since the start: what had no room, and what could not be written.
    dropped: AtomicU64,
}

/// What was not written yet.
#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    ended: Ended,
}

/// Whether another line can come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ended {
    #[default]
    No,
    Yes,
}

impl AccessLog {
    /// A log as it is wanted; its writer is started if there is anything to write.
    ///
    /// # Errors
    /// When no thread can be started. A file that cannot be opened is no error: lines are dropped and counted, and it
    /// is tried again.
    pub fn start(settings: LogSettings) -> std::io::Result<Self> {
        if settings.format == LogFormat::None {
            return Ok(Self::none());
        }
        let shared = Arc::new(Shared::default());
        let writer = writer::Writer::new(Arc::clone(&shared), settings.file);
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run())?;
        Ok(Self(Some(Arc::new(Handle { format: settings.format, shared }))))
    }

    /// A log that nothing is written to.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether anything is written at all.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// How many lines were dropped since the start: whoever writes did not keep up, or could not write.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |handle| handle.shared.dropped.load(Ordering::Relaxed))
    }

    /// Adds a line. Held up by nothing but the copy of another line.
    pub fn add(&self, answered: &Answered<'_>) {
        let Some(handle) = &self.0 else { return };
        let mut waiting = handle.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let before = waiting.lines.len();
        if before >= ROOM {
            handle.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        answered.write(handle.format, &mut waiting.lines);
        if before == 0 || (before < ENOUGH && waiting.lines.len() >= ENOUGH) {
            handle.shared.enough.notify_one();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).ended = Ended::Yes;
        self.shared.enough.notify_one();
    }
}

/// What counts as an address in a line: an IPv4 client of a socket for both families is shown as IPv4.
fn address(of: IpAddr) -> IpAddr {
    of.to_canonical()
}

/// Writing to a `Vec` does not fail.
fn put(line: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text).expect("memory takes everything");
}
