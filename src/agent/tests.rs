use serde_json::json;

use super::board::Board;
use super::*;

#[tokio::test]
async fn a_question_that_is_not_known_is_answered_with_the_one_that_is() {
    let line = Timeline::start(None);
    let board = Board::new("pi1".parse().unwrap(), BTreeMap::new(), Vec::new(), Vec::new(), &[], Vec::new());
    let status = board.snapshot(line.now(), line.uptime());
    let directory = tempfile::tempdir().unwrap();
    let (memory, _) = Memory::open(directory.path()).await;
    assert_eq!(answer(&json!({ "ask": "status" }), &status, None, &memory)["node"], "pi1");
    let early = answer(&json!({ "ask": "address" }), &status, None, &memory);
    assert!(early["error"].as_str().is_some_and(|error| error.contains("not been asked yet")), "{early}");
    for question in [json!({ "ask": "weather" }), json!({}), json!("status"), json!({ "ask": 7 })] {
        let said = answer(&question, &status, None, &memory);
        let error = said["error"].as_str().unwrap_or_else(|| panic!("{said}"));
        assert!(error.contains("status"), "{error}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_kept_is_not_explained() {
    let line = Timeline::start(None);
    let board = Board::new("pi1".parse().unwrap(), BTreeMap::new(), Vec::new(), Vec::new(), &[], Vec::new());
    let status = board.snapshot(line.now(), line.uptime());
    let directory = tempfile::tempdir().unwrap();
    let (memory, _) = Memory::open(directory.path()).await;
    for question in [json!({ "ask": "why", "name": "x.example.com" }), json!({ "ask": "why" })] {
        let said = answer(&question, &status, None, &memory);
        assert!(said["error"].as_str().is_some_and(|error| error.contains("keeps no name")), "{said}");
    }
}
