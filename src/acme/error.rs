//! Why there is no new certificate, and what that means for the next try.
//!
//! Never holds a key.

use std::path::PathBuf;
use std::time::Duration;

use super::renewal::Setback;
use crate::dns::attempt::TextError;
use crate::dns::guard;

/// What an ACME error type begins with (RFC 8555 section 6.7).
const PREFIX: &str = "urn:ietf:params:acme:error:";

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    /// The authority said so, in its words.
    #[error("{authority} answered {kind}: {detail}")]
    Refused {
        /// Who.
        authority: String,
        /// The type of the problem, without what all have in common.
        kind: String,
        /// In its words.
        detail: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// No answer, or one that is none.
    #[error("{authority} cannot be asked: {why}")]
    Unreachable {
        /// Who.
        authority: String,
        /// Why.
        why: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// It does not prove hosts in this way.
    #[error("{authority} does not offer {challenge} for {host}; choose another `challenge`")]
    NotOffered {
        /// Who.
        authority: String,
        /// Which.
        challenge: &'static str,
        /// For what.
        host: String,
    },
    /// CAA records name others.
    #[error(
        "CAA records at {at} forbid it: they name {allowed}; add a CAA record `0 issue \"{wanted}\"` there"
    )]
    Forbidden {
        /// Where they stand.
        at: String,
        /// Whom they allow.
        allowed: String,
        /// Who would have to be there.
        wanted: String,
    },
    /// The DNS provider did not take the proof.
    #[error("the proof for {host} cannot be put into the DNS: {why}")]
    Provider {
        /// For what.
        host: String,
        /// Why.
        why: TextError,
    },
    /// Not every name server shows the proof.
    #[error("not every name server shows the proof within {within:?}: {view}")]
    NotShown {
        /// How long was waited.
        within: Duration,
        /// The last of them that did not.
        view: String,
    },
    /// It took too long.
    #[error("{authority} did not issue a certificate within {within:?}")]
    Slow {
        /// Who.
        authority: String,
        /// How long was waited.
        within: Duration,
    },
    /// What was issued is no good.
    #[error("{authority} issued a certificate that cannot be used: {why}")]
    Useless {
        /// Who.
        authority: String,
        /// Why.
        why: String,
    },
    /// A key could not be made, or what was kept is no key.
    #[error("{0}; restart hearth and report this")]
    Defect(String),
    /// A file cannot be read or written.
    #[error("{path}: {why}", path = .path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl AcmeError {
    /// What it means for the next try.
    pub(super) fn setback(&self) -> Setback {
        match self {
            Self::Refused { kind, retry_after, .. } => of_kind(kind, *retry_after),
            Self::Unreachable { retry_after: Some(wait), .. } => Setback::TooMany(Some(*wait)),
            Self::Unreachable { retry_after: None, .. } | Self::Slow { .. } | Self::Disk { .. } => {
                Setback::Passing
            }
            // Each try is an order and a change of the zone.
            Self::NotShown { .. } => Setback::Unproven,
            Self::NotOffered { .. } | Self::Forbidden { .. } | Self::Defect(_) | Self::Useless { .. } => {
                Setback::Stuck
            }
            Self::Provider { why, .. } => match why.setback() {
                guard::Setback::Auth | guard::Setback::Refused => Setback::Stuck,
                guard::Setback::Wait(wait) => Setback::TooMany(Some(wait)),
                guard::Setback::ClockSkew
                | guard::Setback::Conflict
                | guard::Setback::Budget(_)
                | guard::Setback::Passing => Setback::Passing,
            },
        }
    }

    /// Whether the account is not known there any more, and another has to be made.
    pub(super) fn is_of_account(&self) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == "accountDoesNotExist")
    }

    /// Whether the certificate that is replaced is not known there, or was replaced already (RFC 9773 section 5).
    pub(super) fn is_of_replacing(&self) -> bool {
        matches!(self, Self::Refused { kind, detail, .. }
            if kind == "alreadyReplaced" || detail.contains("replace"))
    }
}

/// What a type of problem means (RFC 8555 section 6.7).
fn of_kind(kind: &str, retry_after: Option<Duration>) -> Setback {
    match kind {
        "rateLimited" => Setback::TooMany(retry_after),
        "badNonce" | "serverInternal" | "accountDoesNotExist" | "orderNotReady" | "alreadyReplaced" => {
            retry_after.map_or(Setback::Passing, |wait| Setback::TooMany(Some(wait)))
        }
        "unauthorized" | "connection" | "dns" | "incorrectResponse" | "tls" | "caa" | "malformed" => {
            Setback::Unproven
        }
        _ => Setback::Stuck,
    }
}

/// Names the authority in errors of the client.
#[derive(Clone, Debug)]
pub(super) struct Authority(pub(super) String);

impl Authority {
    /// What an error of the client means. `retry_after` is what the last answer that was no success asked for.
    pub(super) fn error(&self, error: &instant_acme::Error, retry_after: Option<Duration>) -> AcmeError {
        let authority = self.0.clone();
        if let instant_acme::Error::Api(problem) = error {
            return self.problem(problem, retry_after);
        }
        AcmeError::Unreachable { authority, why: innermost(error), retry_after }
    }

    /// What a problem means.
    pub(super) fn problem(
        &self,
        problem: &instant_acme::Problem,
        retry_after: Option<Duration>,
    ) -> AcmeError {
        let kind = problem.r#type.as_deref().unwrap_or("an error without a type");
        let kind = kind.strip_prefix(PREFIX).unwrap_or(kind);
        let own = problem.detail.iter().cloned();
        let of_hosts = problem.subproblems.iter().map(ToString::to_string);
        let detail = own.chain(of_hosts).collect::<Vec<_>>().join("; ");
        AcmeError::Refused {
            authority: self.0.clone(),
            kind: plain(kind),
            detail: plain(&detail),
            retry_after,
        }
    }
}

/// The outer ones say only that a request failed.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    plain(&cause.to_string())
}

/// What a stranger wrote, on one line and not too long.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: &str, retry_after: Option<Duration>) -> AcmeError {
        let problem = format!("{{\"type\":\"{PREFIX}{kind}\",\"detail\":\"no\\nmore\"}}");
        let problem = serde_json::from_str(&problem).unwrap();
        Authority("ca.example".to_owned()).problem(&problem, retry_after)
    }

    #[test]
    fn problems_are_told_apart_by_what_to_do_next() {
        let minute = Some(Duration::from_secs(60));
        for (kind, wait, setback) in [
            ("rateLimited", minute, Setback::TooMany(minute)),
            ("rateLimited", None, Setback::TooMany(None)),
            ("badNonce", None, Setback::Passing),
            ("serverInternal", minute, Setback::TooMany(minute)),
            ("unauthorized", None, Setback::Unproven),
            ("dns", None, Setback::Unproven),
            ("rejectedIdentifier", None, Setback::Stuck),
            ("userActionRequired", None, Setback::Stuck),
        ] {
            assert_eq!(refused(kind, wait).setback(), setback, "{kind}");
        }
        assert!(refused("accountDoesNotExist", None).is_of_account());
        assert_eq!(refused("dns", None).to_string(), "ca.example answered dns: no more");
    }
}
