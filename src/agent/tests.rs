use serde_json::json;

use super::answer::{Around, answer};
use super::board::Board;
use super::event::{Event, LampEvent};
use super::*;

async fn around() -> (Around, mpsc::Receiver<Event>) {
    let line = Timeline::start(None);
    let board = Board::new("pi1".parse().unwrap(), BTreeMap::new(), Vec::new(), Vec::new(), &[], Vec::new());
    let (events, reports) = mpsc::channel(4);
    let status = watch::channel(board.snapshot(line.now(), line.uptime())).1;
    let (memory, _) = Memory::open(tempfile::tempdir().unwrap().path()).await;
    (Around { status, report: watch::channel(None).1, events, memory, orders: BTreeMap::new() }, reports)
}

#[tokio::test]
async fn a_question_that_is_not_known_is_answered_with_the_one_that_is() {
    let (around, _reports) = around().await;
    assert_eq!(answer(&json!({ "ask": "status" }), &around).await["node"], "pi1");
    let early = answer(&json!({ "ask": "address" }), &around).await;
    assert!(early["error"].as_str().is_some_and(|error| error.contains("not been asked yet")), "{early}");
    for question in [json!({ "ask": "weather" }), json!({}), json!("status"), json!({ "ask": 7 })] {
        let said = answer(&question, &around).await;
        let error = said["error"].as_str().unwrap_or_else(|| panic!("{said}"));
        assert!(error.contains("status"), "{error}");
    }
}

#[tokio::test]
async fn what_the_leds_are_told_over_the_socket_reaches_the_board() {
    let (around, mut reports) = around().await;
    for question in [json!({ "ask": "acknowledge" }), json!({ "ask": "announce", "what": "identify" })] {
        assert_eq!(answer(&question, &around).await, json!({ "done": true }));
    }
    assert!(matches!(reports.recv().await, Some(Event::Lamps(LampEvent::Acknowledged))));
    assert!(matches!(reports.recv().await, Some(Event::Lamps(LampEvent::Announced(..)))));
    let said = answer(&json!({ "ask": "announce", "what": "party" }), &around).await;
    assert!(said["error"].as_str().unwrap().contains("identify"), "{said}");
}

#[tokio::test]
async fn a_name_that_is_not_kept_is_not_explained() {
    let (around, _reports) = around().await;
    for question in [json!({ "ask": "why", "name": "x.example.com" }), json!({ "ask": "why" })] {
        let said = answer(&question, &around).await;
        assert!(said["error"].as_str().is_some_and(|error| error.contains("keeps no name")), "{said}");
    }
}
