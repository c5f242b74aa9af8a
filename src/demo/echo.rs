//! The address echo of an operator: answers with the address that the question came from, as plain text.
//!
//! The questions of a Pi come through its router, so what it is told is the router's public address, as on a real
//! home line.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::net::TcpListener;

use super::http::{Serving, serve};

/// Runs an echo on `listener` until it is dropped.
#[must_use]
pub fn start(listener: TcpListener) -> Serving {
    serve(listener, |client, _| {
        let mut response = Response::new(Full::new(Bytes::from(format!("{}\n", client.ip()))));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        response
    })
}
