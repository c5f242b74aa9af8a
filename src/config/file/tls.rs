//! What is written about HTTPS: `[site.tls]` and `[watcher.tls]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::config::endpoint::{Directory, Host};
use crate::config::secret::SecretSource;
use crate::config::value::At;

/// `[site.tls]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [site.tls]")]
pub(crate) struct SiteTls {
    /// Where to listen. Default: `["[::]:443"]`.
    pub(crate) listen: Option<Spanned<Vec<At<SocketAddr>>>>,
    /// A file with the certificate and the chain behind it, PEM. Together with `key`.
    pub(crate) certificate: Option<Spanned<PathBuf>>,
    /// The key, PEM: a file or a credential. Together with `certificate`.
    pub(crate) key: Option<Spanned<SecretSource>>,
    /// An authority that is asked for the certificate, in the place of files.
    pub(crate) acme: Option<Spanned<Acme>>,
    /// Whether visitors who come without TLS are sent to HTTPS, as soon as there is a certificate. Default: `false`.
    pub(crate) redirect: Option<bool>,
    /// For how long browsers are to come by HTTPS alone. Default: they are not told so.
    pub(crate) hsts: Option<Spanned<At<Duration>>>,
}

/// `acme = { … }`
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { directory = \"letsencrypt\", provider = \"home\" }"
)]
pub(crate) struct Acme {
    /// `letsencrypt`, `letsencrypt-staging`, or the URL of another authority's directory. Required.
    pub(crate) directory: At<Directory>,
    /// `dns-01`, `http-01` or `tls-alpn-01`. Default: `dns-01` with a `provider`, else `http-01`.
    pub(crate) challenge: Option<Spanned<ChallengeKind>>,
    /// The `[provider.…]` that the proof is put into the DNS by; for `dns-01` alone.
    pub(crate) provider: Option<At<String>>,
    /// An address that the authority may write to, such as `"me@example.com"`. Default: none.
    pub(crate) contact: Option<At<String>>,
    /// A directory on a volume that the other nodes of the site have too: one renews, all use it. Default: none.
    pub(crate) share: Option<PathBuf>,
    /// A file with the root of a private authority, PEM. Default: the roots that browsers trust.
    pub(crate) root: Option<Spanned<PathBuf>>,
}

/// How hosts are proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum ChallengeKind {
    #[serde(rename = "dns-01")]
    Dns01,
    #[serde(rename = "http-01")]
    Http01,
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

/// `[watcher.tls]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [watcher.tls]")]
pub(crate) struct WatcherTls {
    /// What nodes and browsers call it. Required, at least one.
    pub(crate) hosts: Spanned<Vec<At<Host>>>,
    /// As in `[site.tls]`.
    pub(crate) certificate: Option<Spanned<PathBuf>>,
    /// As in `[site.tls]`.
    pub(crate) key: Option<Spanned<SecretSource>>,
    /// As in `[site.tls]`; proven by `dns-01`, or by `tls-alpn-01` where it listens on port 443.
    pub(crate) acme: Option<Spanned<Acme>>,
}
