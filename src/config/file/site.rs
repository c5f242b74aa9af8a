//! What is written about the site that an agent serves: `[site]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::config::endpoint::Host;
use crate::config::value::{At, Size};
use crate::site::Rules;
use crate::site::log::LogFormat;

/// `[site]`
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
    pub(crate) keep: Option<PathBuf>,
    /// Between two looks at the root. Default: `2s`.
    pub(crate) poll: Option<At<Duration>>,
    /// `[site.log]`: the access log. Without it: none.
    pub(crate) log: Option<Spanned<SiteLog>>,
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
