//! From the mount to a generation: one supervisor, and a loader process that does what may hang.
//!
//! The supervisor looks at the root through the loader, judges what it found ([`settle`]), reads what changed, and
//! publishes generations. Never touches the mount itself, and never lets go of a generation because its source is gone.

mod keeping;
mod press;
pub mod process;
pub mod reader;
pub mod settle;
pub mod wire;

use std::collections::{BTreeMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;
use tokio::time::timeout;

use self::keeping::Keeping;
use self::process::{Loaders, Silence};
use self::settle::{Extent, Judgement, Listing, Settle};
use self::wire::{Ask, Failure, Tell};
use super::adopt::Adoption;
use super::generation::{Adopted, Content, File, Files, Generation, Stamp, unix};
use super::keep::{Copy, Keeper, Origin};
use super::{Rules, media};
use crate::heartbeat::SourceState;
use crate::host::{message, time};

/// A look that takes longer than this is called slow.
const SLOW: Duration = Duration::from_secs(1);

/// After so many looks that found nothing new they come half as often: a site is not written on most days.
const QUIET: u32 = 30;

/// Where a site comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The directory or mount.
    pub root: PathBuf,
    /// What the heads are made for.
    pub rules: Rules,
    /// How many bytes of content may be held.
    pub memory: u64,
    /// Between two looks.
    pub poll: Duration,
    /// The type of the file system that it must be on, such as `fuse.glusterfs`. None: any.
    pub kind: Option<String>,
}

/// How a look went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// How the source stands.
    pub state: SourceState,
    /// What is wrong with it, in words; empty when nothing is.
    pub why: String,
}

/// The generation that is served; None until there is one.
pub type Current = Option<Arc<Generation>>;

/// Looks, reads and publishes until it is stopped.
#[derive(Debug)]
pub struct Supervisor {
    source: Source,
    loaders: Loaders,
    settle: Settle,
    /// What the current generation is made of.
    held: Files,
    /// What was read for a generation that did not come about, so that it is not read again.
    spare: Files,
    /// Looks in a row that found nothing new.
    unchanged: u32,
    /// Of the listing that is held, while all of it is.
    fingerprint: Option<[u8; 32]>,
    pressing: Option<press::Pressing>,
    keeping: Option<Keeping>,
    adopted: Option<watch::Receiver<Adoption>>,
    current: watch::Sender<Current>,
}

impl Supervisor {
    /// Reads `source` through loaders started from `program`, and publishes on `current`.
    #[must_use]
    pub fn new(source: Source, program: PathBuf, current: watch::Sender<Current>) -> Self {
        Self {
            settle: Settle::new(source.poll),
            loaders: Loaders::of(program),
            held: Files::new(),
            spare: Files::new(),
            unchanged: 0,
            fingerprint: None,
            pressing: None,
            keeping: None,
            adopted: None,
            source,
            current,
        }
    }

    /// Serves the kept copy from the start, and keeps what it publishes.
    #[must_use]
    pub fn keeping(mut self, keeper: Keeper) -> Self {
        self.keeping = Some(Keeping::with(keeper));
        self
    }

    /// Publishes with the validators that were adopted.
    #[must_use]
    pub fn adopting(mut self, adopted: watch::Receiver<Adoption>) -> Self {
        self.adopted = Some(adopted);
        self
    }

    /// Looks every `poll`, tells `report` how each look went, and ends when `stop` says true.
    pub async fn run(mut self, mut report: impl FnMut(LoadReport), mut stop: watch::Receiver<bool>) {
        let work = async {
            self.restore().await;
            loop {
                self.look(&mut report).await;
                self.adopt();
                self.keep().await;
                self.press().await;
            }
        };
        tokio::select! {
            () = work => {}
            // An error: whoever could stop us is gone, and so should we be.
            _ = stop.wait_for(|stopped| *stopped) => {}
        }
    }

    /// Publishes the kept copy, so that there is something to serve before the mount has answered.
    async fn restore(&mut self) {
        let Some(keeping) = &mut self.keeping else { return };
        let Some(copy) = keeping.restore().await else { return };
        if copy.origin.root == self.source.root {
            self.settle.resume(copy.origin.file_system, copy.origin.sentinel);
        }
        self.held = within(copy.files, self.source.memory);
        let adopted = self.remembered_adoption().await;
        let generation = Generation::again(&self.held, self.source.rules, copy.deployed, &adopted);
        tracing::info!(generation = %generation.content(), files = generation.files(), "serving the kept copy");
        self.current.send_replace(Some(Arc::new(generation)));
    }

    /// Sees to it that what is served is kept.
    async fn keep(&mut self) {
        let (Some(keeping), Some(generation)) = (&mut self.keeping, self.current.borrow().clone()) else {
            return;
        };
        let copy = || {
            Some(Copy {
                generation: generation.digest(),
                deployed: unix(generation.deployed()),
                origin: Origin {
                    root: self.source.root.clone(),
                    file_system: self.settle.file_system()?,
                    sentinel: self.settle.sentinel(),
                },
                files: self.held.clone(),
            })
        };
        keeping.see_to(generation.digest(), copy).await;
    }

    /// One look; a slow one is reported before it has ended.
    async fn look(&mut self, report: &mut impl FnMut(LoadReport)) {
        let (outcome, slow) = {
            let look = self.look_once();
            tokio::pin!(look);
            match timeout(SLOW, &mut look).await {
                Ok(outcome) => (outcome, false),
                Err(_) => {
                    report(LoadReport { state: SourceState::Slow, why: slow_words() });
                    (look.await, true)
                }
            }
        };
        if outcome.is_ok() && self.current.borrow().is_none() {
            // Nothing is wrong, and nothing is there yet: the first look waits for the second.
            return;
        }
        report(self.with_trouble_of_keeping(match outcome {
            Ok(()) if slow => LoadReport { state: SourceState::Slow, why: slow_words() },
            Ok(()) => LoadReport { state: SourceState::Ok, why: String::new() },
            Err(trouble) => trouble.report(&self.source),
        }));
    }

    fn with_trouble_of_keeping(&self, mut report: LoadReport) -> LoadReport {
        if let Some(trouble) = self.keeping.as_ref().and_then(Keeping::trouble) {
            let separator = if report.why.is_empty() { "" } else { "; " };
            report.why = format!("{}{separator}{trouble}", report.why);
        }
        report
    }

    async fn look_once(&mut self) -> Result<(), Trouble> {
        let before = std::mem::take(&mut self.unchanged);
        let listing = match self.list().await? {
            Looked::Same(sentinel) => {
                self.settle.same(sentinel);
                self.unchanged = before.saturating_add(1);
                return Ok(());
            }
            Looked::Listed(listing) => listing,
        };
        match self.settle.judge(&listing, &self.held) {
            Judgement::Keep => {
                self.fingerprint = Some(listing.fingerprint);
                Ok(())
            }
            Judgement::Wait => Ok(()),
            Judgement::Wrong(why) => Err(Trouble::Wrong(why)),
            Judgement::Take { files, unsettled } => self.take(&listing, &files, unsettled).await,
        }
    }

    /// What is there.
    async fn list(&mut self) -> Result<Looked, Trouble> {
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
    async fn take(
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

    /// A generation of `files` after the current one.
    fn next(&self, files: &Files) -> Generation {
        let previous = self.current.borrow().clone();
        let adopted = self.adopted.as_ref().and_then(|adopted| adopted.borrow().clone()).unwrap_or_default();
        Generation::build_adopting(files, self.source.rules, previous.as_deref(), &adopted)
    }

    /// What was adopted before a restart, so that not even the kept copy is served under other validators.
    async fn remembered_adoption(&mut self) -> Arc<Adopted> {
        let Some(adopted) = &mut self.adopted else { return Arc::default() };
        // An error: whoever adopts could not begin.
        let read = adopted.wait_for(Option::is_some).await;
        read.ok().and_then(|adopted| adopted.clone()).unwrap_or_default()
    }

    /// Publishes the current generation again when other validators were adopted.
    fn adopt(&mut self) {
        let Some(adopted) = &mut self.adopted else { return };
        if adopted.has_changed().unwrap_or(false) {
            adopted.mark_unchanged();
            if self.current.borrow().is_some() {
                let next = self.next(&self.held);
                self.current.send_replace(Some(Arc::new(next)));
            }
        }
    }

    fn publish(&mut self, files: Files) {
        let previous = self.current.borrow().clone();
        let next = self.next(&files);
        let changed = previous.is_none_or(|previous| previous.digest() != next.digest());
        self.held = files;
        if changed {
            tracing::info!(message_id = message::GENERATION, generation = %next.content(), files = next.files(), bytes = next.bytes(), "new generation");
            self.current.send_replace(Some(Arc::new(next)));
        }
    }

    /// Waits for the next look; the first generation does not wait longer than it must to see whether the source holds
    /// still.
    async fn rest(&self) {
        if self.current.borrow().is_none() {
            return tokio::time::sleep(self.source.poll.min(settle::LAG)).await;
        }
        time::rest(if self.unchanged < QUIET { self.source.poll } else { 2 * self.source.poll }).await;
    }

    /// Waits for the next look; compresses what has not been compressed meanwhile, without holding a look up.
    async fn press(&mut self) {
        let pressing = self.pressing.take().or_else(|| press::Pressing::start(&self.held));
        let Some(mut pressing) = pressing else { return self.rest().await };
        let pressed = tokio::select! {
            () = self.rest() => None,
            pressed = pressing.done() => Some(pressed),
        };
        match pressed {
            None => self.pressing = Some(pressing),
            Some(pressed) => {
                self.take_pressed(pressed);
                self.rest().await;
            }
        }
    }

    /// Publishes the current generation again, with the compressed forms, as far as the memory holds them.
    fn take_pressed(&mut self, pressed: Vec<press::Pressed>) {
        let mut room = self.source.memory.saturating_sub(press::in_memory(&self.held));
        for one in pressed {
            if let Some(file) = self.held.get_mut(&one.name).filter(|file| file.digest == one.digest) {
                *file = Arc::new(one.onto(file, &mut room));
            }
        }
        let next = self.next(&self.held);
        self.current.send_replace(Some(Arc::new(next)));
    }

    /// A loader that answers something else than it was asked is replaced.
    fn out_of_turn(&mut self) -> Trouble {
        self.loaders.abandon();
        Trouble::Silence(Silence::Ended(std::io::Error::other("an answer out of turn")))
    }
}

/// What came of a look.
enum Looked {
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
fn within(files: Files, memory: u64) -> Files {
    let stamps: BTreeMap<_, _> = files.iter().map(|(name, file)| (name.clone(), file.stamp)).collect();
    let beyond = beyond(&stamps, memory);
    let fit = |(name, file): (Box<str>, Arc<File>)| {
        let file = if beyond.contains(name.as_ref()) { Arc::new(File::left(file.stamp)) } else { file };
        (name, file)
    };
    files.into_iter().map(fit).collect()
}

/// Why a look brought nothing.
#[derive(Debug)]
enum Trouble {
    Silence(Silence),
    Failed(Failure, String),
    Wrong(&'static str),
    /// The root is on another kind of file system than it must be on.
    Elsewhere {
        kind: String,
        wanted: String,
    },
}

impl From<Silence> for Trouble {
    fn from(silence: Silence) -> Self {
        Self::Silence(silence)
    }
}

impl Trouble {
    /// What it says of the source.
    fn report(&self, source: &Source) -> LoadReport {
        let root = source.root.display();
        let (state, why) = match self {
            Self::Silence(silence @ (Silence::Hung | Silence::Full)) => {
                (SourceState::Hung, silence.to_string())
            }
            Self::Silence(silence @ Silence::Ended(_)) => (SourceState::Gone, silence.to_string()),
            Self::Wrong(why) => (SourceState::Wrong, (*why).to_owned()),
            Self::Elsewhere { kind, wanted } => {
                (SourceState::Wrong, format!("it is on {kind} and not on {wanted}: check the mount"))
            }
            Self::Failed(Failure::TooMany, text) => (SourceState::Wrong, text.clone()),
            Self::Failed(Failure::Missing, text) => {
                (SourceState::Gone, format!("{text}; create the directory, or mount it"))
            }
            Self::Failed(Failure::Refused, text) => {
                (SourceState::Gone, format!("{text}; let the user that hearth runs as read it"))
            }
            Self::Failed(Failure::Unreachable, text) => {
                (SourceState::Gone, format!("{text}; check the mount"))
            }
        };
        LoadReport { state, why: format!("{root}: {why}") }
    }
}

fn slow_words() -> String {
    format!("a look takes longer than {} s", SLOW.as_secs())
}
