//! The thread that writes the access log. It may wait for a disk; nobody waits for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::{ENOUGH, Ended, RHYTHM, Shared, Waiting};

pub(super) struct Writer {
    shared: Arc<Shared>,
    path: Option<PathBuf>,
    file: Option<File>,
    /// What was dropped because the file could not be written.
    lost: u64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, path: Option<PathBuf>) -> Self {
        Self { shared, path, file: None, lost: 0 }
    }

    /// Writes until the last sender is gone and everything is written.
    pub(super) fn run(mut self) {
        let mut spare = Vec::with_capacity(ENOUGH);
        loop {
            let Waiting { lines, dropped, ended } = self.wait(spare);
            self.write(&lines, dropped);
            if ended == Ended::Yes {
                return;
            }
            spare = lines;
            spare.clear();
        }
    }

    /// Waits for enough lines or enough time, and takes what there is; `spare` is where the next ones go.
    fn wait(&self, spare: Vec<u8>) -> Waiting {
        let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let patient = |waiting: &mut Waiting| waiting.lines.len() < ENOUGH && waiting.ended == Ended::No;
        let woken = self.shared.enough.wait_timeout_while(waiting, RHYTHM, patient);
        let (mut waiting, _) = woken.unwrap_or_else(PoisonError::into_inner);
        let ended = waiting.ended;
        std::mem::replace(&mut waiting, Waiting { lines: spare, dropped: 0, ended })
    }

    fn write(&mut self, lines: &[u8], dropped: u64) {
        self.lost += dropped;
        if let Some(path) = self.path.clone() {
            if !lines.is_empty()
                && let Err(error) = self.append(&path, lines)
            {
                self.file = None;
                let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.lost += count;
                tracing::warn!("cannot write the access log {}: {error}", path.display());
            }
        } else {
            for line in std::str::from_utf8(lines).unwrap_or_default().lines() {
                tracing::info!(target: "hearth::access", "{line}");
            }
        }
        if self.lost > 0 {
            tracing::warn!(lines = self.lost, "lines of the access log were dropped");
            self.lost = 0;
        }
    }

    fn append(&mut self, path: &Path, lines: &[u8]) -> io::Result<()> {
        if !self.file.as_ref().is_some_and(|file| is_at(file, path)) {
            let mut options = OpenOptions::new();
            self.file = Some(options.append(true).create(true).mode(0o640).open(path)?);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(lines))
    }
}

/// Whether the file still has its name: logrotate(8) gives it another.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let (opened, named) = (file.metadata().map(identity), path.metadata().map(identity));
    matches!((opened, named), (Ok(opened), Ok(named)) if opened == named)
}
