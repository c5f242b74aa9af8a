//! One round as it is shown: every observation, what it means, and why.
//!
//! A running agent keeps its last one for whoever asks. Never judges.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::agreement::{Class, Judgement, Miss, Observation, Outcome};
use super::{Family, Verdict};

/// One round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The addresses of this machine's interfaces that last, public or not.
    pub held: Vec<IpAddr>,
    /// Each family that is published.
    pub families: BTreeMap<Family, FamilyReport>,
    /// Sources that were not asked: they fare badly, or may not be asked so soon.
    pub left_alone: Vec<String>,
}

/// What became of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyReport {
    /// The address that was agreed on last.
    pub agreed: Option<IpAddr>,
    /// What this round did to it.
    pub outcome: Outcome,
    /// The classes that named it, in the last round when at least two words for it counted (else when one did).
    #[serde(default)]
    pub named_by: Vec<String>,
    /// How the node stands on the Internet.
    pub verdict: Verdict,
    /// The evidence, in words.
    pub why: String,
    /// What everybody said.
    pub observations: Vec<Seen>,
}

/// What one source said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The class that its word counts for: `interface`, `router`, `dns`, `stun`, or `https` and the operator.
    pub class: String,
    /// Who was asked.
    pub asked: String,
    /// How long the answer took, in milliseconds.
    pub took_ms: u64,
    /// The address. None: it gave none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<IpAddr>,
    /// Why it gave none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Error>,
}

/// Why a source gave no address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// Whether something came at all.
    pub kind: ErrorKind,
    /// What was wrong, in words.
    pub message: String,
}

/// Whether something came at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// Nothing came back.
    Silent,
    /// Something came back that is no answer.
    Malformed,
}

impl Report {
    /// The report of a round.
    #[must_use]
    pub fn new(
        observations: &[Observation],
        judged: &BTreeMap<Family, Judgement>,
        held: Vec<IpAddr>,
        left_alone: Vec<String>,
    ) -> Self {
        let family = |(family, judged): (&Family, &Judgement)| {
            let seen = observations.iter().filter(|seen| seen.family == *family).map(Seen::of).collect();
            let report = FamilyReport {
                agreed: judged.agreed,
                outcome: judged.outcome,
                named_by: judged.named_by.iter().map(class).collect(),
                verdict: judged.verdict,
                why: judged.why.clone(),
                observations: seen,
            };
            (*family, report)
        };
        Self { held, families: judged.iter().map(family).collect(), left_alone }
    }

    /// Whether this round agreed on an address, or confirmed one, in some family.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.families.values().any(|family| family.outcome != Outcome::Kept)
    }
}

impl Seen {
    fn of(observation: &Observation) -> Self {
        let (address, error) = match &observation.said {
            Ok(address) => (Some(*address), None),
            Err(Miss::Silent(why)) => (None, Some((ErrorKind::Silent, why))),
            Err(Miss::Malformed(why)) => (None, Some((ErrorKind::Malformed, why))),
        };
        Self {
            class: class(&observation.class),
            asked: observation.asked.clone(),
            took_ms: millis(observation.took),
            address,
            error: error.map(|(kind, why)| Error { kind, message: why.clone() }),
        }
    }
}

fn class(class: &Class) -> String {
    match class {
        Class::Interface => "interface".to_owned(),
        Class::Router => "router".to_owned(),
        Class::Https(operator) => format!("https {operator}"),
        Class::Dns => "dns".to_owned(),
        Class::Stun => "stun".to_owned(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::moment::Moment;

    #[test]
    fn a_report_has_every_observation_of_its_family_and_round_trips() {
        let observation = |class, said| Observation {
            class,
            asked: "https://x/".to_owned(),
            family: Family::Ipv4,
            at: Moment::START,
            took: Duration::from_millis(12),
            said,
        };
        let observations = [
            observation(Class::Stun, Ok([84, 1, 2, 3].into())),
            observation(Class::Https("x".to_owned()), Err(Miss::Malformed("answered 403".to_owned()))),
        ];
        let judged = Judgement {
            agreed: None,
            outcome: Outcome::Kept,
            named_by: BTreeSet::from([Class::Stun]),
            verdict: Verdict::Unknown,
            why: "why".to_owned(),
        };
        let judged = BTreeMap::from([(Family::Ipv4, judged.clone()), (Family::Ipv6, judged)]);
        let report = Report::new(&observations, &judged, Vec::new(), Vec::new());
        assert_eq!(report.families[&Family::Ipv4].observations.len(), 2);
        assert!(report.families[&Family::Ipv6].observations.is_empty());
        assert!(!report.is_sure());
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.contains("\"class\":\"https x\"") && json.contains("\"kind\":\"malformed\""), "{json}");
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
