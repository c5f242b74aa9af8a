//! The short answers that are not of the site: what went wrong, in a page that loads nothing.
//!
//! PURE. Never repeats anything that a client sent.

use bytes::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use hyper::{HeaderMap, StatusCode};

use super::Rules;
use super::reply::{self, Body, Reply};

/// 400: no proper request.
#[must_use]
pub fn bad_request() -> Reply {
    page(StatusCode::BAD_REQUEST, "<h1>Bad request</h1><p>The request could not be understood.</p>")
}

/// 404 without a page of the site's own.
#[must_use]
pub fn not_found(rules: Rules) -> Reply {
    let mut reply = page(StatusCode::NOT_FOUND, "<h1>Not found</h1><p>There is no page at this address.</p>");
    if rules == Rules::GithubPages {
        reply::any_origin(&mut reply.headers);
    }
    reply
}

/// 405 with what is allowed (RFC 9110 section 15.5.6).
#[must_use]
pub fn method_not_allowed() -> Reply {
    let mut reply = page(
        StatusCode::METHOD_NOT_ALLOWED,
        "<h1>Method not allowed</h1><p>This site can be read, and nothing else.</p>",
    );
    reply::allow(&mut reply.headers);
    reply
}

/// 413 for a request that brings a body; the connection ends with it, so that the body is not taken for a request.
#[must_use]
pub fn body_refused() -> Reply {
    closing(page(
        StatusCode::PAYLOAD_TOO_LARGE,
        "<h1>Body refused</h1><p>This site takes no request bodies.</p>",
    ))
}

/// 400 for a body of a length that only its end would tell.
#[must_use]
pub fn coding_refused() -> Reply {
    closing(bad_request())
}

/// 416 with the size that the file has.
#[must_use]
pub fn range_not_satisfiable(size: u64) -> Reply {
    let mut reply = page(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "<h1>No such part</h1><p>The file ends before this range.</p>",
    );
    let range = HeaderValue::try_from(format!("bytes */{size}")).expect("digits are visible ASCII");
    reply.headers.insert(CONTENT_RANGE, range);
    reply
}

/// 421 for the host of somebody else.
#[must_use]
pub fn misdirected() -> Reply {
    page(
        StatusCode::MISDIRECTED_REQUEST,
        "<h1>Wrong host</h1><p>The site of this name does not live at this address.</p>",
    )
}

/// 503 while there is nothing to serve.
#[must_use]
pub fn unavailable() -> Reply {
    let mut reply = page(
        StatusCode::SERVICE_UNAVAILABLE,
        "<h1>Back in a moment</h1><p>This page cannot be reached right now. Please try again shortly.</p>",
    );
    reply.headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    reply
}

/// 301.
#[must_use]
pub fn moved(location: HeaderValue, rules: Rules) -> Reply {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(LOCATION, location);
    if rules == Rules::GithubPages {
        reply::any_origin(&mut headers);
    }
    let body =
        Bytes::from_static(b"<!doctype html><title>Moved</title><h1>Moved</h1><p>This page has moved.</p>\n");
    Reply { status: StatusCode::MOVED_PERMANENTLY, headers, body: Body::Held(body) }
}

fn closing(mut reply: Reply) -> Reply {
    reply.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

fn page(status: StatusCode, text: &'static str) -> Reply {
    const CSP: &str = "default-src 'none'; style-src 'unsafe-inline'";
    const FRAME: [&str; 2] = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <style>body{font:18px/1.5 sans-serif;max-width:30em;margin:15vh auto;padding:0 1em}</style>\
         <title>",
        "</title>",
    ];
    let title = status.canonical_reason().unwrap_or("Error");
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP)),
    ]);
    let body = [FRAME[0], title, FRAME[1], text, "\n"].concat();
    Reply { status, headers, body: Body::Held(Bytes::from(body)) }
}
