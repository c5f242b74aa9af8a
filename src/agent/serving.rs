//! The site task: serves the sites, answers probes with the node's key, and tells the board how each site stands.
//!
//! Essential: when it ends before it was told to, the agent ends.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use tokio::sync::{mpsc, watch};

use super::Ended;
use super::event::Event;
use crate::heartbeat::proof::{self, Nonce};
use crate::heartbeat::seal::SigningKey;
use crate::heartbeat::{NodeName, SEAL_HEADER};
use crate::host::time::wall_clock;
use crate::site::reply::Reply;
use crate::site::serve::{Limits, WellKnown};
use crate::site::{self, Door, SiteSettings, Surroundings};
use crate::status::SiteStatus;
use crate::tls::Shelf;

/// What sites are served with.
pub(super) struct Parts {
    pub(super) sites: Vec<SiteSettings>,
    pub(super) doors: Vec<Door>,
    pub(super) key: Arc<SigningKey>,
    pub(super) node: NodeName,
    pub(super) shelf: Arc<Shelf>,
}

/// Serves until `close`.
pub(super) async fn serve(parts: Parts, events: mpsc::Sender<Event>, close: watch::Receiver<bool>) -> Ended {
    let (publish, status) = watch::channel(site::before_the_first_look(&parts.sites, &parts.doors));
    let around = Surroundings {
        doors: parts.doors,
        well_known: proofs(parts.key, parts.node, status.clone()),
        shelf: parts.shelf,
        now: wall_clock,
        loader: site::this_program(),
        limits: Limits::default(),
    };
    let serving = site::run(parts.sites, around, publish, close);
    let (ended, ()) = tokio::join!(serving, tell(status, events));
    ("site", ended.map_err(Into::into))
}

/// Tells the board of every change of a site, until the sites are gone.
async fn tell(mut status: watch::Receiver<Vec<SiteStatus>>, events: mpsc::Sender<Event>) {
    let mut told = status.borrow_and_update().clone();
    while status.changed().await.is_ok() {
        let now = status.borrow_and_update().clone();
        for (number, site) in now.iter().enumerate().filter(|(number, site)| told.get(*number) != Some(site))
        {
            if events.send(Event::Site(number, site.clone())).await.is_err() {
                return;
            }
        }
        told = now;
    }
}

/// Answers a probe's nonce: what is sealed names the node, the host asked for and what is served now.
fn proofs(key: Arc<SigningKey>, node: NodeName, status: watch::Receiver<Vec<SiteStatus>>) -> WellKnown {
    Arc::new(move |request| {
        let nonce: Nonce = request.path.parse().ok()?;
        let generation = status.borrow().get(request.site)?.generation.clone();
        let proof = proof::answer(&key, &node, &nonce, request.host, generation);
        let mut reply = Reply::text(StatusCode::OK, proof.body);
        let seal = HeaderValue::try_from(proof.seal.to_string()).expect("base64 is a header value");
        reply.headers.insert(HeaderName::from_static(SEAL_HEADER), seal);
        reply.headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Some(reply)
    })
}
