//! What one look from outside saw, in words that are kept in the journal. PURE.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a look at a node saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The node proved itself and the page is what a visitor should get.
    Up {
        /// From the first packet to the last byte of the page, in milliseconds.
        latency_ms: u64,
        /// The digest of the generation that the node serves, as it said under its seal.
        generation: Option<String>,
    },
    /// It is not what a visitor should meet.
    Failed(Failure),
}

/// Why a look failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A TCP reset: the machine is there, the server is not. Browsers go on to the next address at once.
    #[error("the connection is refused")]
    Refused,
    /// No connection in time: packets are dropped, or the TLS handshake stands still. Browsers hang here.
    #[error("no connection in time")]
    ConnectTimeout,
    /// Connected, and no whole answer in time.
    #[error("no whole answer in time")]
    Timeout,
    /// The proof is missing or is not this node's: another machine answers at the address.
    #[error("another machine answers there: {0}")]
    NotTheNode(String),
    /// The page has another status than 200; a redirect is not followed.
    #[error("the page has status {0}, not 200")]
    Status(u16),
    /// The text that the page must contain is not in its first 256 KiB.
    #[error("the page does not contain the text that it must")]
    Content,
    /// The handshake failed, or the certificate is not good for the site's name.
    #[error("TLS: {0}")]
    Tls(String),
    /// Not HTTP, or it broke off.
    #[error("the answer is not HTTP or broke off")]
    Garbled,
    /// No way there from here.
    #[error("there is no route to the address")]
    Unreachable,
}

impl Outcome {
    /// Whether the look found what a visitor should meet.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self, Outcome::Up { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Up { latency_ms, .. } => write!(f, "up, answered in {latency_ms} ms"),
            Outcome::Failed(failure) => failure.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_round_trip_through_the_journal_and_read_as_words() {
        let up = Outcome::Up { latency_ms: 12, generation: None };
        let failures = [
            Failure::Refused,
            Failure::ConnectTimeout,
            Failure::Timeout,
            Failure::NotTheNode("the answer carries no seal".to_owned()),
            Failure::Status(500),
            Failure::Content,
            Failure::Tls("expired".to_owned()),
            Failure::Garbled,
            Failure::Unreachable,
        ];
        let mut seen = std::collections::BTreeSet::new();
        for outcome in failures.into_iter().map(Outcome::Failed).chain([up]) {
            let text = serde_json::to_string(&outcome).unwrap();
            assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome, "{text}");
            assert!(seen.insert(outcome.to_string()), "{outcome} says the same as another");
        }
        assert_eq!(Outcome::Failed(Failure::Status(500)).to_string(), "the page has status 500, not 200");
        assert_eq!(serde_json::to_string(&Failure::Status(500)).unwrap(), r#"{"status":500}"#);
    }
}
