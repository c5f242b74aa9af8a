//! The general way: hyper, for every connection on which something was said that is not [plain](super::plain).
//!
//! Speaks HTTP/1.1 in full and HTTP/2, which the first bytes of a connection tell apart. Never decides anything by itself: it asks the same
//! [desk](super::desk).

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Ready;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING};
use hyper::service::Service;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;

use super::Limits;
use super::desk::{Desk, Place, Told};
use super::plain::Stream;
use super::rewind::Rewind;
use super::worker::Visitor;
use crate::site::answer::Question;
use crate::site::body::Outgoing;
use crate::site::page;
use crate::site::patience::Patient;
use crate::site::reply::{Body, Part, Reply};
use crate::site::request::{Fields, Target};

/// hyper with its limits.
pub(super) type Server = auto::Builder<OnThisWorker>;

/// Runs the streams of HTTP/2 on the worker of their connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnThisWorker;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for OnThisWorker {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// hyper with its limits pinned. `pipeline_flush` stays off: it swallows the answer to a malformed request.
pub(super) fn server(limits: Limits) -> Server {
    let mut server = auto::Builder::new(OnThisWorker);
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(16 * 1024)
        .max_headers(64);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_send_buf_size(64 * 1024)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(limits.head);
    server
}

/// One connection, from the bytes that were read already to the last.
pub(super) async fn converse<S: Stream>(stream: Patient<S>, first: Bytes, visitor: Visitor) {
    let (worker, asked) = (&visitor.worker, Rc::new(Cell::new(0)));
    let io = TokioIo::new(Rewind::new(first, stream));
    let clerk = Clerk { desk: Rc::clone(&visitor.desk), peer: visitor.peer };
    let connection = worker.server.serve_connection(io, Visit { clerk, asked: Rc::clone(&asked) });
    tokio::pin!(connection);
    tokio::select! {
        biased;
        // Errors are of the client or the network, and there is nobody left to tell.
        _ = &mut connection => return,
        () = worker.leaving() => {}
        () = silence(&asked, worker.limits()) => {}
    }
    // Answers under way go on; nothing else does.
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Ends when a connection has not asked for anything for too long. One that has not said which HTTP it speaks has no
/// other limit: hyper's begins with the head.
async fn silence(asked: &Cell<u32>, limits: &Limits) {
    let mut span = limits.head;
    let mut before = 0;
    loop {
        tokio::time::sleep(span).await;
        let now = asked.get();
        if now == before {
            return;
        }
        (span, before) = (limits.idle, now);
    }
}

/// What one connection remembers between requests.
struct Visit {
    clerk: Clerk,
    asked: Rc<Cell<u32>>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Outgoing>, Infallible>>>>;

impl Service<Request<Incoming>> for Visit {
    type Response = Response<Outgoing>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Self::Response, Infallible>>, Answering>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.asked.set(self.asked.get().wrapping_add(1));
        match self.clerk.answer(&request) {
            Answered::Now(response) => Either::Left(std::future::ready(Ok(response))),
            Answered::Later(reply, part, site) => {
                Either::Right(Box::pin(self.clerk.clone().read(request, *reply, part, site)))
            }
        }
    }
}

/// An answer, or one whose body is still to be read, with the number of its site.
enum Answered {
    Now(Response<Outgoing>),
    Later(Box<Reply>, Part, usize),
}

/// Makes responses of replies, and a line in the log of each.
#[derive(Clone)]
struct Clerk {
    desk: Rc<Desk>,
    peer: IpAddr,
}

impl Clerk {
    fn answer(&self, request: &Request<Incoming>) -> Answered {
        if let Some(refused) = refuse_body(request) {
            let first = self.desk.first();
            return Answered::Now(self.desk.at(first, |place| self.respond(request, refused, place)));
        }
        let fields = Fields::of(request.headers());
        self.desk.ask(self.question(request, &fields), |answer, place| {
            let mut reply = answer.into_reply(&place.second.expires);
            match std::mem::take(&mut reply.body) {
                Body::Left(part) => Answered::Later(Box::new(reply), part, place.number),
                body @ (Body::Empty | Body::Held(_) | Body::Pieces(_)) => {
                    Answered::Now(self.respond(request, Reply { body, ..reply }, place))
                }
            }
        })
    }

    /// An answer with what is not held in memory, or 503 when it cannot be read now.
    async fn read(
        self,
        request: Request<Incoming>,
        reply: Reply,
        part: Part,
        site: usize,
    ) -> Result<Response<Outgoing>, Infallible> {
        let large = self.desk.at(site, |place| place.site.large.clone());
        let read = Outgoing::read(large, part).await;
        Ok(self.desk.at(site, |place| match read {
            Ok(body) => self.respond_with(&request, reply, body, place),
            Err(error) => {
                tracing::debug!("a large file cannot be read: {error}");
                self.respond(&request, page::unavailable(), place)
            }
        }))
    }

    fn respond(&self, request: &Request<Incoming>, mut reply: Reply, place: Place<'_>) -> Response<Outgoing> {
        let body = Outgoing::of(std::mem::take(&mut reply.body));
        self.respond_with(request, reply, body, place)
    }

    fn respond_with(
        &self,
        request: &Request<Incoming>,
        mut reply: Reply,
        body: Outgoing,
        place: Place<'_>,
    ) -> Response<Outgoing> {
        let (version, status, bytes) = (request.version(), reply.status, body.size_hint().lower());
        let fields = Fields::of(request.headers());
        let question = self.question(request, &fields);
        place.log(question, Told { peer: self.peer, version, status, bytes });
        if let Some(hsts) = place.hsts(question) {
            reply.headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if version == Version::HTTP_2 {
            // Connections of HTTP/2 end by other means (RFC 9113 section 8.2.2).
            reply.headers.remove(CONNECTION);
        }
        let mut response = Response::new(body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }

    fn question<'a>(&self, request: &'a Request<Incoming>, fields: &'a Fields<'a>) -> Question<'a> {
        let (method, target) = (request.method(), Target::of(request.uri()));
        Question { method, target, fields, scheme: self.desk.scheme() }
    }
}

/// A static site needs no request body: one that brings a body is told so, and the connection ends.
fn refuse_body(request: &Request<Incoming>) -> Option<Reply> {
    if request.headers().contains_key(TRANSFER_ENCODING) {
        Some(page::coding_refused())
    } else if request.body().is_end_stream() {
        None
    } else {
        Some(page::body_refused())
    }
}
