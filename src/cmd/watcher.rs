//! `hearth watcher`: the role that looks from outside, and what can be asked of what it left.

mod notify_test;
mod replay;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::{WatcherArgs, WatcherCommand};
use crate::config::{self, WatcherConfig, WitnessConfig};
use crate::host::shutdown::Shutdown;
use crate::host::{control, listen, log};
use crate::watcher::{Surroundings, run as watch, witness};

/// Threads beside the deciding loop, which has its own and waits for the disk on it: probes, beats and the page.
const WORKERS: usize = 2;

/// Runs the watcher until it is told to stop, or does what is asked instead.
///
/// # Errors
/// When the configuration has no watcher, a port or the journal cannot be had, or an essential part ends by itself.
pub fn run(path: &Path, args: &WatcherArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        None => role(path).map(|()| ExitCode::SUCCESS),
        Some(WatcherCommand::Replay(args)) => replay::run(path, args),
        Some(WatcherCommand::NotifyTest) => super::on_one_thread(notify_test::run(path)),
    }
}

fn role(path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    log::start(tracing::level_filters::LevelFilter::INFO)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    super::see_to_include(config.include.as_ref());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = runtime.context("no event loop could be started")?;
    match (config.watcher, config.witness) {
        (Some(settings), _) => runtime.block_on(serve(settings)),
        (None, Some(settings)) => runtime.block_on(bear_witness(settings)),
        (None, None) => {
            bail!("{} has no [watcher]: this machine is not set up to be one", path.display())
        }
    }
}

async fn bear_witness(settings: WitnessConfig) -> anyhow::Result<()> {
    let shutdown = Shutdown::install().context("signals cannot be handled")?;
    Ok(witness::run(settings, shutdown.receiver()).await?)
}

async fn serve(settings: WatcherConfig) -> anyhow::Result<()> {
    let shutdown = Shutdown::install().context("signals cannot be handled")?;
    let listeners = listen::all(&settings.listen)?;
    let control = control::Server::bind(&settings.control)?;
    let with = Surroundings { listeners, control, shutdown: shutdown.receiver() };
    Ok(watch(settings, with).await?)
}
