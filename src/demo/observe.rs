//! Watching a running demo without touching it: what the agents and the watcher say of themselves, and what the name
//! server answers all along.
//!
//! Each question has a task of its own and a deadline, so that a hung process holds up nobody.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::config::Places;
use super::outside::ask;
use super::{Pi, SITE};
use crate::failover::view::WatcherStatus;
use crate::host::{control, tls};
use crate::status::AgentStatus;

/// Between two questions to a process.
const STATUS_EVERY: Duration = Duration::from_millis(100);

/// How long a process may take to answer.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// Between two questions for the site's address.
const ADDRESS_EVERY: Duration = Duration::from_millis(5);

/// The observers. Dropping them ends their questions.
pub struct Observers {
    /// What each agent said last. None: nobody answers.
    pub agents: [watch::Receiver<Option<AgentStatus>>; 2],
    /// What the watcher's status page said last. None: nobody answers.
    pub watcher: watch::Receiver<Option<WatcherStatus>>,
    /// The count of address answers.
    pub tally: Arc<Tally>,
    _tasks: JoinSet<()>,
}

/// What came back when the name server was asked for the site, from the first address on.
#[derive(Debug, Default)]
pub struct Tally {
    full: AtomicU64,
    empty: AtomicU64,
}

impl Tally {
    /// Answers with an address.
    #[must_use]
    pub fn full(&self) -> u64 {
        self.full.load(Ordering::Relaxed)
    }

    /// Answers without one, after the first that had one. Must stay zero.
    #[must_use]
    pub fn empty(&self) -> u64 {
        self.empty.load(Ordering::Relaxed)
    }

    fn count(&self, addresses: usize) {
        if addresses > 0 {
            self.full.fetch_add(1, Ordering::Relaxed);
        } else if self.full() > 0 {
            self.empty.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Observers {
    /// Begins to watch.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn start(places: &Places) -> Result<Self, reqwest::Error> {
        let mut tasks = JoinSet::new();
        let agents = Pi::BOTH.map(|pi| {
            let (said, hear) = watch::channel(None);
            tasks.spawn(follow_agent(places.control(pi.name()), said));
            hear
        });
        let (said, watcher) = watch::channel(None);
        let client = client()?;
        tasks.spawn(follow_watcher(client, format!("http://{}/status.json", places.watcher), said));
        let tally = Arc::new(Tally::default());
        tasks.spawn(follow_addresses(places.name_server, tally.clone()));
        Ok(Self { agents, watcher, tally, _tasks: tasks })
    }
}

/// Without roots of its own a client wants those of the machine, which may have none.
fn client() -> Result<reqwest::Client, reqwest::Error> {
    let tls = tls::client_config(&[]).expect("no root was handed in");
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(PATIENCE).build()
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn follow_agent(control: PathBuf, said: watch::Sender<Option<AgentStatus>>) {
    let mut ticks = ticks(STATUS_EVERY);
    loop {
        ticks.tick().await;
        let answer = timeout(PATIENCE, ask_agent(&control)).await;
        said.send_replace(answer.ok().and_then(anyhow::Result::ok));
    }
}

async fn ask_agent(control: &Path) -> anyhow::Result<AgentStatus> {
    Ok(serde_json::from_value(control::ask(control, &json!({ "ask": "status" })).await?)?)
}

async fn follow_watcher(client: reqwest::Client, url: String, said: watch::Sender<Option<WatcherStatus>>) {
    let mut ticks = ticks(STATUS_EVERY);
    loop {
        ticks.tick().await;
        said.send_replace(ask_watcher(&client, &url).await.ok());
    }
}

async fn ask_watcher(client: &reqwest::Client, url: &str) -> anyhow::Result<WatcherStatus> {
    let response = client.get(url).send().await?.error_for_status()?;
    Ok(serde_json::from_slice(&response.bytes().await?)?)
}

async fn follow_addresses(server: std::net::SocketAddr, tally: Arc<Tally>) {
    let mut ticks = ticks(ADDRESS_EVERY);
    loop {
        ticks.tick().await;
        // No answer at all is not an empty one: a resolver would ask again.
        if let Ok(addresses) = ask(server, SITE).await {
            tally.count(addresses.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_answers_count_from_the_first_address_on() {
        let tally = Tally::default();
        for addresses in [0, 0, 2, 1, 0, 1] {
            tally.count(addresses);
        }
        assert_eq!((tally.full(), tally.empty()), (3, 1));
    }
}
