//! `hearth address`: what every source says about the public address, what it means, and why.
//!
//! Asks the sources itself, once, or shows the last round of the agent that runs here. Never publishes anything, and
//! never changes what an agent remembers.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::print;
use crate::address::agreement::Outcome;
use crate::address::report::{FamilyReport, Report, Seen};
use crate::address::{Family, Verdict};
use crate::agent::address;
use crate::agent::memory::Memory;
use crate::cli::AddressArgs;
use crate::config::{self, AgentConfig, Secrets};
use crate::host::control;

/// The exit code when no address was agreed on or confirmed in this round.
const UNSURE: u8 = 3;

/// Asks, or shows what the agent heard, and prints it.
///
/// # Errors
/// When the configuration cannot be read, or the agent does not answer.
pub async fn run(config: &Path, args: &AddressArgs) -> anyhow::Result<ExitCode> {
    let checked = config::check(config, Secrets::Skip)?;
    let agent = checked.config().agent.as_ref();
    let agent = agent.context("there is no [node] in this file, so there is no address to find")?;
    let report = if args.cached { heard_by_agent(agent).await? } else { ask(agent).await };
    if args.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        print(&screen(&report))?;
    }
    Ok(if report.is_sure() { ExitCode::SUCCESS } else { ExitCode::from(UNSURE) })
}

/// What was agreed on before counts as it does in the agent.
async fn ask(agent: &AgentConfig) -> Report {
    let (memory, line) = Memory::open(&agent.state).await;
    address::ask_once(agent.address.clone(), &memory, line).await.report()
}

async fn heard_by_agent(agent: &AgentConfig) -> anyhow::Result<Report> {
    let answer: Value = control::ask(&agent.control, &json!({ "ask": "address" })).await?;
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        bail!("{} answers: {error}", agent.control.display());
    }
    serde_json::from_value(answer).context("the running agent is of another version; restart it")
}

/// The report as a screen: each family, who said what, and the verdict.
fn screen(report: &Report) -> String {
    let mut screen = String::new();
    for (family, seen) in &report.families {
        self::family(&mut screen, *family, seen);
    }
    let held: Vec<String> = report.held.iter().map(ToString::to_string).collect();
    let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
    put(&mut screen, format_args!("addresses of this machine: {held}"));
    if !report.left_alone.is_empty() {
        put(&mut screen, format_args!("not asked this time: {}", report.left_alone.join(", ")));
    }
    screen
}

fn family(screen: &mut String, family: Family, report: &FamilyReport) {
    put(screen, format_args!("{family}"));
    for seen in &report.observations {
        put(screen, format_args!("  {}", observation(seen)));
    }
    if report.observations.is_empty() {
        put(screen, format_args!("  nobody was asked"));
    }
    let address = report.agreed.map_or("no address".to_owned(), |agreed| agreed.to_string());
    put(screen, format_args!("  = {address}: {}, {}", outcome(report.outcome), name(report.verdict)));
    put(screen, format_args!("    {}", report.verdict.describe()));
    put(screen, format_args!("    {}\n", report.why));
}

fn observation(seen: &Seen) -> String {
    let said = match (&seen.address, &seen.error) {
        (Some(address), _) => address.to_string(),
        (None, Some(error)) => format!("- {}", error.message),
        (None, None) => "-".to_owned(),
    };
    format!("{:<17} {:<40} {:>5} ms  {said}", seen.class, seen.asked, seen.took_ms)
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Changed => "agreed on",
        Outcome::Confirmed => "confirmed",
        Outcome::Kept => "not confirmed",
    }
}

/// The verdict in a word or two.
const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Public => "public",
        Verdict::NatPublic => "behind NAT",
        Verdict::Cgnat => "behind carrier-grade or double NAT",
        Verdict::Captive => "captive portal",
        Verdict::ProxyEgress => "proxy egress",
        Verdict::Unknown => "unknown",
    }
}

fn put(screen: &mut String, line: impl std::fmt::Display) {
    writeln!(screen, "{line}").expect("a String takes everything");
}
