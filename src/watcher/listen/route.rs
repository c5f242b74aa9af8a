//! One request to the watcher: what it asks for, whether it may, and the answer.
//!
//! Never reads more of a body than a beat has, and never reads one that is not announced: hyper forgets
//! Content-Length next to Transfer-Encoding, so a request with Transfer-Encoding is refused whatever else it says
//! (RFC 9112 section 6.3 lets it smuggle).

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::door::Closed;
use super::{Accepted, Handler, Limits};
use crate::heartbeat::receive::{Refusal, examine};
use crate::heartbeat::seal::Purpose;
use crate::heartbeat::witness::Errand;
use crate::heartbeat::{Answer, BEAT_PATH, Beat, MAX_BODY, SEAL_HEADER};
use crate::watcher::question::Question;
use crate::watcher::{Asked, metrics, page};

type Reply = Response<Full<Bytes>>;

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Where a person's word is taken.
const OVERRIDE_PATH: &str = "/v1/override";

/// The longest word that is taken, in bytes.
const MAX_WORD: usize = 4 * 1024;

/// Why a request is turned away.
#[derive(Debug, thiserror::Error)]
enum Turned {
    #[error("a request has exactly one valid Host (RFC 9112 section 3.2)")]
    Host,
    #[error("there is nothing here")]
    NotFound,
    #[error("this answers {allow} only")]
    Method { allow: &'static str },
    #[error("a beat says its length in Content-Length and has no Transfer-Encoding")]
    Length,
    #[error("the body took too long")]
    Slow,
    #[error("the body broke off")]
    BrokenOff,
    #[error("the watcher is busy; try again")]
    Busy,
    #[error("this needs the token of the watcher: Authorization: Bearer …")]
    Token,
    #[error("a word is JSON, sent as application/json: {0}")]
    Word(String),
    #[error("refused: {0}")]
    Declined(String),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Turned {
    fn status(&self) -> StatusCode {
        match self {
            Turned::Host | Turned::BrokenOff | Turned::Word(_) => StatusCode::BAD_REQUEST,
            Turned::Token => StatusCode::UNAUTHORIZED,
            Turned::Declined(_) => StatusCode::CONFLICT,
            Turned::NotFound => StatusCode::NOT_FOUND,
            Turned::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Turned::Length => StatusCode::LENGTH_REQUIRED,
            Turned::Slow => StatusCode::REQUEST_TIMEOUT,
            Turned::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Turned::Refused(why) => StatusCode::from_u16(why.status()).unwrap_or(StatusCode::BAD_REQUEST),
        }
    }
}

impl From<Closed> for Turned {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Nothing => Turned::NotFound,
            Closed::Token => Turned::Token,
        }
    }
}

/// Answers one request.
pub(super) async fn respond(
    handler: Arc<Handler>,
    limits: Arc<Limits>,
    request: Request<Incoming>,
) -> Result<Reply, Infallible> {
    Ok(route(&handler, &limits, request).await.unwrap_or_else(|why| {
        debug!(%why, "a request to the watcher was turned away");
        turned(&why)
    }))
}

async fn route(handler: &Handler, limits: &Limits, request: Request<Incoming>) -> Result<Reply, Turned> {
    check_host(&request)?;
    match request.uri().path() {
        BEAT_PATH => {
            only(&request, &[Method::POST], "POST")?;
            beat(handler, limits, request).await
        }
        OVERRIDE_PATH => {
            handler.door.may_act(&request)?;
            only(&request, &[Method::POST], "POST")?;
            word(handler, limits, request).await
        }
        "/" => shown(handler, &request, HTML, || (handler.shows.page)()),
        "/status.json" => shown(handler, &request, JSON, || (handler.shows.status)()),
        "/history.json" => shown(handler, &request, JSON, || (handler.shows.history)()),
        "/metrics" => shown(handler, &request, metrics::MEDIA_TYPE, || (handler.shows.metrics)()),
        "/healthz" => healthy(handler, &request),
        _ => Err(Turned::NotFound),
    }
}

/// hyper takes any Host or none; HTTP/1.1 wants exactly one that is valid (RFC 9112 section 3.2).
fn check_host<B>(request: &Request<B>) -> Result<(), Turned> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_authority(host) => Ok(()),
        (None, None) if request.version() == Version::HTTP_10 => Ok(()),
        (None | Some(_), _) => Err(Turned::Host),
    }
}

fn is_authority(host: &HeaderValue) -> bool {
    Authority::try_from(host.as_bytes()).is_ok_and(|authority| !authority.as_str().contains('@'))
}

fn only<B>(request: &Request<B>, methods: &[Method], allow: &'static str) -> Result<(), Turned> {
    if methods.contains(request.method()) { Ok(()) } else { Err(Turned::Method { allow }) }
}

fn shown<B>(
    handler: &Handler,
    request: &Request<B>,
    kind: &'static str,
    show: impl Fn() -> String,
) -> Result<Reply, Turned> {
    handler.door.may_look(request)?;
    only(request, &[Method::GET, Method::HEAD], "GET, HEAD")?;
    let mut reply = plain(StatusCode::OK, kind, show());
    let policy = HeaderValue::from_static(&page::CONTENT_SECURITY);
    reply.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(reply)
}

/// Whether the deciding loop runs. Says no more, so everybody may ask.
fn healthy<B>(handler: &Handler, request: &Request<B>) -> Result<Reply, Turned> {
    only(request, &[Method::GET, Method::HEAD], "GET, HEAD")?;
    Ok(if (handler.shows.alive)() {
        plain(StatusCode::OK, TEXT, "ok\n")
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the watcher does not decide\n")
    })
}

/// Takes a person's word, as the control socket does.
async fn word(handler: &Handler, limits: &Limits, request: Request<Incoming>) -> Result<Reply, Turned> {
    check_length(&request, MAX_WORD)?;
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some(JSON) {
        return Err(Turned::Word("its Content-Type is another".to_owned()));
    }
    let body = body(request, limits, MAX_WORD).await?;
    let written: serde_json::Value =
        serde_json::from_slice(&body).map_err(|e| Turned::Word(e.to_string()))?;
    let question = Question::over_http(written).map_err(Turned::Word)?;
    let (reply, answer) = oneshot::channel();
    let asked = async {
        handler.words.send(Asked { question: question.to_value(), reply }).await.map_err(|_| Turned::Busy)?;
        answer.await.map_err(|_| Turned::Busy)
    };
    let answer = tokio::time::timeout(limits.answer, asked).await.map_err(|_| Turned::Busy)??;
    match answer.get("error").and_then(|error| error.as_str()) {
        Some(refusal) => Err(Turned::Declined(refusal.to_owned())),
        None => Ok(plain(StatusCode::OK, JSON, answer.to_string())),
    }
}

async fn body(request: Request<Incoming>, limits: &Limits, most: usize) -> Result<Bytes, Turned> {
    let body = Limited::new(request.into_body(), most).collect();
    let body = tokio::time::timeout(limits.body, body).await.map_err(|_| Turned::Slow)?;
    Ok(body.map_err(|_| Turned::BrokenOff)?.to_bytes())
}

async fn beat(handler: &Handler, limits: &Limits, request: Request<Incoming>) -> Result<Reply, Turned> {
    check_length(&request, MAX_BODY)?;
    let seal = lone_seal(&request);
    let body = body(request, limits, MAX_BODY).await?;
    let beat = examine(&body, seal.as_deref(), &handler.peers)?;
    let answer = ask(handler, limits, beat).await?;
    Ok(sealed(handler, answer))
}

/// Refuses by the head alone what is too long or does not say how long it is.
fn check_length<B>(request: &Request<B>, most: usize) -> Result<(), Turned> {
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        return Err(Turned::Length);
    }
    let length = request.headers().get(header::CONTENT_LENGTH).ok_or(Turned::Length)?;
    let length: Option<u64> = length.to_str().ok().and_then(|text| text.parse().ok());
    match length {
        Some(length) if length <= most as u64 => Ok(()),
        Some(_) => Err(Refusal::TooLarge.into()),
        None => Err(Turned::Length),
    }
}

/// The seal, when there is exactly one.
fn lone_seal<B>(request: &Request<B>) -> Option<String> {
    let mut seals = request.headers().get_all(SEAL_HEADER).iter();
    let first = seals.next()?;
    if seals.next().is_some() { None } else { first.to_str().ok().map(str::to_owned) }
}

/// Takes a beat to the driver and waits for what it says.
async fn ask(handler: &Handler, limits: &Limits, beat: Beat) -> Result<Answer, Turned> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        handler.beats.send(Accepted { beat, reply }).await.map_err(|_| Turned::Busy)?;
        answer.await.map_err(|_| Turned::Busy)
    };
    let answer = tokio::time::timeout(limits.answer, asked).await.map_err(|_| {
        warn!("the watcher did not answer a beat within {:?}", limits.answer);
        Turned::Busy
    })??;
    answer.map_err(|why| Turned::Refused(why.into()))
}

/// The answer under the watcher's seal. One that is too long for a node to read goes without its errand, or without its
/// view.
fn sealed(handler: &Handler, mut answer: Answer) -> Reply {
    let mut body = json(&answer);
    if body.len() > MAX_BODY {
        answer.errand = Errand::default();
        body = json(&answer);
    }
    if body.len() > MAX_BODY {
        warn!(node = %answer.node, "the view of {} sites is too long for an answer; it is left out", answer.view.len());
        answer.view.clear();
        body = json(&answer);
    }
    let seal = handler.key.seal(Purpose::Answer, &body).to_string();
    let mut reply = plain(StatusCode::OK, JSON, body);
    let seal = HeaderValue::try_from(seal).expect("base64 is a header value");
    reply.headers_mut().insert(SEAL_HEADER, seal);
    reply
}

fn json(answer: &Answer) -> Vec<u8> {
    serde_json::to_vec(answer).expect("an answer is JSON")
}

/// Why a request was turned away, in words. Its connection ends: what is left of the body is not read.
fn turned(why: &Turned) -> Reply {
    let mut reply = plain(why.status(), TEXT, format!("{why}\n"));
    reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Turned::Method { allow } = why {
        reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if matches!(why, Turned::Token) {
        let ask = HeaderValue::from_static("Basic realm=\"hearth\", charset=\"UTF-8\"");
        reply.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
    }
    reply
}

/// A reply with the headers that all have. Nothing here may be kept: a status that is old looks healthy.
fn plain(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let fixed = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}
