//! Asks the sources, round by round, and hands what they say to the agreement.
//!
//! Never judges: what a round means is [`crate::address::agreement`]'s business. Never publishes.

pub mod health;
pub mod https;
pub mod interface;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Client;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use self::health::Health;
use super::admissible::admissible;
use super::agreement::{Agreement, Class, Judgement, Miss, Observation};
use super::{AddressSettings, Family, SourceSettings};
use crate::moment::Moment;

/// Between two looks at the interfaces: a table of the kernel, which costs nothing.
const LOOK: Duration = Duration::from_secs(5);

/// The watch over this node's public address.
#[derive(Debug)]
pub struct Watch {
    settings: AddressSettings,
    agreements: BTreeMap<Family, Agreement>,
    echoes: Vec<Echo>,
    health: BTreeMap<(usize, Family), Health>,
    /// One client for each address that questions leave from.
    clients: BTreeMap<IpAddr, Client>,
    held: BTreeSet<IpAddr>,
    rounds: Interval,
    looks: Interval,
}

/// An echo service.
#[derive(Clone, Debug)]
struct Echo {
    url: String,
    operator: String,
    key: Option<String>,
}

impl Echo {
    fn of(source: &SourceSettings) -> Option<Self> {
        match source {
            SourceSettings::Interface => None,
            SourceSettings::Https { url, operator, key } => {
                Some(Self { url: url.clone(), operator: operator.clone(), key: key.clone() })
            }
        }
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
            echoes: settings.sources.iter().filter_map(Echo::of).collect(),
            health: BTreeMap::new(),
            clients: BTreeMap::new(),
            held: interface::held(),
            rounds: patient(settings.every),
            looks: patient(LOOK),
            settings,
        }
    }

    /// Takes over an address that was agreed on before a restart: what the state file says, or the record itself.
    pub fn stand_on(&mut self, address: IpAddr) {
        if let Some(agreement) = self.agreements.get_mut(&Family::of(address)) {
            agreement.stand_on(address);
        }
    }

    /// Waits until a round is due: at once the first time, then every [`AddressSettings::every`], and within seconds
    /// when the addresses of the interfaces change. May be dropped and called again.
    pub async fn due(&mut self) {
        loop {
            tokio::select! {
                _ = self.rounds.tick() => return,
                _ = self.looks.tick() => if self.has_moved() {
                    self.rounds.reset();
                    return;
                },
            }
        }
    }

    /// Whether the addresses of the interfaces are others than at the last look.
    pub fn has_moved(&mut self) -> bool {
        let held = interface::held();
        let moved = held != self.held;
        self.held = held;
        moved
    }

    /// Asks every source that is due, all at once, and judges each family. Takes six seconds at most.
    pub async fn round(&mut self, now: Moment) -> BTreeMap<Family, Judgement> {
        self.held = interface::held();
        let mut observations = self.own(now);
        observations.extend(self.ask(now).await);
        let held: Vec<IpAddr> = self.held.iter().copied().collect();
        let judge = |(family, agreement): (&Family, &mut Agreement)| {
            (*family, agreement.judge(&observations, &held, now))
        };
        self.agreements.iter_mut().map(judge).collect()
    }

    /// What the interfaces say: only addresses that could be published, since a private one is no disagreement.
    fn own(&self, now: Moment) -> Vec<Observation> {
        if !self.settings.sources.contains(&SourceSettings::Interface) {
            return Vec::new();
        }
        let observation = |address| Observation {
            class: Class::Interface,
            family: Family::of(address),
            at: now,
            said: Ok(address),
        };
        self.publishable().map(observation).collect()
    }

    /// Addresses that the machine holds and could publish. Where questions leave from a given address, that one alone.
    fn publishable(&self) -> impl Iterator<Item = IpAddr> {
        let bound = |address: &IpAddr| match self.settings.bind {
            Some(bind) if bind.is_ipv4() == address.is_ipv4() => bind == *address,
            Some(_) | None => true,
        };
        let admit = &self.settings.admit;
        self.held.iter().copied().filter(bound).filter(move |address| admissible(*address, admit).is_ok())
    }

    /// Where questions about `family` leave from: the given address, else for IPv6 one that lasts. Left to itself the
    /// kernel prefers a temporary address (RFC 6724 section 5, rule 7), and that is what an echo would see.
    fn leave_from(&self, family: Family) -> IpAddr {
        let given = self.settings.bind.filter(|bind| Family::of(*bind) == family);
        let lasting =
            || self.publishable().find(|address| family == Family::Ipv6 && Family::of(*address) == family);
        given.or_else(lasting).unwrap_or(https::any(family))
    }

    async fn ask(&mut self, now: Moment) -> Vec<Observation> {
        let mut questions = JoinSet::new();
        for family in self.settings.families.clone() {
            let client = self.client(self.leave_from(family));
            for index in self.due_echoes(family, now) {
                let (echo, client) = (self.echoes[index].clone(), client.clone());
                questions.spawn(async move {
                    let said = https::ask(&client, family, &echo.url, echo.key.as_deref()).await;
                    (index, Observation { class: Class::Https(echo.operator), family, at: now, said })
                });
            }
        }
        let mut answers = Vec::new();
        while let Some(answer) = questions.join_next().await {
            // A question that panicked is one that was not asked.
            answers.extend(answer);
        }
        answers.sort_by_key(|(index, observation)| (*index, observation.family));
        self.take_note(&answers, now);
        answers.into_iter().map(|(_, observation)| observation).collect()
    }

    fn client(&mut self, local: IpAddr) -> Client {
        if self.clients.len() > 8 {
            // Addresses come and go with the provider's prefix.
            self.clients.clear();
        }
        self.clients.entry(local).or_insert_with(|| https::client(local)).clone()
    }

    /// The echoes to ask: those that fare well, unless they are of fewer than two operators, which could agree on
    /// nothing; then all.
    fn due_echoes(&self, family: Family, now: Moment) -> Vec<usize> {
        let health = |index| self.health.get(&(index, family)).copied().unwrap_or_default();
        let due: Vec<usize> = (0..self.echoes.len()).filter(|index| health(*index).is_due(now)).collect();
        let operators: BTreeSet<&str> =
            due.iter().map(|index| self.echoes[*index].operator.as_str()).collect();
        if operators.len() < 2 { (0..self.echoes.len()).collect() } else { due }
    }

    fn take_note(&mut self, answers: &[(usize, Observation)], now: Moment) {
        for family in &self.settings.families {
            let asked = || answers.iter().filter(|(_, observation)| observation.family == *family);
            let somebody = asked().any(|(_, observation)| observation.said.is_ok());
            for (index, observation) in asked() {
                let health = self.health.entry((*index, *family)).or_default();
                match &observation.said {
                    Ok(_) => health.succeeded(),
                    Err(Miss::Silent(_) | Miss::Malformed(_)) if somebody => {
                        health.failed(now, self.settings.every);
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

/// An interval that does not hurry after a stall. The first tick is at once.
fn patient(every: Duration) -> Interval {
    let mut interval = tokio::time::interval(every.max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
