//! Compressing what a generation holds, on a thread of its own, after the generation is served already.
//!
//! Never compresses the same content twice, and never holds up a look or a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::site::generation::{Content, Digest, File, Files};
use crate::site::negotiate::{CODINGS, Coding, encode};

/// Work under way. Dropped, it ends with the file it is at.
#[derive(Debug)]
pub(super) struct Pressing {
    task: JoinHandle<Vec<Pressed>>,
    stop: Arc<AtomicBool>,
}

/// The compressed forms of one file.
#[derive(Debug)]
pub(super) struct Pressed {
    pub(super) name: Box<str>,
    pub(super) digest: Digest,
    encoded: Vec<(Coding, Bytes)>,
}

impl Pressing {
    /// Compresses every file that has not been tried; None when there is none.
    pub(super) fn start(files: &Files) -> Option<Self> {
        let work: Vec<_> = files.iter().filter_map(|(name, file)| untried(name, file)).collect();
        if work.is_empty() {
            return None;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::task::spawn_blocking(move || {
            work.into_iter().take_while(|_| !stopped.load(Ordering::Relaxed)).map(press).collect()
        });
        Some(Self { task, stop })
    }

    /// What came of it. Nothing, when it failed: the files are served as they are.
    pub(super) async fn done(&mut self) -> Vec<Pressed> {
        (&mut self.task).await.unwrap_or_default()
    }
}

impl Drop for Pressing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Pressed {
    /// The file with these forms, as far as there is room for them.
    pub(super) fn onto(self, file: &File, room: &mut u64) -> File {
        let mut file = file.clone();
        if let Content::Held { encoded, .. } = &mut file.content {
            let fits = |(_, bytes): &(Coding, Bytes)| match room.checked_sub(bytes.len() as u64) {
                Some(rest) => {
                    *room = rest;
                    true
                }
                None => false,
            };
            *encoded = Some(self.encoded.into_iter().filter(fits).collect());
        }
        file
    }
}

/// How many bytes the files take as they are held.
pub(super) fn in_memory(files: &Files) -> u64 {
    let of = |file: &Arc<File>| match &file.content {
        Content::Held { identity, encoded } => {
            let more: usize = encoded.iter().flat_map(|e| e.iter()).map(|(_, bytes)| bytes.len()).sum();
            (identity.len() + more) as u64
        }
        Content::Left => 0,
    };
    files.values().map(of).sum()
}

fn untried(name: &str, file: &File) -> Option<(Box<str>, Digest, Bytes)> {
    match &file.content {
        Content::Held { identity, encoded: None } => Some((name.into(), file.digest, identity.clone())),
        Content::Held { .. } | Content::Left => None,
    }
}

fn press((name, digest, identity): (Box<str>, Digest, Bytes)) -> Pressed {
    let encoded = CODINGS.iter().filter_map(|coding| Some((*coding, encode(&identity, *coding)?))).collect();
    Pressed { name, digest, encoded }
}
