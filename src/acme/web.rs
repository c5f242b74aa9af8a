//! HTTPS to an authority, for the client of ACME.
//!
//! Never follows a redirect, never uses a proxy from the environment, and remembers how long the authority asked to wait,
//! which the client forgets.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::header::RETRY_AFTER;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;

use bytes::Bytes;

use crate::host::time::wall_clock;
use crate::host::tls::{BadRoot, client_config};

/// For one request. An authority may look at a host before it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one authority; copies are the same.
#[derive(Clone, Debug)]
pub(super) struct Web {
    client: reqwest::Client,
    retry_after: Arc<Mutex<Option<Duration>>>,
}

/// What a directory says beside the addresses (RFC 8555 section 7.1.1).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    caa_identities: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Directory {
    #[serde(default)]
    meta: Meta,
}

impl Web {
    /// A client that trusts the usual roots and these.
    ///
    /// # Errors
    /// When one of them is no certificate.
    pub(super) fn new(roots: &[CertificateDer<'static>]) -> Result<Self, BadRoot> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .tls_backend_preconfigured(client_config(roots)?)
            .build()
            .expect("nothing that was set can be wrong");
        Ok(Self { client, retry_after: Arc::default() })
    }

    /// How long the authority asked to wait when it last refused something; asked once.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whom CAA records must name; none: it does not say.
    pub(super) async fn caa_identities(&self, directory: &str) -> Vec<String> {
        let asked = async { self.client.get(directory).send().await?.bytes().await }.await;
        let read = asked.ok().and_then(|body| serde_json::from_slice::<Directory>(&body).ok());
        read.unwrap_or_default().meta.caa_identities
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let lost = |error: reqwest::Error| Error::Other(Box::new(error.without_url()));
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await;
        let sent = self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers);
        let answer = sent.body(body.to_bytes()).send().await.map_err(lost)?;
        if !answer.status().is_success() {
            let wait = answer.headers().get(RETRY_AFTER).and_then(|value| wait(value.to_str().ok()?));
            *self.retry_after.lock().unwrap_or_else(PoisonError::into_inner) = wait;
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = hyper::Response::new(Full::new(answer.bytes().await.map_err(lost)?));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(BytesResponse::from(response))
    }
}

/// Seconds, or a date (RFC 9110 section 10.2.3).
fn wait(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(value).ok()?.duration_since(wall_clock()).ok()
}

impl HttpClient for Web {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().send(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_in_seconds_or_until_a_date() {
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        let in_two_hours = httpdate::fmt_http_date(wall_clock() + Duration::from_secs(7_200));
        assert!(wait(&in_two_hours).is_some_and(|wait| (7_100..=7_200).contains(&wait.as_secs())));
        assert_eq!(wait("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(wait("soon"), None);
    }
}
