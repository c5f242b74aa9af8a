//! What was written a moment ago, and so may be missing from a list that lags behind.
//!
//! Never remembers longer than the lag, and never decides what to write.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::dns::Name;

/// How long a new record may be missing from the list: half a minute as documented, and some more.
pub(super) const LAG: Duration = Duration::from_secs(35);

/// What was written of late.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Vec<Event>>);

#[derive(Debug)]
struct Event {
    what: What,
    at: SystemTime,
}

#[derive(Debug)]
enum What {
    /// The record with this id was created or changed.
    Written(Name, String),
    /// The record with this id was taken away.
    Gone(String),
    /// A record may have been created at this name.
    Doubt(Name),
}

impl Recent {
    /// The record `id` at `name` was created or changed.
    pub(super) fn write(&self, name: &Name, id: &str, at: SystemTime) {
        self.note(What::Written(name.clone(), id.to_owned()), at);
    }

    /// The record `id` was taken away.
    pub(super) fn remove(&self, id: &str, at: SystemTime) {
        self.note(What::Gone(id.to_owned()), at);
    }

    /// A record may have been created at `name`: the answer did not come.
    pub(super) fn doubt(&self, name: &Name, at: SystemTime) {
        self.note(What::Doubt(name.clone()), at);
    }

    /// How long it is not known what stands at `name`.
    pub(super) fn blind(&self, name: &Name, now: SystemTime) -> Option<Duration> {
        let events = self.events(now);
        let doubts = events.iter().filter(|e| matches!(&e.what, What::Doubt(doubted) if doubted == name));
        doubts.map(|doubt| LAG.saturating_sub(age(doubt, now))).max()
    }

    /// The ids of the records that were written at `name`.
    pub(super) fn written(&self, name: &Name, now: SystemTime) -> Vec<String> {
        let events = self.events(now);
        let mut ids: Vec<String> = Vec::new();
        for event in events.iter() {
            match &event.what {
                What::Written(written, id) if written == name && !ids.contains(id) => ids.push(id.clone()),
                What::Gone(gone) => ids.retain(|id| id != gone),
                What::Written(..) | What::Doubt(_) => {}
            }
        }
        ids
    }

    /// Whether the record `id` was taken away.
    pub(super) fn is_gone(&self, id: &str, now: SystemTime) -> bool {
        self.events(now).iter().any(|e| matches!(&e.what, What::Gone(gone) if gone == id))
    }

    fn note(&self, what: What, at: SystemTime) {
        self.events(at).push(Event { what, at });
    }

    /// What is not too old to matter.
    fn events(&self, now: SystemTime) -> MutexGuard<'_, Vec<Event>> {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.retain(|event| age(event, now) < LAG);
        events
    }
}

/// A clock that was set back makes an event young again, which only asks more often.
fn age(event: &Event, now: SystemTime) -> Duration {
    now.duration_since(event.at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + secs)
    }

    #[test]
    fn what_was_written_is_known_for_as_long_as_the_list_lags() {
        let (recent, www) = (Recent::default(), "www.example.com".parse().unwrap());
        recent.write(&www, "1", at(0));
        recent.write(&www, "2", at(10));
        recent.write(&www, "1", at(12));
        recent.write(&"other.example.com".parse().unwrap(), "3", at(12));
        assert_eq!(recent.written(&www, at(20)), ["1", "2"]);
        recent.remove("1", at(21));
        assert_eq!(recent.written(&www, at(22)), ["2"]);
        assert!(recent.is_gone("1", at(22)) && !recent.is_gone("2", at(22)));
        assert_eq!(recent.written(&www, at(46)), [] as [&str; 0]);
    }

    #[test]
    fn a_creation_in_doubt_blinds_for_as_long_as_the_list_lags() {
        let (recent, www) = (Recent::default(), "www.example.com".parse().unwrap());
        assert_eq!(recent.blind(&www, at(0)), None);
        recent.doubt(&www, at(0));
        assert_eq!(recent.blind(&www, at(5)), Some(Duration::from_secs(30)));
        assert_eq!(recent.blind(&"other.example.com".parse().unwrap(), at(5)), None);
        assert_eq!(recent.blind(&www, at(36)), None);
    }
}
