//! What is done after a change: a command of one's own is run, or a webhook is told.
//!
//! Never decides whether something changed, never holds up whoever says that it did, and hands on nothing but the facts
//! of the change: no key, no token, nothing of the configuration.

pub(crate) mod command;
pub(crate) mod letterbox;
mod queue;
pub mod run;
pub(crate) mod web;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// One `[[hook]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSettings {
    /// What is done.
    pub deed: Deed,
    /// What it is done after: at least one.
    pub on: BTreeSet<Subject>,
    /// How long one run of the command, or one try of the webhook, may take.
    pub timeout: Duration,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A program, by its whole path, and its arguments. No shell reads them.
    Command(Vec<String>),
    /// A POST.
    Webhook {
        /// Where to.
        url: Secret<String>,
        /// The part of the URL that may be seen: scheme and host. None: nothing of it may.
        origin: Option<String>,
    },
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Deed::Command(words) => f.write_str(words.first().map_or("", String::as_str)),
            Deed::Webhook { origin: Some(origin), .. } => write!(f, "the webhook at {origin}"),
            Deed::Webhook { origin: None, .. } => f.write_str("the webhook with a secret URL"),
        }
    }
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A DNS record that is kept: the change was written and read back.
    Record,
    /// The public address that the sources agree on.
    Address,
    /// Whether a watcher answers: it has been lost, or found again.
    Watcher,
}

impl Subject {
    /// As it is written in the configuration and told to a hook.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Subject::Record => "record",
            Subject::Address => "address",
            Subject::Watcher => "watcher",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The facts of one change. As JSON, this is what a hook gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What changed.
    pub event: Subject,
    /// The node that says so.
    pub node: String,
    /// The DNS name of a record; of an address, the node again; of a watcher, its URL.
    pub name: String,
    /// The type of a record, such as `AAAA`; of an address, its family, such as `ipv6`; of a watcher, `watcher`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What stood before, as far as it was this node's.
    pub old: Vec<String>,
    /// What stands now.
    pub new: Vec<String>,
    /// Why, in words.
    pub reason: String,
}

impl Change {
    /// On one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts are JSON")
    }

    /// As environment variables; several values are separated by blanks. A control character becomes one, too.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 7] {
        [
            ("HEARTH_EVENT", self.event.word().to_owned()),
            ("HEARTH_NODE", self.node.clone()),
            ("HEARTH_NAME", self.name.clone()),
            ("HEARTH_TYPE", self.kind.clone()),
            ("HEARTH_OLD", self.old.join(" ")),
            ("HEARTH_NEW", self.new.join(" ")),
            ("HEARTH_REASON", self.reason.clone()),
        ]
        .map(|(key, value)| (key, one_line(&value)))
    }

    fn facts(&self) -> command::Facts {
        command::Facts::new(self.to_json(), self.variables().to_vec())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} changed", self.name, self.kind)
    }
}

/// A text without control characters.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_are_told_as_json_and_as_variables() {
        let change = Change {
            event: Subject::Record,
            node: "pi1".to_owned(),
            name: "pi1.example.com".to_owned(),
            kind: "A".to_owned(),
            old: Vec::new(),
            new: vec!["192.0.2.1".to_owned(), "192.0.2.2".to_owned()],
            reason: "two\nlines\0".to_owned(),
        };
        assert_eq!(
            change.to_json(),
            r#"{"event":"record","node":"pi1","name":"pi1.example.com","type":"A","old":[],"new":["192.0.2.1","192.0.2.2"],"reason":"two\nlines\u0000"}"#
        );
        let told = change.variables().map(|(key, value)| format!("{key}={value}"));
        assert_eq!(
            told,
            [
                "HEARTH_EVENT=record",
                "HEARTH_NODE=pi1",
                "HEARTH_NAME=pi1.example.com",
                "HEARTH_TYPE=A",
                "HEARTH_OLD=",
                "HEARTH_NEW=192.0.2.1 192.0.2.2",
                "HEARTH_REASON=two lines ",
            ]
        );
    }

    #[test]
    fn of_a_webhook_no_more_is_shown_than_where_it_is() {
        let url = Secret::new("https://ntfy.example/topic".to_owned());
        let shown = Deed::Webhook { url: url.clone(), origin: Some("https://ntfy.example".to_owned()) };
        let hidden = Deed::Webhook { url, origin: None };
        assert_eq!(shown.to_string(), "the webhook at https://ntfy.example");
        assert_eq!(hidden.to_string(), "the webhook with a secret URL");
        assert!(!format!("{shown:?} {hidden:?}").contains("topic"));
    }
}
