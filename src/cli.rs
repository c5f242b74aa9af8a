//! The command line: what can be written on it, and its help.
//!
//! Types only: what a command does is in [`crate::cmd`].

mod failover;
mod init;
mod watcher;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::failover::{DrainArgs, DrillArgs, FailoverCommand, FailoverWhyArgs, OverrideArgs, WordArgs};
pub use self::init::{InitArgs, PeerWord, ProviderChoice};
pub use self::watcher::{ReplayArgs, WatcherArgs, WatcherCommand};
use crate::gluster::{Host, Place, VolumeName};
use crate::leds::Shown;

/// Keeps a website that lives on Raspberry Pis at home reachable.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    propagate_version = true,
    after_help = "\
Examples:
  hearth demo                           the whole system on this machine, nothing to set up
  hearth init                           sets this machine up as a node; --watcher: as the watcher
  hearth check-config                   is the configuration in order, and what does it mean?
  hearth agent                          on each Pi
  hearth watcher                        on a machine elsewhere
  hearth status                         what is it doing, and why?"
)]
pub struct Cli {
    /// The configuration file
    #[arg(long, global = true, value_name = "PATH", default_value = "/etc/hearth/hearth.toml")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the agent: serves the site, keeps this Pi's DNS name, beats to the watcher
    Agent,
    /// Runs the watcher: looks at every Pi from outside and writes the site's DNS record
    Watcher(WatcherArgs),
    /// Shows the whole system on this machine: no account, no root, nothing leaves loopback
    Demo(DemoArgs),
    /// Sets this machine up: makes its key, writes a commented configuration, and says what comes next
    Init(InitArgs),
    /// Checks the configuration and prints what it means; mistakes come with their place and a hint
    CheckConfig(CheckConfigArgs),
    /// Shows what this machine is doing and why
    Status(StatusArgs),
    /// Asks every source for the public address, and shows what each says and what it means
    Address(AddressArgs),
    /// Shows and changes DNS records by hand
    #[command(subcommand)]
    Dns(DnsCommand),
    /// Shows and overrides what the watcher decides
    #[command(subcommand)]
    Failover(FailoverCommand),
    /// Makes, mounts and judges the volume that two nodes share
    #[command(subcommand)]
    Gluster(GlusterCommand),
    /// Shows, explains and tries the LEDs
    #[command(subcommand)]
    Led(LedCommand),
    /// Makes and shows keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// What the flashable image does with its card; its units call this
    #[command(subcommand)]
    Appliance(ApplianceCommand),
}

/// `hearth appliance …`
#[derive(Clone, Debug, Subcommand)]
pub enum ApplianceCommand {
    /// Takes the configuration from the card, its secrets too, and puts it where the system looks for it
    #[command(after_help = "\
Exit code 0: something is in force, and the card's status file says what. 1: nothing is.")]
    Import(CardArgs),
    /// Writes addresses, the agent's state and what to do into the card's status file, when something of it changed
    Report(CardArgs),
    /// Takes a newer program that is signed with one of `update-keys` of [pi], and puts it on trial
    #[command(after_help = "\
The signature is PROGRAM.minisig, made with: minisign -S -t 'hearth VERSION MACHINE' -m PROGRAM
A program that has not been well for three minutes within ten, or in three starts, makes room for the one before it.")]
    Update(UpdateArgs),
    /// Takes a newer system that is signed with one of `update-keys` of [pi], puts it beside the one that runs, and starts into it on
    /// trial
    #[command(after_help = "\
The signature is FILE.minisig, made with: minisign -S -t 'hearth-system VERSION MACHINE' -m FILE
A system that cannot be started, has not been well for three minutes within ten, or in three starts, makes room for the one before it.
Exit code 0: it lies beside the one that runs, and the Pi starts anew. 1: it was not taken, and what runs stays in force.

Example:
  hearth appliance system /srv/hearth-pi-arm64.system")]
    System(SystemArgs),
    /// Says at a start which program is in force: a kept one or the image's own
    Start(CardArgs),
    /// Commits the program or the system on trial when it has been well, or turns it down
    Judge(CardArgs),
}

/// What system to take.
#[derive(Args, Clone, Debug)]
pub struct SystemArgs {
    /// The system, as pi-image/build leaves it beside the image
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Takes a version that is not newer than the one that runs
    #[arg(long)]
    pub older: bool,
    /// Where the card is
    #[command(flatten)]
    pub card: CardArgs,
}

/// What to update to.
#[derive(Args, Clone, Debug)]
pub struct UpdateArgs {
    /// The program
    #[arg(value_name = "PROGRAM")]
    pub program: PathBuf,
    /// Takes a version that is not newer than the one in force
    #[arg(long)]
    pub older: bool,
    /// Where the card is
    #[command(flatten)]
    pub card: CardArgs,
}

/// Where the card and what is kept of it are.
#[derive(Args, Clone, Debug)]
pub struct CardArgs {
    /// Where the card's FAT partition is mounted
    #[arg(long, value_name = "DIR", default_value = "/boot/firmware")]
    pub card: PathBuf,
    /// A directory on the persistent partition
    #[arg(long, value_name = "DIR", default_value = "/persist/hearth")]
    pub keep: PathBuf,
    /// The root of the system that is set up
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// The configuration that the image was made with
    #[arg(long, value_name = "FILE", default_value = "/usr/share/hearth/appliance/hearth.toml")]
    pub example: PathBuf,
    /// The program that encrypts credentials
    #[arg(long, value_name = "FILE", default_value = "systemd-creds")]
    pub creds: PathBuf,
}

/// The words of `hearth demo`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  hearth demo                               keys kill, hang and heal parts
  hearth demo --script outage --speed 10    the story of an outage, as lines of text; exit code 0: all was seen
  hearth demo --tls --script outage         the same by HTTPS
  hearth demo --plain --seconds 60          a minute of it as lines of text, for a log")]
pub struct DemoArgs {
    /// Plays a story instead of waiting for keys
    #[arg(long, value_enum)]
    pub script: Option<DemoScript>,
    /// How many times faster than a real installation
    #[arg(long, value_name = "F", default_value_t = 5.0, value_parser = speed)]
    pub speed: f64,
    /// Serves, looks and visits by HTTPS, with certificates from an authority of the demo's own
    #[arg(long)]
    pub tls: bool,
    /// Prints lines instead of drawing on the terminal
    #[arg(long)]
    pub plain: bool,
    /// Ends after this many seconds
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
}

/// The stories that the demo can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DemoScript {
    /// One Pi fails, then both; the fallback takes over; they come back
    Outage,
}

/// The words of `hearth check-config`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Exit code 0: in order; warnings are on standard error. 2: not in order.

Examples:
  hearth check-config
  hearth check-config --no-secrets --config examples/watcher.toml")]
pub struct CheckConfigArgs {
    /// Leaves the secrets unread, for a machine that does not have them
    #[arg(long)]
    pub no_secrets: bool,
    /// Prints warnings and mistakes only
    #[arg(long, short)]
    pub quiet: bool,
}

/// The words of `hearth status`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  hearth status
  hearth status --json
  hearth status --socket /run/hearth/watcher.sock")]
pub struct StatusArgs {
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
    /// The socket to ask [default: those of the configuration]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// The words of `hearth address`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Exit code 0: an address was agreed on or confirmed, in one family at least. 3: none was. 1: it could not be found out.

Examples:
  hearth address
  hearth address --json
  hearth address --cached               what the agent that runs here heard last; nobody is asked")]
pub struct AddressArgs {
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
    /// Shows what the agent that runs here heard last, and asks nobody
    #[arg(long)]
    pub cached: bool,
}

/// `hearth dns …`
#[derive(Clone, Debug, Subcommand)]
pub enum DnsCommand {
    /// Lists the records of every name in the configuration, and whose they are
    List,
    /// Shows what would change; changes nothing
    Plan,
    /// Makes the changes that `plan` shows, and reads them back
    Apply,
    /// Tells the last decision on a name, and its evidence; asks the role that runs here, or its state when none does
    Why(WhyArgs),
}

/// The words of `hearth dns why`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Exit code 0: told. 1: the name is not one of the configuration, or it could not be found out. 2: the configuration is wrong.
3: nothing has been decided on it yet.

Examples:
  hearth dns why pi1.example.com
  hearth dns why www.example.com --json")]
pub struct WhyArgs {
    /// The name, as the configuration has it
    #[arg(value_name = "NAME")]
    pub name: crate::dns::Name,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `hearth gluster …`
#[derive(Clone, Debug, Subcommand)]
pub enum GlusterCommand {
    /// Shows the commands that this machine would run to make or join the volume, each with its reason
    #[command(after_help = "\
Exit code 0: nothing is missing. 2: something would be done.

Examples:
  hearth gluster plan
  hearth gluster plan --nodes pi1,pi2 --brick /srv/brick1/gv0 --here pi1")]
    Plan(VolumeArgs),
    /// Runs what `plan` shows, and only that; asks nothing
    #[command(after_help = "\
On every machine first: apt install glusterfs-server, systemctl enable --now glusterd.
Run it on one node, then on the other. It can be run again at any time.")]
    Apply(VolumeArgs),
    /// Says whether the volume is healthy, and what to do when it is not
    #[command(after_help = "\
Exit code 0: healthy. 1: it could not be looked at. 2: the configuration is wrong. 3: healing, wait.
4: degraded, a part is away. 5: split brain, a person must choose. 6: down, the volume is not served.")]
    Check(GlusterCheckArgs),
    /// Writes the systemd units that mount the volume
    #[command(after_help = "\
Example:
  hearth gluster units --out /etc/systemd/system")]
    Units(GlusterUnitsArgs),
}

/// The volume; what is not said here is taken from `[gluster]` of the configuration.
#[derive(Args, Clone, Debug)]
pub struct VolumeArgs {
    /// The name of the volume [default: gv0]
    #[arg(long, value_name = "NAME")]
    pub volume: Option<VolumeName>,
    /// The directory of each machine's copy; with --nodes, no configuration is needed
    #[arg(long, value_name = "DIR")]
    pub brick: Option<Place>,
    /// Where the volume is mounted [default: /mnt/gluster1]
    #[arg(long, value_name = "DIR")]
    pub mount: Option<Place>,
    /// The two nodes
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub nodes: Vec<Host>,
    /// A third machine that breaks ties
    #[arg(long, value_name = "HOST")]
    pub arbiter: Option<Host>,
    /// Which of them this machine is [default: its host name, or the name in [node]]
    #[arg(long, value_name = "HOST")]
    pub here: Option<Host>,
}

/// The words of `hearth gluster check`.
#[derive(Args, Clone, Debug)]
pub struct GlusterCheckArgs {
    /// The volume.
    #[command(flatten)]
    pub volume: VolumeArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// The words of `hearth gluster units`.
#[derive(Args, Clone, Debug)]
pub struct GlusterUnitsArgs {
    /// The volume.
    #[command(flatten)]
    pub volume: VolumeArgs,
    /// The directory to write to; without it they are printed
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `hearth led …`
#[derive(Clone, Debug, Subcommand)]
pub enum LedCommand {
    /// Shows what the LEDs do now, and where they are
    Show,
    /// Says what the LEDs mean: now, in the words of `hearth status`; or in a state, such as fault-3
    #[command(after_help = "\
Examples:
  hearth led explain
  hearth led explain fault-3")]
    Explain {
        /// A state, as `hearth led preview` names it
        #[arg(value_name = "STATE")]
        state: Option<Shown>,
    },
    /// Lights each lamp in its turn, for half a minute
    Test,
    /// Lets every lamp blink for half a minute: which box is it?
    Identify,
    /// Says that the faults have been seen: they blink once in ten seconds from now on
    Acknowledge,
    /// Shows that an update is under way, or that the set-up window is open
    #[command(after_help = "\
Example:
  hearth led announce updating --for 10m")]
    Announce {
        /// What
        #[arg(value_enum)]
        what: Announcement,
        /// For how long, a day at most
        #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = crate::config::time_in_words)]
        duration: Duration,
    },
    /// Draws the rhythms in the terminal, without any agent
    Preview {
        /// One state only
        #[arg(value_name = "STATE")]
        state: Option<Shown>,
    },
    /// Puts the LEDs out when no agent runs; for `ExecStopPost=` on kernels that leave a pin as it was
    Dark,
}

/// What `hearth led announce` can announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Announcement {
    /// An update is under way: do not unplug
    Updating,
    /// The set-up window is open
    Setup,
}

/// `hearth key …`
#[derive(Clone, Debug, Subcommand)]
pub enum KeyCommand {
    /// Makes a key: the private half goes to a file, the public half is printed
    #[command(after_help = "\
Example:
  hearth key new --out /etc/hearth/node.key")]
    New {
        /// The file for the private key; it must not exist, and only its owner can read it. Without it the private
        /// key is printed on standard output and the public one on standard error
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Prints the public half of a key file
    Show {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// A factor from 1 to 1000.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (1.0..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("write a number from 1 to 1000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_override_needs_a_reason_and_ends_after_two_hours_unless_told_otherwise() {
        let parse = |words: &str| Cli::try_parse_from(words.split(' '));
        assert!(parse("hearth failover to-fallback www.example.com").is_err());
        let cli = parse("hearth failover to-fallback www.example.com --reason x").unwrap();
        let Command::Failover(FailoverCommand::ToFallback(args)) = cli.command else { panic!("{cli:?}") };
        assert_eq!(args.word.duration, Duration::from_secs(7200));
        assert!(parse("hearth failover auto www.example.com").is_ok());
    }

    #[test]
    fn the_configuration_can_be_named_before_and_after_the_command() {
        for words in ["hearth --config x agent", "hearth agent --config x"] {
            let cli = Cli::try_parse_from(words.split(' ')).unwrap();
            assert_eq!(cli.config, PathBuf::from("x"));
        }
    }
}
