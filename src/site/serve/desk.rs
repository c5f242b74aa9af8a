//! The desk of a door: where a request, however it was read, gets its answer and its line in the log.
//!
//! Never waits, and takes no lock but that of the log. The generations and what is the same for a second are looked up
//! once for all connections that came in by the door to the same worker.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode, Version};
use rustls::ServerConfig;
use tokio::sync::watch;

use super::WellKnownRequest;
use crate::site::answer::{self, Admitted, Answer, Question};
use crate::site::generation::Current;
use crate::site::generation::{date, unix};
use crate::site::host::Scheme;
use crate::site::log::{Answered, Stamp};
use crate::site::reply::Reply;
use crate::site::served::{Served, SharedSite};
use crate::site::{page, path};
use crate::tls::settings::Redirect;

/// The names under the site's root that are ours.
const OURS: &str = ".well-known/hearth/";

/// Those that an authority asks for (RFC 8555 section 8.3).
const AUTHORITY: &str = ".well-known/acme-challenge/";

/// The sites of a door, as one worker sees them.
pub(super) struct Desk {
    served: Served,
    seen: RefCell<Seen>,
}

/// The generations that were current at the last request for each, and when the last request was.
struct Seen {
    sites: Vec<Looked>,
    second: Second,
}

struct Looked {
    receiver: watch::Receiver<Current>,
    generation: Current,
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

/// Who answers, and when.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) site: &'a SharedSite,
    /// The site's.
    pub(super) number: usize,
    pub(super) second: &'a Second,
}

impl Desk {
    pub(super) fn new(served: Served) -> Self {
        let sites = served.sites.iter().map(Looked::of).collect();
        let seen = RefCell::new(Seen { sites, second: Second::of((served.now)()) });
        Self { served, seen }
    }

    /// Lets go of the generations that are not current any more, also when nobody asks; ends with the sites.
    pub(super) async fn follow(self: Rc<Self>) {
        let follow = |number: usize| {
            let (desk, mut receiver) = (&self, self.served.site(number).current.clone());
            async move {
                while receiver.changed().await.is_ok() {
                    desk.seen.borrow_mut().sites[number].refresh();
                }
            }
        };
        let all = (0..self.served.sites.len()).map(follow);
        all.collect::<FuturesUnordered<_>>().collect::<()>().await;
    }

    /// What connections are opened with; None: they are plain.
    pub(super) const fn tls(&self) -> Option<&Arc<ServerConfig>> {
        self.served.tls.as_ref()
    }

    /// What is spoken here.
    pub(super) const fn scheme(&self) -> Scheme {
        self.served.scheme()
    }

    /// The number of the site that speaks when none was asked for.
    pub(super) const fn first(&self) -> usize {
        self.served.first
    }

    /// Answers a question; `tell` makes of it what is sent.
    pub(super) fn ask<T>(&self, question: Question<'_>, tell: impl FnOnce(Answer<'_>, Place<'_>) -> T) -> T {
        let rules = |site| self.served.site(site).rules;
        let admitted = match answer::admit(question, &self.served.hosts, rules) {
            Ok(admitted) => admitted,
            Err(reply) => return self.at(self.first(), |place| tell(made(question, *reply), place)),
        };
        if let Some(reply) = self.well_known(question, admitted) {
            return self.at(admitted.site, |place| tell(made(question, reply), place));
        }
        if let Some(reply) = self.to_https(question, admitted) {
            return self.at(admitted.site, |place| tell(made(question, reply), place));
        }
        let Seen { sites, second } = &mut *self.seen.borrow_mut();
        second.refresh((self.served.now)());
        let looked = &mut sites[admitted.site];
        looked.refresh();
        let answer = answer::answer(question, looked.generation.as_deref(), &second.expires);
        tell(answer, self.place(admitted.site, second))
    }

    /// Where the site with this number answers now.
    pub(super) fn at<T>(&self, number: usize, tell: impl FnOnce(Place<'_>) -> T) -> T {
        let second = &mut self.seen.borrow_mut().second;
        second.refresh((self.served.now)());
        tell(self.place(number, second))
    }

    fn place<'a>(&'a self, number: usize, second: &'a Second) -> Place<'a> {
        Place { site: self.served.site(number), number, second }
    }

    /// What is ours and not the site's; reading it is all that can be done with it.
    fn well_known(&self, question: Question<'_>, admitted: Admitted<'_>) -> Option<Reply> {
        if !matches!(*question.method, Method::GET | Method::HEAD) {
            return None;
        }
        // A look at the bytes spares almost every request the second resolving; ours may come escaped.
        let target = question.target.path_and_query();
        if !target.contains('%') && !target.contains("/.") {
            return None;
        }
        let path = path::resolve(target.as_bytes()).ok()?;
        let Admitted { host, site } = admitted;
        if let Some(token) = path.name.strip_prefix(AUTHORITY) {
            // Another client may keep its answers below the root.
            return self.served.shelf.answer(token).map(|text| Reply::text(StatusCode::OK, text));
        }
        let request = WellKnownRequest { path: path.name.strip_prefix(OURS)?, host, site };
        let missing = || page::not_found(self.served.site(site).rules);
        Some((self.served.well_known)(&request).unwrap_or_else(missing))
    }

    /// The way to HTTPS, for who came without it, when the site wants that and has a certificate for the host. An authority
    /// that has no answer here yet is not sent there.
    fn to_https(&self, question: Question<'_>, admitted: Admitted<'_>) -> Option<Reply> {
        let Admitted { host, site } = admitted;
        let Redirect::To(port) = self.served.site(site).https.redirect else { return None };
        let reads = matches!(*question.method, Method::GET | Method::HEAD);
        let target = question.target.path_and_query();
        let may = question.scheme == Scheme::Http && reads && target.starts_with('/');
        if !may || target.starts_with("/.well-known/acme-challenge/") || !self.served.shelf.covers(site, host)
        {
            return None;
        }
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        let location = HeaderValue::try_from(format!("https://{host}{port}{target}")).ok()?;
        Some(page::moved(location, self.served.site(site).rules))
    }
}

impl Place<'_> {
    /// What browsers that came by HTTPS are told of it.
    pub(super) fn hsts(&self, question: Question<'_>) -> Option<&HeaderValue> {
        self.site.https.hsts.as_ref().filter(|_| question.scheme == Scheme::Https)
    }

    /// Writes the line of an answer.
    pub(super) fn log(self, question: Question<'_>, told: Told) {
        if self.site.log.is_on() {
            self.site.log.add(&Answered {
                at: &self.second.stamp,
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
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) peer: IpAddr,
    pub(super) version: Version,
    pub(super) status: StatusCode,
    pub(super) bytes: u64,
}

impl Looked {
    fn of(site: &SharedSite) -> Self {
        let mut receiver = site.current.clone();
        let generation = receiver.borrow_and_update().clone();
        Self { receiver, generation }
    }

    fn refresh(&mut self) {
        // An error means that no other generation will come; the last one is good.
        if self.receiver.has_changed().unwrap_or(false) {
            self.generation = self.receiver.borrow_and_update().clone();
        }
    }
}

impl Second {
    fn of(now: SystemTime) -> Self {
        let line = [b"date: ", date(now).as_bytes(), b"\r\n"].concat();
        let expires = date(now + Duration::from_secs(600));
        Self { unix: unix(now), expires, date: line, stamp: Stamp::of(now) }
    }

    fn refresh(&mut self, now: SystemTime) {
        if self.unix != unix(now) {
            *self = Self::of(now);
        }
    }
}
