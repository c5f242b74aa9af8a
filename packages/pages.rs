//! Writes the manual pages and the shell completions of `hearth` into a directory, from the command line's own types.
//!
//! ```sh
//! cargo run --example hearth-pages -- target/pages
//! ```

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use hearth::cli::Cli;

/// The shells that Debian has a place for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

fn main() -> anyhow::Result<()> {
    let directory =
        std::env::args_os().nth(1).map(PathBuf::from).context("name the directory to write to")?;
    fs::create_dir_all(&directory)?;
    let command = Cli::command().name("hearth");
    clap_mangen::generate_to(command.clone(), &directory)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut command.clone(), "hearth", &directory)?;
    }
    Ok(())
}
