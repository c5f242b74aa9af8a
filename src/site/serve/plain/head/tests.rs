//! What is of the subset and what is not, as tables.

use super::*;

fn head(more: &str) -> String {
    format!("GET /a.css?x=1 HTTP/1.1\r\nHost: www.example.com\r\n{more}\r\n")
}

#[test]
fn an_ordinary_head_is_read_whole() {
    let text = head(
        "Connection: Keep-Alive\r\nIf-None-Match: \"a\", \"b\"\r\nRANGE:bytes=0-1\r\nAccept-Encoding: gzip\r\n\
         If-Modified-Since: x\r\nIf-Range: y\r\nReferer: r\r\nUser-Agent: u \r\nCookie: c\r\nSec-Fetch-Mode: no-cors\r\n",
    );
    let more = [text.as_bytes(), b"GET / HTTP"].concat();
    let read = read(&more).unwrap();
    assert_eq!((&read.method, read.after, read.size), (&Method::GET, After::Stay, text.len()));
    assert_eq!(read.target, Target::origin("/a.css?x=1"));
    let wanted = Fields {
        host: Host::One(b"www.example.com"),
        if_none_match: Some(b"\"a\", \"b\""[..].into()),
        if_modified_since: Some(b"x"),
        if_range: Some(b"y"),
        range: Some(b"bytes=0-1"),
        accept_encoding: Some(b"gzip"[..].into()),
        referer: Some(b"r"),
        user_agent: Some(b"u"),
    };
    assert_eq!(read.fields, wanted);
}

#[test]
fn head_and_close_are_ordinary_too() {
    let read = read(b"HEAD / HTTP/1.1\r\nHost: a\r\nconnection: CLOSE\r\n\r\n").unwrap();
    assert_eq!((read.method, read.after), (Method::HEAD, After::Leave));
}

#[test]
fn every_part_of_a_head_is_hypers() {
    let whole = head("Accept: */*\r\n");
    assert!(read(whole.as_bytes()).is_some());
    for end in 0..whole.len() {
        assert_eq!(read(&whole.as_bytes()[..end]), None, "{end}");
    }
}

#[test]
fn what_speaks_of_bodies_protocols_or_hops_is_hypers() {
    for line in [
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
        "Content-Length: 0",
        "Content-Length: 5",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Connection: Upgrade, HTTP2-Settings",
        "Connection: close, keep-alive",
        "Connection: ",
        "TE: trailers",
        "Trailer: x",
        "Proxy-Connection: close",
    ] {
        assert_eq!(read(head(&format!("{line}\r\n")).as_bytes()), None, "{line}");
    }
}

#[test]
fn what_comes_twice_and_counts_is_hypers() {
    for line in [
        "Host: www.example.com",
        "Range: bytes=0-1",
        "If-Range: x",
        "If-None-Match: x",
        "If-Modified-Since: x",
        "Accept-Encoding: x",
        "Referer: x",
        "User-Agent: x",
        "Connection: close",
    ] {
        assert_eq!(read(head(&format!("{line}\r\n{line}\r\n")).as_bytes()), None, "{line}");
    }
    assert!(read(head("Cookie: a\r\nCookie: b\r\n").as_bytes()).is_some());
}

#[test]
fn heads_of_another_form_are_hypers() {
    for text in [
        "",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /# HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\" HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\\ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
        "get / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_eq!(read(text.as_bytes()), None, "{text:?}");
    }
    let many = "X: y\r\n".repeat(MOST);
    assert_eq!(read(head(&many).as_bytes()), None);
    assert!(read(head(&"X: y\r\n".repeat(MOST - 1)).as_bytes()).is_some());
}
