//! What is written about a policy: the name of a profile, or a table of single values.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::config::value::At;
use crate::policy::Profile;

/// `policy = "steady"` or `policy = { profile = "steady", hard = "75s" }`
pub(crate) struct PolicyChoice(pub(crate) PolicyTable);

impl<'de> Deserialize<'de> for PolicyChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PolicyVisitor).map(PolicyChoice)
    }
}

struct PolicyVisitor;

impl<'de> Visitor<'de> for PolicyVisitor {
    type Value = PolicyTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "\"fast\", \"steady\" or \"calm\", or a table such as { profile = \"steady\", hard = \"75s\" }",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PolicyTable, E> {
        let profile = Profile::deserialize(StrDeserializer::new(text))?;
        Ok(PolicyTable { profile: Some(profile), ..PolicyTable::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PolicyTable, A::Error> {
        PolicyTable::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Single values of a policy; each default is the profile's. What they mean: [`crate::policy::Policy`].
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PolicyTable {
    /// `fast`, `steady` (default) or `calm`.
    pub(crate) profile: Option<Profile>,
    pub(crate) probe_every: Option<At<Duration>>,
    pub(crate) probe_suspect_every: Option<At<Duration>>,
    pub(crate) probe_connect: Option<At<Duration>>,
    pub(crate) probe_total: Option<At<Duration>>,
    pub(crate) beat_stale: Option<At<Duration>>,
    /// A silence of this length is told to people; it moves nothing by itself.
    pub(crate) silence_told: Option<At<Duration>>,
    pub(crate) hard: Option<At<Duration>>,
    pub(crate) hard_with_sibling: Option<At<Duration>>,
    pub(crate) hard_failures: Option<NonZeroU32>,
    pub(crate) gray: Option<At<Duration>>,
    pub(crate) gray_agreed: Option<At<Duration>>,
    pub(crate) dissent: Option<At<Duration>>,
    pub(crate) testimony_fresh: Option<At<Duration>>,
    pub(crate) intermittent: Option<NonZeroU32>,
    pub(crate) intermittent_clear: Option<NonZeroU32>,
    pub(crate) rise: Option<NonZeroU32>,
    pub(crate) rise_beats: Option<NonZeroU32>,
    pub(crate) rise_span: Option<At<Duration>>,
    pub(crate) hold: Option<At<Duration>>,
    pub(crate) hold_cap: Option<At<Duration>>,
    pub(crate) returns: Option<NonZeroU32>,
    pub(crate) budget_span: Option<At<Duration>>,
    pub(crate) warm_up: Option<At<Duration>>,
    pub(crate) announced: Option<At<Duration>>,
    pub(crate) fallback_every: Option<At<Duration>>,
    pub(crate) fallback_suspect_every: Option<At<Duration>>,
    pub(crate) fallback_fresh: Option<At<Duration>>,
    pub(crate) reference_every: Option<At<Duration>>,
    pub(crate) reference_span: Option<At<Duration>>,
    pub(crate) write_patience: Option<At<Duration>>,
    pub(crate) read_every: Option<At<Duration>>,
}
