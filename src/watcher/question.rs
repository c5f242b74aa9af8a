//! What can be asked on the watcher's control socket, and how it is written. PURE.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::{Name, Owner};
use crate::failover::engine::Engine;
use crate::failover::event::Command;
use crate::failover::lane::Side;
use crate::failover::view::Happened;
use crate::failover::why::Explanation;
use crate::heartbeat::NodeName;
use crate::moment::Moment;

/// What can be asked on the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// How the watcher stands.
    Status,
    /// Why the record of a site is what it is, and what would change it; of every site without one.
    Why(Option<Name>),
    /// A person wants visitors somewhere, or the watcher to decide again.
    Override {
        /// The site.
        site: Name,
        /// What is wanted.
        command: Command,
        /// By whom.
        owner: Owner,
        /// Why.
        reason: String,
    },
}

/// The answer to [`Question::Why`], for one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// When it was so, by the watcher's clock: milliseconds since 1970.
    pub wall_ms: u64,
    /// Why the record is what it is, and what would change it.
    pub explanation: Explanation,
    /// What led to it, the newest first: what happened to the site, and to the watcher as a whole.
    pub lately: Vec<Happened>,
}

/// How many of the things that led to it are told.
const LATELY: usize = 12;

impl Told {
    /// What is told of `site` at a point in time; `happened` is the newest first. None: it is not watched.
    pub fn of<'a>(
        engine: &Engine,
        site: &Name,
        now: (Moment, u64),
        happened: impl IntoIterator<Item = &'a Happened>,
    ) -> Option<Self> {
        let about_it = |what: &&Happened| what.site.as_ref().is_none_or(|about| about == site);
        let lately = happened.into_iter().filter(about_it).take(LATELY).cloned().collect();
        Some(Self { wall_ms: now.1, explanation: engine.explain(site, now.0)?, lately })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    ask: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<NodeName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    for_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Question {
    /// Reads a question.
    ///
    /// # Errors
    /// When it is none of those that can be asked; says which can.
    pub fn of(value: &serde_json::Value) -> Result<Self, String> {
        let written: Written = serde_json::from_value(value.clone()).map_err(|e| e.to_string())?;
        let span = Duration::from_millis(written.for_ms.unwrap_or(0));
        let command = match written.ask.as_str() {
            "status" => return Ok(Question::Status),
            "why" => return Ok(Question::Why(written.site)),
            "to-home" => Command::Pin { side: Side::Home, span },
            "to-fallback" => Command::Pin { side: Side::Fallback, span },
            "freeze" => Command::Freeze { span },
            "drain" => Command::Drain { node: written.node.ok_or("which node?")?, span },
            "drill" => Command::Drill { span },
            "auto" => Command::Auto,
            other => {
                let can = "status, why, to-home, to-fallback, drill, freeze, drain and auto can";
                return Err(format!("`{other}` cannot be asked; {can}"));
            }
        };
        let site = written.site.ok_or("which site?")?;
        let owner = Owner::new(&written.owner.unwrap_or_default());
        Ok(Question::Override { site, command, owner, reason: written.reason.unwrap_or_default() })
    }

    /// Reads what somebody with the token wants: `to-home`, `to-fallback` or `auto`, with a site, a span for all but
    /// `auto`, and a reason.
    ///
    /// # Errors
    /// When it is nothing of that, or has no reason.
    pub fn over_http(mut value: serde_json::Value) -> Result<Self, String> {
        if let Some(fields) = value.as_object_mut() {
            fields.entry("owner").or_insert_with(|| "token".into());
        }
        match Self::of(&value)? {
            Question::Status | Question::Why(_) => {
                Err("to-home, to-fallback and auto can be asked here".to_owned())
            }
            Question::Override { reason, .. } if reason.trim().is_empty() => {
                Err("it has no `reason`".to_owned())
            }
            Question::Override { command: Command::Pin { span, .. }, .. } if span.is_zero() => {
                Err("it has no `for_ms`: an override always ends".to_owned())
            }
            wanted @ Question::Override { .. } => Ok(wanted),
        }
    }

    /// The question as it is sent.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        let mut written = Written {
            ask: "status".to_owned(),
            site: None,
            node: None,
            for_ms: None,
            owner: None,
            reason: None,
        };
        if let Question::Why(site) = self {
            "why".clone_into(&mut written.ask);
            written.site.clone_from(site);
        }
        if let Question::Override { site, command, owner, reason } = self {
            written.ask = match command {
                Command::Pin { side: Side::Fallback, .. } => "to-fallback",
                Command::Pin { .. } => "to-home",
                Command::Drill { .. } => "drill",
                Command::Freeze { .. } => "freeze",
                Command::Drain { .. } => "drain",
                Command::Auto => "auto",
            }
            .to_owned();
            if let Command::Pin { span, .. }
            | Command::Drill { span }
            | Command::Freeze { span }
            | Command::Drain { span, .. } = command
            {
                written.for_ms = Some(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
            }
            if let Command::Drain { node, .. } = command {
                written.node = Some(node.clone());
            }
            written.site = Some(site.clone());
            written.owner = Some(owner.to_string());
            written.reason = Some(reason.clone());
        }
        serde_json::to_value(written).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_round_trips_through_its_json() {
        let pin = |side| Question::Override {
            site: "www.example.com".parse().unwrap(),
            command: Command::Pin { side, span: Duration::from_secs(60) },
            owner: Owner::new("uid-0"),
            reason: "why".to_owned(),
        };
        let why = Question::Why("www.example.com".parse().ok());
        let drill = Question::Override {
            site: "www.example.com".parse().unwrap(),
            command: Command::Drill { span: Duration::from_secs(120) },
            owner: Owner::new("uid-0"),
            reason: "why".to_owned(),
        };
        let pins = [pin(Side::Home), pin(Side::Fallback)];
        for question in [Question::Status, why, Question::Why(None), drill].into_iter().chain(pins) {
            assert_eq!(Question::of(&question.to_value()), Ok(question));
        }
    }

    #[test]
    fn over_http_an_override_has_a_reason_and_an_end() {
        let ask = |json: serde_json::Value| Question::over_http(json);
        let good = serde_json::json!({ "ask": "to-fallback", "site": "www.example.com", "for_ms": 60_000, "reason": "x" });
        let Ok(Question::Override { owner, .. }) = ask(good.clone()) else { panic!("{good}") };
        assert_eq!(owner, Owner::new("token"));
        for (field, value) in [("reason", " ".into()), ("for_ms", 0.into()), ("ask", "status".into())] {
            let mut bad = good.clone();
            bad[field] = value;
            assert!(ask(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_told_with_what_can() {
        let error = Question::of(&serde_json::json!({ "ask": "reboot" })).unwrap_err();
        assert!(error.contains("to-fallback"), "{error}");
        assert!(Question::of(&serde_json::json!({ "ask": "auto" })).is_err());
        assert!(Question::of(&serde_json::json!({ "ask": "status", "more": 1 })).is_err());
    }
}
