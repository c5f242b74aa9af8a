//! Sends the visitors of a site back to this node when no watcher answers any more: the hands of
//! [`orphan`](crate::failover::orphan), which decides.
//!
//! Writes in the watcher's name, over exactly what was seen, and reads back. Never sends anybody away, and never looks at
//! the record while a watcher answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::event::Event;
use super::hooks;
use super::memory::Memory;
use crate::address::{Family, Verdict as Standpoint};
use crate::config::{FailBackSettings, Hairpin};
use crate::dns::RdataSet;
use crate::dns::account_book::Entry;
use crate::dns::attempt::attempt;
use crate::dns::change::{ChangeError, Outcome as Changed};
use crate::dns::guard::{Held, Permission};
use crate::dns::lookup::{Expected, View, views};
use crate::dns::plan::{Desired, Plan, Scope};
use crate::dns::provider::{Provider, ProviderError, ProviderSettings};
use crate::dns::snapshot::Snapshot;
use crate::failover::orphan::{Evidence, Heard, Orphan, Standing, Step, Verdict};
use crate::heartbeat::seal::SigningKey;
use crate::heartbeat::{NodeName, SourceState};
use crate::host::random;
use crate::host::shutdown::stopped;
use crate::host::time::{Timeline, wall_clock};
use crate::host::tls::BadRoot;
use crate::moment::Moment;
use crate::probe::{Outcome, Patience, Prober, ProberSettings, Target};
use crate::status::{AgentStatus, Phase};

/// How long a name server and a look at oneself may take.
const ANSWER: Duration = Duration::from_secs(6);

/// After a write that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// What the task needs beside its settings.
pub(super) struct Around {
    pub(super) node: NodeName,
    pub(super) key: Arc<SigningKey>,
    pub(super) entry: Entry,
    pub(super) memory: Memory,
    pub(super) line: Timeline,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) status: watch::Receiver<AgentStatus>,
}

/// Why a right cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// The provider can never work as it is configured.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// What it is to trust is no certificate.
    #[error(transparent)]
    Root(#[from] BadRoot),
}

/// The right of one site.
pub(super) struct FailBack {
    settings: FailBackSettings,
    provider: Provider,
    prober: Prober,
    orphan: Orphan,
    around: Around,
    /// What was told last, so that only news is told.
    told: String,
}

impl FailBack {
    /// # Errors
    /// When the provider can never work as it is configured, or a root is not a certificate.
    pub(super) fn new(
        settings: FailBackSettings,
        provider: &ProviderSettings,
        around: Around,
    ) -> Result<Self, Unfit> {
        let line = around.line;
        let trusts = ProberSettings { extra_roots: settings.roots.clone() };
        let prober = Prober::new(&trusts, Arc::new(move || line.now()))?;
        Ok(Self {
            provider: Provider::new(provider, wall_clock)?,
            prober,
            orphan: Orphan::new(settings.after, around.memory.sent_back(&settings.site)),
            settings,
            around,
            told: String::new(),
        })
    }

    /// Watches over the watchers until the stop is wanted.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => {}
            () = self.watch() => {}
        }
    }

    async fn watch(&mut self) {
        loop {
            let now = self.around.line.now();
            let step = self.orphan.step(now, self.heard(now));
            self.forget().await;
            let until = match step {
                Step::Rest(until) => until,
                Step::Look => match self.around.entry.permission() {
                    Permission::Granted => {
                        self.look().await;
                        continue;
                    }
                    Permission::From(at) => at,
                    Permission::Stopped => {
                        self.tell("the provider refused the credentials; put them right and restart hearth");
                        return std::future::pending().await;
                    }
                },
            };
            sleep(until - now).await;
        }
    }

    /// When a watcher answered last; before the first answer, when the agent started.
    fn heard(&self, now: Moment) -> Heard {
        let status = self.around.status.borrow();
        let ago = status.watchers.iter().filter_map(|link| link.answered_ms_ago).min();
        ago.map_or_else(
            || Heard::Nothing(now.back(self.around.line.uptime())),
            |ago| Heard::Answer(now.back(Duration::from_millis(ago))),
        )
    }

    /// A watcher has answered since visitors were sent back: that is history.
    async fn forget(&mut self) {
        let site = &self.settings.site;
        if self.orphan.sent().is_none()
            && self.around.memory.sent_back(site).is_some()
            && let Err(error) = self.around.memory.send_back(site, None).await
        {
            self.tell(&error.to_string());
        }
    }

    async fn look(&mut self) {
        let evidence = self.evidence().await;
        let now = self.around.line.now();
        match self.orphan.judge(now, &evidence, random::jitter(self.orphan.pace() / 2, 1.0)) {
            Verdict::Stay(why) => self.tell(&why),
            Verdict::LookAgain(_) => {
                self.tell(
                    "visitors are on the fallback and this node is well: if that stands, they are sent back",
                );
            }
            Verdict::FailBack { sets, over, epoch } => self.fail_back(sets, over, epoch).await,
        }
    }

    async fn evidence(&self) -> Evidence {
        let standing = self.standing().await;
        let (unfit, public) = {
            let status = self.around.status.borrow();
            (unfit(&status, self.settings.site.as_str()), public(&status))
        };
        let mut addresses = BTreeMap::new();
        if unfit.is_none() && matches!(standing, Standing::OnFallback { .. }) {
            for (family, address) in public {
                if self.settings.hairpin == Hairpin::Unavailable || self.reaches_itself(address).await {
                    addresses.insert(family, address);
                }
            }
        }
        Evidence { standing, addresses, unfit }
    }

    /// What stands, by the provider and by every name server.
    async fn standing(&self) -> Standing {
        let seen = match self.provider.observe(&self.settings.site).await {
            Ok(seen) => seen,
            Err(error) => return Standing::Unknown(error.to_string()),
        };
        let (sets, epoch) = held(&seen);
        let standing = Standing::of(&sets, epoch, &self.settings.fallback);
        match (&standing, self.provider.name_servers().await) {
            (Standing::OnFallback { .. }, Ok(servers)) => {
                for set in &sets {
                    let expected = Expected::Exactly(set.clone());
                    let answers = views(&servers, &self.settings.site, &expected, ANSWER).await;
                    if let Some((server, view)) = answers.iter().find(|(_, view)| *view != View::Agrees) {
                        return Standing::Unknown(format!("{server} {view}"));
                    }
                }
                standing
            }
            (Standing::OnFallback { .. }, Err(error)) => Standing::Unknown(error.to_string()),
            (Standing::Elsewhere | Standing::Unknown(_), _) => standing,
        }
    }

    /// Whether the node proves itself to itself at its public address, with the page that visitors get.
    async fn reaches_itself(&self, address: IpAddr) -> bool {
        let target = Target {
            node: self.around.node.clone(),
            key: self.around.key.verifying(),
            address,
            site: self.settings.site.clone(),
            page: self.settings.check.clone(),
        };
        let outcome = self.prober.look(&target, Patience { connect: ANSWER, total: ANSWER }).await;
        if let Outcome::Failed(failure) = &outcome {
            tracing::info!("{address}: this node does not reach itself there: {failure}");
        }
        outcome.is_up()
    }

    async fn fail_back(&mut self, sets: Vec<RdataSet>, over: Option<u64>, epoch: u64) {
        let site = self.settings.site.clone();
        // Remembered before it is tried: what a crash leaves unknown is not done twice.
        if let Err(error) = self.around.memory.send_back(&site, Some(epoch)).await {
            return self.tell(&format!("visitors are not sent back: {error}"));
        }
        self.orphan.sending(self.around.line.now(), epoch);
        let desired = Desired {
            name: site.clone(),
            owner: self.settings.owner.clone(),
            ttl: self.settings.ttl,
            epoch: Some(epoch),
            scope: Scope::Whole,
            lines: BTreeSet::new(),
            sets,
            retire: BTreeSet::new(),
            mine: BTreeSet::new(),
        };
        // Whoever came first in between has changed what stands, and the plan is made anew from that.
        let fallback = &self.settings.fallback;
        let still = |plan: &Plan| {
            let (sets, epoch) = held(plan.seen());
            matches!(Standing::of(&sets, epoch, fallback), Standing::OnFallback { .. }) && epoch == over
        };
        let stands = |plan: &Plan| {
            let changed = || Held::NotNoted("the record was changed in the meantime".to_owned());
            std::future::ready(if still(plan) { Ok(()) } else { Err(changed()) })
        };
        let outcome = attempt(&self.around.entry, &self.provider, &desired, Duration::ZERO, stands).await;
        self.settle(&desired, outcome).await;
    }

    async fn settle(&mut self, desired: &Desired, outcome: Result<Changed, ChangeError>) {
        match outcome {
            Ok(changed) => {
                self.orphan.landed();
                let sets: Vec<String> = desired.sets.iter().map(ToString::to_string).collect();
                let epoch = desired.epoch.unwrap_or_default();
                let text =
                    format!("visitors were sent back to this node (epoch {epoch}): {}", sets.join(", "));
                self.tell(&text);
                let changes = hooks::landed(&self.around.node, desired, &changed);
                // Without a board the process is on its way out.
                let _ = self.around.events.send(Event::Changed(changes)).await;
            }
            Err(error) => {
                self.tell(&format!("visitors were not sent back: {error}"));
                sleep(AFTER_FAILURE.min(self.orphan.pace())).await;
            }
        }
    }

    /// Says what is new.
    fn tell(&mut self, text: &str) {
        if self.told != text {
            tracing::warn!(site = %self.settings.site, "no watcher answers: {text}");
            text.clone_into(&mut self.told);
        }
    }
}

/// What stands on the line for everybody, one set for each type, and the epoch that is marked there.
fn held(seen: &Snapshot) -> (Vec<RdataSet>, Option<u64>) {
    let (_, epoch) = seen.held_on(seen.default_line.as_ref());
    (seen.in_force(&BTreeSet::new()), epoch)
}

/// Why visitors of `site` should not come here. None: it is served, from a source that stands.
fn unfit(status: &AgentStatus, site: &str) -> Option<String> {
    let Some(served) = status.sites.iter().find(|served| served.hosts.iter().any(|host| host == site)) else {
        return Some(format!("it does not serve {site}"));
    };
    if status.phase != Phase::Running {
        return Some("it is not at work yet, or any more".to_owned());
    }
    let stands = matches!(served.source, SourceState::Ok | SourceState::Slow) && served.generation.is_some();
    (!stands).then(|| format!("the source of {site} is {}: {}", served.source.word(), served.why))
}

/// The addresses that the sources agree on now, and that others can reach.
fn public(status: &AgentStatus) -> BTreeMap<Family, IpAddr> {
    let reachable = |standpoint| matches!(standpoint, Standpoint::Public | Standpoint::NatPublic);
    let public = status.addresses.iter().filter(|(_, address)| reachable(address.verdict));
    public.filter_map(|(family, address)| Some((*family, address.agreed?))).collect()
}
