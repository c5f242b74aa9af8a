//! The plain lane: answers ordinary requests without hyper, and hands over everything else to it.
//!
//! A connection that waits has no buffer: it is read, answered and written with the worker's. What is not of the
//! [subset](head), and what is not held in memory, goes to [hyper](super::general) with the bytes that were read, and the
//! connection with it, to its end; so does a head of which only a part has come: a client that sends heads in parts is
//! rare, hyper knows how long it may take, and there is nothing here to be filled slowly. Never answers by itself what
//! hyper might answer differently.

mod head;
mod outbox;
mod text;

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::Version;
use hyper::header::CONNECTION;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

pub(super) use self::outbox::Outbox;

use self::head::{After, Head};
use self::text::Now;
use super::desk::Told;
use super::general;
use super::worker::{Room, Visitor};
use crate::site::answer::{Answer, Question};
use crate::site::host::Scheme;
use crate::site::patience::Patient;
use crate::site::reply::Body;

/// How long the last word of TLS may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a connection is made of: TCP, or what is spoken over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Stream for S {}

/// How a conversation stands.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// What was answered and is not sent.
    pub(super) unsent: Outbox,
    /// What was read and is not answered.
    backlog: Vec<u8>,
    /// What comes when everything is sent.
    pub(super) then: Then,
    /// How often something was asked.
    asked: u32,
}

/// What comes when everything is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Then {
    /// The next request.
    #[default]
    Read,
    /// hyper.
    HandOver,
    /// The end.
    Leave,
}

/// Answers the requests that `input` begins with, and sends as much as `write` takes; the rest is unsent.
pub(super) fn respond(
    visitor: &Visitor,
    input: &[u8],
    out: &mut Outbox,
    write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
) -> io::Result<Begun> {
    let mut begun = answer_all(visitor, input, out);
    match out.send(write) {
        Poll::Ready(Ok(())) => {}
        Poll::Ready(Err(error)) => {
            out.clear();
            return Err(error);
        }
        Poll::Pending => begun.unsent = out.take(),
    }
    Ok(begun)
}

/// Answers until there is enough to send, or a request that is not ours.
fn answer_all(visitor: &Visitor, input: &[u8], out: &mut Outbox) -> Begun {
    let (mut rest, mut then, mut asked) = (input, Then::Read, 0);
    while then == Then::Read && !rest.is_empty() && !out.is_full() {
        match head::read(rest).and_then(|head| Some((answer(visitor, &head, out)?, head.size))) {
            Some((After::Stay, size)) => rest = &rest[size..],
            Some((After::Leave, size)) => (rest, then) = (&rest[size..], Then::Leave),
            None => then = Then::HandOver,
        }
        asked += 1;
    }
    Begun { unsent: Outbox::default(), backlog: rest.to_vec(), then, asked }
}

/// Answers one request; None when it is not ours after all.
fn answer(visitor: &Visitor, head: &Head<'_>, out: &mut Outbox) -> Option<After> {
    let scheme = visitor.desk.scheme();
    let question = Question { method: &head.method, target: head.target, fields: &head.fields, scheme };
    let after = if visitor.worker.is_leaving() { After::Leave } else { head.after };
    visitor.desk.ask(question, |answer, place| {
        if !is_ours(&answer) {
            return None;
        }
        let (status, bytes) = (answer.status(), answer.body().size());
        let hsts = place.hsts(question);
        let now = Now { expires: &place.second.expires, date: &place.second.date, hsts, after };
        let body = text::write(answer, now, out.text());
        out.add(body);
        place.log(question, Told { peer: visitor.peer, version: Version::HTTP_11, status, bytes });
        Some(after)
    })
}

/// What must be waited for, and what ends the connection by its own word, is hyper's.
fn is_ours(answer: &Answer<'_>) -> bool {
    let waits = matches!(answer.body(), Body::Left(_));
    !waits && !matches!(answer, Answer::Made(reply) if reply.headers.contains_key(CONNECTION))
}

/// One connection, from what has begun to its end, whoever answers.
pub(super) async fn converse<S: Stream>(stream: S, visitor: Visitor, begun: Begun) {
    let stream = Patient::new(stream, visitor.worker.limits().stall);
    let mut line = Line { stream, visitor, begun, unflushed: false };
    match line.run().await {
        // In a place of its own: those who never need it do not carry it.
        End::HandedOver(bytes) => Box::pin(general::converse(line.stream, bytes, line.visitor)).await,
        End::Left if line.visitor.desk.scheme() == Scheme::Https => say_goodbye(line.stream).await,
        End::Left => {}
    }
}

/// Without it a client cannot tell an answer that ended from one that was cut off (RFC 8446 section 6.1).
async fn say_goodbye<S: Stream>(mut stream: Patient<S>) {
    // An error: the other side was faster.
    let _ = tokio::time::timeout(GOODBYE, stream.shutdown()).await;
}

struct Line<S> {
    stream: Patient<S>,
    visitor: Visitor,
    begun: Begun,
    /// Whether something was written that TLS may still hold.
    unflushed: bool,
}

/// How the lane ends.
enum End {
    Left,
    HandedOver(Bytes),
}

impl<S: Stream> Line<S> {
    /// Answers until the lane ends. A timer is set once and looked at when it fires: a request costs no timer.
    async fn run(&mut self) -> End {
        let (worker, span) = (self.visitor.worker.clone(), self.visitor.worker.limits().head);
        let mut leaving = pin!(worker.leaving());
        let mut silence = pin!(tokio::time::sleep(span));
        let (mut waits, mut before) = (false, self.begun.asked);
        std::future::poll_fn(|context| {
            if let Poll::Ready(end) = self.poll(context) {
                return Poll::Ready(end);
            }
            if !waits {
                waits = true;
                // An answer under way goes on, and then looks for itself.
                let _ = leaving.as_mut().poll(context);
            } else if !silence.is_elapsed() {
                return self.end_if_leaving();
            }
            while silence.as_mut().poll(context).is_ready() {
                if self.begun.asked == before && self.has_sent_all() {
                    return Poll::Ready(End::Left);
                }
                before = self.begun.asked;
                silence.set(tokio::time::sleep(span));
            }
            self.end_if_leaving()
        })
        .await
    }

    fn end_if_leaving(&self) -> Poll<End> {
        let may_leave = self.visitor.worker.is_leaving() && self.has_sent_all();
        if may_leave { Poll::Ready(End::Left) } else { Poll::Pending }
    }

    fn has_sent_all(&self) -> bool {
        self.begun.unsent.is_empty() && !self.unflushed
    }

    /// Sends, reads and answers until it has to wait. Errors are of the client or the network, and there is nobody left
    /// to tell.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        loop {
            if !self.begun.unsent.is_empty() {
                let stream = &mut self.stream;
                if ready!(self.begun.unsent.send(|pieces| write(stream, context, pieces))).is_err() {
                    return Poll::Ready(End::Left);
                }
                self.stream.settle();
            }
            if self.unflushed {
                if ready!(Pin::new(&mut self.stream).poll_flush(context)).is_err() {
                    return Poll::Ready(End::Left);
                }
                self.unflushed = false;
            }
            match self.begun.then {
                Then::Leave => return Poll::Ready(End::Left),
                Then::HandOver => {
                    let bytes = Bytes::from(std::mem::take(&mut self.begun.backlog));
                    return Poll::Ready(End::HandedOver(bytes));
                }
                Then::Read => {}
            }
            if !matches!(ready!(self.hear(context)), Ok(1..)) {
                return Poll::Ready(End::Left);
            }
        }
    }

    /// Reads, or takes what was read before, and answers it: how much there was.
    fn hear(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Room { input, out } = &mut *self.visitor.worker.room.borrow_mut();
        let backlog = std::mem::take(&mut self.begun.backlog);
        let input = if backlog.is_empty() {
            let mut buffer = ReadBuf::new(input);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            let read = buffer.filled().len();
            &input[..read]
        } else {
            &backlog[..]
        };
        let stream = &mut self.stream;
        let begun = respond(&self.visitor, input, out, |pieces| write(stream, context, pieces))?;
        self.unflushed = true;
        self.begun = Begun { asked: self.begun.asked.wrapping_add(begun.asked), ..begun };
        Poll::Ready(Ok(input.len()))
    }
}

fn write<S: Stream>(
    stream: &mut Patient<S>,
    context: &mut Context<'_>,
    pieces: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    if let [one] = pieces {
        stream.poll_write(context, one)
    } else {
        stream.poll_write_vectored(context, pieces)
    }
}

/// Whether bytes begin with a request of the subset.
#[cfg(test)]
pub(super) fn is_ours_to_answer(input: &[u8]) -> bool {
    head::read(input).is_some()
}
