//! The body of an answer on its way out, as hyper takes it.
//!
//! Never copies: pieces are shared with the generation, or read for this visitor while the one before is sent.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::generation::LeftFile;
use super::large::{Large, PIECE, Reading, Unreadable};
use super::reply::{Body, Part};

/// The pieces that are left to send.
#[derive(Debug)]
pub struct Outgoing {
    first: Option<Bytes>,
    rest: std::vec::IntoIter<Bytes>,
    left: u64,
    more: Option<Box<More>>,
}

/// What is still to be read.
#[derive(Debug)]
struct More {
    large: Large,
    file: Arc<LeftFile>,
    next: Range<u64>,
    reading: Option<Reading>,
    _place: OwnedSemaphorePermit,
}

/// An answer that cannot be finished; its connection ends, so that nobody takes it for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the file cannot be read")]
pub struct Broken;

impl Outgoing {
    /// A body that has not begun. One that is to be read comes from [`read`](Self::read); here it is empty.
    #[must_use]
    pub fn of(body: Body) -> Self {
        let (first, rest) = match body {
            Body::Empty | Body::Left(_) => (None, Vec::new()),
            Body::Held(bytes) => (Some(bytes).filter(|bytes| !bytes.is_empty()), Vec::new()),
            Body::Pieces(pieces) => (None, pieces),
        };
        let left = first.iter().chain(&rest).map(|piece| piece.len() as u64).sum();
        Self { first, rest: rest.into_iter(), left, more: None }
    }

    /// A body whose first piece has been read.
    ///
    /// # Errors
    /// Those of the first piece.
    pub async fn read(large: Large, part: Part) -> Result<Self, Unreadable> {
        let (left, place) = (part.range.end - part.range.start, large.admit()?);
        let mut more = More { large, file: part.file, next: part.range, reading: None, _place: place };
        more.begin();
        let first = match &mut more.reading {
            Some(reading) => joined(reading.await)?,
            None => Vec::new(),
        };
        more.reading = None;
        Ok(Self { first: None, rest: first.into_iter(), left, more: Some(Box::new(more)) })
    }
}

impl More {
    /// Begins to read the next piece, if there is one and none is being read.
    fn begin(&mut self) {
        if self.reading.is_none() && !self.next.is_empty() {
            let end = self.next.end.min(self.next.start + PIECE);
            let piece = self.next.start..end;
            self.next.start = end;
            self.reading = Some(self.large.read(Arc::clone(&self.file), piece));
        }
    }

    /// The piece that is being read; None after the last.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<Bytes>, Broken>>> {
        self.begin();
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let read = joined(ready!(Pin::new(reading).poll(context)));
        self.reading = None;
        self.begin();
        Poll::Ready(Some(read.map_err(|error| {
            tracing::warn!(file = %self.file.name, "an answer was broken off: {error}");
            Broken
        })))
    }
}

/// A reader that panicked counts as one that did not answer.
fn joined(
    read: Result<Result<Vec<Bytes>, Unreadable>, tokio::task::JoinError>,
) -> Result<Vec<Bytes>, Unreadable> {
    read.unwrap_or(Err(Unreadable::Busy))
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if let Some(piece) = self.first.take().or_else(|| self.rest.next()) {
                self.left = self.left.saturating_sub(piece.len() as u64);
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let Some(more) = &mut self.more else { return Poll::Ready(None) };
            match ready!(more.poll(context)) {
                Some(Ok(pieces)) => self.rest = pieces.into_iter(),
                Some(Err(broken)) => return Poll::Ready(Some(Err(broken))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
