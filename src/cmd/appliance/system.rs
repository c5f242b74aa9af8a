//! `hearth appliance system`: a newer system for the slot that is not in force; and how one on trial does.
//!
//! Never restarts into anything that was not signed, read back and looked into.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::update;
use crate::appliance::look;
use crate::appliance::slots::content::{Measure, fits, version};
use crate::appliance::slots::disk::Slots;
use crate::appliance::slots::{Health, SystemVersion};
use crate::appliance::update::signature::{Content, Release, verified};
use crate::appliance::update::{Seen, Verdict};
use crate::cli::{CardArgs, SystemArgs};
use crate::cmd::print;

/// Puts a newer system beside the one that runs, and starts into it on trial.
///
/// # Errors
/// When it is not taken, which changes nothing that counts; the message says what to do.
pub(super) async fn system(args: &SystemArgs) -> anyhow::Result<()> {
    let card = &args.card;
    let mut before = |_| Ok(());
    let mut slots = Slots::below(&card.root, &mut before)?;
    ensure!(
        !update::standing(card).has_trial() && !slots.standing()?.is_on_trial(slots.running()),
        "something is on trial; try again when hearth-status.txt says that it is not, ten minutes at most"
    );
    let name = || args.file.display().to_string();
    let file = File::open(&args.file).with_context(name)?;
    let measure = Measure::of(&file).with_context(name)?;
    let release = signed(args, &measure)?;
    not_older(args, release.version)?;
    fits(&args.file, release.version).with_context(name)?;
    let served = update::served(card).await;

    slots.install(&file, &measure, release.version, served)?;
    print(&format!(
        "{} lies in slot {} and is on trial; this Pi starts into it now. hearth-status.txt on the card says what becomes of it\n",
        release.version,
        slots.running().beside()
    ))?;
    restart(card)
}

/// What the signature beside the file vouches for.
fn signed(args: &SystemArgs, measure: &Measure) -> anyhow::Result<Release<SystemVersion>> {
    let keys = update::keys(&args.card)?;
    let text = update::signature_of(&args.file)?;
    let release = verified::<SystemVersion>(&text, Content::Hash(measure.signed), &keys)
        .with_context(|| args.file.display().to_string())?;
    update::for_this_machine(&release.machine)?;
    Ok(release)
}

fn not_older(args: &SystemArgs, offered: SystemVersion) -> anyhow::Result<()> {
    match version(&args.card.root) {
        _ if args.older => Ok(()),
        Some(runs) if offered > runs => Ok(()),
        Some(runs) => bail!("{offered} is not newer than {runs}, which runs; say --older if that is meant"),
        None => {
            bail!("the system that runs does not say its version; say --older to put {offered} in its place")
        }
    }
}

/// Commits the system on trial or turns it down, when it is time. `own` of the programs is in force in it.
///
/// # Errors
/// When the sector cannot be read or written, or the Pi cannot be started anew.
pub(super) fn judge(args: &CardArgs, agent: Option<Seen>, look: u32) -> anyhow::Result<()> {
    let mut before = |_| Ok(());
    let mut slots = Slots::below(&args.root, &mut before)?;
    let standing = slots.standing()?;
    let keeping = look::keeping(&args.keep, &args.root)
        .with_context(|| format!("{} cannot be looked at", args.keep.display()))?;
    let own = update::standing(args).in_force(update::own());
    match standing.judge(slots.running(), own, &Health { agent, keeping }, look) {
        None | Some(Verdict::Wait) => Ok(()),
        Some(Verdict::Commit) => Ok(slots.keep(&standing.commit())?),
        Some(Verdict::TurnDown(why)) => {
            slots.keep(&standing.turn_down(&why))?;
            restart(args)
        }
    }
}

/// Whether a system is on trial, or will be from the next start on.
pub(super) fn has_trial(args: &CardArgs) -> bool {
    Slots::peek(&args.root).is_some_and(|(standing, _)| standing.has_trial())
}

/// Which system runs, and what became of another one; None: it is not one of two.
pub(super) fn describe(args: &CardArgs) -> Option<String> {
    let (standing, running) = Slots::peek(&args.root)?;
    let version =
        version(&args.root).map_or_else(|| "a system without a version".to_owned(), |v| v.to_string());
    Some(standing.describe(running, &version))
}

fn restart(args: &CardArgs) -> anyhow::Result<()> {
    if args.root != Path::new("/") {
        return Ok(());
    }
    let status = Command::new("systemctl").arg("reboot").status().context("systemctl cannot be run")?;
    ensure!(status.success(), "the Pi could not be started anew ({status}): pull its plug and put it back");
    Ok(())
}
