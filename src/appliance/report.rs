//! `hearth-status.txt`: what a person reads who puts the card into a PC, because the Pi is not to be found on the network.
//!
//! Never says a time or a count that changes by itself: the file is written when there is something new to say.

use std::fmt::Write;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{CONFIG, STATUS};

/// What became of the card's configuration at this start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is in force, from this file.
    InForce(String),
    /// It has mistakes, each with its place and what to do; this is in force instead.
    Wrong {
        /// The mistakes.
        mistakes: String,
        /// What runs.
        instead: Instead,
    },
}

impl Outcome {
    /// What became of it, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::InForce(file) => format!("{file} is in force"),
            Self::Wrong { mistakes, instead } => {
                format!("{CONFIG} has mistakes; {}: {mistakes}", instead.describe())
            }
        }
    }
}

/// What runs in the place of a configuration with mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instead {
    /// The last one that was in order.
    LastGood,
    /// The one that the image was made with.
    Example,
}

/// Everything that there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What became of the configuration.
    pub outcome: Outcome,
    /// What else is to be said about the card's files.
    pub remarks: Vec<String>,
    /// What the Pi is called.
    pub hostname: String,
    /// The board, and its serial number.
    pub board: String,
    /// The version of hearth that runs, and what became of another one.
    pub version: String,
    /// Which system runs in which slot, and what became of another one; None: there are no slots.
    pub system: Option<String>,
    /// Its addresses on the local network; None: it has not looked yet.
    pub addresses: Option<Vec<IpAddr>>,
    /// The public halves of keys that were made here, each with where it belongs.
    pub keys: Vec<String>,
    /// What the agent says of itself, a line each; empty: it has not been asked yet.
    pub agent: Vec<String>,
    /// What else is wrong, a line each; empty: nothing, or it has not been looked for yet.
    pub findings: Vec<String>,
    /// The last warnings before the last stop that nobody asked for.
    pub last_words: Vec<String>,
}

impl Report {
    /// The file, with the line ends of Windows: every editor reads those.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("hearth on this Pi: {}\n\n", self.headline());
        match &self.outcome {
            in_force @ Outcome::InForce(_) => line(&mut text, "config", &in_force.describe()),
            Outcome::Wrong { mistakes, instead } => {
                line(&mut text, "config", &format!("{CONFIG} has mistakes; {}", instead.describe()));
                list(&mut text, "mistakes", mistakes.lines());
            }
        }
        list(&mut text, "remarks", self.remarks.iter().map(String::as_str));
        line(&mut text, "name", &format!("{0}, on the local network http://{0}.local/", self.hostname));
        line(&mut text, "addresses", &self.addresses_in_words());
        line(&mut text, "board", &self.board);
        line(&mut text, "version", &self.version);
        list(&mut text, "system", self.system.as_deref());
        list(&mut text, "agent", self.agent.iter().map(String::as_str));
        list(&mut text, "findings", self.findings.iter().map(String::as_str));
        list(&mut text, "keys", self.keys.iter().map(String::as_str));
        list(&mut text, "last words", self.last_words.iter().map(String::as_str));
        list(&mut text, "what to do", self.to_do().iter().map(String::as_str));
        let _ =
            writeln!(text, "\nThe Pi writes {STATUS} anew when something of this changes; nothing reads it.");
        text.replace('\n', "\r\n")
    }

    fn headline(&self) -> &'static str {
        match (&self.outcome, &self.addresses) {
            (Outcome::Wrong { .. }, _) => "the configuration has mistakes",
            (Outcome::InForce(_), None) => "starting",
            (Outcome::InForce(_), Some(addresses)) if addresses.is_empty() => "it has no network",
            (Outcome::InForce(_), Some(_)) => "running",
        }
    }

    fn addresses_in_words(&self) -> String {
        match &self.addresses {
            None => "not known yet".to_owned(),
            Some(none) if none.is_empty() => "none".to_owned(),
            Some(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }
    }

    fn to_do(&self) -> Vec<String> {
        let mut to_do = Vec::new();
        if matches!(self.outcome, Outcome::Wrong { .. }) {
            to_do.push(format!("Correct {CONFIG} on this card as the mistakes say, and start the Pi again."));
        }
        match &self.addresses {
            None => to_do.push(
                "When this still says \"starting\", the Pi was switched off within its first two minutes, or hangs: give it \
                 three minutes and its own power supply."
                    .to_owned(),
            ),
            Some(none) if none.is_empty() => to_do.push(format!(
                "Plug in the network cable, or write [pi.wifi] into {CONFIG}, and see that the router gives addresses (DHCP)."
            )),
            Some(_) => to_do.push(format!("Open http://{}.local/ or one of the addresses above.", self.hostname)),
        }
        to_do
    }
}

impl Instead {
    /// What runs, in words.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Instead::LastGood => "the last one without mistakes is in force",
            Instead::Example => "the one that the image came with is in force",
        }
    }
}

fn line(text: &mut String, what: &str, says: &str) {
    let _ = writeln!(text, "{what:<12}{says}");
}

/// The first line behind what it is about, the others below it.
fn list<'a>(text: &mut String, what: &str, lines: impl IntoIterator<Item = &'a str>) {
    for (i, says) in lines.into_iter().enumerate() {
        line(text, if i == 0 { what } else { "" }, says);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome, addresses: Option<&[&str]>) -> String {
        let addresses = addresses.map(|list| list.iter().map(|a| a.parse().unwrap()).collect());
        let report = Report {
            outcome,
            remarks: vec!["curly quotes were read as straight ones".to_owned()],
            hostname: "pi1".to_owned(),
            board: "Raspberry Pi 4 Model B, 10000000abcdef01".to_owned(),
            version: "0.1.0".to_owned(),
            system: Some("0.1.0-20260131235959 in slot a".to_owned()),
            addresses,
            keys: vec!["node.key: public-key = \"ed25519:AAAA\"".to_owned()],
            agent: Vec::new(),
            findings: Vec::new(),
            last_words: Vec::new(),
        };
        report.text()
    }

    #[test]
    fn a_running_pi_says_where_it_is() {
        let text = report(Outcome::InForce("hearth.toml".to_owned()), Some(&["192.168.1.5", "2001:db8::5"]));
        assert_eq!(
            text.replace("\r\n", "\n"),
            "hearth on this Pi: running\n\n\
             config      hearth.toml is in force\n\
             remarks     curly quotes were read as straight ones\n\
             name        pi1, on the local network http://pi1.local/\n\
             addresses   192.168.1.5, 2001:db8::5\n\
             board       Raspberry Pi 4 Model B, 10000000abcdef01\n\
             version     0.1.0\n\
             system      0.1.0-20260131235959 in slot a\n\
             keys        node.key: public-key = \"ed25519:AAAA\"\n\
             what to do  Open http://pi1.local/ or one of the addresses above.\n\n\
             The Pi writes hearth-status.txt anew when something of this changes; nothing reads it.\n"
        );
        assert!(!text.replace("\r\n", "").contains('\n'), "every line ends as on Windows");
    }

    #[test]
    fn mistakes_come_with_their_place_and_what_runs_meanwhile() {
        let mistakes = "hearth.toml:7:1: unknown key `host`\n 7 | host = []\n".to_owned();
        let text = report(Outcome::Wrong { mistakes, instead: Instead::LastGood }, Some(&["10.0.0.2"]));
        for wanted in [
            "the configuration has mistakes",
            "the last one without mistakes is in force",
            "mistakes    hearth.toml:7:1: unknown key `host`\r\n             7 | host = []",
            "Correct hearth.toml on this card",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_a_remedy() {
        let file = || Outcome::InForce("hearth.toml".to_owned());
        assert!(report(file(), None).contains("starting") && report(file(), None).contains("three minutes"));
        let alone = report(file(), Some(&[]));
        assert!(alone.contains("it has no network") && alone.contains("[pi.wifi]"), "{alone}");
    }
}
