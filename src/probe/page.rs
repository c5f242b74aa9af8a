//! What a look asks for: the page that a visitor would get. PURE.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a visitor would ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        })
    }
}
