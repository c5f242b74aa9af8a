//! What the control socket answers.
//!
//! Never changes anything but what the LEDs show, and has a name looked at by its keeper, never by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::event::{Event, LampEvent};
use super::keeper::Order;
use super::lamps::{IDENTIFYING, LONGEST};
use super::memory::Memory;
use crate::address::report::Report;
use crate::dns::Name;
use crate::status::{AgentStatus, Announced};

/// What answers are made of.
pub(super) struct Around {
    pub(super) status: watch::Receiver<AgentStatus>,
    /// The last round of questions about the public address.
    pub(super) report: watch::Receiver<Option<Report>>,
    pub(super) events: mpsc::Sender<Event>,
    /// What was decided on the names.
    pub(super) memory: Memory,
    /// Where each name can be had looked at.
    pub(super) orders: BTreeMap<Name, mpsc::Sender<Order>>,
}

/// Answers a question.
pub(super) async fn answer(question: &Value, around: &Around) -> Value {
    match question.get("ask").and_then(Value::as_str) {
        Some("status") => serde_json::to_value(&*around.status.borrow()).expect("a status is JSON"),
        Some("address") => match &*around.report.borrow() {
            Some(report) => serde_json::to_value(report).expect("a report is JSON"),
            None => error("the sources have not been asked yet; ask again in a moment"),
        },
        Some("why") => why(question, around),
        Some("apply") => apply(question, around).await,
        Some("acknowledge") => told(&around.events, LampEvent::Acknowledged).await,
        Some("announce") => match announcement(question) {
            Some(event) => told(&around.events, event).await,
            None => error("announce like this: {\"ask\":\"announce\",\"what\":\"identify\",\"seconds\":30}"),
        },
        Some(other) => {
            let known = "ask `status`, `address`, `why`, `apply`, `acknowledge` or `announce`";
            error(&format!("an agent cannot be asked `{other}`; {known}"))
        }
        None => error("ask like this: {\"ask\":\"status\"}"),
    }
}

/// What was decided of late on the name that the question names.
fn why(question: &Value, around: &Around) -> Value {
    match kept(question, around) {
        Ok((name, _)) => serde_json::to_value(around.memory.why(name)).expect("a decision is JSON"),
        Err(unknown) => unknown,
    }
}

/// Has the name that the question names looked at, and written if need be.
async fn apply(question: &Value, around: &Around) -> Value {
    let keeper = match kept(question, around) {
        Ok((_, keeper)) => keeper,
        Err(unknown) => return unknown,
    };
    let (order, done) = oneshot::channel();
    // An order that reaches nobody is dropped, and so its answer does not come.
    let _ = keeper.send(order).await;
    match done.await {
        Ok(Ok(said)) => json!({ "done": said }),
        Ok(Err(why)) => error(&why),
        Err(_) => error("the agent is stopping"),
    }
}

/// The name that the question names, and where its keeper is told something.
fn kept<'a>(question: &Value, around: &'a Around) -> Result<(&'a Name, &'a mpsc::Sender<Order>), Value> {
    let asked = question.get("name").and_then(Value::as_str).unwrap_or_default();
    let kept = asked.parse().ok().and_then(|name: Name| around.orders.get_key_value(&name));
    kept.ok_or_else(|| {
        error(&format!("this agent keeps no name `{asked}`; was it restarted with this file?"))
    })
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
