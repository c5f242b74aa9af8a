//! `hearth dns`: records by hand.
//!
//! Writes this node's own names and no others: a site's name is the watcher's, and is only looked at here.

mod why;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use super::print;
use crate::agent::decision::Evidence;
use crate::agent::memory::Memory;
use crate::agent::upkeep::{Books, Upkeep, describe};
use crate::agent::{Agreed, address};
use crate::cli::DnsCommand;
use crate::config::{self, AgentConfig, Config, RecordSettings};
use crate::dns::Name;
use crate::dns::account_book::AccountBook;
use crate::dns::plan;
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
    evidence: Vec<Evidence>,
    memory: Memory,
    book: AccountBook,
    line: Timeline,
    /// Whether an agent runs here: then it is the one that writes.
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
        let (agreed, evidence, agent) = match agreed_by_agent(config).await? {
            Some(agreed) => (agreed, Vec::new(), Agent::Runs),
            None => {
                let look = address::ask_once(config.address.clone(), &memory, line).await;
                (look.agreed(), Evidence::of(&look.report()), Agent::IsAway)
            }
        };
        if agreed.is_empty() {
            bail!(
                "no public address is known, so nothing can be planned; `hearth address` says what the sources answer"
            );
        }
        let book = AccountBook::open(&config.state, line).await;
        Ok(Self { config, agreed, evidence, memory, book, line, agent })
    }

    fn upkeep(&self, record: &RecordSettings) -> Upkeep {
        let settings = &self.config.providers[&record.provider];
        let books = Books { memory: self.memory.clone(), entry: self.book.entry(settings, &record.name) };
        let provider = Provider::new(settings, wall_clock);
        let mut upkeep = Upkeep::new(record.clone(), self.config.node.clone(), provider, books, self.line);
        upkeep.hear(self.evidence.clone());
        upkeep
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
        let seen = observe(&self.config.providers[&record.provider], &record.name).await?;
        Ok(plan::plan(&self.upkeep(record).desired(&self.agreed), &seen)?)
    }

    async fn apply(&self) -> anyhow::Result<ExitCode> {
        let mut failed = Vec::new();
        for record in &self.config.records {
            match self.apply_one(record).await {
                Ok(said) => print(&said)?,
                Err(error) => failed.push(format!("{}: {error:#}", record.name)),
            }
        }
        all_went_well(&failed)
    }

    /// A running agent does it itself: one process keeps the memory and the books, and only it knows which address has
    /// proved itself.
    async fn apply_one(&self, record: &RecordSettings) -> anyhow::Result<String> {
        match self.agent {
            Agent::Runs => apply_by_agent(self.config, &record.name).await,
            Agent::IsAway => match self.upkeep(record).ask_by_hand(&self.agreed).await {
                Ok(outcome) => Ok(describe(&record.name, &outcome)),
                Err(why) => Err(anyhow!(why)),
            },
        }
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

async fn apply_by_agent(config: &AgentConfig, name: &Name) -> anyhow::Result<String> {
    let answer: Value = control::ask(&config.control, &json!({ "ask": "apply", "name": name })).await?;
    match (answer.get("done").and_then(Value::as_str), answer.get("error").and_then(Value::as_str)) {
        (Some(done), _) => Ok(done.to_owned()),
        (None, why) => Err(anyhow!(why.unwrap_or("the running agent is of another version").to_owned())),
    }
}
