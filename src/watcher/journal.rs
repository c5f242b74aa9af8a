//! The journal: every event that the engine was given and every effect that it answered with, in the order in which
//! they came, on disk.
//!
//! A directory of segments. Each begins with a snapshot of the engine and goes on with a line for each step; each line
//! carries the hash of all lines before it, so that a torn or changed line is told from a good one. A line that differs
//! from an earlier one in its numbers alone is written short ([`terse`]); the hash is that of what it says. A start reads
//! the newest segment and goes on from there: what was decided before a crash is known after it. The functions here
//! block.

mod terse;
pub mod walk;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::failover::engine::Engine;
use crate::failover::event::{Effect, Event, Note};
use crate::moment::Moment;
use terse::Terse;
use walk::{Walked, walk};

/// The version of the form of a segment.
const FORM: u32 = 2;

/// The one before: no line was written short.
const FORM_IN_FULL: u32 = 1;

/// A segment that has grown larger than this, in bytes, is followed by a new one.
const SEGMENT: u64 = 8 * 1024 * 1024;

/// How many segments are kept.
const KEPT: usize = 8;

/// Bytes of the hash that a line carries.
const LINK: usize = 8;

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk or the rights.
    #[error("the journal {path} cannot be used: {error}")]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It was written by another version, or its first line is damaged.
    #[error("the journal {path} cannot be understood: {why}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// One line of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant, reason = "a line lives for as long as it takes to write or to replay it")]
enum Line {
    /// The engine as it was when the segment began.
    Snapshot { form: u32, at: Moment, wall_ms: u64, engine: Box<Engine> },
    /// One step of the engine.
    Step(Step),
}

/// One step of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When, on the watcher's time line.
    pub at: Moment,
    /// When, by its wall clock: milliseconds since 1970.
    pub wall_ms: u64,
    /// What happened.
    pub event: Event,
    /// What the engine answered.
    pub effects: Vec<Effect>,
}

/// What a journal says.
#[derive(Debug)]
pub struct Replay {
    /// The engine after the last step.
    pub engine: Engine,
    /// The point in time of the last line, and the wall clock then.
    pub last: (Moment, u64),
    /// How many steps were replayed.
    pub steps: usize,
    /// The steps that the engine answers differently today: a newer version decides differently.
    pub differing: Vec<Step>,
    /// The notes in it, with the wall clock, the oldest first.
    pub notes: Vec<(u64, Note)>,
    form: u32,
    /// Where the good lines end; what follows was torn by a crash or damaged.
    good: u64,
    end: End,
    torn: u64,
}

/// What the next line of a segment goes on from.
#[derive(Clone, Debug, Default)]
struct End {
    link: [u8; LINK],
    terse: Terse,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    number: u64,
    file: File,
    size: u64,
    end: End,
    dirty: bool,
}

/// What was found when the journal was opened.
#[derive(Debug)]
pub struct Found {
    /// What the journal says. None: there was none, or none that can be understood.
    pub replay: Option<Replay>,
    /// What people should know of: a torn tail, a journal that was set aside.
    pub remarks: Vec<String>,
}

impl Journal {
    /// Opens the journal in `directory`, which is made when it is missing, and reads what it says.
    ///
    /// # Errors
    /// When the disk or the rights do not allow it.
    pub fn open(directory: &Path) -> Result<(Self, Found), JournalError> {
        fs::create_dir_all(directory).map_err(|error| disk(directory, error))?;
        let mut remarks = Vec::new();
        // A crash while a segment was begun leaves one without a first line: the one before it is whole then.
        while let Some(number) = segments(directory)?.pop() {
            let path = segment(directory, number);
            match replay(&path) {
                Ok(replay) => return Self::go_on(directory, number, replay, remarks),
                Err(JournalError::Form { path, why }) => {
                    let aside = path.with_extension("damaged");
                    fs::rename(&path, &aside).map_err(|error| disk(&path, error))?;
                    remarks.push(format!("{why}; set aside as {}", aside.display()));
                }
                Err(error @ JournalError::Disk { .. }) => return Err(error),
            }
        }
        let journal = Self::begin(directory, 1, &Engine::default(), Moment::START, 0)?;
        Ok((journal, Found { replay: None, remarks }))
    }

    fn go_on(
        directory: &Path,
        number: u64,
        replay: Replay,
        mut remarks: Vec<String>,
    ) -> Result<(Self, Found), JournalError> {
        let path = segment(directory, number);
        let file = OpenOptions::new().append(true).open(&path).map_err(|error| disk(&path, error))?;
        if replay.torn > 0 {
            let aside = path.with_extension("torn");
            fs::copy(&path, &aside).map_err(|error| disk(&aside, error))?;
            file.set_len(replay.good).map_err(|error| disk(&path, error))?;
            let what = format!("{} bytes at the end of {} are torn", replay.torn, path.display());
            remarks.push(format!("{what}; a copy is in {}", aside.display()));
        }
        if !replay.differing.is_empty() {
            remarks.push(format!("{} steps are decided differently by this version", replay.differing.len()));
        }
        let journal = if replay.form == FORM {
            let (directory, end) = (directory.to_owned(), replay.end.clone());
            Self { directory, number, file, size: replay.good, end, dirty: false }
        } else {
            let (at, wall_ms) = replay.last;
            Self::begin(directory, number + 1, &replay.engine, at, wall_ms)?
        };
        Ok((journal, Found { replay: Some(replay), remarks }))
    }

    fn begin(
        directory: &Path,
        number: u64,
        engine: &Engine,
        at: Moment,
        wall_ms: u64,
    ) -> Result<Self, JournalError> {
        let path = segment(directory, number);
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = file.map_err(|error| disk(&path, error))?;
        let directory_name = directory.to_owned();
        let mut journal =
            Self { directory: directory_name, number, file, size: 0, end: End::default(), dirty: false };
        let engine = Box::new(engine.clone());
        journal.put(&Line::Snapshot { form: FORM, at, wall_ms, engine })?;
        journal.sync()?;
        let entry = File::open(directory).and_then(|d| d.sync_all());
        entry.map_err(|error| disk(directory, error))?;
        Ok(journal)
    }

    /// Writes one step down. It survives the death of the process; [`Self::sync`] makes it survive a power cut.
    ///
    /// # Errors
    /// When it cannot be written. The line may then be torn; a later start cuts it off.
    pub fn append(&mut self, step: Step) -> Result<(), JournalError> {
        self.put(&Line::Step(step))
    }

    /// Makes everything that was appended survive a power cut.
    ///
    /// # Errors
    /// When the disk does not confirm it.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if std::mem::take(&mut self.dirty) {
            self.file.sync_data().map_err(|error| disk(&self.path(), error))?;
        }
        Ok(())
    }

    /// Begins a new segment with `engine` when this one has grown large, and removes the oldest.
    ///
    /// # Errors
    /// When the new one cannot be written; this one goes on.
    pub fn rotate(&mut self, engine: &Engine, at: Moment, wall_ms: u64) -> Result<(), JournalError> {
        if self.size < SEGMENT {
            return Ok(());
        }
        *self = Self::begin(&self.directory, self.number + 1, engine, at, wall_ms)?;
        let all = segments(&self.directory)?;
        for old in all.iter().take(all.len().saturating_sub(KEPT)) {
            let path = segment(&self.directory, *old);
            fs::remove_file(&path).map_err(|error| disk(&path, error))?;
        }
        Ok(())
    }

    /// Begins a new segment with `engine`, whatever became of this one: the disk was full, and what happened meanwhile
    /// was not written down.
    ///
    /// # Errors
    /// When it cannot be written; this one goes on, and nothing is left of the attempt.
    pub fn renew(&mut self, engine: &Engine, at: Moment, wall_ms: u64) -> Result<(), JournalError> {
        let number = self.number + 1;
        match Self::begin(&self.directory, number, engine, at, wall_ms) {
            Ok(journal) => {
                *self = journal;
                Ok(())
            }
            Err(error) => {
                // An error: it was not even made.
                let _ = fs::remove_file(segment(&self.directory, number));
                Err(error)
            }
        }
    }

    fn put(&mut self, line: &Line) -> Result<(), JournalError> {
        let text = serde_json::to_vec(line).map_err(|e| disk(&self.path(), io::Error::other(e)))?;
        let link = link(self.end.link, &text);
        let (written, said) = match line {
            Line::Snapshot { .. } => (text, None),
            Line::Step(_) => self.end.terse.write(&text),
        };
        let bytes = [HEXLOWER.encode(&link).as_bytes(), b" ", &written, b"\n"].concat();
        if let Err(error) = self.file.write_all(&bytes) {
            // A line that is half there would make every later one unreadable.
            let _ = self.file.set_len(self.size);
            return Err(disk(&self.path(), error));
        }
        self.end.link = link;
        self.end.terse.remember(said);
        self.size += bytes.len() as u64;
        self.dirty = true;
        Ok(())
    }

    /// The number of the segment that is written now, and how many bytes it has.
    #[must_use]
    pub fn extent(&self) -> (u64, u64) {
        (self.number, self.size)
    }

    fn path(&self) -> PathBuf {
        segment(&self.directory, self.number)
    }
}

/// What the journal in `directory` says, for whoever looks beside the process that writes it: nothing is repaired,
/// set aside or begun. None when there is none.
///
/// # Errors
/// When it cannot be read, or its newest segment cannot be understood.
pub fn look(directory: &Path) -> Result<Option<Replay>, JournalError> {
    if !directory.exists() {
        return Ok(None);
    }
    let newest = segments(directory)?.pop();
    newest.map(|number| replay(&segment(directory, number))).transpose()
}

/// Replays one segment.
///
/// # Errors
/// When it cannot be read, or its first line cannot be understood.
pub fn replay(path: &Path) -> Result<Replay, JournalError> {
    let (mut differing, mut notes) = (Vec::new(), Vec::new());
    let walked = walk(path, |seen| {
        for effect in &seen.step.effects {
            if let Effect::Note(note) = effect {
                notes.push((seen.step.wall_ms, note.clone()));
            }
        }
        if !seen.agrees() {
            differing.push(seen.step.clone());
        }
        ControlFlow::Continue(())
    })?;
    let size = fs::metadata(path).map_err(|error| disk(path, error))?.len();
    let Walked { form, engine, last, steps, good, end, .. } = walked;
    Ok(Replay { engine, last, steps, differing, notes, form, good, end, torn: size.saturating_sub(good) })
}

fn link(before: [u8; LINK], text: &[u8]) -> [u8; LINK] {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    hash.update(&before);
    hash.update(text);
    let mut link = [0; LINK];
    link.copy_from_slice(&hash.finish().as_ref()[..LINK]);
    link
}

fn segment(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}.journal"))
}

/// The segments in `directory`, the oldest first.
///
/// # Errors
/// When it cannot be read.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>, JournalError> {
    Ok(segments(directory)?.into_iter().map(|number| segment(directory, number)).collect())
}

/// The numbers of the segments that are there, in order.
fn segments(directory: &Path) -> Result<Vec<u64>, JournalError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| disk(directory, error))? {
        let name = entry.map_err(|error| disk(directory, error))?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|n| n.strip_suffix(".journal")).and_then(|n| n.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn disk(path: &Path, error: io::Error) -> JournalError {
    JournalError::Disk { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests;
