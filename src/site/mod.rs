//! The site: what is read from the mount, what is kept, and what a visitor is answered.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one agent serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSettings {
    /// The values of Host that are answered, lower case, without a port; others get 421.
    pub hosts: Vec<String>,
    /// The directory or mount that the site is read from.
    pub root: PathBuf,
    /// How a path becomes an answer.
    pub rules: Rules,
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// How many bytes of content may be held in memory.
    pub memory: u64,
    /// Where the last good copy is kept on local storage. None: it is not kept.
    pub keep: Option<PathBuf>,
    /// Between two looks at the root.
    pub poll: Duration,
}

/// How a path becomes an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    /// As GitHub Pages answers: `/about` finds `about.html`, a missing page is 404 with `/404.html`.
    #[default]
    GithubPages,
    /// `try_files $uri $uri/ /index.html`: a missing page is 200 with the home page.
    Spa,
    /// Files, and the index of a directory; nothing else.
    Files,
}
