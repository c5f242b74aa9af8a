//! The history on disk: a small file beside the journal, which does not reach back for a month.
//!
//! A turn is written down when it is seen. What a crash leaves out, which is at most the minutes since, is taken from
//! the journal at the next start; so is everything, when there is no file. Never holds up a decision for longer than the
//! disk takes for a few kilobytes, and a disk that refuses costs the history and nothing else.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use tokio::task::block_in_place;
use tracing::warn;

use super::{History, Turn};
use crate::failover::event::{Effect, Event};
use crate::failover::view::WatcherStatus;
use crate::host::state_file::StateFile;
use crate::moment::Moment;
use crate::watcher::journal::walk::{Replayed, walk};
use crate::watcher::journal::{JournalError, files};
use crate::watcher::journal_directory;

/// The version of the form of the file.
const FORM: u32 = 1;

/// Without a turn it is written this often: so much has to be read from the journal after a crash at most.
const SAVE_EVERY: Duration = Duration::from_secs(5 * 60);

/// While a journal is read, what does not look like a turn is looked at this often.
const SAMPLE_MS: u64 = 10_000;

/// The history, and its file.
pub(in crate::watcher) struct Chronicle {
    pub(in crate::watcher) history: History,
    file: StateFile,
    save_due: Moment,
    /// Whether a refusal of the disk has been told.
    refused: bool,
}

impl Chronicle {
    /// Opens the history in the watcher's state directory, and takes from the journal what it lacks. Blocks.
    pub(in crate::watcher) fn open(state: &Path) -> Self {
        let mut file = StateFile::new(state.join("history.json"), FORM);
        let mut history: History = file
            .load()
            .unwrap_or_else(|error| {
                warn!("the history is made anew from the journal: {error}");
                None
            })
            .unwrap_or_default();
        if let Err(error) = catch_up(&mut history, &journal_directory(state)) {
            warn!("the history lacks what the journal would tell: {error}");
        }
        Self { history, file, save_due: Moment::START, refused: false }
    }

    /// Takes in how everything stands; what stands otherwise than before.
    pub(in crate::watcher) fn see(&mut self, now: Moment, wall_ms: u64, status: &WatcherStatus) -> Vec<Turn> {
        let turns = self.history.see(wall_ms, status);
        if !turns.is_empty() || now >= self.save_due {
            self.save_due = now + SAVE_EVERY;
            self.save();
        }
        turns
    }

    /// Writes it down. A refusal is told when it begins.
    pub(in crate::watcher) fn save(&mut self) {
        let saved = block_in_place(|| self.file.save(&self.history));
        if let (Err(error), false) = (&saved, self.refused) {
            warn!("the history cannot be kept: {error}");
        }
        self.refused = saved.is_err();
    }
}

/// Reads what the journal knows of the time after the history was written.
///
/// # Errors
/// When a segment cannot be read; what was read before it stays.
pub(in crate::watcher) fn catch_up(history: &mut History, journal: &Path) -> Result<(), JournalError> {
    if !journal.exists() {
        return Ok(());
    }
    for file in newer(journal, history.seen_ms())? {
        let walked = walk(&file, |seen| {
            let wall_ms = seen.step.wall_ms;
            if wall_ms > history.seen_ms() && (is_telling(seen) || wall_ms - history.seen_ms() > SAMPLE_MS) {
                history.see(wall_ms, &seen.engine.status(seen.step.at, seen.step.at, Vec::new()));
            }
            ControlFlow::Continue(())
        });
        match walked {
            // One that was damaged or is of another version tells nothing.
            Ok(_) | Err(JournalError::Form { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The segments that reach beyond that time.
fn newer(journal: &Path, seen_ms: u64) -> Result<Vec<std::path::PathBuf>, JournalError> {
    let mut files = files(journal)?;
    let began = |file: &Path| crate::watcher::journal::walk::began(file).unwrap_or(0);
    // All but the last one that began before it end before it.
    let first = files.iter().rposition(|file| began(file) <= seen_ms).unwrap_or(0);
    Ok(files.split_off(first))
}

/// Whether a step may have changed how something stands.
fn is_telling(seen: &Replayed<'_>) -> bool {
    seen.effects.iter().any(|effect| matches!(effect, Effect::Note(_)))
        || matches!(seen.step.event, Event::Started { .. } | Event::Read { .. } | Event::Written { .. })
}

#[cfg(test)]
mod tests;
