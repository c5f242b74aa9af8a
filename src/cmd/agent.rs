//! `hearth agent`: runs the agent.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tracing::level_filters::LevelFilter;

use crate::agent::{self, Doors};
use crate::config::{self, AgentConfig};
use crate::host::handed::Handed;
use crate::host::listen::ListenError;
use crate::host::shutdown::Shutdown;
use crate::host::{control, log};
use crate::site::{self, Door, Entrance};

/// Threads of the event loop. Visitors are answered on threads of their own, and nothing else that it does takes long: a
/// second one would only be woken up to find that there is nothing left to do.
const WORKERS: usize = 1;

/// How long threads that hang on a disk are waited for at the end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Runs the agent of the configuration at `path` until it is told to stop.
///
/// # Errors
/// When the configuration is wrong, a port or the control socket cannot be had, or the agent ends by itself.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    log::start(LevelFilter::INFO)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    super::see_to_include(config.include.as_ref());
    let mut agent = config.agent.ok_or_else(|| {
        anyhow!(
            "{} has no [node], so there is no agent to run; `hearth watcher` runs its watcher",
            path.display()
        )
    })?;
    for site in &mut agent.sites {
        // The loader works in a directory of its own.
        site.root = std::path::absolute(&site.root).context("the current directory is gone")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = runtime.context("no event loop could be started")?;
    let mut handed = Handed::take();
    let ended = runtime.block_on(serve(agent, &mut handed));
    runtime.shutdown_timeout(LAST_WAIT);
    match ended? {
        Ended::Gone => Ok(()),
        Ended::Relieved => Err(handed.pass_on(&mut successor())).context("the next agent cannot be started"),
    }
}

/// How the agent ended.
enum Ended {
    /// It was told to stop.
    Gone,
    /// It was told to make room for the program and the configuration that are there now.
    Relieved,
}

/// The same command line again; the program in its file may be another one by now.
fn successor() -> Command {
    let mut words = std::env::args_os();
    let mut next = Command::new(words.next().unwrap_or_else(|| "hearth".into()));
    next.args(words);
    next
}

async fn serve(config: AgentConfig, handed: &mut Handed) -> anyhow::Result<Ended> {
    let shutdown = Shutdown::install().context("the signals cannot be taken over")?;
    let mut open =
        |Entrance { address, scheme, sites }| Ok(Door { listener: handed.tcp(address)?, sites, scheme });
    let entrances = site::entrances(&config.sites);
    let site = entrances.into_iter().map(&mut open).collect::<Result<_, ListenError>>()?;
    handed.turn_away_the_rest();
    let control = control::Server::bind(&config.control)?;
    agent::run(config, Doors { site, control }, &shutdown).await?;
    Ok(if shutdown.is_relief() { Ended::Relieved } else { Ended::Gone })
}
