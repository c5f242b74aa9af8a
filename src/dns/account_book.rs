//! The accounts on disk, shared by everybody in a process who asks a provider for a change.
//!
//! Written to `dns-accounts.json` in the state directory, and only when something changed that has to outlast the process.
//! Never asks a provider; one that cannot be read is an empty one, one that cannot be written is a reason not to
//! write a record.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::account::{AccountId, Accounts, Conduct, Pace};
use super::guard::{Held, Permission, Setback};
use super::provider::ProviderSettings;
use super::{Name, Rdata};
use crate::host::random;
use crate::host::state_file::{StateError, StateFile};
use crate::host::time::{ClockTrust, Timeline, clock_trust};
use crate::moment::Moment;

/// The file in the state directory.
const FILE: &str = "dns-accounts.json";

/// The form of the file.
const FORM: u32 = 1;

/// How soon a clock that was not set yet is looked at again.
const CLOCK: Duration = Duration::from_secs(5);

/// The accounts of a process. Clones share them.
#[derive(Clone, Debug)]
pub struct AccountBook {
    shared: Arc<Mutex<Shared>>,
    line: Timeline,
}

#[derive(Debug)]
struct Shared {
    file: StateFile,
    accounts: Accounts,
}

/// One name at one account, in the book.
#[derive(Clone, Debug)]
pub struct Entry {
    book: AccountBook,
    id: AccountId,
    name: Name,
    conduct: Conduct,
    clock_bound: bool,
}

impl AccountBook {
    /// Reads the book in the directory `state`. `line` is the time line that continues across restarts.
    pub async fn open(state: &Path, line: Timeline) -> Self {
        let mut file = StateFile::new(state.join(FILE), FORM);
        let read = move || {
            let loaded = file.load::<Accounts>();
            (file, loaded)
        };
        let (file, loaded) = tokio::task::spawn_blocking(read).await.expect("reading a file does not panic");
        let accounts = loaded.unwrap_or_else(|error| {
            tracing::warn!("{error}");
            None
        });
        let accounts = accounts.unwrap_or_default();
        Self { shared: Arc::new(Mutex::new(Shared { file, accounts })), line }
    }

    /// The entry of `name` at the provider of these settings.
    #[must_use]
    pub fn entry(&self, settings: &ProviderSettings, name: &Name) -> Entry {
        Entry {
            book: self.clone(),
            id: settings.account(),
            name: name.clone(),
            conduct: settings.conduct(),
            clock_bound: settings.is_clock_bound(),
        }
    }

    /// A person acted: a stop on purpose is one, a crash is not.
    pub async fn person_acted(&self) {
        let forgotten = self.change(Keep::OnDisk, Accounts::person_acted).await;
        if let Err(error) = forgotten {
            tracing::warn!("{error}");
        }
    }

    async fn change(
        &self,
        keep: Keep,
        change: impl FnOnce(&mut Accounts) + Send + 'static,
    ) -> Result<(), StateError> {
        if keep == Keep::InMemory {
            change(&mut self.lock().accounts);
            return Ok(());
        }
        let book = self.clone();
        let write = move || {
            let mut shared = book.lock();
            let mut next = shared.accounts.clone();
            change(&mut next);
            if next != shared.accounts {
                shared.file.save(&next)?;
                shared.accounts = next;
            }
            Ok(())
        };
        tokio::task::spawn_blocking(write).await.expect("writing a file does not panic")
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a change has to outlast the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    InMemory,
    OnDisk,
}

impl Entry {
    /// Whether the provider may be asked now: no pause, no refusal, and a clock that was set where calls are signed.
    #[must_use]
    pub fn permission(&self) -> Permission {
        let now = self.book.line.now();
        let permission = self.book.lock().accounts.permission(&self.id, &self.name, now);
        if permission == Permission::Granted && self.waits_for_clock() {
            Permission::From(now + CLOCK)
        } else {
            permission
        }
    }

    /// How long it still is until `at`.
    #[must_use]
    pub fn until(&self, at: Moment) -> Duration {
        at - self.book.line.now()
    }

    /// The same for a look on behalf of somebody who wants `wanted` there: while that was seen to stand within the hour,
    /// there is no need to look.
    #[must_use]
    pub fn permission_to_look(&self, wanted: &BTreeSet<Rdata>) -> Permission {
        let now = self.book.line.now();
        let rests = self.book.lock().accounts.permission_to_look(&self.id, &self.name, wanted, now);
        match (self.permission(), rests) {
            (Permission::Granted, rests) => rests,
            (Permission::From(at), Permission::From(rested)) => Permission::From(at.max(rested)),
            (other, _) => other,
        }
    }

    /// A person has something done: what only a person can lift is lifted, for every account.
    pub async fn person_acted(&self) {
        self.book.person_acted().await;
    }

    /// Whether calls are signed with a clock that was not set yet.
    #[must_use]
    pub fn waits_for_clock(&self) -> bool {
        self.clock_bound && clock_trust(self.book.line) == ClockTrust::NotSetYet
    }

    /// Notes that a change which leads to `data` is about to be sent. On the disk before it is.
    ///
    /// # Errors
    /// What holds it up, or that it could not be noted. Then the change must not be sent.
    pub async fn sending(&self, data: &BTreeSet<Rdata>) -> Result<(), Held> {
        let (now, conduct) = (self.book.line.now(), self.conduct);
        self.book.lock().accounts.may_send((&self.id, &self.name), conduct, data, now)?;
        let (id, name, data) = (self.id.clone(), self.name.clone(), data.clone());
        let noting = move |accounts: &mut Accounts| accounts.sending((&id, &name), conduct, &data, now);
        let noted = self.book.change(self.keep(), noting).await;
        noted.map_err(|error| Held::NotNoted(error.to_string()))
    }

    /// What was sent last was taken, and does not show yet.
    pub async fn taken(&self) {
        let (id, name, conduct) = (self.id.clone(), self.name.clone(), self.conduct);
        self.note(self.keep(), move |accounts| accounts.taken(&id, &name, conduct)).await;
    }

    /// What was sent last was not taken.
    pub async fn not_taken(&self) {
        let (id, name) = (self.id.clone(), self.name.clone());
        self.note(self.keep(), move |accounts| accounts.not_taken(&id, &name)).await;
    }

    /// `wanted` was seen to stand; the next change keeps `spacing` away, and there is no need to look for an hour.
    pub async fn landed(&self, wanted: &BTreeSet<Rdata>, spacing: Duration) {
        let (id, name, wanted) = (self.id.clone(), self.name.clone(), wanted.clone());
        let (now, dice) = (self.book.line.now(), dice());
        self.note(self.keep(), move |a| a.landed((&id, &name), &wanted, now, spacing, dice)).await;
    }

    /// It was not. What could end in a ban if it were forgotten is put on disk.
    pub async fn failed(&self, setback: Setback) {
        let keep = match setback {
            Setback::Auth | Setback::Refused | Setback::Wait(_) => Keep::OnDisk,
            Setback::ClockSkew | Setback::Conflict | Setback::Budget(_) | Setback::Passing => Keep::InMemory,
        };
        let (id, name, pace) = (self.id.clone(), self.name.clone(), self.conduct.pace);
        let (now, dice) = (self.book.line.now(), dice());
        self.note(keep, move |a| a.failed((&id, &name), pace, setback, now, dice)).await;
    }

    /// A server of one's own locks nobody out.
    fn keep(&self) -> Keep {
        if self.conduct.pace == Pace::Free { Keep::InMemory } else { Keep::OnDisk }
    }

    /// Notes what happened already: what cannot be put on disk holds for as long as the process lives.
    async fn note(&self, keep: Keep, change: impl Fn(&mut Accounts) + Clone + Send + 'static) {
        if let Err(error) = self.book.change(keep, change.clone()).await {
            tracing::warn!("{error}");
            change(&mut self.book.lock().accounts);
        }
    }
}

/// From 0 to 1.
fn dice() -> f64 {
    f64::from(u32::from_ne_bytes(random::bytes())) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::provider::{DnsPodSettings, ProviderSettings};
    use crate::secret::Secret;

    fn settings(token: &str) -> ProviderSettings {
        ProviderSettings::DnsPod(DnsPodSettings {
            endpoint: "https://dnsapi.cn".to_owned(),
            zone: "example.com".parse().unwrap(),
            token: Secret::new(token.to_owned()),
            contact: "me@example.com".to_owned(),
            name_servers: Vec::new(),
        })
    }

    fn name(label: &str) -> Name {
        format!("{label}.example.com").parse().unwrap()
    }

    #[tokio::test]
    async fn refused_credentials_outlast_a_crash_for_all_names_and_not_a_stop_on_purpose() {
        let (directory, line) = (tempfile::tempdir().unwrap(), Timeline::start(None));
        let book = AccountBook::open(directory.path(), line).await;
        book.entry(&settings("1,a"), &name("pi1")).failed(Setback::Auth).await;
        let again = AccountBook::open(directory.path(), line).await;
        assert_eq!(again.entry(&settings("1,a"), &name("www")).permission(), Permission::Stopped);
        assert_eq!(again.entry(&settings("1,b"), &name("www")).permission(), Permission::Granted);
        again.person_acted().await;
        let third = AccountBook::open(directory.path(), line).await;
        assert_eq!(third.entry(&settings("1,a"), &name("www")).permission(), Permission::Granted);
    }

    #[tokio::test]
    async fn a_crash_loop_spends_the_same_budget() {
        let (directory, line) = (tempfile::tempdir().unwrap(), Timeline::start(None));
        let mut sent = 0;
        for _ in 0..50 {
            let book = AccountBook::open(directory.path(), line).await;
            let noted = book.entry(&settings("1,a"), &name("pi1")).sending(&BTreeSet::new()).await;
            sent += usize::from(noted.is_ok());
        }
        let Pace::PerHour { name: budget, .. } = settings("1,a").conduct().pace else {
            panic!("a cloud has a budget")
        };
        assert_eq!(sent, budget);
    }

    #[tokio::test]
    async fn a_crash_loop_looks_once_an_hour_and_a_person_at_once() {
        let (directory, line) = (tempfile::tempdir().unwrap(), Timeline::start(None));
        let wanted: BTreeSet<Rdata> = ["A 192.0.2.1".parse().unwrap()].into();
        let mut looks = 0;
        for _ in 0..20 {
            let book = AccountBook::open(directory.path(), line).await;
            let entry = book.entry(&settings("1,a"), &name("pi1"));
            if entry.permission_to_look(&wanted) == Permission::Granted {
                looks += 1;
                entry.landed(&wanted, Duration::ZERO).await;
            }
        }
        assert_eq!(looks, 1);
        let book = AccountBook::open(directory.path(), line).await;
        book.person_acted().await;
        let entry = book.entry(&settings("1,a"), &name("pi1"));
        assert_eq!(entry.permission_to_look(&wanted), Permission::Granted);
    }

    #[tokio::test]
    async fn the_secret_is_not_on_the_disk() {
        let (directory, line) = (tempfile::tempdir().unwrap(), Timeline::start(None));
        let book = AccountBook::open(directory.path(), line).await;
        book.entry(&settings("12345,hunter2"), &name("pi1")).sending(&BTreeSet::new()).await.unwrap();
        let text = std::fs::read_to_string(directory.path().join(FILE)).unwrap();
        assert!(text.contains("pi1.example.com") && !text.contains("hunter2"), "{text}");
    }
}
