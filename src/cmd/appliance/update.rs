//! `hearth appliance update`, `start` and `judge`: which program is in force on a Pi whose system is never written.
//!
//! Never keeps a byte whose signature does not hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::system;
use crate::appliance::apply::{IN_FORCE, WANTED};
use crate::appliance::store::{link, write_whole};
use crate::appliance::update::programs::Programs;
use crate::appliance::update::signature::{Content, UpdateKey, verified};
use crate::appliance::update::{Older, Seen, Standing, Verdict, Version};
use crate::cli::{CardArgs, UpdateArgs};
use crate::cmd::print;
use crate::config::{self, Secrets};
use crate::status::AgentStatus;

/// No program is larger, in bytes.
const LARGEST: u64 = 64 << 20;

/// Keeps a newer program, puts it on trial and starts it.
///
/// # Errors
/// When its signature does not hold, it is not newer, or it cannot be kept.
pub(super) async fn update(args: &UpdateArgs) -> anyhow::Result<()> {
    let card = &args.card;
    let keys = keys(card)?;
    ensure!(
        !system::has_trial(card),
        "a system is on trial; try again when hearth-status.txt says that it is not, ten minutes at most"
    );
    let program = read(&args.program)?;
    let text = signature_of(&args.program)?;
    let release = verified::<Version>(&text, Content::Whole(&program), &keys)
        .with_context(|| args.program.display().to_string())?;
    for_this_machine(&release.machine)?;
    let served = served(card).await;
    let older = if args.older { Older::Meant } else { Older::Refused };
    programs(card, |programs| programs.take(release.version, &program, served, older))?;
    let standing = in_force(card)?;
    if let Err(error) = restart(card) {
        let why = format!("{} does not start", release.version);
        settle(card, standing, Verdict::TurnDown(why))?;
        return Err(error.context("the program before it is in force again"));
    }
    let said = if standing.has_trial() { "is on trial" } else { "could not be started" };
    print(&format!(
        "{} {said}; `hearth status` shows it, and hearth-status.txt on the card\n",
        release.version
    ))
}

/// Whose programs and systems this Pi takes.
pub(super) fn keys(card: &CardArgs) -> anyhow::Result<Vec<UpdateKey>> {
    let config = card.root.join(IN_FORCE);
    let checked = config::check(&config, Secrets::Skip)?;
    let keys = checked.config().pi.update_keys.clone();
    ensure!(!keys.is_empty(), "{} trusts nobody: write `update-keys` into [pi]", config.display());
    Ok(keys)
}

/// What minisign wrote beside a file.
pub(super) fn signature_of(file: &Path) -> anyhow::Result<String> {
    let mut signature = file.to_owned().into_os_string();
    signature.push(".minisig");
    let signature = Path::new(&signature);
    fs::read_to_string(signature).with_context(|| format!("{}: the signature", signature.display()))
}

/// Whether a release is for this Pi.
pub(super) fn for_this_machine(machine: &str) -> anyhow::Result<()> {
    let own = std::env::consts::ARCH;
    ensure!(machine == own, "it is for {machine} and this Pi is {own}: take the one for {own}");
    Ok(())
}

/// How many sites have content now.
pub(super) async fn served(card: &CardArgs) -> usize {
    super::ask(&card.root.join(IN_FORCE)).await.map_or(0, |status| serves(&status))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let length = fs::metadata(path).with_context(|| path.display().to_string())?.len();
    ensure!(length <= LARGEST, "{} is no program of hearth: it has {length} bytes", path.display());
    fs::read(path).with_context(|| path.display().to_string())
}

/// Lets the program that is in force from this start on be started.
///
/// # Errors
/// When what is kept cannot be read or the link cannot be made; the image's own program is in force then.
pub(super) fn start(args: &CardArgs) -> anyhow::Result<()> {
    // Whatever goes wrong after this, there is one.
    lead(args, None)?;
    in_force(args).map(|_| ())
}

/// What is in force from now on, with the link led to it.
fn in_force(args: &CardArgs) -> anyhow::Result<Standing> {
    let standing = programs(args, |programs| programs.start())?;
    lead(args, Some(&standing))?;
    write_whole(&looks(args), b"0", 0o644).context("the number of looks")?;
    Ok(standing)
}

/// Commits the program or the system on trial, or turns it down, when it is time. There is one of them at a time.
///
/// # Errors
/// When what is kept cannot be read or written, or what was before it cannot be started.
pub(super) async fn judge(args: &CardArgs) -> anyhow::Result<()> {
    let standing = programs(args, |programs| programs.standing())?;
    if !standing.has_trial() && !system::has_trial(args) {
        return Ok(());
    }
    let look = fs::read_to_string(looks(args)).ok().and_then(|text| text.parse().ok()).unwrap_or(0) + 1;
    write_whole(&looks(args), format!("{look}").as_bytes(), 0o644).context("the number of looks")?;
    let agent = super::ask(&args.root.join(IN_FORCE)).await.ok().map(|status| seen(&status));
    match standing.judge(agent.as_ref(), look) {
        Some(verdict) => settle(args, standing, verdict),
        None => system::judge(args, agent, look),
    }
}

/// Does what the program on trial deserves; what comes back is started.
fn settle(args: &CardArgs, standing: Standing, verdict: Verdict) -> anyhow::Result<()> {
    let turned_down = matches!(verdict, Verdict::TurnDown(_));
    let standing = programs(args, |programs| programs.settle(standing, verdict))?;
    if turned_down {
        lead(args, Some(&standing))?;
        restart(args)?;
    }
    Ok(())
}

fn seen(status: &AgentStatus) -> Seen {
    let up = Duration::from_millis(status.uptime_ms);
    Seen { version: status.version.clone(), up, serves: serves(status) }
}

fn serves(status: &AgentStatus) -> usize {
    status.sites.iter().filter(|site| site.generation.is_some()).count()
}

/// What is in force beside the image's own program, for the card's status file.
pub(super) fn standing(args: &CardArgs) -> Standing {
    Programs::peek(&directory(args)).unwrap_or_default()
}

/// The version of the program that asks.
pub(super) fn own() -> Version {
    env!("CARGO_PKG_VERSION").parse().expect("a version of hearth is three numbers")
}

fn programs<T, E: std::error::Error + Send + Sync + 'static>(
    args: &CardArgs,
    act: impl FnOnce(&mut Programs<'_>) -> Result<T, E>,
) -> anyhow::Result<T> {
    let mut before = |_| Ok(());
    Ok(act(&mut Programs::new(&directory(args), own(), &mut before))?)
}

/// Beside what is kept of the card, and not by a way through it: only root may enter there, and the agent is another user.
fn directory(args: &CardArgs) -> PathBuf {
    args.keep.with_file_name("programs")
}

fn looks(args: &CardArgs) -> PathBuf {
    args.root.join(WANTED).join("looks")
}

/// `/usr/bin/hearth` is a link to this link.
fn lead(args: &CardArgs, standing: Option<&Standing>) -> anyhow::Result<()> {
    let kept = standing
        .and_then(|standing| standing.runs(own()))
        .map(|program| directory(args).join(program.file()));
    let image = || Path::new("/usr/lib/hearth/hearth").to_owned();
    link(&args.root.join(WANTED).join("program"), &kept.unwrap_or_else(image))
        .context("the link to the program")
}

/// systemd keeps the listening sockets open meanwhile.
fn restart(args: &CardArgs) -> anyhow::Result<()> {
    if args.root != Path::new("/") {
        return Ok(());
    }
    let status = Command::new("systemctl").args(["restart", "hearth.service"]).status();
    let status = status.context("systemctl cannot be run")?;
    if !status.success() {
        bail!("hearth.service could not be restarted: {status}");
    }
    Ok(())
}
