use serde_json::json;

use super::answer::answer;
use super::board::{Board, Event};
use super::lamps::LampEvent;
use super::*;

fn parts() -> (watch::Receiver<AgentStatus>, mpsc::Sender<Event>, mpsc::Receiver<Event>) {
    let line = Timeline::start(None);
    let board = Board::new("pi1".parse().unwrap(), BTreeMap::new(), None, &[], Vec::new());
    let (events, reports) = mpsc::channel(4);
    (watch::channel(board.snapshot(line.now(), line.uptime())).1, events, reports)
}

#[tokio::test]
async fn a_question_that_is_not_known_is_answered_with_the_one_that_is() {
    let (status, events, _reports) = parts();
    assert_eq!(answer(&json!({ "ask": "status" }), &status, &events).await["node"], "pi1");
    for question in [json!({ "ask": "weather" }), json!({}), json!("status"), json!({ "ask": 7 })] {
        let said = answer(&question, &status, &events).await;
        let error = said["error"].as_str().unwrap_or_else(|| panic!("{said}"));
        assert!(error.contains("status"), "{error}");
    }
}

#[tokio::test]
async fn what_the_leds_are_told_over_the_socket_reaches_the_board() {
    let (status, events, mut reports) = parts();
    for question in [json!({ "ask": "acknowledge" }), json!({ "ask": "announce", "what": "identify" })] {
        assert_eq!(answer(&question, &status, &events).await, json!({ "done": true }));
    }
    assert!(matches!(reports.recv().await, Some(Event::Lamps(LampEvent::Acknowledged))));
    assert!(matches!(reports.recv().await, Some(Event::Lamps(LampEvent::Announced(..)))));
    let said = answer(&json!({ "ask": "announce", "what": "party" }), &status, &events).await;
    assert!(said["error"].as_str().unwrap().contains("identify"), "{said}");
}
