//! The body of an answer on its way out, as hyper takes it.
//!
//! Never copies: pieces are shared with the generation.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::reply::Body;

/// The pieces that are left to send.
#[derive(Debug)]
pub struct Outgoing {
    first: Option<Bytes>,
    rest: std::vec::IntoIter<Bytes>,
    left: u64,
}

impl Outgoing {
    /// A body that has not begun.
    #[must_use]
    pub fn of(body: Body) -> Self {
        let (first, rest) = match body {
            Body::Empty => (None, Vec::new()),
            Body::Held(bytes) => (Some(bytes).filter(|bytes| !bytes.is_empty()), Vec::new()),
            Body::Pieces(pieces) => (None, pieces),
        };
        let left = first.iter().chain(&rest).map(|piece| piece.len() as u64).sum();
        Self { first, rest: rest.into_iter(), left }
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.first.take().or_else(|| self.rest.next());
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
