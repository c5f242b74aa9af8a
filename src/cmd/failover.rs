//! `hearth failover`: what the watcher decides and why, and a person's word against it.

mod drill;
mod why;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::{DrainArgs, FailoverCommand, OverrideArgs};
use crate::cmd::print;
use crate::cmd::words::span;
use crate::config::{self, Secrets, WatcherConfig};
use crate::dns::{Name, Owner, RdataSet};
use crate::failover::event::Command;
use crate::failover::lane::Side;
use crate::failover::view::{SiteStatus, WatcherStatus};
use crate::host::control;
use crate::watcher::question::Question;

/// Runs the command against the watcher on this machine.
///
/// # Errors
/// When there is no watcher here, it does not answer, or it refuses.
pub async fn run(path: &Path, command: &FailoverCommand) -> anyhow::Result<ExitCode> {
    let checked = config::check(path, Secrets::Skip)?;
    if let Some(witness) = &checked.config().witness {
        bail!(
            "the watcher here only bears witness; ask on the machine of {}, which decides",
            witness.decider.url
        );
    }
    let watcher = checked.config().watcher.as_ref();
    let watcher = watcher.with_context(|| format!("{} has no [watcher]", path.display()))?;
    let socket = &watcher.control;
    match command {
        FailoverCommand::Why(args) => return why::run(watcher, args).await,
        FailoverCommand::Status => {
            print(&screen(&status(socket).await?))?;
        }
        FailoverCommand::ToFallback(args) => pin(socket, args, Side::Fallback).await?,
        FailoverCommand::ToHome(args) => pin(socket, args, Side::Home).await?,
        FailoverCommand::Drill(args) => return drill::hold(socket, args).await,
        FailoverCommand::Freeze(args) => {
            let command = Command::Freeze { span: args.word.duration };
            say(socket, &args.site, command, &args.word.reason).await?;
        }
        FailoverCommand::Drain(args) => drain(watcher, args).await?,
        FailoverCommand::Auto { site } => say(socket, site, Command::Auto, "no override any more").await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn pin(socket: &Path, args: &OverrideArgs, side: Side) -> anyhow::Result<()> {
    say(socket, &args.site, Command::Pin { side, span: args.word.duration }, &args.word.reason).await
}

/// A node is drained at every site that it serves.
async fn drain(watcher: &WatcherConfig, args: &DrainArgs) -> anyhow::Result<()> {
    let DrainArgs { node, word } = args;
    let mut served = watcher.watches.iter().filter(|watch| watch.nodes.contains(node)).peekable();
    if served.peek().is_none() {
        bail!("{node} serves no site of this watcher");
    }
    for watch in served {
        let command = Command::Drain { node: node.clone(), span: word.duration };
        say(&watcher.control, &watch.site, command, &word.reason).await?;
    }
    Ok(())
}

async fn say(socket: &Path, site: &Name, command: Command, reason: &str) -> anyhow::Result<()> {
    demand(socket, site, command, reason).await?;
    print(&format!("done; `hearth failover status` shows how {site} stands\n"))
}

/// Says it, and hears whether the watcher does it.
async fn demand(socket: &Path, site: &Name, command: Command, reason: &str) -> anyhow::Result<()> {
    let owner = Owner::new(&format!("uid-{}", rustix::process::getuid().as_raw()));
    let question = Question::Override { site: site.clone(), command, owner, reason: reason.to_owned() };
    let answer = control::ask(socket, &question.to_value()).await?;
    if let Some(refusal) = answer.get("error").and_then(|e| e.as_str()) {
        bail!("the watcher refuses: {refusal}");
    }
    Ok(())
}

async fn status(socket: &Path) -> anyhow::Result<WatcherStatus> {
    let answer = control::ask(socket, &Question::Status.to_value()).await?;
    serde_json::from_value(answer).context("the watcher is of another version")
}

/// What `hearth failover status` prints.
#[must_use]
pub fn screen(status: &WatcherStatus) -> String {
    let watcher = match (status.isolated_for_ms, status.warming_up_for_ms) {
        (Some(ms), _) => format!("CUT OFF for {}: nothing is decided", span(ms)),
        (None, Some(ms)) => format!("warming up, decides in {}", span(ms)),
        (None, None) => "deciding".to_owned(),
    };
    let (answered, asked) = status.references;
    let mut out = format!(
        "watcher {}: {watcher}; up for {}; {answered} of {asked} references answer\n",
        status.version,
        span(status.uptime_ms)
    );
    if let Some(trouble) = &status.journal_trouble {
        out.push_str(&format!("no decision is carried out: {trouble}\n"));
    }
    status.sites.iter().for_each(|site| out.push_str(&about(site)));
    out
}

/// What is known of one site.
pub(super) fn about(site: &SiteStatus) -> String {
    let side = if site.on_fallback { "ON THE FALLBACK" } else { "at home" };
    let mut out = format!("\n{}: {side}\n  in force  {}\n", site.site, sets(&site.in_force));
    let mut line = |what: &str, text: &str| out.push_str(&format!("  {what:<9} {text}\n"));
    line("why", &site.why);
    if let Some(pending) = &site.pending {
        let trouble = pending.trouble.as_deref().unwrap_or("not confirmed yet");
        line("on its way", &format!("{} for {}: {trouble}", sets(&pending.sets), span(pending.for_ms)));
    }
    if let Some((agree, asked)) = site.confirmed {
        line("servers", &format!("{agree} of {asked} answer with it (epoch {})", site.epoch));
    }
    if let Some(drill) = &site.drill {
        line("drill", &drill.why);
    }
    if let Some(last) = &site.last_drill {
        line("drilled", &format!("{} ago: {}", span(last.ended_ms_ago), last.describe()));
    }
    if let Some(pinned) = &site.pinned {
        line("override", pinned);
    }
    if let Some(freeze) = &site.freeze {
        line("frozen", freeze);
    }
    for (node, drain) in &site.drains {
        line("drained", &format!("{node} {drain}"));
    }
    if let Some(trouble) = &site.read_trouble {
        line("unread", trouble);
    }
    if let Some(ms) = site.frozen_for_ms {
        line("frozen", &format!("somebody else changed the record; left alone for another {}", span(ms)));
    }
    for node in &site.nodes {
        let beat = node.beat_ms_ago.map_or_else(|| "never".to_owned(), |ms| format!("{} ago", span(ms)));
        let published = if node.published { ", published" } else { "" };
        line(node.node.as_str(), &format!("{}{published}; last beat {beat}", node.why));
        if let Some(remark) = node.remark() {
            line("", &remark);
        }
    }
    for address in &site.fallback {
        let certificate = address.certificate().map(|text| format!("; {text}")).unwrap_or_default();
        line("fallback", &format!("{}: {}{certificate}", address.address, address.state));
    }
    out
}

pub(super) fn sets(sets: &[RdataSet]) -> String {
    let each: Vec<String> = sets.iter().map(ToString::to_string).collect();
    if each.is_empty() { "nothing that the watcher knows of".to_owned() } else { each.join(", ") }
}
