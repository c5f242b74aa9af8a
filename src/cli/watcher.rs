//! The words of `hearth watcher`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `hearth watcher`, which runs it, and `hearth watcher …`, which looks at what it left
#[derive(Args, Clone, Debug)]
pub struct WatcherArgs {
    /// What to do instead of running it.
    #[command(subcommand)]
    pub command: Option<WatcherCommand>,
}

/// `hearth watcher …`
#[derive(Clone, Debug, Subcommand)]
pub enum WatcherCommand {
    /// Replays the journal: does the engine decide the same today, byte for byte?
    Replay(ReplayArgs),
    /// Sends one test message on every way of `notify`, and says what came back
    #[command(after_help = "\
The running watcher is not asked. Exit code 0: every way took it. 1: one did not.")]
    NotifyTest,
}

/// The words of `hearth watcher replay`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Exit code 0: every step is answered as it was written down; a tail that a crash tore off is no fault. 1: it cannot be read.
3: a step is answered differently today; the first is shown with its place. 4: lines in the middle are damaged.

Examples:
  hearth watcher replay                           all that the configured watcher has kept
  hearth watcher replay --story
  hearth watcher replay 00000007.journal 00000008.journal")]
pub struct ReplayArgs {
    /// Segments of a journal, or directories of them [default: the journal of the configuration]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Tells what happened, too
    #[arg(long)]
    pub story: bool,
}
