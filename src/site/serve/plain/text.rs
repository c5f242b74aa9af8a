//! An answer as HTTP/1.1 sends it (RFC 9112 section 4).
//!
//! PURE. Names of headers are in lower case, as hyper writes them.

use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY};

use super::head::After;
use crate::site::answer::Answer;
use crate::site::generation::write_line;
use crate::site::reply::Body;

/// What an answer says that does not depend on the question.
#[derive(Clone, Copy)]
pub(super) struct Now<'a> {
    /// Ten minutes ahead.
    pub(super) expires: &'a HeaderValue,
    /// The line of `Date`.
    pub(super) date: &'a [u8],
    /// `Strict-Transport-Security`.
    pub(super) hsts: Option<&'a HeaderValue>,
    pub(super) after: After,
}

/// Appends the head of an answer, and gives what follows it.
pub(super) fn write(answer: Answer<'_>, now: Now<'_>, out: &mut Vec<u8>) -> Body {
    let body = match answer {
        Answer::Ready(ready) => {
            write_status(ready.status, out);
            ready.write_head(now.expires, out);
            out.extend_from_slice(now.date);
            ready.body
        }
        Answer::Made(reply) => {
            write_status(reply.status, out);
            write_made(&reply.headers, &reply.body, now, out);
            reply.body
        }
    };
    if let Some(hsts) = now.hsts {
        write_line(&STRICT_TRANSPORT_SECURITY, hsts, out);
    }
    if now.after == After::Leave {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    body
}

fn write_status(status: StatusCode, out: &mut Vec<u8>) {
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    let reason = status.canonical_reason().unwrap_or_default();
    for piece in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

fn write_made(headers: &HeaderMap, body: &Body, now: Now<'_>, out: &mut Vec<u8>) {
    for (name, value) in headers {
        write_line(name, value, out);
    }
    if !headers.contains_key(CONTENT_LENGTH) {
        write_line(&CONTENT_LENGTH, &HeaderValue::from(body.size()), out);
    }
    if !headers.contains_key(DATE) {
        out.extend_from_slice(now.date);
    }
}
