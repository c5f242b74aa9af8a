//! The commands, one file for each: it reads the configuration, builds the parts and runs them.
//!
//! Never decides anything that a room decides.

pub mod address;
pub mod agent;
pub mod appliance;
pub mod check_config;
pub mod demo;
pub mod dns;
pub mod failover;
pub mod gluster;
pub mod init;
pub mod key;
pub mod led;
pub mod status;
pub mod watcher;
mod words;

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::{Cli, Command};
use crate::config::Included;

/// Runs the command.
///
/// # Errors
/// When it failed. A [`crate::config::ConfigErrors`] in the error says that the configuration is wrong.
pub fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let config = &cli.config;
    match &cli.command {
        Command::Agent => agent::run(config)?,
        Command::Watcher(args) => return watcher::run(config, args),
        Command::Demo(args) => return on_one_thread(demo::run(args)),
        Command::Init(args) => init::run(config, args)?,
        Command::CheckConfig(args) => check_config::run(config, args)?,
        Command::Status(args) => on_one_thread(status::run(config, args))?,
        Command::Address(args) => return on_one_thread(address::run(config, args)),
        Command::Dns(command) => return on_one_thread(dns::run(config, command)),
        Command::Failover(command) => return on_one_thread(failover::run(config, command)),
        Command::Gluster(command) => return on_one_thread(gluster::run(config, command)),
        Command::Led(command) => on_one_thread(led::run(config, command))?,
        Command::Key(command) => key::run(command)?,
        Command::Appliance(command) => on_one_thread(appliance::run(command))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command that waits for others more than it works.
fn on_one_thread<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("no event loop could be started")?.block_on(command)
}

/// Says how the shared part of a configuration stands, and keeps it when it is good.
fn see_to_include(included: Option<&Included>) {
    let Some(included) = included else { return };
    if let Some(remark) = included.remark() {
        tracing::warn!("{remark}");
    }
    if let Err(error) = included.keep() {
        tracing::warn!("{}: the last good copy cannot be kept: {error}", included.copy.display());
    }
}

/// Prints `text` on standard output. A reader that left, as `head` does, has what it wanted.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}
