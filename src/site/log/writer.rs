//! The thread that writes the access log. It may wait for a disk; nobody waits for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::{ENOUGH, Ended, RHYTHM, Shared, Waiting};

pub(super) struct Writer {
    shared: Arc<Shared>,
    path: Option<PathBuf>,
    file: Option<File>,
    /// The last line in the file lacks its end.
    torn: bool,
    /// How many dropped lines were told of.
    told: u64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, path: Option<PathBuf>) -> Self {
        Self { shared, path, file: None, torn: false, told: 0 }
    }

    /// Writes until the last sender is gone and everything is written.
    pub(super) fn run(mut self) {
        let mut spare = Vec::with_capacity(ENOUGH);
        loop {
            let Waiting { lines, ended } = self.wait(spare);
            self.write(&lines);
            self.tell_dropped();
            if ended == Ended::Yes {
                return;
            }
            spare = lines;
            spare.clear();
        }
    }

    /// Waits for a line, then for enough of them or enough time, and takes what there is; `spare` is where the next ones
    /// go.
    fn wait(&self, spare: Vec<u8>) -> Waiting {
        let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |waiting: &mut Waiting| waiting.lines.is_empty() && waiting.ended == Ended::No;
        let woken = self.shared.enough.wait_while(waiting, nothing);
        let waiting = woken.unwrap_or_else(PoisonError::into_inner);
        let patient = |waiting: &mut Waiting| waiting.lines.len() < ENOUGH && waiting.ended == Ended::No;
        let woken = self.shared.enough.wait_timeout_while(waiting, RHYTHM, patient);
        let (mut waiting, _) = woken.unwrap_or_else(PoisonError::into_inner);
        let ended = waiting.ended;
        std::mem::replace(&mut waiting, Waiting { lines: spare, ended })
    }

    fn write(&mut self, lines: &[u8]) {
        if let Some(path) = self.path.clone() {
            if let Err((error, rest)) = self.append(&path, lines) {
                self.file = None;
                let count = rest.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.shared.dropped.fetch_add(count, Ordering::Relaxed);
                tracing::warn!("cannot write the access log {}: {error}", path.display());
            }
        } else {
            for line in std::str::from_utf8(lines).unwrap_or_default().lines() {
                tracing::info!(target: "hearth::access", "{line}");
            }
        }
    }

    fn tell_dropped(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped > self.told {
            tracing::warn!(lines = dropped - self.told, "lines of the access log were dropped");
            self.told = dropped;
        }
    }

    /// Appends lines; the error comes with those that were not written whole.
    fn append<'l>(&mut self, path: &Path, lines: &'l [u8]) -> Result<(), (io::Error, &'l [u8])> {
        let mut rest = lines;
        while !rest.is_empty() {
            match self.append_some(path, rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((error, rest)),
            }
        }
        Ok(())
    }

    /// Appends as much as there is room for. A disk that is full cuts a line off; the next begins on a line of its own.
    fn append_some(&mut self, path: &Path, lines: &[u8]) -> io::Result<usize> {
        let file = match self.file.take() {
            Some(file) if is_at(&file, path) => file,
            _ => OpenOptions::new().append(true).create(true).mode(0o640).open(path)?,
        };
        let file = self.file.insert(file);
        if self.torn && file.metadata()?.len() > 0 {
            file.write_all(b"\n")?;
        }
        self.torn = false;
        let count = file.write(lines)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.torn = lines[count - 1] != b'\n';
        Ok(count)
    }
}

/// Whether the file still has its name: logrotate(8) gives it another.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let (opened, named) = (file.metadata().map(identity), path.metadata().map(identity));
    matches!((opened, named), (Ok(opened), Ok(named)) if opened == named)
}
