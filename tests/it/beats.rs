//! Beats, proofs and looks over real sockets on loopback.

mod listen;
mod probe;
mod send;
mod web;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hearth::address::Verdict;
use hearth::config::PageAccess;
use hearth::heartbeat::seal::SigningKey;
use hearth::heartbeat::send::{Sender, SenderSettings};
use hearth::heartbeat::window::Window;
use hearth::heartbeat::witness::Errand;
use hearth::heartbeat::{
    Answer, Beat, BootId, Claim, NodeName, RecordsReport, SiteReport, SourceState, WatcherPin,
};
use hearth::watcher::listen::{Accepted, Door, Handler, Limits, Shows, run};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

fn node_key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn watcher_key() -> SigningKey {
    SigningKey::from_seed([2; 32])
}

fn pi() -> NodeName {
    "pi1".parse().unwrap()
}

fn beat(sequence: u64) -> Beat {
    Beat {
        form: 1,
        node: pi(),
        boot: BootId::new([7; 16]),
        sequence,
        uptime_ms: 1_000 * sequence,
        wall_ms: 1_700_000_000_000,
        version: "0.1.0".to_owned(),
        addresses: vec![Claim { address: "192.0.2.1".parse().unwrap(), verdict: Verdict::Public }],
        sites: vec![SiteReport { hosts: Vec::new(), generation: None, source: SourceState::Ok }],
        mounts: Vec::new(),
        records: RecordsReport::InForce,
        led: "all-well".to_owned(),
        leaving: None,
        testimonies: Vec::new(),
    }
}

fn answer_to(beat: &Beat) -> Answer {
    let (node, boot, sequence) = (beat.node.clone(), beat.boot, beat.sequence);
    Answer {
        form: 1,
        node,
        boot,
        sequence,
        wall_ms: 1_800_000_000_000,
        view: vec![],
        errand: Errand::default(),
    }
}

fn sender(to: SocketAddr) -> Sender {
    sender_within(to, Duration::from_secs(3))
}

fn sender_within(to: SocketAddr, total: Duration) -> Sender {
    let pin = WatcherPin { url: format!("http://{to}"), key: watcher_key().verifying(), roots: Vec::new() };
    let settings = SenderSettings { total, ..SenderSettings::default() };
    Sender::new(pin, &settings).unwrap()
}

/// A watcher whose driver checks the window and answers.
struct Watcher {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

/// What reached the driver.
#[derive(Clone, Debug, Default, PartialEq)]
struct Taken {
    asked: usize,
    window: Window,
}

impl Watcher {
    async fn start() -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap(), Limits::default()).await
    }

    async fn start_with(limits: Limits) -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap(), limits).await
    }

    async fn start_on(address: SocketAddr, limits: Limits) -> Self {
        let (beats, asked) = mpsc::channel(16);
        let taken = Arc::new(Mutex::new(Taken::default()));
        tokio::spawn(drive(asked, taken.clone()));
        let (address, stop, server) = serve(address, beats, limits).await;
        Self { address, taken, stop, server }
    }

    fn taken(&self) -> Taken {
        self.taken.lock().unwrap().clone()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap();
    }
}

async fn drive(mut asked: mpsc::Receiver<Accepted>, taken: Arc<Mutex<Taken>>) {
    while let Some(Accepted { beat, reply }) = asked.recv().await {
        let mut taken = taken.lock().unwrap();
        taken.asked += 1;
        let fresh = taken.window.accept(&beat.node, beat.boot, beat.sequence);
        let _ = reply.send(fresh.map(|()| answer_to(&beat)));
    }
}

async fn serve(
    address: SocketAddr,
    beats: mpsc::Sender<Accepted>,
    limits: Limits,
) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Handler {
        key: Arc::new(watcher_key()),
        peers: BTreeMap::from([(pi(), node_key().verifying())]),
        beats,
        shows: Shows {
            page: Box::new(|| "<!doctype html><title>hearth</title>".to_owned()),
            status: Box::new(|| "{}".to_owned()),
            ..Shows::default()
        },
        door: Door::new(PageAccess::Public, None),
        words: tokio::sync::mpsc::channel(1).0,
    };
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { stopped.await.unwrap_or(()) };
    (address, stop, tokio::spawn(run(vec![listener], handler, limits, None, shutdown)))
}
