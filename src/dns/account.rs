//! The accounts at providers: what each was asked of late, and whether it may be asked for a change again.
//!
//! One refusal of the credentials stops every name of the account until a person acts, a pause that the provider asks for
//! is everybody's, and changes have a budget for each name and for the account. Never reads a clock: `now` and the jitter
//! are arguments. Its state is a value that the caller persists, so that neither a crash loop nor a reboot is a way around
//! it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Name;
use super::guard::{Guard, Permission, Setback};
use crate::moment::Moment;

/// What budgets count over.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// No wait is longer. A moment further away was written on another time line.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// An account: the provider, who we are there, and a digest of the credentials. Other credentials are another account, so
/// that correcting them is a person's act by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub String);

/// How many changes a provider puts up with in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A server of one's own: any number.
    Free,
    /// So many.
    PerHour {
        /// Of one name.
        name: usize,
        /// Of all names of the account.
        account: usize,
    },
}

/// Everything that is remembered of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Accounts(BTreeMap<AccountId, Account>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    /// The credentials were refused.
    stopped: bool,
    /// Nothing is asked before this point.
    not_before: Option<Moment>,
    names: BTreeMap<Name, OfName>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct OfName {
    guard: Guard,
    /// When changes were tried of late, in order.
    tried: Vec<Moment>,
}

impl Accounts {
    /// Whether the account may be asked to change `name` at `now`.
    #[must_use]
    pub fn permission(&self, id: &AccountId, name: &Name, now: Moment) -> Permission {
        let Some(account) = self.0.get(id) else { return Permission::Granted };
        if account.stopped {
            return Permission::Stopped;
        }
        let of_name = account.names.get(name).map_or(Permission::Granted, |n| n.guard.permission(now));
        match (of_name, account.not_before) {
            (Permission::From(at), pause) => wait(now, pause.map_or(at, |pause| pause.max(at))),
            (Permission::Granted, Some(pause)) => wait(now, pause),
            (other, _) => other,
        }
    }

    /// Whether the budget has room for one more change of `name`. Looking is not a change.
    #[must_use]
    pub fn budget(&self, id: &AccountId, name: &Name, pace: Pace, now: Moment) -> Permission {
        let (Some(account), Pace::PerHour { name: of_name, account: of_account }) = (self.0.get(id), pace)
        else {
            return Permission::Granted;
        };
        let here = account.names.get(name).map_or(&[][..], |n| &n.tried);
        let mut all: Vec<Moment> = account.names.values().flat_map(|n| n.tried.iter().copied()).collect();
        all.sort_unstable();
        match free_again(here, of_name, now).max(free_again(&all, of_account, now)) {
            Some(at) => wait(now, at),
            None => Permission::Granted,
        }
    }

    /// A change of `name` is about to be sent: it counts, whatever becomes of it.
    pub fn trying(&mut self, id: &AccountId, name: &Name, pace: Pace, now: Moment) {
        if pace == Pace::Free {
            return;
        }
        let account = self.0.entry(id.clone()).or_default();
        account.names.values_mut().for_each(|n| n.tried.retain(|at| now.since(*at) < WINDOW && *at <= now));
        account.names.entry(name.clone()).or_default().tried.push(now);
    }

    /// What was wanted of `name` was seen to stand; the next change keeps `spacing` away.
    pub fn landed(&mut self, id: &AccountId, name: &Name, now: Moment, spacing: Duration) {
        let of_name = self.0.entry(id.clone()).or_default().names.entry(name.clone()).or_default();
        of_name.guard.landed(now, spacing);
    }

    /// It was not. `jitter` is drawn by the caller from 0 to 1. At a server of one's own a refusal is the name's alone:
    /// nobody locks an account there, and some servers (Knot) call a key that may not write one name a wrong key.
    pub fn failed(
        &mut self,
        (id, name): (&AccountId, &Name),
        pace: Pace,
        setback: Setback,
        now: Moment,
        jitter: f64,
    ) {
        let account = self.0.entry(id.clone()).or_default();
        account.names.entry(name.clone()).or_default().guard.failed(setback, now, jitter);
        match setback {
            Setback::Auth => account.stopped |= pace != Pace::Free,
            Setback::Wait(asked) => {
                let until = now + asked.min(LONGEST);
                account.not_before = Some(account.not_before.map_or(until, |at| at.max(until)));
            }
            Setback::Refused
            | Setback::ClockSkew
            | Setback::Conflict
            | Setback::Budget(_)
            | Setback::Passing => {}
        }
    }

    /// A person acted: what only a person can lift is lifted. Pauses and budgets are the provider's, and stay.
    pub fn person_acted(&mut self) {
        for account in self.0.values_mut() {
            account.stopped = false;
            account.names.values_mut().for_each(|n| n.guard.person_acted());
        }
    }
}

/// A wait until `at`, or none, and never an absurd one.
fn wait(now: Moment, at: Moment) -> Permission {
    if at <= now || at > now + LONGEST { Permission::Granted } else { Permission::From(at) }
}

/// When fewer than `limit` of `tried` are within the window. None: now.
fn free_again(tried: &[Moment], limit: usize, now: Moment) -> Option<Moment> {
    let of_late: Vec<Moment> =
        tried.iter().copied().filter(|at| now.since(*at) < WINDOW && *at <= now).collect();
    let oldest = of_late.len().checked_sub(limit.max(1))?;
    Some(of_late[oldest] + WINDOW)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Moment = Moment::from_millis(100_000_000);
    const PACE: Pace = Pace::PerHour { name: 4, account: 6 };

    fn id() -> AccountId {
        AccountId("dnspod/1".to_owned())
    }

    fn name(label: &str) -> Name {
        format!("{label}.example.com").parse().unwrap()
    }

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    #[test]
    fn one_refusal_stops_every_name_of_the_account_and_of_no_other() {
        let mut accounts = Accounts::default();
        accounts.failed((&id(), &name("a")), PACE, Setback::Auth, NOW, 0.5);
        let text = serde_json::to_string(&accounts).unwrap();
        let mut accounts: Accounts = serde_json::from_str(&text).unwrap();
        let later = NOW + minutes(60 * 24 * 365);
        assert_eq!(accounts.permission(&id(), &name("b"), later), Permission::Stopped);
        let corrected = AccountId("dnspod/2".to_owned());
        assert_eq!(accounts.permission(&corrected, &name("a"), NOW), Permission::Granted);
        accounts.person_acted();
        assert_eq!(accounts.permission(&id(), &name("b"), NOW), Permission::Granted);
    }

    #[test]
    fn a_pause_is_for_the_whole_account_and_a_person_does_not_shorten_it() {
        let mut accounts = Accounts::default();
        accounts.failed((&id(), &name("a")), PACE, Setback::Wait(minutes(60)), NOW, 1.0);
        accounts.person_acted();
        for label in ["a", "b"] {
            assert_eq!(accounts.permission(&id(), &name(label), NOW), Permission::From(NOW + minutes(60)));
        }
        assert_eq!(accounts.permission(&id(), &name("b"), NOW + minutes(60)), Permission::Granted);
    }

    #[test]
    fn at_a_server_of_ones_own_a_refusal_is_the_names_alone() {
        let mut accounts = Accounts::default();
        accounts.failed((&id(), &name("a")), Pace::Free, Setback::Auth, NOW, 0.5);
        assert_eq!(accounts.permission(&id(), &name("a"), NOW + minutes(60)), Permission::Stopped);
        assert_eq!(accounts.permission(&id(), &name("b"), NOW), Permission::Granted);
    }

    #[test]
    fn another_failure_is_the_names_alone() {
        let mut accounts = Accounts::default();
        accounts.failed((&id(), &name("a")), PACE, Setback::Refused, NOW, 1.0);
        assert!(matches!(accounts.permission(&id(), &name("a"), NOW), Permission::From(_)));
        assert_eq!(accounts.permission(&id(), &name("b"), NOW), Permission::Granted);
    }

    #[test]
    fn a_wait_from_another_time_line_is_not_endless() {
        let mut accounts = Accounts::default();
        accounts.failed(
            (&id(), &name("a")),
            PACE,
            Setback::Wait(minutes(60)),
            NOW + minutes(60 * 24 * 30),
            1.0,
        );
        assert_eq!(accounts.permission(&id(), &name("b"), NOW), Permission::Granted);
    }

    #[test]
    fn a_server_of_ones_own_is_not_counted() {
        let mut accounts = Accounts::default();
        (0..1_000).for_each(|_| accounts.trying(&id(), &name("a"), Pace::Free, NOW));
        assert_eq!(accounts, Accounts::default());
    }

    proptest! {
        #[test]
        fn no_hour_has_more_changes_than_the_budget(
            steps in prop::collection::vec((0..3_u64, 0..900_u64, any::<bool>()), 1..200),
        ) {
            let (mut accounts, mut now, mut made) = (Accounts::default(), NOW, Vec::new());
            for (label, pause, restart) in steps {
                now = now + Duration::from_secs(pause);
                if restart {
                    accounts = serde_json::from_str(&serde_json::to_string(&accounts).unwrap()).unwrap();
                    accounts.person_acted();
                }
                let name = name(["a", "b", "c"][usize::try_from(label).unwrap()]);
                if accounts.budget(&id(), &name, PACE, now) == Permission::Granted {
                    accounts.trying(&id(), &name, PACE, now);
                    made.push((now, label));
                }
            }
            for (at, label) in &made {
                let of_hour = made.iter().filter(|(other, _)| *other >= *at && other.since(*at) < WINDOW);
                prop_assert!(of_hour.clone().count() <= 6);
                prop_assert!(of_hour.filter(|(_, other)| other == label).count() <= 4);
            }
        }
    }
}
