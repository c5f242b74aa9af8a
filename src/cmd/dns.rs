//! `hearth dns`: records by hand.
//!
//! Writes this node's own names and no others: a site's name is the watcher's, and is only looked at here.

mod why;

pub(super) use why::date;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use super::print;
use crate::agent::keeper::{self, Books};
use crate::agent::memory::Memory;
use crate::agent::{Agreed, address};
use crate::cli::DnsCommand;
use crate::config::{self, AgentConfig, Config, RecordSettings};
use crate::dns::Name;
use crate::dns::account_book::AccountBook;
use crate::dns::change::{self, Outcome};
use crate::dns::plan::{self, Desired};
use crate::dns::provider::{Provider, ProviderSettings};
use crate::dns::snapshot::{Record, Snapshot};
use crate::host::control::{self, ControlError};
use crate::host::time::Timeline;
use crate::host::time::wall_clock;
use crate::status::AgentStatus;

/// `plan` found something to do.
const WOULD_CHANGE: u8 = 2;

/// Lists, plans, applies or explains. `plan` ends with status 2 when something would change.
///
/// # Errors
/// When the configuration is wrong, a provider does not do its part, or no address is known.
pub async fn run(config: &Path, command: &DnsCommand) -> anyhow::Result<ExitCode> {
    match command {
        DnsCommand::List => list(&config::load(config)?).await,
        DnsCommand::Plan => Own::names(&config::load(config)?).await?.plan().await,
        DnsCommand::Apply => Own::names(&config::load(config)?).await?.apply().await,
        DnsCommand::Why(args) => why::run(config, args).await,
    }
}

async fn list(config: &Config) -> anyhow::Result<ExitCode> {
    let mut failed = Vec::new();
    for (name, settings) in names(config) {
        match observe(settings, &name).await {
            Ok(seen) => print(&listed(&seen))?,
            Err(error) => failed.push(format!("{name}: {error:#}")),
        }
    }
    all_went_well(&failed)
}

/// The names of the file, each with its provider.
fn names(config: &Config) -> BTreeMap<Name, &ProviderSettings> {
    let records = config.agent.iter().flat_map(|agent| {
        agent.records.iter().map(|record| (record.name.clone(), &agent.providers[&record.provider]))
    });
    let watches = config.watcher.iter().flat_map(|watcher| {
        watcher.watches.iter().map(|watch| (watch.site.clone(), &watcher.providers[&watch.provider]))
    });
    records.chain(watches).collect()
}

async fn observe(settings: &ProviderSettings, name: &Name) -> anyhow::Result<Snapshot> {
    Ok(Provider::new(settings, wall_clock)?.observe(name).await?)
}

fn listed(seen: &Snapshot) -> String {
    let holder = seen.holder.as_ref().map(|holder| format!("  (written by {holder})")).unwrap_or_default();
    let mut text = format!("{}{holder}\n", seen.name);
    if seen.records.is_empty() {
        text.push_str("  no records\n");
    }
    seen.records.iter().for_each(|record| text.push_str(&record_line(record, seen)));
    text
}

fn record_line(record: &Record, seen: &Snapshot) -> String {
    let id = record.id.as_ref().map_or("-", |id| id.0.as_str());
    let line = record.line.as_ref().map(|line| format!("  line {line}")).unwrap_or_default();
    let mut owners: Vec<&str> = record.owners.iter().map(|owner| owner.as_str()).collect();
    owners.extend(seen.holder.as_ref().filter(|_| owners.is_empty()).map(|holder| holder.as_str()));
    let owner = if owners.is_empty() { "nobody marked it".to_owned() } else { owners.join(", ") };
    format!("  {:<40} id {id}  TTL {}{line}  owner {owner}\n", record.rdata.to_string(), record.ttl)
}

fn all_went_well(failed: &[String]) -> anyhow::Result<ExitCode> {
    if failed.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(anyhow!(failed.join("\n"))) }
}

/// This node's own names, and what it takes to plan them.
struct Own<'a> {
    config: &'a AgentConfig,
    agreed: Agreed,
    memory: Memory,
    book: AccountBook,
    /// Whether an agent runs here: then the memory is its own, and what is wanted is noted there already.
    agent: Agent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agent {
    Runs,
    IsAway,
}

impl<'a> Own<'a> {
    async fn names(config: &'a Config) -> anyhow::Result<Self> {
        let config = config
            .agent
            .as_ref()
            .context("there is no [node] in this file, so no name is this node's own")?;
        if config.records.is_empty() {
            bail!("there is no [[record]] in this file, so this node keeps no name");
        }
        let (memory, line) = Memory::open(&config.state).await;
        let (agreed, agent) = match agreed_by_agent(config).await? {
            Some(agreed) => (agreed, Agent::Runs),
            None => (ask_sources(config, &memory, line).await, Agent::IsAway),
        };
        if agreed.is_empty() {
            bail!(
                "no public address is known, so nothing can be planned; `hearth status` says what the sources answer"
            );
        }
        let book = AccountBook::open(&config.state, line).await;
        Ok(Self { config, agreed, memory, book, agent })
    }

    fn desired(&self, record: &RecordSettings) -> anyhow::Result<(Provider, Desired)> {
        let provider = Provider::new(&self.config.providers[&record.provider], wall_clock)?;
        let mine: BTreeSet<_> = self.memory.mine(&record.name);
        Ok((provider, keeper::desired(record, &self.config.node, &self.agreed, mine)))
    }

    async fn plan(&self) -> anyhow::Result<ExitCode> {
        let (mut failed, mut changes) = (Vec::new(), false);
        for record in &self.config.records {
            match self.plan_one(record).await {
                Ok(plan) => {
                    changes |= !plan.is_empty();
                    print(&format!("{plan}\n"))?;
                }
                Err(error) => failed.push(format!("{}: {error:#}", record.name)),
            }
        }
        all_went_well(&failed)?;
        Ok(if changes { ExitCode::from(WOULD_CHANGE) } else { ExitCode::SUCCESS })
    }

    async fn plan_one(&self, record: &RecordSettings) -> anyhow::Result<plan::Plan> {
        let (provider, desired) = self.desired(record)?;
        let seen = provider.observe(&record.name).await?;
        Ok(plan::plan(&desired, &seen)?)
    }

    async fn apply(&self) -> anyhow::Result<ExitCode> {
        let mut failed = Vec::new();
        for record in &self.config.records {
            match self.apply_one(record).await {
                Ok(Outcome::Unchanged { .. }) => print(&format!("{}\n  nothing to do\n", record.name))?,
                Ok(Outcome::Landed { written, .. }) => {
                    print(&format!("{written}\n  written and read back\n"))?
                }
                Err(error) => failed.push(format!("{}: {error:#}", record.name)),
            }
        }
        all_went_well(&failed)
    }

    /// Beside a running agent its memory is not written: one process writes it, and the agent wants the same.
    async fn apply_one(&self, record: &RecordSettings) -> anyhow::Result<Outcome> {
        let (provider, desired) = self.desired(record)?;
        Ok(match self.agent {
            Agent::Runs => change::change(&provider, &desired, |_| async { Ok(()) }).await?,
            Agent::IsAway => {
                let settings = &self.config.providers[&record.provider];
                let entry = self.book.entry(settings, &record.name);
                let books = Books { memory: self.memory.clone(), entry };
                keeper::put(&provider, &desired, &books).await?
            }
        })
    }
}

/// What a running agent agreed on. None: none runs.
async fn agreed_by_agent(config: &AgentConfig) -> anyhow::Result<Option<Agreed>> {
    let answer: Value = match control::ask(&config.control, &json!({ "ask": "status" })).await {
        Ok(answer) => answer,
        Err(ControlError::NotRunning(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let status: AgentStatus =
        serde_json::from_value(answer).context("the running agent is of another version")?;
    let agreed = status.addresses.iter().filter_map(|(family, address)| Some((*family, address.agreed?)));
    Ok(Some(agreed.collect()))
}

async fn ask_sources(config: &AgentConfig, memory: &Memory, line: Timeline) -> Agreed {
    let look = address::ask_once(config.address.clone(), memory, line).await;
    look.judged.into_iter().filter_map(|(family, judgement)| Some((family, judgement.agreed?))).collect()
}
