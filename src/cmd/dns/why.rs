//! `hearth dns why`: the last decision on a name, its evidence, and what was decided before.
//!
//! Asks the role that runs here; when none does, reads what it left on the disk. Never asks a provider, and never
//! changes anything.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::{Value, json};

use crate::agent::decision::{Evidence, Told, Why};
use crate::agent::memory::Memory;
use crate::cli::WhyArgs;
use crate::cmd::failover::{about, sets};
use crate::cmd::print;
use crate::cmd::words::{date, span};
use crate::config::{self, AgentConfig, Config, Secrets, WatcherConfig};
use crate::dns::{Name, Rdata};
use crate::failover::view::{Happened, SiteStatus, WatcherStatus};
use crate::host::control::{self, ControlError};
use crate::host::time::{Resume, Timeline};
use crate::watcher::question::Question;
use crate::watcher::{journal, journal_directory};

/// The exit code when nothing has been decided yet.
const NOTHING_YET: u8 = 3;

/// How many of a watcher's lines are shown.
const LINES: usize = 16;

/// Whose word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum From {
    /// The running role's.
    Running,
    /// What it left on the disk: none runs.
    Disk,
}

/// What is known of a name, as `--json` prints it.
#[derive(Serialize)]
struct Answer {
    name: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<OfAgent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watcher: Option<OfWatcher>,
}

#[derive(Serialize)]
struct OfAgent {
    from: From,
    /// The newest first.
    decisions: Vec<Told>,
}

#[derive(Serialize)]
struct OfWatcher {
    from: From,
    /// Milliseconds since it was so.
    ms_ago: u64,
    isolated_for_ms: Option<u64>,
    warming_up_for_ms: Option<u64>,
    journal_trouble: Option<String>,
    /// None: nothing has been decided yet.
    site: Option<SiteStatus>,
    /// The newest first.
    timeline: Vec<Happened>,
}

/// Tells why the name stands as it does.
///
/// # Errors
/// When the name is not one of the configuration, or what is known of it cannot be read.
pub(super) async fn run(config: &Path, args: &WhyArgs) -> anyhow::Result<ExitCode> {
    let checked = config::check(config, Secrets::Skip)?;
    let answer = find_out(checked.config(), &args.name).await?;
    if args.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&answer)?))?;
    } else {
        print(&screen(&answer))?;
    }
    Ok(if answer.is_empty() { ExitCode::from(NOTHING_YET) } else { ExitCode::SUCCESS })
}

async fn find_out(config: &Config, name: &Name) -> anyhow::Result<Answer> {
    let agent = config.agent.as_ref().filter(|agent| agent.records.iter().any(|record| record.name == *name));
    let watcher = config.watcher.as_ref().filter(|watcher| watcher.watches.iter().any(|w| w.site == *name));
    if agent.is_none() && watcher.is_none() {
        let known: Vec<String> = super::names(config).keys().map(ToString::to_string).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        bail!("`{name}` is not a name that is kept here; the names of this configuration are: {known}");
    }
    let mut answer = Answer { name: name.clone(), agent: None, watcher: None };
    if let Some(agent) = agent {
        answer.agent = Some(of_agent(agent, name).await?);
    }
    if let Some(watcher) = watcher {
        answer.watcher = Some(of_watcher(watcher, name).await?);
    }
    Ok(answer)
}

/// What the running role answers. None: none runs.
async fn ask(socket: &Path, question: &Value) -> anyhow::Result<Option<Value>> {
    let answer = match control::ask(socket, question).await {
        Ok(answer) => answer,
        Err(ControlError::NotRunning(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => bail!("{} answers: {error}", socket.display()),
        None => Ok(Some(answer)),
    }
}

async fn of_agent(agent: &AgentConfig, name: &Name) -> anyhow::Result<OfAgent> {
    if let Some(answer) = ask(&agent.control, &json!({ "ask": "why", "name": name })).await? {
        let why: Why =
            serde_json::from_value(answer).context("the running agent is of another version; restart it")?;
        return Ok(OfAgent { from: From::Running, decisions: why.decisions });
    }
    let memory = Memory::peek(&agent.state).await?;
    let decisions = memory.map(|memory| memory.why(name).decisions).unwrap_or_default();
    Ok(OfAgent { from: From::Disk, decisions })
}

async fn of_watcher(watcher: &WatcherConfig, name: &Name) -> anyhow::Result<OfWatcher> {
    if let Some(answer) = ask(&watcher.control, &Question::Status.to_value()).await? {
        let status: WatcherStatus = serde_json::from_value(answer)
            .context("the running watcher is of another version; restart it")?;
        return Ok(OfWatcher::of(status, name, From::Running, Duration::ZERO));
    }
    let Some(replay) = journal::look(&journal_directory(&watcher.state))? else {
        return Ok(OfWatcher::unheard_of());
    };
    let (at, wall_ms) = replay.last;
    let ago = Timeline::start(Some(Resume { moment: at, wall_ms })).now() - at;
    let happened = replay.notes.into_iter().rev().map(|(wall_ms, note)| Happened::of(wall_ms, note));
    let status = replay.engine.status(at, at, happened.collect());
    Ok(OfWatcher::of(status, name, From::Disk, ago))
}

impl OfWatcher {
    fn of(status: WatcherStatus, name: &Name, from: From, ago: Duration) -> Self {
        let about_it = |happened: &Happened| happened.site.as_ref() == Some(name);
        Self {
            from,
            ms_ago: u64::try_from(ago.as_millis()).unwrap_or(u64::MAX),
            isolated_for_ms: status.isolated_for_ms,
            warming_up_for_ms: status.warming_up_for_ms,
            journal_trouble: status.journal_trouble,
            site: status.sites.into_iter().find(|site| site.site == *name),
            timeline: status.timeline.into_iter().filter(about_it).take(LINES).collect(),
        }
    }

    fn unheard_of() -> Self {
        Self {
            from: From::Disk,
            ms_ago: 0,
            isolated_for_ms: None,
            warming_up_for_ms: None,
            journal_trouble: None,
            site: None,
            timeline: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.timeline.is_empty()
            && self.site.as_ref().is_none_or(|s| s.in_force.is_empty() && s.pending.is_none())
    }
}

impl Answer {
    fn is_empty(&self) -> bool {
        self.agent.as_ref().is_none_or(|agent| agent.decisions.is_empty())
            && self.watcher.as_ref().is_none_or(OfWatcher::is_empty)
    }
}

fn screen(answer: &Answer) -> String {
    let mut screen = String::new();
    if let Some(agent) = &answer.agent {
        self::agent(&mut screen, &answer.name, agent);
    }
    if let Some(watcher) = &answer.watcher {
        self::watcher(&mut screen, &answer.name, watcher);
    }
    screen
}

fn agent(screen: &mut String, name: &Name, agent: &OfAgent) {
    if agent.from == From::Disk {
        put(screen, format_args!("no agent runs here; this is what it left on the disk"));
    }
    let Some((last, before)) = agent.decisions.split_first() else {
        return put(screen, format_args!("{name}: nothing has been decided yet"));
    };
    newest(screen, name, last);
    if !before.is_empty() {
        put(screen, format_args!("\nbefore that"));
    }
    before.iter().for_each(|told| earlier(screen, told));
}

fn newest(screen: &mut String, name: &Name, told: &Told) {
    let decision = &told.decision;
    let since = match decision.times {
        1 => String::new(),
        times => format!("; {times} times since {} ago", span(told.first_ms_ago)),
    };
    let (ago, date) = (span(told.last_ms_ago), date(decision.last.wall_ms));
    put(screen, format_args!("{name}: {}, {ago} ago ({date}){since}", decision.what.word()));
    let mut line = |what: &str, text: &str| put(screen, format_args!("  {what:<9} {text}"));
    line("stood", &decision.stood.as_ref().map_or("not read yet".to_owned(), |stood| list(stood.iter())));
    line("wanted", &list(decision.wanted.iter()));
    if decision.addresses.is_empty() {
        line("address", "the sources had not been asked yet");
    }
    for evidence in &decision.addresses {
        line(&evidence.family.to_string(), &named(evidence));
        line("", &evidence.why);
    }
    if let Some(guard) = decision.guard {
        line("guard", guard.describe());
    }
    line("outcome", &decision.said);
}

/// The address with who named it, and what it means.
fn named(evidence: &Evidence) -> String {
    let address = evidence.agreed.map_or("no address".to_owned(), |address| address.to_string());
    let classes = match evidence.classes.as_slice() {
        [] => "nobody named it in the last round".to_owned(),
        classes => format!("named by {}", classes.join(", ")),
    };
    format!("{address}, {classes}; {}", evidence.verdict.describe())
}

fn earlier(screen: &mut String, told: &Told) {
    let decision = &told.decision;
    let times = if decision.times == 1 { String::new() } else { format!("{} times, ", decision.times) };
    let what = format!("{} {}", decision.what.word(), list(decision.wanted.iter()));
    let ago = format!("{} ago", span(told.last_ms_ago));
    put(screen, format_args!("  {ago:<14} {what}: {times}{}", decision.said));
}

fn watcher(screen: &mut String, name: &Name, watcher: &OfWatcher) {
    if watcher.from == From::Disk {
        let ago = span(watcher.ms_ago);
        put(
            screen,
            format_args!("no watcher runs here; this is what its journal said at its end, {ago} ago"),
        );
    }
    let Some(site) = &watcher.site else {
        return put(screen, format_args!("{name}: nothing has been decided yet"));
    };
    put(screen, about(site).trim_matches('\n'));
    for rrset in &site.rrsets {
        let (wanted, written) = (sets(rrset.wanted.as_slice()), sets(rrset.written.as_slice()));
        let (kind, since) = (rrset.record_type.to_string(), span(rrset.for_ms));
        put(
            screen,
            format_args!("  {kind:<9} wanted {wanted}; written {written}; for {since}: {}", rrset.why),
        );
    }
    held(screen, watcher);
    if !watcher.timeline.is_empty() {
        put(screen, format_args!("\nlately"));
    }
    for happened in &watcher.timeline {
        put(screen, format_args!("  {}  {}", date(happened.wall_ms), happened.text));
    }
}

/// What keeps the watcher from deciding, or from carrying a decision out.
fn held(screen: &mut String, watcher: &OfWatcher) {
    let mut line = |text: &str| put(screen, format_args!("  {:<9} {text}", "held back"));
    if let Some(ms) = watcher.isolated_for_ms {
        line(&format!("the watcher is cut off for {}: nothing is decided", span(ms)));
    }
    if let Some(ms) = watcher.warming_up_for_ms {
        line(&format!("the watcher warms up: it decides in {}", span(ms)));
    }
    if let Some(trouble) = &watcher.journal_trouble {
        line(&format!("no decision is carried out: {trouble}"));
    }
}

fn list<'a>(data: impl Iterator<Item = &'a Rdata>) -> String {
    let data: Vec<String> = data.map(ToString::to_string).collect();
    if data.is_empty() { "nothing".to_owned() } else { data.join(", ") }
}

fn put(screen: &mut String, line: impl std::fmt::Display) {
    writeln!(screen, "{line}").expect("a String takes everything");
}
