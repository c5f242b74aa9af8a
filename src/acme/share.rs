//! What nodes of one site have in common: a directory on a volume that all of them mount.
//!
//! One of them renews and all use what it had. The lease is a file that is made by a hard link, which every file system
//! does or does not, and ends by itself: locks of flock(2) die with a connection on some of them. Two nodes may hold it
//! at once when their clocks are apart; that costs an order too many and nothing else.
//!
//! Never waits for a volume that hangs: one look is under way at most, and whoever comes meanwhile is told so.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::error::AcmeError;
use super::store::{Store, disk};

/// How long the volume may take for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a lease is good: longer than an order may take.
pub(super) const LEASE: Duration = Duration::from_secs(15 * 60);

/// A directory on a volume.
#[derive(Clone, Debug)]
pub(super) struct Share {
    store: Store,
    turn: Arc<Semaphore>,
}

/// Who renews, and until when that counts, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) until: u64,
}

/// Whose the lease is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The one who asked.
    Ours,
    /// Somebody else's.
    By(Lease),
}

impl Share {
    pub(super) fn at(store: Store) -> Self {
        Self { store, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Does something on the volume.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&Store) -> Result<T, AcmeError> + Send + 'static,
    ) -> Result<T, AcmeError> {
        let hangs = || disk(&self.store.directory, "the volume hangs".to_owned());
        let turn = Arc::clone(&self.turn).try_acquire_owned().map_err(|_| hangs())?;
        let store = self.store.clone();
        let doing = tokio::task::spawn_blocking(move || {
            // Kept by the thread: a hung one is joined by no second.
            let _turn = turn;
            deed(&store)
        });
        let done = timeout(PATIENCE, doing).await.map_err(|_| hangs())?;
        done.unwrap_or_else(|error| Err(AcmeError::Defect(error.to_string())))
    }
}

/// Takes the lease `name` for `lease.holder`, unless somebody else's is good at `now`.
pub(super) fn take(store: &Store, name: &str, lease: &Lease, now: u64) -> Result<Held, AcmeError> {
    store.prepare()?;
    let place = store.directory.join(name);
    let seen = read(&place)?;
    match &seen {
        Some(held) if held.holder != lease.holder && held.until > now => return Ok(Held::By(held.clone())),
        Some(_) => {
            if let Some(other) = remove(store, name, &lease.holder, seen.as_ref())? {
                return Ok(Held::By(other));
            }
        }
        None => {}
    }
    let fresh = store.directory.join(format!("{name}.{}", lease.holder));
    let wrong = |error: std::io::Error| disk(&place, error.to_string());
    fs::write(&fresh, serde_json::to_vec(lease).expect("a lease is JSON")).map_err(wrong)?;
    let linked = fs::hard_link(&fresh, &place);
    let _ = fs::remove_file(&fresh);
    match linked {
        Ok(()) => Ok(Held::Ours),
        // Somebody was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let nobody = || Lease { holder: "another node".to_owned(), until: now };
            Ok(Held::By(read(&place)?.unwrap_or_else(nobody)))
        }
        Err(error) => Err(wrong(error)),
    }
}

/// Gives the lease back.
pub(super) fn give_back(store: &Store, name: &str, holder: &str) -> Result<(), AcmeError> {
    let place = store.directory.join(name);
    let ours = read(&place)?.filter(|lease| lease.holder == holder);
    if ours.is_some() {
        remove(store, name, holder, ours.as_ref())?;
    }
    Ok(())
}

/// Removes the lease that was `seen`. When it was another by then, that one is put back.
fn remove(store: &Store, name: &str, holder: &str, seen: Option<&Lease>) -> Result<Option<Lease>, AcmeError> {
    let (place, aside) = (store.directory.join(name), store.directory.join(format!("{name}.{holder}.old")));
    match fs::rename(&place, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        renamed => renamed.map_err(|error| disk(&place, error.to_string()))?,
    }
    let removed = read(&aside)?;
    let other = removed.filter(|removed| Some(removed) != seen);
    if other.is_some() {
        // An error: there is a third by now.
        let _ = fs::hard_link(&aside, &place);
    }
    let _ = fs::remove_file(&aside);
    Ok(other)
}

/// None when there is none, or it cannot be understood: then it keeps nobody out.
fn read(place: &Path) -> Result<Option<Lease>, AcmeError> {
    match fs::read(place) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(disk(place, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let parent = tempfile::tempdir().unwrap();
        let store = Store { directory: parent.path().join("share") };
        (parent, store)
    }

    fn lease(holder: &str, until: u64) -> Lease {
        Lease { holder: holder.to_owned(), until }
    }

    #[test]
    fn one_node_holds_the_lease_until_it_gives_it_back_or_it_ends() {
        let (_parent, store) = store();
        let ask = |who: &str, now| take(&store, "lease", &lease(who, now + 100), now).unwrap();
        assert_eq!(ask("pi1", 1_000), Held::Ours);
        assert_eq!(ask("pi2", 1_050), Held::By(lease("pi1", 1_100)));
        assert_eq!(ask("pi1", 1_060), Held::Ours, "also after a restart");
        assert_eq!(ask("pi2", 1_161), Held::Ours, "it had ended");
        give_back(&store, "lease", "pi1").unwrap();
        assert_eq!(ask("pi1", 1_170), Held::By(lease("pi2", 1_261)), "only its holder gives it back");
        give_back(&store, "lease", "pi2").unwrap();
        assert_eq!(ask("pi1", 1_171), Held::Ours);
        assert_eq!(fs::read_dir(&store.directory).unwrap().count(), 1, "nothing is left lying about");
    }

    #[test]
    fn a_broken_lease_keeps_nobody_out() {
        let (_parent, store) = store();
        store.prepare().unwrap();
        fs::write(store.directory.join("lease"), "half a le").unwrap();
        assert!(matches!(take(&store, "lease", &lease("pi1", 9), 5).unwrap(), Held::By(_)), "not at once");
        fs::remove_file(store.directory.join("lease")).unwrap();
        assert_eq!(take(&store, "lease", &lease("pi1", 9), 5).unwrap(), Held::Ours);
    }

    #[test]
    fn of_many_that_ask_at_once_one_gets_it() {
        let (_parent, store) = store();
        let ask = |n: u32| take(&store, "lease", &lease(&format!("pi{n}"), 100), 5).unwrap();
        let won = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|n| scope.spawn(move || ask(n))).collect();
            asking.into_iter().map(|one| one.join().unwrap()).filter(|held| *held == Held::Ours).count()
        });
        assert_eq!(won, 1);
    }

    #[tokio::test]
    async fn a_volume_that_hangs_is_looked_at_once() {
        let (_parent, store) = store();
        let share = Share::at(store);
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let hung = tokio::spawn({
            let share = share.clone();
            async move { share.with(move |_| Ok(hold.recv().is_ok())).await }
        });
        while share.turn.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let told = share.with(|_| Ok(())).await.unwrap_err().to_string();
        assert!(told.contains("the volume hangs"), "{told}");
        release.send(()).unwrap();
        assert!(hung.await.unwrap().unwrap());
        share.with(|_| Ok(())).await.expect("it answers again");
    }
}
