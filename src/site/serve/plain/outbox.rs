//! What is on its way out: the text of heads and small bodies in one piece, and larger bodies as they are.
//!
//! Never copies a large body.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Poll, ready};

use bytes::{Buf as _, Bytes};

use crate::site::reply::Body;

/// Up to here a body is copied behind its head: cheaper for the kernel than a second piece.
const SMALL: usize = 16 * 1024;

/// So much text is enough for one write.
const ENOUGH: usize = 32 * 1024;

/// The most pieces of one write.
const PIECES: usize = 16;

/// Text, then pieces.
#[derive(Debug, Default)]
pub(in crate::site::serve) struct Outbox {
    text: Vec<u8>,
    sent: usize,
    pieces: VecDeque<Bytes>,
}

impl Outbox {
    /// For the next head. Only when [`is_full`](Self::is_full) says no.
    pub(super) const fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// What follows the last head.
    pub(super) fn add(&mut self, body: Body) {
        match body {
            Body::Held(bytes) if bytes.len() <= SMALL => self.text.extend_from_slice(&bytes),
            Body::Held(bytes) => self.pieces.push_back(bytes),
            Body::Pieces(pieces) => self.pieces.extend(pieces),
            // What is not here is not answered here.
            Body::Empty | Body::Left(_) => {}
        }
    }

    /// Whether it must be sent before anything is added.
    pub(super) fn is_full(&self) -> bool {
        !self.pieces.is_empty() || self.text.len() >= ENOUGH
    }

    pub(in crate::site::serve) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.pieces.is_empty()
    }

    pub(in crate::site::serve) fn clear(&mut self) {
        self.text.clear();
        self.sent = 0;
        self.pieces.clear();
    }

    /// What is left of it, in no more memory than it needs.
    pub(in crate::site::serve) fn take(&mut self) -> Self {
        let mut left = std::mem::take(self);
        left.text.drain(..std::mem::take(&mut left.sent));
        left.text.shrink_to_fit();
        left
    }

    /// Sends as much as `write` takes; ready when that is everything.
    pub(in crate::site::serve) fn send(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let written = if self.pieces.is_empty() {
                write(&[IoSlice::new(&self.text[self.sent..])])
            } else {
                let text = Some(&self.text[self.sent..]).filter(|text| !text.is_empty());
                let all = text.into_iter().chain(self.pieces.iter().map(|piece| &piece[..]));
                let mut slices = [IoSlice::new(&[]); PIECES];
                let count =
                    slices.iter_mut().zip(all).map(|(slot, piece)| *slot = IoSlice::new(piece)).count();
                write(&slices[..count])
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.advance(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut count: usize) {
        let of_text = count.min(self.text.len() - self.sent);
        self.sent += of_text;
        count -= of_text;
        if self.sent == self.text.len() {
            self.text.clear();
            self.sent = 0;
        }
        while let Some(first) = self.pieces.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(size: usize, of: u8) -> Bytes {
        (0..size).map(|at| of.wrapping_add((at % 251).try_into().unwrap_or(0))).collect::<Vec<_>>().into()
    }

    proptest! {
        #[test]
        fn every_byte_goes_out_once_and_in_order(
            sizes in proptest::collection::vec(0_usize..3 * SMALL, 0..20),
            taken in proptest::collection::vec(0_usize..2 * SMALL, 1..200),
        ) {
            let mut out = Outbox::default();
            out.text().extend_from_slice(b"a head");
            let bodies: Vec<_> = sizes.iter().zip(1..).map(|(size, of)| bytes(*size, of)).collect();
            let wanted = [b"a head", &bodies.concat()[..]].concat();
            out.add(Body::Pieces(bodies));
            let (mut sent, mut taken) = (Vec::new(), taken.into_iter());
            let mut write = |pieces: &[IoSlice<'_>]| {
                let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
                match taken.next() {
                    Some(0) => Poll::Pending,
                    most => {
                        let count = all.len().min(most.unwrap_or(usize::MAX));
                        sent.extend_from_slice(&all[..count]);
                        Poll::Ready(Ok(count))
                    }
                }
            };
            while out.send(&mut write).is_pending() {
                out = out.take();
            }
            prop_assert!(out.is_empty());
            prop_assert_eq!(sent, wanted);
        }
    }

    #[test]
    fn a_writer_that_takes_nothing_is_an_error() {
        let mut out = Outbox::default();
        out.add(Body::Held(Bytes::from_static(b"x")));
        assert!(matches!(out.send(|_| Poll::Ready(Ok(0))), Poll::Ready(Err(_))));
    }
}
