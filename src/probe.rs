//! One look from outside: does the right node answer at this address, and what would a visitor get?
//!
//! Never decides anything: what a look means is `liveness`'s business.

use serde::{Deserialize, Serialize};

/// What a visitor would ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCheck {
    /// How.
    pub scheme: Scheme,
    /// On which port.
    pub port: u16,
    /// Which page; begins with a slash.
    pub path: String,
    /// A text that the page must contain. None: the status alone counts.
    pub contains: Option<String>,
}

/// How a page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS; the certificate must be good for the site's name.
    Https,
}
