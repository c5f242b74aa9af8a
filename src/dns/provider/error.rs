//! What can go wrong with a provider, named by what it means.
//!
//! Never logged here: whoever asked decides what to do, and says so once.

use std::time::Duration;

use crate::dns::Name;
use crate::dns::guard::Setback;

/// Why a provider did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The credentials are not accepted. Do not try again before a person acted.
    #[error(
        "{server} does not accept the key `{key}` ({reason}); compare it with the one that stands there, and with what that one may write"
    )]
    Auth {
        /// Who refused.
        server: String,
        /// The key, by name.
        key: String,
        /// In the server's words.
        reason: String,
    },
    /// The credentials are accepted, but not for this.
    #[error("{server} refuses: {reason}; allow the key to write this name and its types there")]
    Refused {
        /// Who refused.
        server: String,
        /// What, in the server's words.
        reason: String,
    },
    /// Our clock and the server's are too far apart for a signature.
    #[error("{server} finds this machine's clock wrong ({reason}); wait for the time to be set, or set it")]
    ClockSkew {
        /// Who says so.
        server: String,
        /// In the server's words.
        reason: String,
    },
    /// Something else stands there than was seen. Nothing was changed; look again and plan anew.
    #[error("{name} changed at {server} since it was read, nothing was written ({reason})")]
    Conflict {
        /// The name.
        name: Name,
        /// Who says so.
        server: String,
        /// In the server's words.
        reason: String,
    },
    /// The change was sent, and whether it took effect is not known. Read back before anything is repeated.
    #[error("{server} was sent the change, but it is not known whether it took effect: {reason}")]
    Unconfirmed {
        /// Who was sent the change.
        server: String,
        /// What came instead of an answer.
        reason: String,
    },
    /// The server failed; it may be better next time.
    #[error("{server} failed: {reason}")]
    Transient {
        /// Who failed.
        server: String,
        /// In the server's words.
        reason: String,
        /// How long it asks to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// The server was not reached; nothing was sent.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable {
        /// Who was not reached.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server answers, but not with authority for the zone.
    #[error(
        "{server} does not hold the zone {zone} ({reason}); name the zone's primary server, or the account that has it"
    )]
    NotAuthoritative {
        /// Who was asked.
        server: String,
        /// The zone.
        zone: Name,
        /// In the server's words.
        reason: String,
    },
    /// This can never work as it is set up.
    #[error("{0}")]
    Unusable(String),
}

impl ProviderError {
    /// How long the provider asks to wait, where it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            ProviderError::Transient { retry_after, .. } => *retry_after,
            ProviderError::Auth { .. }
            | ProviderError::Refused { .. }
            | ProviderError::ClockSkew { .. }
            | ProviderError::Conflict { .. }
            | ProviderError::Unconfirmed { .. }
            | ProviderError::Unreachable { .. }
            | ProviderError::NotAuthoritative { .. }
            | ProviderError::Unusable(_) => None,
        }
    }

    /// What this means for the next write.
    #[must_use]
    pub fn setback(&self) -> Setback {
        match self {
            ProviderError::Auth { .. } => Setback::Auth,
            ProviderError::Refused { .. }
            | ProviderError::NotAuthoritative { .. }
            | ProviderError::Unusable(_) => Setback::Refused,
            ProviderError::ClockSkew { .. } => Setback::ClockSkew,
            ProviderError::Conflict { .. } => Setback::Conflict,
            ProviderError::Transient { retry_after: Some(wait), .. } => Setback::Wait(*wait),
            ProviderError::Transient { .. }
            | ProviderError::Unconfirmed { .. }
            | ProviderError::Unreachable { .. } => Setback::Passing,
        }
    }
}
