//! `hearth failover drill`: holds a drill and watches it until visitors are home again.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::{sleep, timeout};

use super::{demand, status};
use crate::cli::DrillArgs;
use crate::cmd::print;
use crate::failover::drill::Stage;
use crate::failover::event::Command;
use crate::failover::lane::words;
use crate::failover::view::SiteStatus;

/// Between two questions how it goes.
const EVERY: Duration = Duration::from_millis(500);

/// How long the way home is watched. A provider that does not take the change has the watcher's own notices.
const HOMEWARD: Duration = Duration::from_secs(10 * 60);

/// Holds a drill, and prints what it shows.
pub(super) async fn hold(socket: &Path, args: &DrillArgs) -> anyhow::Result<ExitCode> {
    demand(socket, &args.site, Command::Drill { span: args.duration }, &args.reason).await?;
    print(&format!(
        "a drill of {} for {}; it goes on and ends by itself, also without this command\n",
        args.site,
        words(args.duration)
    ))?;
    match timeout(args.duration + HOMEWARD, watch(socket, args)).await {
        Ok(ended) => told(&ended?),
        Err(_) => {
            bail!("visitors are not home again yet; `hearth failover status` shows how {} stands", args.site)
        }
    }
}

/// Prints how far the drill has come, until it has ended.
async fn watch(socket: &Path, args: &DrillArgs) -> anyhow::Result<SiteStatus> {
    let mut known: Option<Stage> = None;
    loop {
        let site = seen(socket, args).await?;
        let Some(drill) = &site.drill else { return Ok(site) };
        if known.replace(drill.stage) != Some(drill.stage) {
            print(&format!("{}\n", drill.stage.describe()))?;
        }
        sleep(EVERY).await;
    }
}

async fn seen(socket: &Path, args: &DrillArgs) -> anyhow::Result<SiteStatus> {
    let sites = status(socket).await?.sites;
    let mine = sites.into_iter().find(|site| site.site == args.site);
    mine.with_context(|| format!("{} is not a site of this watcher any more", args.site))
}

fn told(site: &SiteStatus) -> anyhow::Result<ExitCode> {
    let report = site.last_drill.as_ref().context("the watcher does not remember the drill")?;
    print(&format!("{}\n", report.describe()))?;
    Ok(if report.trouble.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
