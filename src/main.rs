//! The `hearth` binary: reads the command line, runs the command, and says how it went by its exit code.
//!
//! 0: done. 1: it failed. 2: the command line or the configuration is wrong, and trying again will not help.

use std::process::ExitCode;

use clap::Parser;
use hearth::cli::Cli;
use hearth::cmd;
use hearth::config::ConfigErrors;

const FAILED: u8 = 1;
const WRONG_INPUT: u8 = 2;

fn main() -> ExitCode {
    // The loader reads the mount and may hang there: it carries nothing that it does not need, not even a log.
    if std::env::args_os().nth(1).is_some_and(|command| command == "loader") {
        return hearth::site::loader_main().map_or(ExitCode::from(FAILED), |()| ExitCode::SUCCESS);
    }
    // What holds the LEDs: it must outlive an agent that hangs.
    if std::env::args_os().nth(1).is_some_and(|command| command == hearth::leds::keeper::COMMAND) {
        return hearth::leds::keeper::main().map_or(ExitCode::from(FAILED), |()| ExitCode::SUCCESS);
    }
    // A process of the demo: dies with the demo, and is an ordinary role from here on.
    if std::env::args_os().nth(1).is_some_and(|command| command == hearth::demo::process::TIED) {
        return report(&hearth::demo::process::tied_to_parent(std::env::args_os().skip(2)).into());
    }
    // Before anything can ask for TLS: reqwest and rustls are built without a provider of their own.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        unreachable!("nothing else installs a provider of cryptography");
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_mistake) => return explain(&help_or_mistake),
    };
    match cmd::run(&cli) {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

/// Help and the version go to standard output and are no failure.
fn explain(help_or_mistake: &clap::Error) -> ExitCode {
    match help_or_mistake.print() {
        Ok(()) if !help_or_mistake.use_stderr() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(WRONG_INPUT),
        Err(_) => ExitCode::from(FAILED),
    }
}

#[expect(clippy::print_stderr, reason = "the last words of the process are for whoever started it")]
fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(errors) = error.downcast_ref::<ConfigErrors>() {
        // Each begins with file:line:column, which editors jump to.
        eprintln!("{errors}");
        return ExitCode::from(WRONG_INPUT);
    }
    eprintln!("hearth: {error:#}");
    ExitCode::from(FAILED)
}
