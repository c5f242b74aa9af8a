//! What is written about what the agent does after a change: `[[hook]]`.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use toml::Spanned;

use crate::config::endpoint::WebUrl;
use crate::config::secret::SecretSource;
use crate::config::value::{At, Written};
use crate::hook::Subject;

/// `[[hook]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[hook]]")]
pub(crate) struct Hook {
    /// A program, by its whole path, and its arguments. This or `webhook` is required.
    pub(crate) command: Option<Spanned<Vec<String>>>,
    /// Where the facts are POSTed to. This or `command` is required.
    pub(crate) webhook: Option<Spanned<Webhook>>,
    /// `record`, `address`, `watcher`, or some of them. Default: `["record"]`.
    pub(crate) on: Option<Spanned<Vec<Spanned<Subject>>>>,
    /// For one run of the command, or one try of the webhook; five minutes at most. Default: `10s`.
    pub(crate) timeout: Option<At<Duration>>,
}

/// `webhook = { … }`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "{ url = \"https://…\" }")]
pub(crate) struct Webhook {
    /// The URL, or where it is kept. Required.
    pub(crate) url: Spanned<HookUrl>,
}

/// A URL that may be a secret.
pub(crate) enum HookUrl {
    /// Written here.
    Plain(WebUrl),
    /// Kept elsewhere.
    Secret(SecretSource),
}

struct UrlVisitor;

impl<'de> Visitor<'de> for UrlVisitor {
    type Value = HookUrl;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URL in quotes, or the source of a secret one, such as { credential = \"ntfy\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<HookUrl, E> {
        WebUrl::read(text).map(HookUrl::Plain).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HookUrl, A::Error> {
        SecretSource::deserialize(MapAccessDeserializer::new(map)).map(HookUrl::Secret)
    }
}

impl<'de> Deserialize<'de> for HookUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UrlVisitor)
    }
}
