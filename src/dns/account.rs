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
mod tests;
