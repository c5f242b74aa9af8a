//! Asks the sources, round by round, and hands what they say to the agreement.
//!
//! Never judges: what a round means is [`crate::address::agreement`]'s business. Never publishes.

pub mod announce;
pub mod dns;
pub mod health;
pub mod https;
pub mod interface;
pub mod netlink;
pub mod router;
pub mod stun;

mod question;
mod udp;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use reqwest::Client;
use tokio::time::{Interval, MissedTickBehavior};

use self::announce::Announcements;
use self::health::Health;
use self::netlink::News;
use self::question::Question;
use super::admissible::admissible;
use super::agreement::{Agreement, Class, Judgement, Observation, Outcome};
use super::report::Report;
use super::{AddressSettings, Asked, Family, SourceSettings};
use crate::host::time::ticks;
use crate::moment::Moment;

/// Between two looks at the interfaces, in case that the kernel's news do not come.
const LOOK: Duration = Duration::from_secs(8);

/// How long news are collected before a round: an address and its route do not come at the same instant.
const SETTLE: Duration = Duration::from_millis(200);

/// The pause before a round is repeated that was begun for a reason and agreed on nothing; doubled each time.
const AGAIN: Duration = Duration::from_secs(2);

/// A source with at least this spacing counts the questions of processes before this one: it is not asked until
/// its spacing has passed.
const STRICT: Duration = Duration::from_secs(60);

/// The watch over this node's public address.
#[derive(Debug)]
pub struct Watch {
    settings: AddressSettings,
    agreements: BTreeMap<Family, Agreement>,
    /// What stood after the last round.
    stands: BTreeMap<Family, IpAddr>,
    health: BTreeMap<(usize, Family), Health>,
    /// One client for each address that questions leave from.
    clients: BTreeMap<IpAddr, Client>,
    held: Vec<IpAddr>,
    router: Option<Ipv4Addr>,
    rounds: Interval,
    looks: Interval,
    news: Option<News>,
    announcements: Option<Announcements>,
    /// Whether a round was called for.
    woken: bool,
    /// The pause before the next repetition.
    again: Duration,
    /// When a source that had to be left alone can be asked.
    rested: Option<Duration>,
    began: Option<Moment>,
}

/// One round: what everybody said, and what it means.
#[derive(Clone, Debug)]
pub struct Look {
    /// In the order of the sources.
    pub observations: Vec<Observation>,
    /// By family.
    pub judged: BTreeMap<Family, Judgement>,
    /// The addresses of this machine's interfaces.
    pub held: Vec<IpAddr>,
    /// Sources that were left alone: they fare badly, or may not be asked so soon.
    pub left_alone: Vec<String>,
}

impl Look {
    /// The addresses that are agreed on.
    #[must_use]
    pub fn agreed(&self) -> BTreeMap<Family, IpAddr> {
        self.judged.iter().filter_map(|(family, judged)| Some((*family, judged.agreed?))).collect()
    }

    /// The round as it is shown.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::new(&self.observations, &self.judged, self.held.clone(), self.left_alone.clone())
    }
}

impl Watch {
    /// Begins with nothing agreed on. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(settings: AddressSettings) -> Self {
        let agreement =
            |family: &Family| (*family, Agreement::new(*family, settings.admit.clone(), settings.every));
        Self {
            agreements: settings.families.iter().map(agreement).collect(),
            stands: BTreeMap::new(),
            health: BTreeMap::new(),
            clients: BTreeMap::new(),
            held: interface::held(),
            router: interface::default_router(),
            rounds: patient(settings.every),
            looks: ticks(LOOK),
            news: None,
            announcements: None,
            woken: false,
            again: AGAIN,
            rested: None,
            began: None,
            settings,
        }
    }

    /// Listens to the kernel and to the router from now on, so that a change is looked at when it happens. Where one of
    /// them cannot be heard, looking now and then has to do.
    #[must_use]
    pub fn listening(mut self) -> Self {
        self.news = News::listen()
            .inspect_err(|error| tracing::info!("the kernel's news of addresses cannot be heard: {error}"))
            .ok();
        let listen = |gateway| {
            Announcements::listen(gateway)
                .inspect_err(|error| tracing::info!("what the router announces cannot be heard: {error}"))
                .ok()
        };
        self.announcements = self.settings.gateway().and_then(listen);
        self
    }

    /// Takes over an address that was agreed on before a restart: what the state file says, or the record itself.
    pub fn stand_on(&mut self, address: IpAddr) {
        if let Some(agreement) = self.agreements.get_mut(&Family::of(address)) {
            agreement.stand_on(address);
            self.stands.insert(Family::of(address), address);
        }
    }

    /// Waits until a round is due: at once the first time, then every [`AddressSettings::every`], and within a second
    /// when the addresses of the interfaces change or the router announces something. May be dropped and called again.
    pub async fn due(&mut self) {
        while !self.woken {
            tokio::select! {
                _ = self.rounds.tick() => return,
                _ = self.looks.tick() => self.woken = self.has_moved(),
                () = next(self.news.as_mut().map(News::come)) => self.woken = self.has_moved(),
                () = next(self.announcements.as_mut().map(Announcements::come)) => self.woken = true,
            }
        }
        tokio::time::sleep(SETTLE).await;
        self.rounds.reset();
        self.again = AGAIN;
        self.woken = false;
    }

    /// Whether the interfaces hold other addresses than at the last look, or lead to another router.
    pub fn has_moved(&mut self) -> bool {
        let (held, router) = (interface::held(), interface::default_router());
        let same: bool = BTreeSet::from_iter(&held) == BTreeSet::from_iter(&self.held);
        let moved = !same || router != self.router;
        (self.held, self.router) = (held, router);
        moved
    }

    /// Asks every source that is due, all at once, and judges each family. Takes six seconds at most.
    pub async fn round(&mut self, now: Moment) -> Look {
        self.held = interface::held();
        let mut observations = self.own(now);
        let (questions, left_alone) = self.questions(now);
        let answers = question::ask(questions, now).await;
        self.take_note(&answers, now);
        observations.extend(answers.into_iter().map(|(_, observation)| observation));
        let judge = |(family, agreement): (&Family, &mut Agreement)| {
            (*family, agreement.judge(&observations, &self.held, now))
        };
        let judged: BTreeMap<_, _> = self.agreements.iter_mut().map(judge).collect();
        self.stands = judged.iter().filter_map(|(family, judged)| Some((*family, judged.agreed?))).collect();
        self.look_again(&judged);
        Look { observations, judged, held: self.held.clone(), left_alone }
    }

    /// What the interfaces say: only addresses that could be published, since a private one is no disagreement.
    fn own(&self, now: Moment) -> Vec<Observation> {
        if !self.settings.asks_interface() {
            return Vec::new();
        }
        let observation = |address| Observation {
            class: Class::Interface,
            asked: Asked::Interface.describe(),
            family: Family::of(address),
            at: now,
            took: Duration::ZERO,
            said: Ok(address),
        };
        self.publishable().map(observation).collect()
    }

    /// Addresses that the machine holds and could publish, the best first. Where questions leave from a given address,
    /// that one alone.
    fn publishable(&self) -> impl Iterator<Item = IpAddr> {
        let bound = |address: &IpAddr| match self.settings.bind {
            Some(bind) if bind.is_ipv4() == address.is_ipv4() => bind == *address,
            Some(_) | None => true,
        };
        let admit = &self.settings.admit;
        self.held.iter().copied().filter(bound).filter(move |address| admissible(*address, admit).is_ok())
    }

    /// Where questions about `family` leave from: the given address, else for IPv6 the one that is published while it
    /// lasts, else the best. Left to itself the kernel prefers a temporary address (RFC 6724 section 5, rule 7), and
    /// that is what an echo would see.
    fn leave_from(&self, family: Family) -> IpAddr {
        let given = self.settings.bind.filter(|bind| Family::of(*bind) == family);
        let lasting = || {
            let mut lasting =
                self.publishable().filter(|address| family == Family::Ipv6 && address.is_ipv6());
            let best = lasting.next()?;
            let stands = self.stands.get(&family).copied();
            stands.filter(|stands| lasting.any(|address| address == *stands)).or(Some(best))
        };
        given.or_else(lasting).unwrap_or(https::any(family))
    }

    /// The questions of this round, and the sources that are left alone.
    fn questions(&mut self, now: Moment) -> (Vec<Question>, Vec<String>) {
        let (mut questions, mut left_alone) = (Vec::new(), Vec::new());
        let began = *self.began.get_or_insert(now);
        self.rested = None;
        for family in self.settings.families.clone() {
            let local = self.leave_from(family);
            let client = self.client(local);
            let due = self.due_sources(family, began, now);
            for (index, source) in self.askable(family) {
                if due.contains(&index) {
                    let asked = source.asked.clone();
                    questions.push(Question { index, asked, family, local, client: client.clone() });
                } else {
                    left_alone.push(format!("{} about {family}", source.asked.describe()));
                }
            }
        }
        for question in &questions {
            self.health.entry((question.index, question.family)).or_default().asked(now);
        }
        (questions, left_alone)
    }

    /// The sources that can be asked about `family`, but the interfaces.
    fn askable(&self, family: Family) -> impl Iterator<Item = (usize, &SourceSettings)> {
        let all = self.settings.sources.iter().enumerate();
        all.filter(move |(_, source)| source.asked != Asked::Interface && source.asked.knows(family))
    }

    fn client(&mut self, local: IpAddr) -> Client {
        if self.clients.len() > 8 {
            // Addresses come and go with the provider's prefix.
            self.clients.clear();
        }
        self.clients.entry(local).or_insert_with(|| https::client(local)).clone()
    }

    /// The sources to ask: those that fare well, unless they are of fewer than two classes, which could agree on
    /// nothing; then all. Never one whose spacing has not passed.
    fn due_sources(&mut self, family: Family, began: Moment, now: Moment) -> BTreeSet<usize> {
        let (mut due, mut all, mut classes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut rested = self.rested;
        for (index, source) in self.askable(family) {
            let mut health = self.health.get(&(index, family)).copied().unwrap_or_default();
            if source.spacing >= STRICT && health == Health::default() {
                health.asked(began);
            }
            let rest = health.rest(now, source.spacing);
            if !rest.is_zero() {
                rested = Some(rested.map_or(rest, |sooner| sooner.min(rest)));
                continue;
            }
            all.insert(index);
            if health.is_due(now) {
                due.insert(index);
                classes.insert(source.asked.class());
            }
        }
        self.rested = rested;
        if classes.len() < 2 { all } else { due }
    }

    /// A round that agreed on nothing although this machine is on the net is repeated soon, and ever later; one that had
    /// to leave a source alone, when that can be asked.
    fn look_again(&mut self, judged: &BTreeMap<Family, Judgement>) {
        let on_net = |family: &Family| self.held.iter().any(|held| Family::of(*held) == *family);
        let vain = judged.iter().any(|(family, judged)| judged.outcome == Outcome::Kept && on_net(family));
        let every = self.settings.every;
        if !vain {
            self.again = AGAIN;
        }
        let again = Some(self.again).filter(|again| vain && *again < every);
        let rested = self.rested.filter(|rested| *rested < every);
        let Some(pause) = again.into_iter().chain(rested).min() else { return };
        self.rounds.reset_after(pause);
        if again == Some(pause) {
            self.again *= 2;
        }
    }

    /// A failure counts only while another source that looks from outside answered: a router answers however little
    /// gets through.
    fn take_note(&mut self, answers: &[(usize, Observation)], now: Moment) {
        for family in &self.settings.families {
            let asked = || answers.iter().filter(|(_, observation)| observation.family == *family);
            let somebody = asked().any(|(_, seen)| seen.said.is_ok() && seen.class.is_outside());
            for (index, observation) in asked() {
                let health = self.health.entry((*index, *family)).or_default();
                if observation.said.is_ok() {
                    health.succeeded();
                } else if somebody {
                    health.failed(now, self.settings.every);
                }
            }
        }
    }
}

/// Waits for what is listened to; for ever, when nothing is.
async fn next(listening: Option<impl Future<Output = ()>>) {
    match listening {
        Some(listening) => listening.await,
        None => std::future::pending().await,
    }
}

/// An interval that does not hurry after a stall. The first tick is at once.
fn patient(every: Duration) -> Interval {
    let mut interval = tokio::time::interval(every.max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
