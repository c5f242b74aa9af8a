//! An answer in one form: its status, its headers, and what follows them.
//!
//! PURE. Never decides which answer it is.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue,
};
use hyper::{HeaderMap, StatusCode};

use super::generation::{LeftFile, Representation, Stored};

/// An answer in one form.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers, without `Date`, which the server adds.
    pub headers: HeaderMap,
    /// What follows the head.
    pub body: Body,
}

/// What follows a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// These bytes.
    Held(Bytes),
    /// These pieces, one after the other.
    Pieces(Vec<Bytes>),
    /// What is in this part of a file that is not held in memory.
    Left(Part),
}

/// A part of a file that is not held in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub file: Arc<LeftFile>,
    /// Which bytes of it.
    pub range: Range<u64>,
}

impl Body {
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Held(bytes) => bytes.len() as u64,
            Self::Pieces(pieces) => pieces.iter().map(|piece| piece.len() as u64).sum(),
            Self::Left(part) => part.range.end - part.range.start,
        }
    }

    /// All of a representation.
    pub(super) fn whole(of: &Representation) -> Self {
        Self::part(of, &(0..of.stored.size()))
    }

    /// A part of a representation, so that its ends fit.
    pub(super) fn part(of: &Representation, part: &Range<u64>) -> Self {
        match &of.stored {
            Stored::Held(bytes) => Self::Held(slice(bytes, part)),
            Stored::Left(file) => Self::Left(Part { file: Arc::clone(file), range: part.clone() }),
        }
    }
}

impl Reply {
    /// An answer with a short text: what `/.well-known/hearth/` says.
    #[must_use]
    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ]);
        Self { status, headers, body: Body::Held(text.into()) }
    }

    /// The same head without what follows it, which HEAD asks for (RFC 9110 section 9.3.2).
    #[must_use]
    pub fn without_body(mut self) -> Self {
        if self.body != Body::Empty {
            self.headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.size()));
            self.body = Body::Empty;
        }
        self
    }
}

/// The headers that a 405 needs and a 404 of GitHub Pages has.
pub(super) fn allow(headers: &mut HeaderMap) {
    headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
}

/// What GitHub Pages lets any origin read.
pub(super) fn any_origin(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

/// A part of a body that is in memory, so that its ends fit.
pub(super) fn slice(body: &Bytes, part: &Range<u64>) -> Bytes {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(body.len());
    body.slice(at(part.start)..at(part.end))
}
