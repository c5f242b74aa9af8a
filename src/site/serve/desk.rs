//! The desk of a worker: where a request, however it was read, gets its answer and its line in the log.
//!
//! Never waits, and takes no lock but that of the log. A generation and what is the same for a second are looked up
//! once for all connections of the worker.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode, Version};
use tokio::sync::watch;

use super::{SharedSite, WellKnownRequest};
use crate::site::generation::{date, unix};
use crate::site::load::Current;
use crate::site::log::{Answered, Stamp};
use crate::site::reply::{self, Answer, Question, Reply};
use crate::site::{page, path};

/// The names under the site's root that are ours.
const OURS: &str = ".well-known/hearth/";

/// A site, as one worker sees it.
pub(super) struct Desk {
    pub(super) site: SharedSite,
    seen: RefCell<Seen>,
}

/// The generation that was current at the last request, and when that was.
struct Seen {
    receiver: watch::Receiver<Current>,
    generation: Current,
    second: Second,
}

/// What is the same for all answers of one second.
pub(super) struct Second {
    unix: u64,
    /// Ten minutes ahead.
    pub(super) expires: HeaderValue,
    /// The line of a head.
    pub(super) date: Vec<u8>,
    stamp: Stamp,
}

impl Desk {
    pub(super) fn new(site: SharedSite) -> Self {
        let mut receiver = site.current.clone();
        let generation = receiver.borrow_and_update().clone();
        let seen = RefCell::new(Seen { receiver, generation, second: Second::of((site.now)()) });
        Self { site, seen }
    }

    /// Answers a question; `tell` makes of it what is sent.
    pub(super) fn ask<T>(&self, question: Question<'_>, tell: impl FnOnce(Answer<'_>, &Second) -> T) -> T {
        let mut seen = self.seen.borrow_mut();
        seen.refresh((self.site.now)());
        let Seen { generation, second, .. } = &*seen;
        let answer = match reply::admit(question, &self.site.hosts, self.site.rules) {
            Err(reply) => made(question, *reply),
            Ok(host) => match self.well_known(question, host) {
                Some(reply) => made(question, reply),
                None => reply::answer(question, generation.as_deref(), &second.expires),
            },
        };
        tell(answer, second)
    }

    /// What is the same for all answers of this second.
    pub(super) fn with_second<T>(&self, tell: impl FnOnce(&Second) -> T) -> T {
        let mut seen = self.seen.borrow_mut();
        seen.refresh((self.site.now)());
        tell(&seen.second)
    }

    /// What is ours and not the site's; reading it is all that can be done with it.
    fn well_known(&self, question: Question<'_>, host: &str) -> Option<Reply> {
        if !matches!(*question.method, Method::GET | Method::HEAD) {
            return None;
        }
        // A look at the bytes spares almost every request the second resolving; ours may come escaped.
        let target = question.target.path_and_query();
        if !target.contains('%') && !target.contains("/.") {
            return None;
        }
        let path = path::resolve(target.as_bytes()).ok()?;
        let request = WellKnownRequest { path: path.name.strip_prefix(OURS)?, host };
        Some((self.site.well_known)(&request).unwrap_or_else(|| page::not_found(self.site.rules)))
    }

    /// Writes the line of an answer.
    pub(super) fn log(&self, question: Question<'_>, told: &Told<'_>) {
        if self.site.log.is_on() {
            self.site.log.add(&Answered {
                at: &told.second.stamp,
                peer: told.peer,
                method: question.method,
                target: question.target,
                version: told.version,
                fields: question.fields,
                status: told.status.as_u16(),
                bytes: told.bytes,
            });
        }
    }
}

fn made<'g>(question: Question<'_>, reply: Reply) -> Answer<'g> {
    Answer::Made(if *question.method == Method::HEAD { reply.without_body() } else { reply })
}

/// What the log says of an answer.
pub(super) struct Told<'a> {
    pub(super) second: &'a Second,
    pub(super) peer: IpAddr,
    pub(super) version: Version,
    pub(super) status: StatusCode,
    pub(super) bytes: u64,
}

impl Seen {
    fn refresh(&mut self, now: SystemTime) {
        // An error means that no other generation will come; the last one is good.
        if self.receiver.has_changed().unwrap_or(false) {
            self.generation = self.receiver.borrow_and_update().clone();
        }
        if self.second.unix != unix(now) {
            self.second = Second::of(now);
        }
    }
}

impl Second {
    pub(super) fn of(now: SystemTime) -> Self {
        let line = [b"date: ", date(now).as_bytes(), b"\r\n"].concat();
        let expires = date(now + Duration::from_secs(600));
        Self { unix: unix(now), expires, date: line, stamp: Stamp::of(now) }
    }
}
