//! `hearth appliance`: what the flashable image does with its card.
//!
//! Never fails because of what a person wrote: mistakes go to the card's status file, and what was in force stays.

mod system;
mod update;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::json;

use super::status::agent::to_do;
use super::status::{SAME_VERSION, ask_for};
use crate::appliance::apply::{IN_FORCE, WANTED, apply};
use crate::appliance::card::Card;
use crate::appliance::findings::{Facts, Named, findings, named};
use crate::appliance::import::{Check, Imported, InOrder, Kept, Places, import};
use crate::appliance::report::Report;
use crate::appliance::volume::Volume;
use crate::appliance::{STATUS, look, store};
use crate::cli::{ApplianceCommand, CardArgs};
use crate::config::{self, Secrets};
use crate::leds::shown;
use crate::status::AgentStatus;

/// Runs the command.
///
/// # Errors
/// When the card or the persistent partition cannot be used, or nothing can be in force.
pub async fn run(command: &ApplianceCommand) -> anyhow::Result<()> {
    match command {
        ApplianceCommand::Import(args) => take(args),
        ApplianceCommand::Report(args) => report(args).await,
        ApplianceCommand::Update(args) => update::update(args).await,
        ApplianceCommand::System(args) => system::system(args).await,
        ApplianceCommand::Start(args) => update::start(args),
        ApplianceCommand::Judge(args) => update::judge(args).await,
    }
}

/// What came of the import, for the report.
fn outcome(root: &Path) -> std::path::PathBuf {
    root.join(WANTED).join("outcome.json")
}

fn take(args: &CardArgs) -> anyhow::Result<()> {
    let places = Places {
        card: args.card.clone(),
        keep: args.keep.clone(),
        root: args.root.clone(),
        example: args.example.clone(),
        creds: args.creds.clone(),
    };
    let mut imported = import(&places, CHECK, &mut |_| Ok(()))?;
    let volume = volume(&imported.kept).unwrap_or_else(|remark| {
        imported.remarks.push(remark);
        None
    });
    apply(&imported, volume.as_ref(), &args.root).context("what is in force cannot be put in its places")?;
    if args.root == Path::new("/") {
        rustix::system::sethostname(imported.kept.hostname().as_bytes())
            .context("the name of this machine")?;
    }
    store::write_whole(&outcome(&args.root), &serde_json::to_vec(&imported)?, 0o644)
        .context("the outcome cannot be noted")?;
    tracing::info!("{:?}", imported.outcome);
    let found = Found { last_words: look::last_words(&last_words(args)), ..Found::default() };
    tell(args, &report_of(args, &imported, found))
}

/// This Pi's part of the volume that the configuration in force names, if any; the error is for a person.
fn volume(kept: &Kept) -> Result<Option<Volume>, String> {
    let Ok(checked) = config::check_text(&kept.config, Path::new(&kept.file), Secrets::Skip) else {
        return Ok(None);
    };
    let settings = checked.config().gluster.as_ref();
    settings.map(|settings| Volume::of(settings, kept.hostname())).transpose()
}

/// Where the image keeps what was said before a stop that nobody asked for.
fn last_words(args: &CardArgs) -> PathBuf {
    args.keep.with_file_name("log").join("last-words")
}

/// What a look found; nothing before the first.
#[derive(Default)]
struct Found {
    addresses: Option<Vec<IpAddr>>,
    agent: Vec<String>,
    findings: Vec<String>,
    last_words: Vec<String>,
}

/// What `hearth check-config` checks, without the secrets: they are in the store.
const CHECK: Check<'static> = &|text, file| {
    let checked = config::check_text(text, file, Secrets::Skip).map_err(|errors| errors.to_string())?;
    let config = checked.config();
    let node = config.agent.as_ref().map(|agent| agent.node.to_string());
    Ok(InOrder { settings: config.pi.clone(), node })
};

async fn report(args: &CardArgs) -> anyhow::Result<()> {
    let noted = outcome(&args.root);
    let noted = fs::read(&noted)
        .with_context(|| format!("{}: `hearth appliance import` was not run", noted.display()))?;
    let imported: Imported = serde_json::from_slice(&noted).context(SAME_VERSION)?;
    let config = args.root.join(IN_FORCE);
    let found = Found {
        addresses: Some(addresses()),
        agent: agent_in_words(&config).await,
        findings: findings(&facts(args, &imported.kept)?),
        last_words: look::last_words(&last_words(args)),
    };
    tell(args, &report_of(args, &imported, found))
}

fn facts(args: &CardArgs, kept: &Kept) -> anyhow::Result<Facts> {
    let place = volume(kept).ok().flatten().map(|volume| volume.mount().to_owned());
    let checked = config::check_text(&kept.config, Path::new(&kept.file), Secrets::Skip);
    let warnings = checked.map(|checked| checked.config().warnings.iter().map(ToString::to_string).collect());
    Ok(Facts {
        keeping: look::keeping(&args.keep, &args.root)
            .with_context(|| format!("{} cannot be looked at", args.keep.display()))?,
        clock: look::clock(&args.root),
        renamed: renamed(args, kept.hostname()),
        failed: look::failed_units(),
        volume: place.map(|place| (place.clone(), look::volume(&place))),
        warnings: warnings.unwrap_or_default(),
    })
}

/// What the network calls this Pi, where that is not its name; sees to it that the name is asked for once more before.
fn renamed(args: &CardArgs, hostname: &str) -> Option<String> {
    if args.root != Path::new("/") {
        return None;
    }
    let asked = args.root.join(WANTED).join("name-asked-for-again");
    match named(look::published_name(), hostname, asked.exists().into()) {
        Named::Own => {
            let _ = fs::remove_file(&asked);
            None
        }
        Named::AskAgain => {
            tracing::warn!(
                "the network does not call this Pi {hostname}.local; the name is asked for once more"
            );
            let again = Command::new("systemctl").args(["try-restart", "systemd-resolved.service"]).status();
            if let Err(error) = fs::write(&asked, "").and(again.map(drop)) {
                tracing::warn!("the name cannot be asked for: {error}");
            }
            None
        }
        Named::Otherwise(published) => Some(published),
    }
}

/// The file is told when it can be: a card that cannot be written is no reason to stop a Pi that serves.
fn tell(args: &CardArgs, report: &Report) -> anyhow::Result<()> {
    Card::at(&args.card)
        .tell(STATUS, &report.text())
        .with_context(|| format!("{} cannot be written", args.card.join(STATUS).display()))
}

fn report_of(args: &CardArgs, imported: &Imported, found: Found) -> Report {
    let standing = update::standing(args);
    Report {
        outcome: imported.outcome.clone(),
        remarks: imported.remarks.clone(),
        hostname: imported.kept.hostname().to_owned(),
        board: board(),
        version: standing.describe(update::own()),
        system: system::describe(args),
        addresses: found.addresses,
        keys: imported.kept.keys.clone(),
        agent: found.agent,
        findings: found.findings,
        last_words: found.last_words,
    }
}

/// The model and the serial number, as the firmware tells them.
fn board() -> String {
    let read = |name: &str| fs::read_to_string(Path::new("/sys/firmware/devicetree/base").join(name)).ok();
    let words =
        ["model", "serial-number"].map(|name| read(name).map(|text| text.trim_end_matches('\0').to_owned()));
    let words: Vec<String> = words.into_iter().flatten().collect();
    if words.is_empty() { "not known".to_owned() } else { words.join(", ") }
}

/// The addresses that others on the network can use.
fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<_> =
        interfaces.into_iter().filter(|i| !i.is_loopback() && !i.is_link_local()).map(|i| i.ip()).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// What the agent shows and what it wants from a person.
async fn agent_in_words(config: &Path) -> Vec<String> {
    match ask(config).await {
        Ok(status) => {
            let shown = shown(&status);
            let mut text = format!("{shown}: {}\n", shown.describe());
            to_do(&mut text, &status);
            text.lines().map(str::to_owned).collect()
        }
        Err(error) => vec![format!("it does not answer: {error:#}")],
    }
}

async fn ask(config: &Path) -> anyhow::Result<AgentStatus> {
    let checked = config::check(config, Secrets::Skip)?;
    let agent = checked.config().agent.as_ref().context("the configuration has no [node]")?;
    let answer = ask_for(&agent.control, &json!({ "ask": "status" })).await?;
    serde_json::from_value(answer).context(SAME_VERSION)
}
