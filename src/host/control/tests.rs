use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::*;
use crate::host::shutdown::Shutdown;

struct Running {
    path: PathBuf,
    shutdown: Shutdown,
    task: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

/// A server that answers with what it was asked.
fn echo() -> Running {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/hearth/agent.sock");
    let server = Server::bind(&path).unwrap();
    let shutdown = Shutdown::manual();
    let task =
        tokio::spawn(server.serve(|asked| async move { json!({ "asked": asked }) }, shutdown.receiver()));
    Running { path, shutdown, task, _directory: directory }
}

#[tokio::test]
async fn a_question_is_answered_and_the_socket_is_for_its_owner_alone() {
    let server = echo();
    let answer = ask(&server.path, &json!({ "show": "status" })).await.unwrap();
    assert_eq!(answer, json!({ "asked": { "show": "status" } }));
    let mode = fs::metadata(&server.path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[tokio::test]
async fn a_clean_stop_removes_the_socket_and_asking_then_says_that_nothing_runs() {
    let server = echo();
    server.shutdown.begin();
    server.task.await.unwrap();
    assert!(!server.path.exists());
    let error = ask(&server.path, &Value::Null).await.unwrap_err();
    assert!(matches!(error, ControlError::NotRunning(_)), "{error}");
    assert!(error.to_string().contains("is hearth running?"));
}

#[tokio::test]
async fn a_second_server_is_refused_while_the_first_lives_and_the_first_goes_on() {
    let server = echo();
    let error = Server::bind(&server.path).unwrap_err();
    assert!(matches!(error, BindError::Live(_)), "{error}");
    assert!(error.to_string().contains(server.path.to_str().unwrap()));
    ask(&server.path, &json!(1)).await.unwrap();
}

#[tokio::test]
async fn the_socket_of_a_process_that_died_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a listener that is dropped leaves its socket behind, as a killed process does");
    assert!(matches!(ask(&path, &json!(1)).await, Err(ControlError::NotRunning(_))));
    Server::bind(&path).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("precious");
    fs::write(&path, "keep me").unwrap();
    assert!(matches!(Server::bind(&path), Err(BindError::Refused { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "keep me");
}

#[tokio::test]
async fn a_successor_keeps_its_socket_when_the_predecessor_goes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let first = Server::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let second = Server::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

async fn raw(path: &std::path::Path, question: &[u8]) -> Value {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(question).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_answered_with_what_is_wrong() {
    let server = echo();
    for (question, says) in [(&b"{\n"[..], "not JSON"), (b"{}", "one line"), (b"", "one line")] {
        let answer = raw(&server.path, question).await;
        assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
    }
}

#[tokio::test]
async fn a_question_without_end_is_cut_off_at_the_limit() {
    let server = echo();
    let endless = vec![b'x'; usize::try_from(MAX_QUESTION).unwrap()];
    let answer = raw(&server.path, &endless).await;
    assert!(answer["error"].as_str().unwrap().contains("at most 65536 bytes"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_told_from_one_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let _silent = UnixListener::bind(&path).unwrap();
    let error = ask(&path, &json!(1)).await.unwrap_err();
    assert!(matches!(error, ControlError::TimedOut(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_costs_an_error_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let server = Server::bind(&path).unwrap();
    let shutdown = Shutdown::manual();
    let _task = tokio::spawn(server.serve(|_| std::future::pending(), shutdown.receiver()));
    let answer = ask(&path, &json!(1)).await.unwrap();
    assert!(answer["error"].as_str().unwrap().contains("took too long"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_garbled() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let half = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = [0; 2];
        stream.read_exact(&mut question).await.unwrap();
        stream.write_all(b"{\"asked\"").await.unwrap();
    });
    let error = ask(&path, &json!(1)).await.unwrap_err();
    assert!(matches!(error, ControlError::Garbled { .. }), "{error}");
    half.await.unwrap();
}
