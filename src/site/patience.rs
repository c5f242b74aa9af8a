//! A connection that does not wait for ever for a client that does not take what it asked for.
//!
//! While an answer waits to be taken, at least [`LEAST`] bytes must go out in every span of the limit. A client that
//! takes less keeps memory for nothing; its connection ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A modem of 1990 takes more in half a minute.
const LEAST: usize = 16 * 1024;

/// Up to here head and body are copied into one piece: cheaper for the kernel than two.
const SMALL: usize = 4096;

/// A stream with a limit on waiting to write.
#[derive(Debug)]
pub struct Patient<S> {
    stream: S,
    span: Duration,
    waiting: Option<Waiting>,
}

/// Since something could not be written at once.
#[derive(Debug)]
struct Waiting {
    until: Pin<Box<Sleep>>,
    written: usize,
}

impl<S> Patient<S> {
    /// At least [`LEAST`] bytes in `span`, while any wait.
    #[must_use]
    pub const fn new(stream: S, span: Duration) -> Self {
        Self { stream, span, waiting: None }
    }

    /// Says that everything that waited has gone out.
    pub fn settle(&mut self) {
        self.waiting = None;
    }

    /// Counts what was written, or ends the wait.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(count)) => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.written += count;
                    if waiting.written >= LEAST {
                        self.waiting = None;
                    }
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let begin = || Waiting { until: Box::pin(tokio::time::sleep(self.span)), written: 0 };
                let waiting = self.waiting.get_or_insert_with(begin);
                if waiting.until.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let size: usize = pieces.iter().map(|piece| piece.len()).sum();
        let stream = Pin::new(&mut self.stream);
        let written = if size <= SMALL {
            let mut small = [0; SMALL];
            let mut end = 0;
            for piece in pieces {
                small[end..end + piece.len()].copy_from_slice(piece);
                end += piece.len();
            }
            stream.poll_write(context, &small[..end])
        } else {
            stream.poll_write_vectored(context, pieces)
        };
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when everything has gone out.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.settle();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
