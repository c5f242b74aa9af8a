//! From the mount to a generation: one supervisor, and a loader process that does what may hang.
//!
//! The supervisor looks at the root through the loader, judges what it found ([`settle`]), reads what changed, and
//! publishes generations. Never touches the mount itself, and never lets go of a generation because its source is gone.

mod keeping;
mod look;
mod press;
pub mod process;
pub mod reader;
pub mod settle;
mod trouble;
pub mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use self::keeping::Keeping;
use self::look::{Looked, within};
use self::process::Loaders;
use self::settle::{Judgement, Settle};
use self::trouble::Trouble;
use super::Rules;
use super::adopt::Adoption;
use super::generation::{Adopted, Current, Files, Generation, unix};
use super::keep::{Copy, Keeper, Origin};
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
        if let Some(keeping) = self.keeping {
            keeping.end().await;
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
}

fn slow_words() -> String {
    format!("a look takes longer than {} s", SLOW.as_secs())
}
