//! What the control socket answers.
//!
//! Never changes anything but what the LEDs show.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::board::Event;
use super::lamps::{IDENTIFYING, LONGEST, LampEvent};
use crate::address::report::Report;
use crate::status::{AgentStatus, Announced};

/// What answers are made of.
pub(super) struct Around {
    pub(super) status: watch::Receiver<AgentStatus>,
    /// The last round of questions about the public address.
    pub(super) report: watch::Receiver<Option<Report>>,
    pub(super) events: mpsc::Sender<Event>,
}

/// Answers a question.
pub(super) async fn answer(question: &Value, around: &Around) -> Value {
    match question.get("ask").and_then(Value::as_str) {
        Some("status") => serde_json::to_value(&*around.status.borrow()).expect("a status is JSON"),
        Some("address") => match &*around.report.borrow() {
            Some(report) => serde_json::to_value(report).expect("a report is JSON"),
            None => error("the sources have not been asked yet; ask again in a moment"),
        },
        Some("acknowledge") => told(&around.events, LampEvent::Acknowledged).await,
        Some("announce") => match announcement(question) {
            Some(event) => told(&around.events, event).await,
            None => error("announce like this: {\"ask\":\"announce\",\"what\":\"identify\",\"seconds\":30}"),
        },
        Some(other) => {
            let known = "ask `status`, `address`, `acknowledge` or `announce`";
            error(&format!("an agent cannot be asked `{other}`; {known}"))
        }
        None => error("ask like this: {\"ask\":\"status\"}"),
    }
}

fn error(what: &str) -> Value {
    json!({ "error": what })
}

async fn told(events: &mpsc::Sender<Event>, event: LampEvent) -> Value {
    match events.send(Event::Lamps(event)).await {
        Ok(()) => json!({ "done": true }),
        Err(_) => error("the agent is stopping"),
    }
}

/// What is to be announced, and for how long.
fn announcement(question: &Value) -> Option<LampEvent> {
    let what: Announced = serde_json::from_value(question.get("what")?.clone()).ok()?;
    let span = match question.get("seconds") {
        None => IDENTIFYING,
        Some(seconds) => Duration::from_secs(seconds.as_u64().filter(|s| *s <= LONGEST.as_secs())?),
    };
    Some(LampEvent::Announced(what, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_has_a_known_word_and_ends() {
        let span = |question: Value| match announcement(&question) {
            Some(LampEvent::Announced(_, span)) => Some(span.as_secs()),
            _ => None,
        };
        assert_eq!(span(json!({ "what": "identify" })), Some(30));
        assert_eq!(span(json!({ "what": "updating", "seconds": 600 })), Some(600));
        for wrong in [json!({ "what": "party" }), json!({}), json!({ "what": "test", "seconds": 90_000 })] {
            assert_eq!(span(wrong.clone()), None, "{wrong}");
        }
    }
}
