//! What an agent remembers across restarts: the addresses that were agreed on, what it wrote at which name, and
//! what it decided there of late.
//!
//! Written to `agent.json` in the state directory, whole or not at all, and only when something changed: on a Pi the
//! disk is an SD card. A memory that cannot be read is no reason not to serve; one that cannot be written is a reason
//! not to write a record ([`Memory::intend`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Agreed;
use super::decision::{Decision, Decisions, Why, Worth};
use crate::dns::{Name, Rdata, RecordType};
use crate::host::state_file::{StateError, StateFile};
use crate::host::time::{Resume, Timeline};

/// The file in the state directory.
const FILE: &str = "agent.json";

/// How old what is on the disk may become: the time line goes on from there after a crash, and believes in a week away at
/// most. One that went back would make pauses and budgets longer than they are.
const ANCHOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The form of the file.
const FORM: u32 = 1;

/// The memory of an agent. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory {
    shared: Arc<Mutex<Shared>>,
    line: Timeline,
}

#[derive(Debug)]
struct Shared {
    file: StateFile,
    state: Remembered,
}

/// What is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    /// Where the time line stood.
    resume: Option<Resume>,
    /// The addresses that were agreed on and published last.
    agreed: Agreed,
    /// The names that are kept.
    names: BTreeMap<Name, Kept>,
    /// The sites whose visitors were sent back here, or were about to be, and the epochs of those writes. No watcher has
    /// answered since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sent_back: BTreeMap<Name, u64>,
}

/// What is remembered of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// What was written, or was about to be when the memory was written.
    mine: BTreeSet<Rdata>,
    /// What was decided of late.
    #[serde(default)]
    decisions: Decisions,
}

impl Memory {
    /// Reads the memory in the directory `state`, and continues its time line. A memory that is not there or cannot be
    /// read is an empty one.
    pub async fn open(state: &Path) -> (Self, Timeline) {
        Self::open_on(state, Timeline::start).await
    }

    /// The same on the time line that `start` makes of where the last one was left.
    pub async fn open_on(state: &Path, start: impl FnOnce(Option<Resume>) -> Timeline) -> (Self, Timeline) {
        let mut file = StateFile::new(state.join(FILE), FORM);
        let read = move || {
            let loaded = file.load::<Remembered>();
            (file, loaded)
        };
        let (file, loaded) = tokio::task::spawn_blocking(read).await.expect("reading a file does not panic");
        let state = loaded.unwrap_or_else(|error| {
            tracing::warn!("{error}");
            None
        });
        let state = state.unwrap_or_default();
        let line = start(state.resume);
        (Self { shared: Arc::new(Mutex::new(Shared { file, state })), line }, line)
    }

    /// Reads the memory in the directory `state` beside whoever may write it, and leaves the file as it is. None when
    /// there is no file.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub async fn peek(state: &Path) -> Result<Option<Self>, StateError> {
        let file = StateFile::new(state.join(FILE), FORM);
        let read = move || Ok(file.peek::<Remembered>()?.map(|state| (file, state)));
        let read = tokio::task::spawn_blocking(read).await.expect("reading a file does not panic")?;
        Ok(read.map(|(file, state)| {
            let line = Timeline::start(state.resume);
            Self { shared: Arc::new(Mutex::new(Shared { file, state })), line }
        }))
    }

    /// The addresses that were agreed on and published last: where a watcher looks, they have proved themselves.
    #[must_use]
    pub fn agreed(&self) -> Agreed {
        self.lock().state.agreed.clone()
    }

    /// What was written at `name`, or was about to be.
    #[must_use]
    pub fn mine(&self, name: &Name) -> BTreeSet<Rdata> {
        self.lock().state.names.get(name).map(|kept| kept.mine.clone()).unwrap_or_default()
    }

    /// Remembers what was agreed on and is published.
    ///
    /// # Errors
    /// When it is not on the disk.
    pub async fn agree(&self, agreed: Agreed) -> Result<(), StateError> {
        self.change(move |state| state.agreed = agreed).await
    }

    /// Remembers that `wanted` is about to be written at `name`: from now on it may be ours.
    ///
    /// # Errors
    /// When it is not on the disk. Then it must not be written either.
    pub async fn intend(&self, name: &Name, wanted: &BTreeSet<Rdata>) -> Result<(), StateError> {
        let (name, wanted) = (name.clone(), wanted.clone());
        self.change(move |state| state.names.entry(name).or_default().mine.extend(wanted)).await
    }

    /// Remembers that `wanted` was seen to stand: of its types nothing else is ours.
    ///
    /// # Errors
    /// When it is not on the disk. Then more is remembered as ours than is, which does no harm.
    pub async fn landed(&self, name: &Name, wanted: &BTreeSet<Rdata>) -> Result<(), StateError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let (name, wanted) = (name.clone(), wanted.clone());
        self.change(move |state| {
            let kept = state.names.entry(name).or_default();
            let types: BTreeSet<RecordType> = wanted.iter().map(Rdata::record_type).collect();
            kept.mine.retain(|rdata| !types.contains(&rdata.record_type()));
            kept.mine.extend(wanted);
        })
        .await
    }

    /// The epoch under which visitors of `site` were sent back here, or were about to be, with no answer of a watcher since.
    #[must_use]
    pub fn sent_back(&self, site: &Name) -> Option<u64> {
        self.lock().state.sent_back.get(site).copied()
    }

    /// Remembers that visitors of `site` are about to be sent back here under `epoch`; None: a watcher has answered.
    ///
    /// # Errors
    /// When it is not on the disk. Then they must not be sent back either.
    pub async fn send_back(&self, site: &Name, epoch: Option<u64>) -> Result<(), StateError> {
        let site = site.clone();
        self.change(move |state| {
            match epoch {
                Some(epoch) => state.sent_back.insert(site, epoch),
                None => state.sent_back.remove(&site),
            };
        })
        .await
    }

    /// Remembers a decision on `name`. On the disk when it says something new, else with whatever is written next, within a
    /// day.
    ///
    /// # Errors
    /// When it is not on the disk. It is remembered all the same.
    pub async fn decided(&self, name: &Name, decision: Decision) -> Result<(), StateError> {
        let worth = self.lock().state.names.entry(name.clone()).or_default().decisions.take(decision);
        if worth == Worth::Memory && !self.is_old() {
            return Ok(());
        }
        let memory = self.clone();
        let write = move || {
            let mut shared = memory.lock();
            shared.state.resume = Some(memory.line.resume());
            let Shared { file, state } = &mut *shared;
            file.save(state).map(|_| ())
        };
        tokio::task::spawn_blocking(write).await.expect("writing a file does not panic")
    }

    /// Whether the time line would lose much by a crash.
    fn is_old(&self) -> bool {
        let saved = self.lock().state.resume;
        saved.is_none_or(|resume| self.line.now().since(resume.moment) >= ANCHOR)
    }

    /// Whether the last decision on `name` was that something failed.
    #[must_use]
    pub fn ends_in_a_setback(&self, name: &Name) -> bool {
        self.lock().state.names.get(name).is_some_and(|kept| kept.decisions.end_in_a_setback())
    }

    /// What was decided on `name` of late.
    #[must_use]
    pub fn why(&self, name: &Name) -> Why {
        let now = self.line.now();
        let decisions =
            self.lock().state.names.get(name).map(|kept| kept.decisions.told(now)).unwrap_or_default();
        Why { name: name.clone(), decisions }
    }

    async fn change(&self, change: impl FnOnce(&mut Remembered) + Send + 'static) -> Result<(), StateError> {
        let memory = self.clone();
        let write = move || memory.change_and_write(change);
        tokio::task::spawn_blocking(write).await.expect("writing a file does not panic")
    }

    /// What could not be written did not happen.
    fn change_and_write(&self, change: impl FnOnce(&mut Remembered)) -> Result<(), StateError> {
        let mut shared = self.lock();
        let mut next = shared.state.clone();
        change(&mut next);
        if next == shared.state {
            return Ok(());
        }
        next.resume = Some(self.line.resume());
        shared.file.save(&next)?;
        shared.state = next;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::decision::{Decided, When};

    fn set(texts: &[&str]) -> BTreeSet<Rdata> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn name() -> Name {
        "pi1.example.com".parse().unwrap()
    }

    #[tokio::test]
    async fn an_intent_survives_a_crash_and_what_landed_takes_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let (memory, _) = Memory::open(directory.path()).await;
        memory.landed(&name(), &set(&["A 192.0.2.1", "AAAA 2001:db8::1"])).await.unwrap();
        memory.intend(&name(), &set(&["A 192.0.2.2"])).await.unwrap();
        drop(memory);
        let (memory, _) = Memory::open(directory.path()).await;
        assert_eq!(memory.mine(&name()), set(&["A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1"]));
        memory.landed(&name(), &set(&["A 192.0.2.2"])).await.unwrap();
        assert_eq!(memory.mine(&name()), set(&["A 192.0.2.2", "AAAA 2001:db8::1"]));
    }

    #[tokio::test]
    async fn visitors_that_were_sent_back_are_remembered_until_a_watcher_answers() {
        let directory = tempfile::tempdir().unwrap();
        let (memory, _) = Memory::open(directory.path()).await;
        memory.send_back(&name(), Some(8)).await.unwrap();
        let (memory, _) = Memory::open(directory.path()).await;
        assert_eq!(memory.sent_back(&name()), Some(8));
        memory.send_back(&name(), None).await.unwrap();
        let (memory, _) = Memory::open(directory.path()).await;
        assert_eq!(memory.sent_back(&name()), None);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in-the-way");
        std::fs::write(&file, "").unwrap();
        let (memory, _) = Memory::open(&file).await;
        let refused = memory.intend(&name(), &set(&["A 192.0.2.1"])).await;
        assert!(matches!(refused, Err(StateError::Disk { .. })), "{refused:?}");
        assert_eq!(memory.mine(&name()), set(&[]));
    }

    #[tokio::test]
    async fn nothing_is_written_when_nothing_changed() {
        let directory = tempfile::tempdir().unwrap();
        let (memory, _) = Memory::open(directory.path()).await;
        memory.landed(&name(), &set(&["A 192.0.2.1"])).await.unwrap();
        let path = directory.path().join(FILE);
        std::fs::remove_file(&path).unwrap();
        memory.landed(&name(), &set(&["A 192.0.2.1"])).await.unwrap();
        assert!(!path.exists());
        memory.intend(&name(), &set(&["A 192.0.2.2"])).await.unwrap();
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_decision_is_on_the_disk_at_once_and_the_same_again_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let (memory, line) = Memory::open(directory.path()).await;
        let waiting = |said: &str| {
            let now = When { moment: line.now(), wall_ms: line.wall_ms() };
            Decision::new(now, Decided::Waiting, None, said)
        };
        assert!(Memory::peek(directory.path()).await.unwrap().is_none());
        memory.decided(&name(), waiting("no answer")).await.unwrap();
        let path = directory.path().join(FILE);
        let before = std::fs::read(&path).unwrap();
        memory.decided(&name(), waiting("still no answer")).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(memory.why(&name()).decisions[0].decision.times, 2);
        let seen = Memory::peek(directory.path()).await.unwrap().expect("there is a file");
        assert_eq!(seen.why(&name()).decisions[0].decision.said, "no answer");
        memory.intend(&name(), &set(&["A 192.0.2.1"])).await.unwrap();
        let seen = Memory::peek(directory.path()).await.unwrap().expect("there is a file");
        assert_eq!(seen.why(&name()).decisions[0].decision.said, "still no answer", "it went along");
    }

    #[tokio::test]
    async fn a_memory_from_before_decisions_were_kept_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let old = serde_json::json!({
            "resume": null, "agreed": {}, "names": { "pi1.example.com": { "mine": ["A 192.0.2.1"] } }
        });
        StateFile::new(directory.path().join(FILE), FORM).save(&old).unwrap();
        let (memory, _) = Memory::open(directory.path()).await;
        assert_eq!(memory.mine(&name()), set(&["A 192.0.2.1"]));
        assert!(memory.why(&name()).decisions.is_empty());
    }
}
