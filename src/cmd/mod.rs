//! The commands, one file for each: it reads the configuration, builds the parts and runs them.
//!
//! Never decides anything that a room decides.

pub mod agent;
pub mod check_config;
pub mod demo;
pub mod dns;
pub mod failover;
pub mod key;
pub mod status;
pub mod watcher;

use std::io::Write;

use anyhow::Context;

use crate::cli::{Cli, Command};

/// Runs the command.
///
/// # Errors
/// When it failed. A [`crate::config::ConfigErrors`] in the error says that the configuration is wrong.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let config = &cli.config;
    match &cli.command {
        Command::Agent => agent::run(config),
        Command::Watcher => watcher::run(config),
        Command::Demo(args) => demo::run(args),
        Command::CheckConfig(args) => check_config::run(config, args),
        Command::Status(args) => status::run(config, args),
        Command::Dns(command) => dns::run(config, *command),
        Command::Failover(command) => failover::run(config, command),
        Command::Key(command) => key::run(command),
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
