//! One HTTPS request to a provider's API, told apart by what is known afterwards: not sent, not answered, answered.
//!
//! Never sends a request twice, never follows a redirect, never uses a proxy from the environment, and keeps URLs out of
//! its errors: some services want their token there.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url};

use super::ProviderError;
use super::cloud::{Class, Place};
use crate::host::tls;
use crate::secret::Secret;

/// To connect, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// For a whole request. A service that writes to its disks first takes seconds now and then.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest answer that is read: some thousand records.
const LONGEST: usize = 4 * 1024 * 1024;

/// What is shorter is no secret, but the number of one.
const SHORTEST: usize = 6;

/// A client of one service.
#[derive(Clone, Debug)]
pub(super) struct Web {
    client: Client,
    endpoint: Url,
    patience: Duration,
    /// Struck out of every answer: error pages repeat what was sent.
    secrets: Vec<Secret<String>>,
}

/// What a request is for; it decides what a missing answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// To look: nothing happened.
    Read,
    /// To change: it may have.
    Write,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Heard {
    /// The HTTP status.
    pub(super) status: u16,
    /// How long the service asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// The body.
    pub(super) body: String,
}

impl Web {
    /// A client of the service at `endpoint` that calls itself `agent`. Every request has a connection of its own: on a
    /// kept one it would not be known whether a request was sent.
    ///
    /// # Errors
    /// When `endpoint` is no URL or `agent` no header value.
    pub(super) fn new(endpoint: &str, agent: &str) -> Result<Self, ProviderError> {
        let unusable = |why: String| ProviderError::Unusable(format!("{endpoint} cannot be used: {why}"));
        let endpoint = Url::parse(endpoint).map_err(|e| unusable(e.to_string()))?;
        let tls = tls::client_config(&[]).map_err(|e| unusable(e.to_string()))?;
        let client = Client::builder()
            .user_agent(agent)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|e| unusable(e.to_string()))?;
        Ok(Self { client, endpoint, patience: PATIENCE, secrets: Vec::new() })
    }

    /// The same client, with this secret struck out of whatever the service says: its parts, where it has commas, as
    /// they are and as forms and queries write them.
    pub(super) fn hiding(mut self, secret: &Secret<String>) -> Self {
        for part in secret.expose().split(',').filter(|part| part.len() >= SHORTEST) {
            self.secrets.push(Secret::new(part.to_owned()));
            self.secrets.push(Secret::new(form([("", part)]).split_off(1)));
        }
        self
    }

    fn without_secrets(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret.expose().as_str(), "(secret)"))
    }

    /// The same client, waiting this long for an answer.
    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The host of the service, with its port where it is not the usual one: the value of the `Host` header.
    pub(super) fn host(&self) -> String {
        let host = self.endpoint.host_str().unwrap_or_default();
        self.endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The address of `path` at the service; a path of the endpoint's own stays in front of it.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.endpoint.clone();
        let own = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{own}/{path}"));
        url
    }

    /// The address of the service itself.
    pub(super) fn endpoint(&self) -> Url {
        self.endpoint.clone()
    }

    /// A GET of `url`.
    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    /// A POST to `url`.
    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// A PATCH of `url`.
    pub(super) fn patch(&self, url: Url) -> RequestBuilder {
        self.client.patch(url)
    }

    /// Sends `request` once.
    ///
    /// # Errors
    /// When it was not sent; when no answer came, which for a change means that it is not known whether it was made.
    pub(super) async fn send(
        &self,
        place: &Place<'_>,
        intent: Intent,
        request: RequestBuilder,
    ) -> Result<Heard, ProviderError> {
        let lost = |error: reqwest::Error| lost(place, intent, error);
        let mut response = request.timeout(self.patience).send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(garbled(place, intent, format!("it answered more than {LONGEST} bytes")));
            }
        }
        let body = self.without_secrets(String::from_utf8_lossy(&body).into_owned());
        let heard = Heard { status, retry_after: retry_after.map(Duration::from_secs), body };
        if status == 429 {
            return Err(too_many(place, &heard));
        }
        Ok(heard)
    }
}

impl Heard {
    /// The body as JSON of this shape.
    ///
    /// # Errors
    /// When it is not: a page, half an answer, or somebody else's.
    pub(super) fn json<T: serde::de::DeserializeOwned>(
        &self,
        place: &Place<'_>,
        intent: Intent,
    ) -> Result<T, ProviderError> {
        serde_json::from_str(&self.body).map_err(|error| {
            garbled(
                place,
                intent,
                format!("it answered {} with something that is no answer ({error})", self.status),
            )
        })
    }
}

/// An answer came that cannot be read.
pub(super) fn garbled(place: &Place<'_>, intent: Intent, reason: String) -> ProviderError {
    let server = place.server.to_owned();
    match intent {
        Intent::Read => ProviderError::Transient { server, reason, retry_after: None },
        Intent::Write => ProviderError::Unconfirmed { server, reason },
    }
}

fn too_many(place: &Place<'_>, heard: &Heard) -> ProviderError {
    const PAUSE: Duration = Duration::from_secs(60);
    let reason = format!("too many calls (HTTP 429): {}", excerpt(&heard.body));
    Class::Wait(heard.retry_after.unwrap_or(PAUSE)).error(place, reason)
}

/// No whole answer came. The words are the innermost cause: the outer ones repeat the URL.
fn lost(place: &Place<'_>, intent: Intent, error: reqwest::Error) -> ProviderError {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let reason = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
    let server = place.server.to_owned();
    match intent {
        Intent::Write if !error.is_connect() => ProviderError::Unconfirmed { server, reason },
        Intent::Write | Intent::Read => ProviderError::Unreachable { server, reason },
    }
}

/// Fields as a form body or a query (<https://url.spec.whatwg.org/#application/x-www-form-urlencoded>).
pub(super) fn form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut url = Url::parse("form:").expect("a scheme is a URL");
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// The beginning of a body, for an error: one line, not a page.
pub(super) fn excerpt(body: &str) -> String {
    let line: String = body.chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.trim().is_empty() { "nothing".to_owned() } else { line.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_struck_out_as_it_is_and_as_it_is_written_in_a_query() {
        // As main does, before anything can ask for TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let web = Web::new("https://api.example", "test/1").unwrap();
        let web = web.hiding(&Secret::new("13490,hunter2/+hunter2".to_owned()));
        let said = "no /update?t=13490%2Chunter2%2F%2Bhunter2, no `hunter2/+hunter2`".to_owned();
        assert_eq!(web.without_secrets(said), "no /update?t=13490%2C(secret), no `(secret)`");
    }

    #[test]
    fn a_page_is_no_line_of_a_log() {
        assert_eq!(excerpt("<html>\n<body>"), "<html> <body>");
        assert_eq!(excerpt(&"x".repeat(9_000)).len(), 120);
        assert_eq!(excerpt(" \r\n"), "nothing");
    }
}
