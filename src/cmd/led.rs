//! `hearth led`: what the LEDs do and mean, and whether they work.
//!
//! Never touches a lamp that a running agent holds: it asks the agent.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::json;

use super::print;
use super::status::agent::{state, to_do};
use super::status::{SAME_VERSION, ask_for, line};
use crate::cli::{Announcement, LedCommand};
use crate::config::{self, AgentConfig, Secrets};
use crate::leds::face::{Lamps, lamps};
use crate::leds::rhythm::{Level, describe};
use crate::leds::settings::Place;
use crate::leds::sink;
use crate::leds::{LampSettings, Shown, shown};
use crate::status::{AgentStatus, Announced};

/// One character of a drawn rhythm.
const TICK: Duration = Duration::from_millis(100);

/// How many are drawn: the longest round, that of an acknowledged fault.
const TICKS: u32 = 100;

/// How long a test lasts.
const TEST: Duration = Duration::from_secs(30);

/// Runs the command.
///
/// # Errors
/// When the agent does not answer, or the configuration cannot be read.
pub async fn run(config: &Path, command: &LedCommand) -> anyhow::Result<()> {
    match command {
        LedCommand::Show => print(&showing(&status(config).await?)),
        LedCommand::Explain { state: None } => print(&explained(&status(config).await?)),
        LedCommand::Explain { state: Some(state) } => print(&meaning(*state)),
        LedCommand::Preview { state } => print(&preview(*state)),
        LedCommand::Test => announce(config, Announced::Test, TEST).await,
        LedCommand::Identify => announce(config, Announced::Identify, TEST).await,
        LedCommand::Announce { what: Announcement::Updating, duration } => {
            announce(config, Announced::Updating, *duration).await
        }
        LedCommand::Announce { what: Announcement::Setup, duration } => {
            announce(config, Announced::Setup, *duration).await
        }
        LedCommand::Acknowledge => {
            ask_for(&socket(config)?, &json!({ "ask": "acknowledge" })).await?;
            Ok(())
        }
        LedCommand::Dark => dark(&agent(config, |agent| agent.leds.clone())?),
    }
}

/// What `of` takes from the agent's part of the configuration; the secrets are left alone.
fn agent<T>(config: &Path, of: impl Fn(&AgentConfig) -> T) -> anyhow::Result<T> {
    let checked = config::check(config, Secrets::Skip)?;
    let agent = checked.config().agent.as_ref();
    agent.map(of).ok_or_else(|| anyhow!("{} has no [node]: only an agent has LEDs", config.display()))
}

fn socket(config: &Path) -> anyhow::Result<PathBuf> {
    agent(config, |agent| agent.control.clone())
}

async fn status(config: &Path) -> anyhow::Result<AgentStatus> {
    let answer = ask_for(&socket(config)?, &json!({ "ask": "status" })).await?;
    serde_json::from_value(answer).context(SAME_VERSION)
}

async fn announce(config: &Path, what: Announced, span: Duration) -> anyhow::Result<()> {
    let question = json!({ "ask": "announce", "what": what, "seconds": span.as_secs() });
    ask_for(&socket(config)?, &question).await?;
    print(&format!("{}: {}\n", Shown::from(what), describe(Shown::from(what))))
}

/// What the LEDs do now, and where they are.
fn showing(status: &AgentStatus) -> String {
    let (mut text, shown) = (String::new(), shown(status));
    line(&mut text, "shown", &format!("{shown}: {}", describe(shown)));
    for place in &status.lamps.places {
        let how = if place.trouble.is_empty() { "works" } else { &place.trouble };
        line(&mut text, "place", &format!("{}: {how}", place.what));
    }
    if status.lamps.places.is_empty() {
        line(&mut text, "place", "no LEDs in the configuration; `preset` in [leds] chooses a board");
    }
    text
}

/// What they mean now: the words of `hearth status`.
fn explained(status: &AgentStatus) -> String {
    let mut text = String::new();
    state(&mut text, status);
    line(&mut text, "rhythm", &describe(shown(status)));
    to_do(&mut text, status);
    text
}

/// What a state means, whatever the agent says.
fn meaning(state: Shown) -> String {
    let mut text = String::new();
    line(&mut text, "state", &format!("{state}: {}", state.describe()));
    line(&mut text, "rhythm", &describe(state));
    text
}

/// The rhythms on a traffic light, one character for each tenth of a second.
fn preview(state: Option<Shown>) -> String {
    let states = state.map_or_else(Shown::all, |state| vec![state]);
    let colour = std::io::stdout().is_terminal();
    let seconds: String = (0..TICKS / 10).map(|second| format!("{:<10}", format!("{second} s"))).collect();
    let mut text = format!("{:15}{}\n", "", seconds.trim_end());
    for state in states {
        let ticks: String =
            (0..TICKS).map(|tick| drawn(lamps(state, TICK * tick + TICK / 4), colour)).collect();
        text.push_str(&format!("{:15}{ticks}\n{:15}{}\n", state.to_string(), "", describe(state)));
    }
    text
}

/// The lamps at one moment: a letter for the lit one, `*` for several, a dot for none.
fn drawn(lamps: Lamps, colour: bool) -> String {
    let lit = [(lamps.red, 'R', 31), (lamps.amber, 'A', 33), (lamps.green, 'G', 32)];
    let lit: Vec<_> = lit.into_iter().filter(|(level, ..)| *level == Level::On).collect();
    let (letter, sgr) = match lit[..] {
        [] => return "·".to_owned(),
        [(_, letter, sgr)] => (letter, sgr),
        _ => ('*', 37),
    };
    if colour { format!("\x1b[{sgr}m█\x1b[0m") } else { letter.to_string() }
}

/// Puts out what can be reached; a lamp that an agent holds is the agent's.
fn dark(leds: &LampSettings) -> anyhow::Result<()> {
    let places = leds.places.iter().filter(|place| **place != Place::Terminal);
    let troubles: Vec<_> = places
        .filter_map(|place| {
            let put_out = sink::open(place).and_then(|mut sink| sink.dark("").map_err(|e| e.to_string()));
            put_out.err().map(|trouble| format!("{place}: {trouble}"))
        })
        .collect();
    if troubles.is_empty() { Ok(()) } else { Err(anyhow!(troubles.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_draws_every_state_to_the_tenth_of_a_second() {
        let text = preview(None);
        let row = |state: &str| {
            text.lines().find(|line| line.starts_with(&format!("{state} "))).unwrap()[15..].to_owned()
        };
        assert_eq!(row("healthy"), format!("{}·{}·", "G".repeat(49), "G".repeat(49)));
        assert_eq!(row("fault-2"), "RR···RR··················".repeat(4));
        assert_eq!(row("degraded"), format!("{}{}", "*".repeat(10), "G".repeat(10)).repeat(5));
        assert_eq!(row("night"), "·".repeat(100));
        assert_eq!(text.lines().count(), 1 + 2 * Shown::all().len());
    }

    #[test]
    fn one_state_is_previewed_and_explained_alone() {
        assert_eq!(preview(Some(Shown::Failover)).lines().count(), 3);
        let words = meaning("fault-3".parse().unwrap());
        assert!(words.contains("the DNS provider refuses") && words.contains("3 short blinks"), "{words}");
    }
}
