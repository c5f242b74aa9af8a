//! The asking side of the control channel.
//!
//! Never retries: the person at the terminal decides.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{MAX_ANSWER, PATIENCE};

/// Why a running role did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no socket, or nobody behind it.
    #[error("nothing answers at {}; is hearth running? `systemctl status hearth-agent hearth-watcher` says", .0.display())]
    NotRunning(PathBuf),
    /// The socket belongs to somebody else.
    #[error("not allowed to speak to {}; run this as root, or as the user that hearth runs as", .0.display())]
    Denied(PathBuf),
    /// It took the question and said nothing.
    #[error("no answer from {} within {} s; it is there, but its event loop may hang", .0.display(), PATIENCE.as_secs())]
    TimedOut(PathBuf),
    /// What came back is not one line of JSON.
    #[error("the answer from {path} makes no sense ({why}); do both sides run the same version?", path = path.display())]
    Garbled {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Something else.
    #[error("cannot ask {path}: {source}", path = path.display())]
    Other {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Asks whoever serves `path`.
///
/// # Errors
/// By meaning; every message says what to do.
pub async fn ask(path: &Path, request: &impl Serialize) -> Result<Value, ControlError> {
    let mut question =
        serde_json::to_vec(request).map_err(|error| garbled(path, format!("question: {error}")))?;
    question.push(b'\n');
    let answer = tokio::time::timeout(PATIENCE, exchange(path, &question))
        .await
        .map_err(|_| ControlError::TimedOut(path.to_owned()))?
        .map_err(|error| meaning(path, error))?;
    parse(&answer).map_err(|why| garbled(path, why))
}

async fn exchange(path: &Path, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path).await?;
    stream.write_all(question).await?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_until(b'\n', &mut answer).await?;
    Ok(answer)
}

/// An answer without its end was cut, and half of a status is not a status.
fn parse(answer: &[u8]) -> Result<Value, String> {
    match answer {
        [] => Err("it is empty".to_owned()),
        [line @ .., b'\n'] => serde_json::from_slice(line).map_err(|error| error.to_string()),
        _ => Err(format!("it ends after {} bytes, within a line", answer.len())),
    }
}

fn garbled(path: &Path, why: String) -> ControlError {
    ControlError::Garbled { path: path.to_owned(), why }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "io::ErrorKind is open")]
fn meaning(path: &Path, error: io::Error) -> ControlError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning(path),
        io::ErrorKind::PermissionDenied => ControlError::Denied(path),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => garbled(&path, "it hung up".to_owned()),
        _ => ControlError::Other { path, source: error },
    }
}
