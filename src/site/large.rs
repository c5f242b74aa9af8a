//! Files that are not held in memory: read piece by piece, by a few loader processes of their own.
//!
//! Never lets the current generation wait for them: when all of them hang, what is not held is 503, and nothing else is.
//! A slow visitor holds no loader: a loader is asked for one piece at a time.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::generation::LeftFile;
use super::load::process::{Loaders, Silence};
use super::load::wire::{Ask, Tell};

/// How much is read at once: enough that asking costs little, little enough that many visitors can have one.
pub const PIECE: u64 = 256 * 1024;

/// So many pieces are read at the same time.
const READERS: usize = 4;

/// So many visitors can be sent such files at the same time; each holds up to two pieces.
const VISITORS: usize = 64;

/// For a loader to be free and a piece to be read.
const PATIENCE: Duration = Duration::from_secs(3);

/// Reads what is not held. Clones share the loaders.
#[derive(Clone, Debug)]
pub struct Large(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: Vec<u8>,
    program: PathBuf,
    readers: Semaphore,
    visitors: Arc<Semaphore>,
    /// Those that failed last are taken last.
    resting: Mutex<VecDeque<Loaders>>,
}

/// Why a piece was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Every loader, or every place for a visitor, is taken.
    #[error("too many large files are being read")]
    Busy,
    /// It is gone, or not what the current generation knows.
    #[error("the file has changed: {0}")]
    Changed(String),
    /// The file system did not answer.
    #[error(transparent)]
    Silence(#[from] Silence),
}

/// Pieces on their way.
pub type Reading = JoinHandle<Result<Vec<Bytes>, Unreadable>>;

impl Large {
    /// Reads below `root`, through loaders started from `program` when they are needed.
    #[must_use]
    pub fn below(root: &Path, program: PathBuf) -> Self {
        Self(Arc::new(Inner {
            root: root.as_os_str().as_bytes().to_vec(),
            program,
            readers: Semaphore::new(READERS),
            visitors: Arc::new(Semaphore::new(VISITORS)),
            resting: Mutex::default(),
        }))
    }

    /// A place for one more visitor.
    ///
    /// # Errors
    /// [`Unreadable::Busy`].
    pub fn admit(&self) -> Result<OwnedSemaphorePermit, Unreadable> {
        Arc::clone(&self.0.visitors).try_acquire_owned().map_err(|_| Unreadable::Busy)
    }

    /// Begins to read a part of a file. It is read to its end even if nobody waits any more, so that the loader is
    /// ready for the next.
    #[must_use]
    pub fn read(&self, file: Arc<LeftFile>, range: Range<u64>) -> Reading {
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move { inner.read(&file, range).await })
    }
}

impl Inner {
    async fn read(&self, file: &LeftFile, range: Range<u64>) -> Result<Vec<Bytes>, Unreadable> {
        let mut taken = None;
        let read = timeout(PATIENCE, async {
            let turn = self.readers.acquire().await.map_err(|_| Unreadable::Busy)?;
            let (loaders, _turn) = taken.insert((self.take(), turn));
            piece(loaders, &self.root, file, range).await
        });
        let read = read.await.unwrap_or(Err(Unreadable::Busy));
        if let Some((mut loaders, _turn)) = taken {
            if read.is_err() {
                // It hangs, or is in the middle of an answer.
                loaders.abandon();
            }
            self.give_back(loaders);
        }
        read
    }

    fn take(&self) -> Loaders {
        let rested = self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop_back();
        rested.unwrap_or_else(|| Loaders::of(self.program.clone()).abandoning_at_most(1))
    }

    /// One process waits for the next piece, the others end.
    fn give_back(&self, mut loaders: Loaders) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if loaders.is_running() && !resting.back().is_some_and(Loaders::is_running) {
            resting.push_back(loaders);
        } else {
            loaders.abandon();
            resting.push_front(loaders);
        }
    }
}

/// Asks for one piece.
async fn piece(
    loaders: &mut Loaders,
    root: &[u8],
    file: &LeftFile,
    range: Range<u64>,
) -> Result<Vec<Bytes>, Unreadable> {
    let length = range.end - range.start;
    let (root, name) = (root.to_vec(), file.name.as_bytes().to_vec());
    loaders.ask(&Ask::Piece { root, name, stamp: file.stamp, start: range.start, length }).await?;
    let (mut chunks, mut read) = (Vec::new(), 0);
    loop {
        match loaders.next().await? {
            Tell::Chunk(bytes) => {
                read += bytes.len() as u64;
                chunks.push(Bytes::from(bytes));
            }
            Tell::Done { .. } if read == length => return Ok(chunks),
            Tell::Done { .. } => return Err(Unreadable::Changed("it ends early".to_owned())),
            Tell::Failed { text, .. } => return Err(Unreadable::Changed(text)),
            Tell::Alive
            | Tell::Root { .. }
            | Tell::Mounted(_)
            | Tell::Room { .. }
            | Tell::Listed { .. }
            | Tell::Same
            | Tell::End { .. } => {
                return Err(Silence::Ended(std::io::Error::other("an answer out of turn")).into());
            }
        }
    }
}
