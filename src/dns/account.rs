//! The accounts at providers: what each was asked of late, and whether it may be asked for a change again.
//!
//! One refusal of the credentials stops every name of the account until a person acts, a pause that the provider asks for
//! is everybody's, and changes have a budget for each name and for the account. A name that stands as wanted is looked at
//! once an hour, and what was sent is not sent again while a service may be slow to show it. Never reads a clock: `now`
//! and the jitter are arguments. Its state is a value that the caller persists, so that neither a crash loop nor a reboot
//! is a way around it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::guard::{Guard, Held, Permission, Setback};
use super::{Name, Rdata};
use crate::moment::Moment;

/// What budgets count over.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// Between two looks at a name that stands as wanted.
pub const REST: Duration = Duration::from_secs(60 * 60);

/// How long a service may take to show a change of which it is not known whether it was taken.
const IN_DOUBT: Duration = Duration::from_secs(5 * 60);

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

/// How a provider wants to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conduct {
    /// How many changes it puts up with.
    pub pace: Pace,
    /// Between two changes of one name that are sent, whatever becomes of them.
    pub spacing: Duration,
    /// How long it may take to show what it took. Zero: it can be asked, and says what stands.
    pub lag: Duration,
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
    /// What was sent last, where it may take a while to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<Sent>,
    /// What was seen to stand as wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<Rest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    data: BTreeSet<Rdata>,
    at: Moment,
    /// Until then it may stand although it does not show.
    until: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rest {
    wanted: BTreeSet<Rdata>,
    /// When it is to be looked at again.
    until: Moment,
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

    /// Whether the account may be asked how `name` stands, for somebody who wants `wanted` there. While that was seen to
    /// stand within the hour, it need not be.
    #[must_use]
    pub fn permission_to_look(
        &self,
        id: &AccountId,
        name: &Name,
        wanted: &BTreeSet<Rdata>,
        now: Moment,
    ) -> Permission {
        let rest = self.of_name(id, name).and_then(|n| n.rest.as_ref()).filter(|rest| rest.wanted == *wanted);
        match (self.permission(id, name, now), rest) {
            (Permission::Granted, Some(rest)) => wait(now, rest.until),
            (Permission::From(at), Some(rest)) => wait(now, rest.until.max(at)),
            (other, _) => other,
        }
    }

    /// Whether a change of `name` that leads to `data` may be sent. Looking is not a change.
    ///
    /// # Errors
    /// What holds it up.
    pub fn may_send(
        &self,
        (id, name): (&AccountId, &Name),
        conduct: Conduct,
        data: &BTreeSet<Rdata>,
        now: Moment,
    ) -> Result<(), Held> {
        let (Some(account), Pace::PerHour { name: of_name, account: of_account }) =
            (self.0.get(id), conduct.pace)
        else {
            return Ok(());
        };
        let here = account.names.get(name);
        let lasting =
            here.and_then(|n| n.sent.as_ref()).filter(|sent| wait(now, sent.until) != Permission::Granted);
        if let Some(sent) = lasting.filter(|sent| sent.data == *data) {
            return Err(Held::NotShown(now - sent.at));
        }
        let tried = here.map_or(&[][..], |n| &n.tried);
        if let Some(Permission::From(at)) = tried.last().map(|last| wait(now, *last + conduct.spacing)) {
            return Err(Held::TooSoon(at - now));
        }
        let mut all: Vec<Moment> = account.names.values().flat_map(|n| n.tried.iter().copied()).collect();
        all.sort_unstable();
        let free = free_again(tried, of_name, now).max(free_again(&all, of_account, now));
        match free.map(|at| wait(now, at)) {
            Some(Permission::From(at)) => Err(Held::Budget(at - now)),
            Some(Permission::Granted | Permission::Stopped) | None => Ok(()),
        }
    }

    /// A change of `name` that leads to `data` is about to be sent: it counts, whatever becomes of it.
    pub fn sending(
        &mut self,
        (id, name): (&AccountId, &Name),
        conduct: Conduct,
        data: &BTreeSet<Rdata>,
        now: Moment,
    ) {
        let account = self.0.entry(id.clone()).or_default();
        account.names.values_mut().for_each(|n| n.tried.retain(|at| now.since(*at) < WINDOW && *at <= now));
        let of_name = account.names.entry(name.clone()).or_default();
        of_name.rest = None;
        if conduct.pace == Pace::Free {
            return;
        }
        of_name.tried.push(now);
        let until = now + conduct.lag.min(IN_DOUBT);
        of_name.sent = (!conduct.lag.is_zero()).then(|| Sent { data: data.clone(), at: now, until });
    }

    /// What was sent last was taken, and does not show yet.
    pub fn taken(&mut self, id: &AccountId, name: &Name, conduct: Conduct) {
        if let Some(sent) = self.names_mut(id, name).and_then(|n| n.sent.as_mut()) {
            sent.until = sent.at + conduct.lag;
        }
    }

    /// What was sent last was not taken.
    pub fn not_taken(&mut self, id: &AccountId, name: &Name) {
        if let Some(of_name) = self.names_mut(id, name) {
            of_name.sent = None;
        }
    }

    /// `wanted` was seen to stand at `name`: the next change keeps `spacing` away, and there is no need to look for an
    /// hour and a little more, by `jitter` from 0 to 1.
    pub fn landed(
        &mut self,
        (id, name): (&AccountId, &Name),
        wanted: &BTreeSet<Rdata>,
        now: Moment,
        spacing: Duration,
        jitter: f64,
    ) {
        let of_name = self.0.entry(id.clone()).or_default().names.entry(name.clone()).or_default();
        of_name.guard.landed(now, spacing);
        of_name.sent = None;
        let until = now + REST.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 10.0);
        of_name.rest = Some(Rest { wanted: wanted.clone(), until });
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

    /// A person acted: what only a person can lift is lifted. Budgets, pauses of an account and what was sent are the
    /// provider's, and stay.
    pub fn person_acted(&mut self) {
        for account in self.0.values_mut() {
            account.stopped = false;
            account.names.values_mut().for_each(OfName::person_acted);
        }
    }

    fn of_name(&self, id: &AccountId, name: &Name) -> Option<&OfName> {
        self.0.get(id)?.names.get(name)
    }

    fn names_mut(&mut self, id: &AccountId, name: &Name) -> Option<&mut OfName> {
        self.0.get_mut(id)?.names.get_mut(name)
    }
}

impl OfName {
    /// Whoever starts a program by hand wants it to look.
    fn person_acted(&mut self) {
        self.guard.person_acted();
        self.rest = None;
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
    const CLOUD: Conduct = Conduct { pace: PACE, spacing: Duration::ZERO, lag: Duration::ZERO };
    const SLOW: Conduct =
        Conduct { spacing: Duration::from_secs(60), lag: Duration::from_secs(60 * 60), ..CLOUD };

    fn id() -> AccountId {
        AccountId("dnspod/1".to_owned())
    }

    fn name(label: &str) -> Name {
        format!("{label}.example.com").parse().unwrap()
    }

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    fn set(text: &str) -> BTreeSet<Rdata> {
        [text.parse().unwrap()].into()
    }

    /// As after a crash.
    fn again(accounts: &Accounts) -> Accounts {
        serde_json::from_str(&serde_json::to_string(accounts).unwrap()).unwrap()
    }

    #[test]
    fn one_refusal_stops_every_name_of_the_account_and_of_no_other() {
        let mut accounts = Accounts::default();
        accounts.failed((&id(), &name("a")), PACE, Setback::Auth, NOW, 0.5);
        let mut accounts = again(&accounts);
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
        let free = Conduct { pace: Pace::Free, ..SLOW };
        let (id, name) = (id(), name("a"));
        (0..1_000).for_each(|_| accounts.sending((&id, &name), free, &set("A 192.0.2.1"), NOW));
        assert_eq!(accounts.may_send((&id, &name), free, &set("A 192.0.2.1"), NOW), Ok(()));
    }

    #[test]
    fn what_does_not_show_yet_is_not_sent_again_and_something_else_is() {
        let (mut accounts, id, name) = (Accounts::default(), id(), name("a"));
        let (one, two) = (set("A 192.0.2.1"), set("A 192.0.2.2"));
        accounts.sending((&id, &name), SLOW, &one, NOW);
        let soon = accounts.may_send((&id, &name), SLOW, &two, NOW + minutes(0));
        assert_eq!(soon, Err(Held::TooSoon(minutes(1))), "two changes are a minute apart");
        let may = |accounts: &Accounts, data, after| {
            again(accounts).may_send((&id, &name), SLOW, data, NOW + minutes(after))
        };
        assert_eq!(
            may(&accounts, &one, 4),
            Err(Held::NotShown(minutes(4))),
            "it is not known whether it was taken"
        );
        assert_eq!((may(&accounts, &one, 5), may(&accounts, &two, 4)), (Ok(()), Ok(())));
        accounts.taken(&id, &name, SLOW);
        assert_eq!(may(&accounts, &one, 59), Err(Held::NotShown(minutes(59))));
        assert_eq!((may(&accounts, &one, 60), may(&accounts, &two, 59)), (Ok(()), Ok(())));
        accounts.person_acted();
        assert_eq!(
            may(&accounts, &one, 59),
            Err(Held::NotShown(minutes(59))),
            "a restart by hand shows nothing"
        );
        accounts.not_taken(&id, &name);
        assert_eq!(may(&accounts, &one, 2), Ok(()));
    }

    #[test]
    fn what_stands_is_looked_at_after_an_hour_and_at_once_when_something_else_is_wanted() {
        let (mut accounts, id, name) = (Accounts::default(), id(), name("a"));
        let (one, two) = (set("A 192.0.2.1"), set("A 192.0.2.2"));
        accounts.landed((&id, &name), &one, NOW, Duration::ZERO, 0.0);
        let look = |accounts: &Accounts, wanted, after| {
            again(accounts).permission_to_look(&id, &name, wanted, NOW + minutes(after))
        };
        assert_eq!(look(&accounts, &one, 59), Permission::From(NOW + REST));
        assert_eq!(
            (look(&accounts, &one, 60), look(&accounts, &two, 1)),
            (Permission::Granted, Permission::Granted)
        );
        accounts.sending((&id, &name), CLOUD, &two, NOW + minutes(1));
        assert_eq!(look(&accounts, &one, 2), Permission::Granted, "it may not stand any more");
        accounts.landed((&id, &name), &two, NOW, Duration::ZERO, 1.0);
        assert_eq!(look(&accounts, &two, 65), Permission::From(NOW + minutes(66)));
        accounts.person_acted();
        assert_eq!(look(&accounts, &two, 2), Permission::Granted);
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
                let data = BTreeSet::new();
                if accounts.may_send((&id(), &name), CLOUD, &data, now).is_ok() {
                    accounts.sending((&id(), &name), CLOUD, &data, now);
                    made.push((now, label));
                }
            }
            for (at, label) in &made {
                let of_hour = made.iter().filter(|(other, _)| *other >= *at && other.since(*at) < WINDOW);
                prop_assert!(of_hour.clone().count() <= 6);
                prop_assert!(of_hour.filter(|(_, other)| other == label).count() <= 4);
            }
        }

        #[test]
        fn at_rest_no_hour_has_more_than_one_look_however_often_it_is_asked_for_and_whatever_crashes(
            steps in prop::collection::vec((0..1_200_u64, any::<bool>(), 0.0..1.0_f64), 1..200),
        ) {
            let (mut accounts, mut now, mut looks) = (Accounts::default(), NOW, Vec::new());
            let (id, name, wanted) = (id(), name("a"), set("A 192.0.2.1"));
            for (pause, crash, jitter) in steps {
                now = now + Duration::from_secs(pause);
                if crash {
                    accounts = again(&accounts);
                }
                if accounts.permission_to_look(&id, &name, &wanted, now) == Permission::Granted {
                    accounts.landed((&id, &name), &wanted, now, Duration::ZERO, jitter);
                    looks.push(now);
                }
            }
            prop_assert!(!looks.is_empty());
            prop_assert!(looks.windows(2).all(|pair| pair[1] - pair[0] >= REST), "{:?}", looks);
        }
    }
}
