//! What is written about the sites that an agent serves: `[site]`, or several times `[[site]]`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::tls::SiteTls;
use crate::config::endpoint::{Host, WebUrl};
use crate::config::value::{At, Size};
use crate::site::Rules;
use crate::site::log::LogFormat;

/// `[site]`, or several times `[[site]]`.
#[derive(Default)]
pub(crate) struct Sites(pub(crate) Vec<Spanned<Site>>);

impl<'de> Deserialize<'de> for Sites {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Spanned::<OneOrSeveral>::deserialize(deserializer)?;
        let span = written.span();
        Ok(Self(match written.into_inner() {
            OneOrSeveral::One(site) => vec![Spanned::new(span, *site)],
            OneOrSeveral::Several(sites) => sites,
        }))
    }
}

enum OneOrSeveral {
    One(Box<Site>),
    Several(Vec<Spanned<Site>>),
}

impl<'de> Deserialize<'de> for OneOrSeveral {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SitesVisitor)
    }
}

struct SitesVisitor;

impl<'de> Visitor<'de> for SitesVisitor {
    type Value = OneOrSeveral;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the table [site], or several times [[site]]")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrSeveral, A::Error> {
        Site::deserialize(MapAccessDeserializer::new(map)).map(|site| OneOrSeveral::One(Box::new(site)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OneOrSeveral, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrSeveral::Several)
    }
}

/// One site.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [site]")]
pub(crate) struct Site {
    /// The values of Host that are answered; others get 421. Required, at least one.
    pub(crate) hosts: Spanned<Vec<At<Host>>>,
    /// The directory or mount that holds the site. Required.
    pub(crate) root: PathBuf,
    /// How a path becomes an answer: `github-pages` (default), `spa` or `files`.
    pub(crate) rules: Option<Rules>,
    /// Where to listen. Default: `["[::]:80"]`.
    pub(crate) listen: Option<Spanned<Vec<At<SocketAddr>>>>,
    /// How much content may be held in memory. Default: `64MiB`.
    pub(crate) memory: Option<At<Size>>,
    /// Where the last good copy is kept. Default: nowhere.
    pub(crate) keep: Option<Spanned<PathBuf>>,
    /// Between two looks at the root. Default: `2s`.
    pub(crate) poll: Option<At<Duration>>,
    /// Whose validators (`ETag`, `Last-Modified`) are adopted, so that what browsers hold outlives a switch to the fallback
    /// and back. Only under the rules `github-pages`. Default: nobody's.
    pub(crate) validators: Option<Spanned<Validators>>,
    /// `[site.log]`: the access log. Without it: none.
    pub(crate) log: Option<Spanned<SiteLog>>,
    /// `[site.tls]`: HTTPS. Without it: plain HTTP alone.
    pub(crate) tls: Option<Spanned<SiteTls>>,
}

/// `validators = { … }`
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { from = \"https://user.github.io\" }"
)]
pub(crate) struct Validators {
    /// Where the fallback has the site, such as `"https://user.github.io"`. Required.
    pub(crate) from: At<WebUrl>,
    /// The address to connect to, where the name in `from` leads elsewhere. Default: that of the name.
    pub(crate) address: Option<At<IpAddr>>,
    /// Between two questions whether the fallback was deployed anew. Default: `10m`.
    pub(crate) every: Option<At<Duration>>,
}

/// `[site.log]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [site.log]")]
pub(crate) struct SiteLog {
    /// `combined` (default), `json` or `none`.
    pub(crate) format: Option<LogFormat>,
    /// The file, on local storage. Default: the log of the process, which is the journal under systemd.
    pub(crate) file: Option<PathBuf>,
}
