//! Sends a beat to a watcher and takes its answer, if the pinned key sealed it.
//!
//! One beat is one attempt on a fresh connection. A kept connection would save a handshake (TLS sessions are resumed
//! anyway) and cost the beats that matter most: after a new public address or a watcher that moved, it is a dead one
//! that swallows a beat until the time-out. It also means that a beat is never sent twice: after a failure its fate
//! is unknown, the same sequence again would be refused as replayed, and the next beat carries the next sequence. A
//! watcher calls a node silent after 25 s, so one lost beat in 10 s is no news.
//!
//! Never follows a redirect, never uses a proxy from the environment, never logs.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONNECTION, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, StatusCode, Url};
use rustls::pki_types::CertificateDer;

use super::receive::FORM;
use super::seal::{Purpose, Seal, SigningKey};
use super::{Answer, BEAT_PATH, Beat, MAX_BODY, SEAL_HEADER, WatcherPin};
use crate::host::tls;

/// The longest text of a refusal that is passed on, in characters.
const MAX_TEXT: usize = 300;

/// How a sender connects.
#[derive(Clone, Debug)]
pub struct SenderSettings {
    /// Trusted besides the compiled-in roots: a watcher behind a private authority.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// To connect, with the TLS handshake.
    pub connect: Duration,
    /// For a beat and its answer.
    pub total: Duration,
}

impl Default for SenderSettings {
    fn default() -> Self {
        Self { extra_roots: vec![], connect: Duration::from_secs(4), total: Duration::from_secs(6) }
    }
}

/// Why no sender can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// Not a URL of a watcher.
    #[error("`{0}` is not the URL of a watcher; write https://watch.example.net")]
    Url(String),
    /// A root that was handed in is none.
    #[error(transparent)]
    Root(#[from] tls::BadRoot),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

/// Why a beat has no answer. Whether the watcher took it is known for [`SendError::Refused`] only: it did not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No connection, or no whole answer in time.
    #[error("the watcher cannot be reached: {0}")]
    Unreachable(String),
    /// The watcher, or something in front of it, said no. A refusal is not sealed.
    #[error("the watcher refuses the beat (status {status}): {text}")]
    Refused {
        /// The HTTP status; those of the watcher are in [`Refusal::status`](super::receive::Refusal::status).
        status: u16,
        /// What it said, one line.
        text: String,
    },
    /// Not sealed by the pinned key: another watcher, or somebody between.
    #[error(
        "the answer is not sealed by the watcher's key; compare `key` of the watcher in the configuration"
    )]
    WrongKey,
    /// Sealed or not, it is no answer to this beat.
    #[error("the watcher's answer is no answer to this beat: {0}")]
    Garbled(&'static str),
}

/// Beats to one watcher.
#[derive(Clone, Debug)]
pub struct Sender {
    pin: WatcherPin,
    url: Url,
    client: Client,
}

impl Sender {
    /// A sender to the watcher at `pin`.
    ///
    /// # Errors
    /// When the URL or a root is not one.
    pub fn new(pin: WatcherPin, settings: &SenderSettings) -> Result<Self, SenderError> {
        let url = beat_url(&pin.url).ok_or_else(|| SenderError::Url(pin.url.clone()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config(&[&settings.extra_roots[..], &pin.roots].concat())?)
            .connect_timeout(settings.connect)
            .timeout(settings.total)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .http1_only()
            .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| SenderError::Client(causes(&e)))?;
        Ok(Self { pin, url, client })
    }

    /// Where this sender beats to.
    #[must_use]
    pub fn pin(&self) -> &WatcherPin {
        &self.pin
    }

    /// Sends `beat`, sealed with `key`, and returns the watcher's verified answer to it. Every call must carry a
    /// sequence of its own, also after a failure.
    ///
    /// # Errors
    /// When there is no answer that the pinned key sealed for this very beat.
    pub async fn beat(&self, beat: &Beat, key: &SigningKey) -> Result<Answer, SendError> {
        let body = serde_json::to_vec(beat).expect("a beat is JSON");
        let seal = key.seal(Purpose::Beat, &body).to_string();
        let request = self
            .client
            .post(self.url.clone())
            .header(SEAL_HEADER, seal)
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .body(body);
        let response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response).await?;
        if status != StatusCode::OK {
            return Err(SendError::Refused { status: status.as_u16(), text: one_line(&body) });
        }
        let answer = self.open(&headers, &body)?;
        fits(&answer, beat)?;
        Ok(answer)
    }

    fn open(&self, headers: &HeaderMap, body: &[u8]) -> Result<Answer, SendError> {
        let seal = headers.get(SEAL_HEADER).and_then(|value| value.to_str().ok());
        let seal: Seal = seal.and_then(|text| text.parse().ok()).ok_or(SendError::WrongKey)?;
        self.pin.key.verify(Purpose::Answer, body, &seal).map_err(|_| SendError::WrongKey)?;
        serde_json::from_slice(body)
            .map_err(|_| SendError::Garbled("its body cannot be read; run the same version"))
    }
}

/// An answer is to the run and the sequence that were sent, or it is an old one that somebody kept.
fn fits(answer: &Answer, beat: &Beat) -> Result<(), SendError> {
    if answer.form != FORM {
        return Err(SendError::Garbled("it has another form; run the same version of hearth on both"));
    }
    if (&answer.node, answer.boot, answer.sequence) != (&beat.node, beat.boot, beat.sequence) {
        return Err(SendError::Garbled("it answers another beat"));
    }
    Ok(())
}

fn beat_url(base: &str) -> Option<Url> {
    let mut url = Url::parse(base).ok()?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let path = format!("{}{BEAT_PATH}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Some(url)
}

async fn read(mut response: Response) -> Result<Vec<u8>, SendError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(SendError::Garbled("it is longer than any answer"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unreachable(error: reqwest::Error) -> SendError {
    SendError::Unreachable(causes(&error.without_url()))
}

/// An error and what caused it: reqwest's own text says only which step failed.
fn causes(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// What a stranger wrote, fit for a log.
fn one_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_go_below_the_base_that_is_configured() {
        let url = |base| beat_url(base).map(String::from);
        assert_eq!(url("https://watch.example.net").as_deref(), Some("https://watch.example.net/v1/beat"));
        assert_eq!(url("http://[::1]:8443/").as_deref(), Some("http://[::1]:8443/v1/beat"));
        assert_eq!(url("https://example.net/hearth").as_deref(), Some("https://example.net/hearth/v1/beat"));
        for bad in ["", "watch.example.net", "ftp://example.net", "https://example.net?x", "https://"] {
            assert_eq!(url(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_refusal_is_passed_on_as_one_short_line() {
        assert_eq!(one_line(b" no\r\n\x1b[31mway \n"), "no   [31mway");
        assert_eq!(one_line(&[b'x'; 5_000]).len(), MAX_TEXT);
    }
}
