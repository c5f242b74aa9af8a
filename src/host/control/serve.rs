//! The answering side of the control channel.
//!
//! Never lets a slow or endless question hold more than its own connection.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use super::{MAX_ANSWER, MAX_QUESTION, PATIENCE};
use crate::host::shutdown::stopped;

/// Questions that are answered at a time; more wait.
const AT_ONCE: usize = 16;

/// How long a handler may take: less than [`PATIENCE`], so that whoever asked hears of it.
const THINKING: Duration = Duration::from_secs(8);

/// The pause after a failed accept: it fails for want of descriptors, and asking at once does not make more.
const BREATHER: Duration = Duration::from_millis(200);

/// Why the control channel could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process serves it.
    #[error("another hearth answers at {}; stop it first, or give this one another place", .0.display())]
    Live(PathBuf),
    /// The kernel refused.
    #[error("cannot open the control channel at {path}: {source}", path = path.display())]
    Refused {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The control channel of this process. The socket is removed when it is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the socket, so that a successor's is not removed.
    identity: (u64, u64),
}

impl Server {
    /// Opens the channel: mode 0600, in a directory that is made (0755) when it is missing. The socket of a process
    /// that died is replaced. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`BindError::Live`] when somebody answers there.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let refused = |source| BindError::Refused { path: path.to_owned(), source };
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(refused)?;
        }
        clear_stale(path)?;
        let listener = open(path).map_err(refused)?;
        let meta = fs::symlink_metadata(path).map_err(refused)?;
        Ok(Self { listener, path: path.to_owned(), identity: (meta.dev(), meta.ino()) })
    }

    /// Answers every question with `handler`, until the stop is wanted. A question that is not JSON is answered with
    /// `{"error": …}` and never reaches the handler.
    pub async fn serve<H, F>(self, handler: H, mut shutdown: watch::Receiver<bool>)
    where
        H: Fn(Value) -> F + Send + Sync + 'static,
        F: Future<Output = Value> + Send,
    {
        let handler = Arc::new(handler);
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut stop = pin!(stopped(&mut shutdown));
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
                self.listener.accept().await.map(|(stream, _)| (stream, place))
            };
            let accepted = tokio::select! {
                () = &mut stop => return,
                accepted = next => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let handler = Arc::clone(&handler);
                    tokio::spawn(async move {
                        answer(stream, &*handler).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!("the control channel could not accept: {error}");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!("{} stays: {error}", self.path.display());
        }
    }
}

/// Removes a socket that nobody answers; anything that is not a socket stays, and binding fails on it.
fn clear_stale(path: &Path) -> Result<(), BindError> {
    let refused = |source| BindError::Refused { path: path.to_owned(), source };
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(BindError::Live(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && is_socket(path) => {
            fs::remove_file(path).map_err(refused)
        }
        Err(_) => Ok(()),
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

/// The mode is set between bind and listen: before listen(2) nobody can connect, so there is no moment at which
/// somebody else could.
fn open(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.set_nonblocking(true)?;
    socket.listen(128)?;
    UnixListener::from_std(socket.into())
}

async fn answer<H, F>(mut stream: UnixStream, handler: &H)
where
    H: Fn(Value) -> F,
    F: Future<Output = Value>,
{
    let exchange = async {
        let reply = match question(&mut stream).await? {
            Ok(request) => tokio::time::timeout(THINKING, handler(request))
                .await
                .unwrap_or_else(|_| error_value("it took too long to find the answer; the log may say why")),
            Err(why) => error_value(&why),
        };
        stream.write_all(&line(&reply)).await?;
        stream.shutdown().await
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a question on the control channel broke off: {error}"),
        Err(_) => tracing::debug!("a question on the control channel took longer than {PATIENCE:?}"),
    }
}

/// Reads one question; the inner error is for whoever asked.
async fn question(stream: &mut UnixStream) -> io::Result<Result<Value, String>> {
    let mut line = Vec::new();
    BufReader::new(stream.take(MAX_QUESTION)).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return Ok(Err(format!("a question is one line of at most {MAX_QUESTION} bytes")));
    }
    Ok(serde_json::from_slice(&line).map_err(|error| format!("the question is not JSON: {error}")))
}

fn line(reply: &Value) -> Vec<u8> {
    let mut line = reply.to_string().into_bytes();
    if line.len() as u64 >= MAX_ANSWER {
        line = error_value("the answer is too long for the control channel").to_string().into_bytes();
    }
    line.push(b'\n');
    line
}

fn error_value(why: &str) -> Value {
    serde_json::json!({ "error": why })
}
