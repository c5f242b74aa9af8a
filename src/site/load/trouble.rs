//! Why a look brought nothing, and what that says of the source.
//!
//! Never decides what is served meanwhile.

use super::process::Silence;
use super::wire::Failure;
use super::{LoadReport, Source};
use crate::heartbeat::SourceState;

/// Why a look brought nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    Silence(Silence),
    Failed(Failure, String),
    Wrong(&'static str),
    /// The root is on another kind of file system than it must be on.
    Elsewhere {
        kind: String,
        wanted: String,
    },
}

impl From<Silence> for Trouble {
    fn from(silence: Silence) -> Self {
        Self::Silence(silence)
    }
}

impl Trouble {
    /// What it says of the source.
    pub(super) fn report(&self, source: &Source) -> LoadReport {
        let root = source.root.display();
        let (state, why) = match self {
            Self::Silence(silence @ (Silence::Hung | Silence::Full)) => {
                (SourceState::Hung, silence.to_string())
            }
            Self::Silence(silence @ Silence::Ended(_)) => (SourceState::Gone, silence.to_string()),
            Self::Wrong(why) => (SourceState::Wrong, (*why).to_owned()),
            Self::Elsewhere { kind, wanted } => {
                (SourceState::Wrong, format!("it is on {kind} and not on {wanted}: check the mount"))
            }
            Self::Failed(Failure::TooMany, text) => (SourceState::Wrong, text.clone()),
            Self::Failed(Failure::Missing, text) => {
                (SourceState::Gone, format!("{text}; create the directory, or mount it"))
            }
            Self::Failed(Failure::Refused, text) => {
                (SourceState::Gone, format!("{text}; let the user that hearth runs as read it"))
            }
            Self::Failed(Failure::Unreachable, text) => {
                (SourceState::Gone, format!("{text}; check the mount"))
            }
        };
        LoadReport { state, why: format!("{root}: {why}") }
    }
}
