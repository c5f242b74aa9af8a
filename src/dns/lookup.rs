//! Asks every authoritative server of a zone directly what it answers for a name, past every cache.
//!
//! Used after every change: a provider that took a write has not yet told its name servers. Never asks a resolver and
//! never waits past its deadline.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::provider::wire;
use super::{Name, Rdata, RdataSet, RecordType};

/// How long one server may take to answer one question.
const ANSWER: Duration = Duration::from_secs(3);

/// Between two rounds of questions.
const ROUND: Duration = Duration::from_millis(250);

/// What a server should answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// This set, and no other member.
    Exactly(RdataSet),
    /// This set, among members of others.
    Among(RdataSet),
}

impl Expected {
    fn set(&self) -> &RdataSet {
        match self {
            Expected::Exactly(set) | Expected::Among(set) => set,
        }
    }

    fn met_by(&self, seen: &RdataSet) -> bool {
        match self {
            Expected::Exactly(set) => set == seen,
            Expected::Among(set) => set.iter().all(|member| seen.contains(member)),
        }
    }
}

/// What one server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// What is expected.
    Agrees,
    /// Another set.
    Differs(RdataSet),
    /// That there is no such set.
    Absent,
    /// Nothing, or nothing with authority; why, in words.
    Silent(String),
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            View::Agrees => f.write_str("agrees"),
            View::Differs(set) => write!(f, "still answers {set}"),
            View::Absent => f.write_str("has no such record"),
            View::Silent(why) => write!(f, "does not answer: {why}"),
        }
    }
}

/// What each server answers, in the order in which they were given.
pub type Views = Vec<(SocketAddr, View)>;

/// Asks every server at once, and answers within `within`.
pub async fn views(servers: &[SocketAddr], name: &Name, expected: &Expected, within: Duration) -> Views {
    let patience = within.min(ANSWER);
    let mut asking = JoinSet::new();
    for (place, server) in servers.iter().copied().enumerate() {
        let (name, expected) = (name.clone(), expected.clone());
        asking.spawn(async move { (place, view(server, &name, &expected, patience).await) });
    }
    let unasked = || View::Silent("the question was not asked to its end".to_owned());
    let mut views: Views = servers.iter().map(|server| (*server, unasked())).collect();
    while let Some(asked) = asking.join_next().await {
        if let Ok((place, view)) = asked {
            views[place].1 = view;
        }
    }
    views
}

/// Asks again until every server agrees, at most for `within`; what they answered last.
pub async fn agreement(servers: &[SocketAddr], name: &Name, expected: &Expected, within: Duration) -> Views {
    let mut last: Views = Vec::new();
    let asking = async {
        loop {
            last = views(servers, name, expected, within).await;
            if last.iter().all(|(_, view)| *view == View::Agrees) {
                return;
            }
            sleep(ROUND).await;
        }
    };
    let in_time = timeout(within, asking).await;
    if in_time.is_err() && last.is_empty() {
        let why = || View::Silent(format!("no answer within {within:?}"));
        return servers.iter().map(|server| (*server, why())).collect();
    }
    last
}

/// What one server answers.
async fn view(server: SocketAddr, name: &Name, expected: &Expected, patience: Duration) -> View {
    let kind = expected.set().record_type();
    let asking = wire::ask(server, name, wire::wire_type(kind), patience);
    match timeout(patience, asking).await {
        Err(_) => View::Silent(format!("no answer within {patience:?}")),
        Ok(Err(error)) => View::Silent(error.to_string()),
        Ok(Ok(answer)) => judge(&answer, name, kind, expected),
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "every other code means that the server does not say")]
fn judge(answer: &Message, name: &Name, kind: RecordType, expected: &Expected) -> View {
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain if answer.metadata.authoritative => {}
        ResponseCode::NoError | ResponseCode::NXDomain => {
            return View::Silent("it has no authority for the zone".to_owned());
        }
        code => return View::Silent(code.to_string()),
    }
    match RdataSet::new(members(answer, name, kind)) {
        Ok(set) if expected.met_by(&set) => View::Agrees,
        Ok(set) => View::Differs(set),
        Err(_) => View::Absent,
    }
}

fn members(answer: &Message, name: &Name, kind: RecordType) -> Vec<Rdata> {
    let place = wire::wire_name(name);
    let here = answer.answers.iter().filter(|r| r.name == place);
    here.filter_map(|r| wire::plain_rdata(&r.data)).filter(|r| r.record_type() == kind).collect()
}
