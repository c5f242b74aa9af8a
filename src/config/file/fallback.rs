//! What is written about a fallback: `fallback = { … }`.
//!
//! Words alone: never decides whether it makes sense.

use std::net::IpAddr;

use serde::Deserialize;
use toml::Spanned;

use crate::config::value::At;
use crate::dns::Name;
use crate::probe::Scheme;

/// `fallback = { … }`: GitHub Pages by the user's name there, or any other place by its addresses.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "{ github-pages = \"user.github.io\" } or { addresses = [\"…\"] }"
)]
pub(crate) struct Fallback {
    /// `user.github.io`. The addresses are GitHub's published ones; scheme and port are the watch's.
    pub(crate) github_pages: Option<At<Name>>,
    /// A name of the fallback; required for `record = "cname"`.
    pub(crate) name: Option<At<Name>>,
    /// Its addresses; required unless it is GitHub Pages.
    #[serde(default)]
    pub(crate) addresses: Vec<At<IpAddr>>,
    /// How probes ask it. Default: as the watch.
    pub(crate) scheme: Option<Scheme>,
    /// Default: that of `scheme` when it is written here, else the watch's.
    pub(crate) port: Option<Spanned<u16>>,
}
