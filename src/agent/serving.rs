//! The site task: serves the site, answers probes with the node's key, and tells the board how the site stands.
//!
//! Essential: when it ends before it was told to, the agent ends.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::Ended;
use super::board::Event;
use crate::heartbeat::proof::{self, Nonce};
use crate::heartbeat::seal::SigningKey;
use crate::heartbeat::{NodeName, SEAL_HEADER};
use crate::host::time::wall_clock;
use crate::site::reply::Reply;
use crate::site::serve::{Limits, WellKnown};
use crate::site::{self, SiteSettings, Surroundings};
use crate::status::SiteStatus;

/// What a site is served with.
pub(super) struct Parts {
    pub(super) site: SiteSettings,
    pub(super) listeners: Vec<TcpListener>,
    pub(super) key: Arc<SigningKey>,
    pub(super) node: NodeName,
}

/// Serves until `close`.
pub(super) async fn serve(parts: Parts, events: mpsc::Sender<Event>, close: watch::Receiver<bool>) -> Ended {
    let (publish, status) = watch::channel(site::not_looked_at(Vec::new(), Vec::new()));
    let around = Surroundings {
        listeners: parts.listeners,
        well_known: proofs(parts.key, parts.node, status.clone()),
        now: wall_clock,
        loader: site::this_program(),
        limits: Limits::default(),
    };
    let serving = site::run(parts.site, around, publish, close);
    let (ended, ()) = tokio::join!(serving, tell(status, events));
    ("site", ended.map_err(Into::into))
}

/// Tells the board of every change, until the site is gone.
async fn tell(mut status: watch::Receiver<SiteStatus>, events: mpsc::Sender<Event>) {
    while status.changed().await.is_ok() {
        let now = status.borrow_and_update().clone();
        if events.send(Event::Site(0, now)).await.is_err() {
            return;
        }
    }
}

/// Answers a probe's nonce: what is sealed names the node, the host asked for and what is served now.
fn proofs(key: Arc<SigningKey>, node: NodeName, status: watch::Receiver<SiteStatus>) -> WellKnown {
    Arc::new(move |request| {
        let nonce: Nonce = request.path.parse().ok()?;
        let generation = status.borrow().generation.clone();
        let proof = proof::answer(&key, &node, &nonce, request.host, generation);
        let mut reply = Reply::text(StatusCode::OK, proof.body);
        let seal = HeaderValue::try_from(proof.seal.to_string()).expect("base64 is a header value");
        reply.headers.insert(HeaderName::from_static(SEAL_HEADER), seal);
        reply.headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Some(reply)
    })
}
