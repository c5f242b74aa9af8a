//! The words of `hearth failover`: what the watcher decides, and a person's word against it. Types only.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::dns::Name;
use crate::heartbeat::NodeName;

/// The words of `hearth failover why`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Without --at the watcher that runs here is asked. With it the journal is replayed up to then; the watcher need not run.
TIME is how long ago, or a date with its time, in the zone of this machine unless it says another.
Exit code 0: told. 1: it cannot be found out. 3: the journal does not reach back so far.

Examples:
  hearth failover why
  hearth failover why www.example.com --at 90m
  hearth failover why --at \"2026-11-20 21:04:30\"
  hearth failover why --at 2026-11-20T20:04:30Z --json")]
pub struct FailoverWhyArgs {
    /// The site's name [default: every site]
    #[arg(value_name = "SITE")]
    pub site: Option<Name>,
    /// How it stood then
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `hearth failover …`
#[derive(Clone, Debug, Subcommand)]
pub enum FailoverCommand {
    /// Shows every site: what is wanted, what is in force, and why
    Status,
    /// Says why a record is what it is, on which evidence, and what would change it: now, or at a time
    Why(FailoverWhyArgs),
    /// Sends visitors to the fallback, for a while
    #[command(after_help = "\
Example:
  hearth failover to-fallback www.example.com --for 30m --reason \"new router\"")]
    ToFallback(OverrideArgs),
    /// Sends visitors to the fallback and home again, to see that it works
    #[command(after_help = "\
It is refused when the way there or back could fail. The command watches until visitors are home again and prints how long
each step took; the drill goes on and ends by itself when the command is ended.
Exit code 0: visitors were there and are home again. 1: refused, or it went otherwise.

Example:
  hearth failover drill www.example.com --for 5m --reason \"the monthly drill\"")]
    Drill(DrillArgs),
    /// Sends visitors to the nodes, for a while, whatever the watcher sees
    #[command(after_help = "\
Example:
  hearth failover to-home www.example.com --for 1h --reason \"the probe is wrong\"")]
    ToHome(OverrideArgs),
    /// Leaves a record as it is, for a while; what would be done is told
    #[command(after_help = "\
Example:
  hearth failover freeze www.example.com --for 2h --reason \"the provider moves\"")]
    Freeze(OverrideArgs),
    /// Keeps visitors away from a node, for a while, at every site that it serves
    #[command(after_help = "\
Example:
  hearth failover drain pi2 --for 30m --reason \"new SD card\"")]
    Drain(DrainArgs),
    /// Ends every override of a site: the watcher decides again, by itself and of every node
    Auto {
        /// The site's name
        #[arg(value_name = "SITE")]
        site: Name,
    },
}

/// An override by hand.
#[derive(Args, Clone, Debug)]
pub struct OverrideArgs {
    /// The site's name
    #[arg(value_name = "SITE")]
    pub site: Name,
    /// How long, and why
    #[command(flatten)]
    pub word: WordArgs,
}

/// A drill.
#[derive(Args, Clone, Debug)]
pub struct DrillArgs {
    /// The site's name
    #[arg(value_name = "SITE")]
    pub site: Name,
    /// When visitors are sent home, such as 2m; at most 30m
    #[arg(long = "for", value_name = "TIME", default_value = "2m", value_parser = crate::config::time_in_words)]
    pub duration: Duration,
    /// Why, for the journal and for whoever asks
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// A node that visitors are kept away from by hand.
#[derive(Args, Clone, Debug)]
pub struct DrainArgs {
    /// The node's name
    #[arg(value_name = "NODE")]
    pub node: NodeName,
    /// How long, and why
    #[command(flatten)]
    pub word: WordArgs,
}

/// A person's word. It always ends, and it always has a reason.
#[derive(Args, Clone, Debug)]
pub struct WordArgs {
    /// When it ends by itself, such as 30m or 2h
    #[arg(long = "for", value_name = "TIME", default_value = "2h", value_parser = crate::config::time_in_words)]
    pub duration: Duration,
    /// Why, for the journal and for whoever asks
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
