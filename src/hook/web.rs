//! Tells a webhook: a POST of the facts as JSON, tried again a few times when nobody is there.
//!
//! Never follows a redirect, never reads more than a few kilobytes of an answer, and keeps the URL out of its errors: it
//! is the only secret that such services have.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use tokio::time::sleep;

use crate::host::{random, tls};
use crate::secret::Secret;

/// To connect, TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// Before each further try, give or take a fifth.
const BACK_OFF: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// How much of an answer is read, in bytes.
const ANSWER: usize = 4 * 1024;

/// What is shorter is found in any text.
const SHORTEST: usize = 4;

/// A webhook.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    client: Client,
    url: Secret<String>,
    limit: Duration,
}

/// Why a try came to nothing, in words without the URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Another try may do better.
    Passing(String),
    /// Another would be refused as well.
    Refused(String),
}

impl Missed {
    /// Why.
    pub(crate) fn words(&self) -> &str {
        match self {
            Missed::Passing(why) | Missed::Refused(why) => why,
        }
    }
}

impl Webhook {
    /// The webhook at `url`, with `limit` for each try.
    pub(crate) fn new(url: Secret<String>, limit: Duration) -> Self {
        let tls = tls::client_config(&[]).expect("no roots were handed in that could be wrong");
        let client = Client::builder()
            .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(limit)
            .pool_max_idle_per_host(0)
            .tls_backend_preconfigured(tls)
            .build()
            .expect("the settings are constants");
        Self { client, url, limit }
    }

    /// Delivers `body`.
    ///
    /// # Errors
    /// Why the last try came to nothing, in words.
    pub(super) async fn deliver(&self, body: &str) -> Result<(), String> {
        for pause in BACK_OFF {
            match self.post(body).await {
                Ok(()) => return Ok(()),
                Err(Missed::Refused(why)) => return Err(why),
                Err(Missed::Passing(_)) => sleep(random::jitter(pause, 0.2)).await,
            }
        }
        self.post(body).await.map_err(|missed| match missed {
            Missed::Passing(why) => format!("{why}, {} times in a row", BACK_OFF.len() + 1),
            Missed::Refused(why) => why,
        })
    }

    async fn post(&self, body: &str) -> Result<(), Missed> {
        self.send(self.client.post(self.url.expose()), body).await.map(|_| ())
    }

    /// Sends `body` to another URL of the same service, once; the status and the beginning of what it answered.
    pub(crate) async fn tell(&self, url: &str, body: &str) -> Result<(StatusCode, String), Missed> {
        let mut response = self.send(self.client.post(url), body).await?;
        let (status, mut answer) = (response.status(), Vec::new());
        while let Ok(Some(part)) = response.chunk().await {
            let room = ANSWER - answer.len();
            answer.extend_from_slice(&part[..part.len().min(room)]);
            if answer.len() == ANSWER {
                break;
            }
        }
        Ok((status, String::from_utf8_lossy(&answer).into_owned()))
    }

    async fn send(&self, request: RequestBuilder, body: &str) -> Result<Response, Missed> {
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_owned());
        let response = request.send().await.map_err(|error| self.unsent(error))?;
        let status = response.status();
        let said = format!("it answered {status}");
        match status.as_u16() {
            200..=299 => Ok(response),
            408 | 425 | 429 | 500.. => Err(Missed::Passing(said)),
            300..=399 => Err(Missed::Refused(format!("{said}, and redirects are not followed"))),
            _ => Err(Missed::Refused(said)),
        }
    }

    /// The words are the innermost cause: the outer ones repeat the URL.
    fn unsent(&self, error: reqwest::Error) -> Missed {
        if error.is_timeout() {
            return Missed::Passing(format!("no answer within {:?}", self.limit));
        }
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Missed::Passing(struck(&cause.to_string(), &self.url))
    }
}

/// `text` without the URL and its parts.
fn struck(text: &str, url: &Secret<String>) -> String {
    let whole = url.expose();
    let parsed = Url::parse(whole).ok();
    let parts = parsed.iter().flat_map(|url| {
        let segments = url.path().split('/');
        [url.as_str(), url.path(), url.query().unwrap_or_default(), url.host_str().unwrap_or_default()]
            .into_iter()
            .chain(segments)
    });
    let mut parts: Vec<&str> =
        std::iter::once(whole.as_str()).chain(parts).filter(|part| part.len() >= SHORTEST).collect();
    parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.len()));
    parts.into_iter().fold(text.to_owned(), |text, part| text.replace(part, "(secret)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_url_is_left_in_an_error() {
        let url = Secret::new("https://t0ken.hooks.example/up/s3cret-topic?auth=hunter2".to_owned());
        let said = "not valid for t0ken.hooks.example: /up/s3cret-topic?auth=hunter2, s3cret-topic; \
                    https://t0ken.hooks.example/up/s3cret-topic?auth=hunter2";
        let told = struck(said, &url);
        assert_eq!(told, "not valid for (secret): (secret)?(secret), (secret); (secret)");
        assert_eq!(struck("up and away", &url), "up and away");
    }

    #[tokio::test]
    async fn a_url_that_leads_nowhere_is_not_told() {
        // As main does, before anything can ask for TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = Secret::new(format!("http://{closed}/s3cret-topic"));
        let missed = Webhook::new(url, Duration::from_secs(5)).post("{}").await.unwrap_err();
        let Missed::Passing(why) = missed else { panic!("{missed:?}") };
        assert!(!why.is_empty() && !why.contains("s3cret") && !why.contains("127.0.0.1"), "{why}");
    }
}
