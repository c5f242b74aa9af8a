//! The questions of one round, asked all at once, each with an end.
//!
//! Never repeats a question that failed: the next round does.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Client;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{dns, https, router, stun};
use crate::address::agreement::{Miss, Observation};
use crate::address::{Asked, Family};
use crate::host::time::Timeline;
use crate::moment::Moment;

/// How long a question may take, whatever it is made of.
pub(super) const TOTAL: Duration = Duration::from_secs(6);

/// A question to one source about one family.
#[derive(Debug)]
pub(super) struct Question {
    /// The source's number.
    pub(super) index: usize,
    pub(super) asked: Asked,
    pub(super) family: Family,
    /// Where it leaves from.
    pub(super) local: IpAddr,
    pub(super) client: Client,
}

/// Asks all of them, and gives the answers in the order of the sources.
pub(super) async fn ask(questions: Vec<Question>, now: Moment) -> Vec<(usize, Observation)> {
    let mut asking: JoinSet<_> = questions.into_iter().map(|question| question.observe(now)).collect();
    let mut answers = Vec::new();
    while let Some(answer) = asking.join_next().await {
        // A question that panicked is one that was not asked.
        answers.extend(answer);
    }
    answers.sort_by_key(|(index, observation)| (*index, observation.family));
    answers
}

impl Question {
    async fn observe(self, now: Moment) -> (usize, Observation) {
        let watch = Timeline::start(None);
        let late = || Err(Miss::Silent("no answer in time".to_owned()));
        let said = timeout(TOTAL, self.ask()).await.unwrap_or_else(|_| late());
        let observation = Observation {
            class: self.asked.class(),
            asked: self.asked.describe(),
            family: self.family,
            at: now,
            took: watch.uptime(),
            said,
        };
        (self.index, observation)
    }

    async fn ask(&self) -> Result<IpAddr, Miss> {
        match &self.asked {
            // Read, not asked: the round does it.
            Asked::Interface => Err(Miss::Silent("is not asked".to_owned())),
            Asked::Https { url, key, .. } => https::ask(&self.client, self.family, url, key.as_deref()).await,
            Asked::Dns(echo) => dns::ask(echo, self.family, self.local).await,
            Asked::Upnp(gateway) => router::ask_upnp(*gateway, &self.client, self.local).await,
            Asked::NatPmp(gateway) => router::ask_nat_pmp(*gateway, self.local).await,
            Asked::Pcp(gateway) => router::ask_pcp(*gateway, self.local).await,
            Asked::Stun { host, port } => stun::ask(host, *port, self.family, self.local).await,
        }
    }
}
