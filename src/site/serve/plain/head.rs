//! The heads that are answered without hyper: a closed subset of HTTP/1.1 (RFC 9112).
//!
//! PURE. Lets through a whole head of GET or HEAD in origin form, with lines that end as they should and one Host, that
//! says nothing about a body, another protocol or hops. Whatever else there is, and whatever is in doubt, is hyper's.

use std::mem::MaybeUninit;

use hyper::Method;

use crate::site::request::{Fields, Host, Target};

/// More headers than a browser sends; fewer than hyper takes.
const MOST: usize = 48;

/// A head of the subset.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// GET or HEAD.
    pub(super) method: Method,
    pub(super) target: Target<'a>,
    pub(super) fields: Fields<'a>,
    pub(super) after: After,
    /// How many bytes it has.
    pub(super) size: usize,
}

/// What becomes of the connection after an answer (RFC 9112 section 9.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum After {
    /// It stays.
    #[default]
    Stay,
    /// It ends.
    Leave,
}

/// Reads the head that `input` begins with; None when it is not of the subset.
pub(super) fn read(input: &[u8]) -> Option<Head<'_>> {
    let method = match input {
        [b'G', b'E', b'T', b' ', ..] => Method::GET,
        [b'H', b'E', b'A', b'D', b' ', ..] => Method::HEAD,
        _ => return None,
    };
    let mut headers = [const { MaybeUninit::uninit() }; MOST];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(input, &mut headers).ok()?;
    let httparse::Status::Complete(size) = parsed else { return None };
    let path = request.path.filter(|path| is_plain_target(path))?;
    if request.version != Some(1) || !lines_end_properly(&input[..size]) {
        return None;
    }
    let mut head =
        Head { method, target: Target::origin(path), fields: Fields::default(), after: After::Stay, size };
    let mut connection = None;
    for header in request.headers.iter() {
        head.fields.take(header.name, header.value, &mut connection)?;
    }
    head.after = after(connection)?;
    matches!(head.fields.host, Host::One(_)).then_some(head)
}

/// Path and query of unreserved and the harmless reserved characters and escapes (RFC 3986 section 3.3 and 3.4).
fn is_plain_target(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| PLAIN[usize::from(byte)])
}

static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        plain[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let more = b"-._~!$&'()*+,;=:@/?%";
    let mut at = 0;
    while at < more.len() {
        plain[more[at] as usize] = true;
        at += 1;
    }
    plain
};

/// Whether every line feed follows a carriage return: a parser may take one alone for the end of a line (RFC 9112 section
/// 2.2), and another may not.
fn lines_end_properly(head: &[u8]) -> bool {
    let alone = head.iter().zip(&head[1..]).map(|(before, byte)| (*byte == b'\n') & (*before != b'\r'));
    !alone.fold(false, |any, one| any | one)
}

impl<'a> Fields<'a> {
    /// Takes a header; None when the head is not of the subset for it.
    fn take(&mut self, name: &str, value: &'a [u8], connection: &mut Option<&'a [u8]>) -> Option<()> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // The length tells most names apart.
        match name.len() {
            2 if is("te") => return None,
            4 if is("host") => {
                self.host = match self.host {
                    Host::Missing => Host::One(value),
                    Host::One(_) | Host::Several => return None,
                }
            }
            5 if is("range") => once(&mut self.range, value)?,
            6 if is("expect") => return None,
            7 if is("referer") => once(&mut self.referer, value)?,
            7 if is("upgrade") || is("trailer") => return None,
            8 if is("if-range") => once(&mut self.if_range, value)?,
            10 if is("user-agent") => once(&mut self.user_agent, value)?,
            10 if is("connection") => once(connection, value)?,
            13 if is("if-none-match") => once(&mut self.if_none_match, value.into())?,
            14 if is("content-length") || is("http2-settings") => return None,
            15 if is("accept-encoding") => once(&mut self.accept_encoding, value.into())?,
            16 if is("proxy-connection") => return None,
            17 if is("if-modified-since") => once(&mut self.if_modified_since, value)?,
            17 if is("transfer-encoding") => return None,
            _ => {}
        }
        Some(())
    }
}

/// Nothing that we look at comes twice.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// `keep-alive` and `close`, each alone; None for anything else.
fn after(connection: Option<&[u8]>) -> Option<After> {
    match connection {
        None => Some(After::Stay),
        Some(value) if value.eq_ignore_ascii_case(b"keep-alive") => Some(After::Stay),
        Some(value) if value.eq_ignore_ascii_case(b"close") => Some(After::Leave),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
