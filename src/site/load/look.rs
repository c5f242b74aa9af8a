//! One look at the source: what the loader lists, and what has to be read of it.
//!
//! Never publishes what was seen only in part, and never reads more than the memory holds.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Supervisor;
use super::process::Silence;
use super::settle::{Extent, Listing};
use super::trouble::Trouble;
use super::wire::{Ask, Failure, Tell};
use crate::site::generation::{Content, File, Files, Stamp};
use crate::site::media;

/// What came of a look.
pub(super) enum Looked {
    /// The files that are held, and the generation file like this.
    Same(Option<Stamp>),
    Listed(Listing),
}

/// What came of reading a file.
enum Reading {
    File(Arc<File>),
    /// It is being written, or is gone since it was listed.
    Restless,
    /// It may not be read, or is no regular file any more.
    Refused,
}

impl Supervisor {
    /// What is there.
    pub(super) async fn list(&mut self) -> Result<Looked, Trouble> {
        let settled = self.fingerprint.is_some();
        self.loaders
            .ask(&Ask::Look {
                root: self.source.root.as_os_str().as_bytes().to_vec(),
                sentinel: self.settle.sentinel().filter(|_| settled),
                known: self.fingerprint,
            })
            .await?;
        let mut listing = Listing::default();
        let mut elsewhere = None;
        let found = loop {
            match self.loaders.next().await? {
                Tell::Root { file_system, sentinel, kind } => {
                    let wanted = self.source.kind.clone().filter(|wanted| *wanted != kind);
                    elsewhere = wanted.map(|wanted| Trouble::Elsewhere { kind, wanted });
                    (listing.file_system, listing.sentinel) = (file_system, sentinel);
                }
                Tell::Listed { name, stamp } => {
                    if let Ok(name) = String::from_utf8(name) {
                        listing.files.insert(name.into(), stamp);
                    }
                }
                Tell::End { fingerprint, skipped } => {
                    (listing.fingerprint, listing.skipped) = (fingerprint, skipped);
                    break Looked::Listed(listing);
                }
                Tell::Same => break Looked::Same(listing.sentinel),
                Tell::Failed { kind, text } => return Err(Trouble::Failed(kind, text)),
                Tell::Alive | Tell::Chunk(_) | Tell::Done { .. } | Tell::Mounted(_) | Tell::Room { .. } => {
                    return Err(self.out_of_turn());
                }
            }
        };
        elsewhere.map_or(Ok(found), Err)
    }

    /// Reads what is new and publishes it with what is held.
    pub(super) async fn take(
        &mut self,
        listing: &Listing,
        files: &BTreeMap<Box<str>, Stamp>,
        mut unsettled: Vec<Box<str>>,
    ) -> Result<(), Trouble> {
        let left = beyond(files, self.source.memory);
        let mut taken = Files::new();
        for (name, stamp) in files {
            let file = match self.known(name, *stamp, &left) {
                Some(file) => file,
                None => match self.read(name, *stamp).await? {
                    Reading::File(file) => file,
                    Reading::Restless => {
                        unsettled.push(name.clone());
                        continue;
                    }
                    Reading::Refused => continue,
                },
            };
            taken.insert(name.clone(), file);
        }
        let extent = if unsettled.is_empty() { Extent::Whole } else { Extent::Part };
        if extent == Extent::Part && listing.sentinel.is_some() && !self.held.is_empty() {
            // A publisher vouches for the whole; part of it is not published.
            return Ok(());
        }
        for name in unsettled {
            if let Some(file) = self.held.get(&name) {
                taken.insert(name, Arc::clone(file));
            }
        }
        self.settle.took(listing, extent);
        self.fingerprint = (extent == Extent::Whole).then_some(listing.fingerprint);
        self.spare.clear();
        self.publish(taken);
        Ok(())
    }

    /// A file that need not be read: held already, or too much for the memory.
    fn known(&self, name: &str, stamp: Stamp, left: &HashSet<&str>) -> Option<Arc<File>> {
        if left.contains(name) {
            return Some(Arc::new(File::left(stamp)));
        }
        let is_it = |file: &&Arc<File>| file.stamp == stamp && matches!(file.content, Content::Held { .. });
        let found = self.held.get(name).filter(is_it).or_else(|| self.spare.get(name).filter(is_it));
        found.cloned()
    }

    async fn read(&mut self, name: &str, listed: Stamp) -> Result<Reading, Trouble> {
        self.loaders.ask(&Ask::Read { name: name.as_bytes().to_vec() }).await?;
        // What fits into the memory: more is not read.
        let mut content = BytesMut::with_capacity(usize::try_from(listed.size).unwrap_or(0));
        let (before, after) = loop {
            match self.loaders.next().await? {
                Tell::Chunk(bytes) => content.extend_from_slice(&bytes),
                Tell::Done { before, after } => break (before, after),
                Tell::Failed { kind: Failure::Missing, .. } => return Ok(Reading::Restless),
                Tell::Failed { kind: Failure::Refused, .. } => return Ok(Reading::Refused),
                Tell::Failed { kind, text } => return Err(Trouble::Failed(kind, text)),
                Tell::Alive
                | Tell::Root { .. }
                | Tell::Mounted(_)
                | Tell::Room { .. }
                | Tell::Listed { .. }
                | Tell::Same
                | Tell::End { .. } => {
                    return Err(self.out_of_turn());
                }
            }
        };
        if before != listed || after != listed || content.len() as u64 != listed.size {
            return Ok(Reading::Restless);
        }
        let file = Arc::new(self.file(name, listed, content.freeze()));
        self.spare.insert(name.into(), Arc::clone(&file));
        Ok(Reading::File(file))
    }

    /// A file that was read; what was made of the same content before is kept.
    fn file(&self, name: &str, stamp: Stamp, content: Bytes) -> File {
        let mut file = File::held(stamp, content);
        match self.held.get(name).map(|held| (held.digest, &held.content)) {
            Some((digest, content @ Content::Held { .. })) if digest == file.digest => {
                file.content = content.clone()
            }
            _ if !media::shrinks(name) => file.leave_as_it_is(),
            _ => {}
        }
        file
    }

    /// A loader that answers something else than it was asked is replaced.
    fn out_of_turn(&mut self) -> Trouble {
        self.loaders.abandon();
        Trouble::Silence(Silence::Ended(std::io::Error::other("an answer out of turn")))
    }
}

/// The largest files, those without which the rest fits into `memory`.
fn beyond(files: &BTreeMap<Box<str>, Stamp>, memory: u64) -> HashSet<&str> {
    let mut by_size: Vec<_> = files.iter().map(|(name, stamp)| (stamp.size, name.as_ref())).collect();
    by_size.sort_unstable();
    let mut sum = 0_u64;
    let fits = |(size, _): &(u64, &str)| {
        sum = sum.saturating_add(*size);
        sum <= memory
    };
    by_size.into_iter().skip_while(fits).map(|(_, name)| name).collect()
}

/// The files of a copy, without the contents that do not fit into `memory` any more.
pub(super) fn within(files: Files, memory: u64) -> Files {
    let stamps: BTreeMap<_, _> = files.iter().map(|(name, file)| (name.clone(), file.stamp)).collect();
    let beyond = beyond(&stamps, memory);
    let fit = |(name, file): (Box<str>, Arc<File>)| {
        let file = if beyond.contains(name.as_ref()) { Arc::new(File::left(file.stamp)) } else { file };
        (name, file)
    };
    files.into_iter().map(fit).collect()
}
