//! What a visitor is answered: a request and the current generation in, an answer out.
//!
//! PURE. Never waits, never looks anywhere but into the generation it is given.

use std::ops::Range;

use bytes::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, EXPIRES, HeaderValue,
};
use hyper::{HeaderMap, Method, StatusCode};

use super::Rules;
use super::condition::{self, Validators};
use super::generation::{Describes, Entry, Generation, Representation, Stored};
use super::host::{self, Admission, Hosts, Scheme};
use super::negotiate::Accepted;
use super::page;
use super::path::{self, Ending, Refusal, SitePath};
use super::range::{self, Wanted};
use super::reply::{Body, Reply, slice};
use super::request::{Fields, Target};

/// A request, as far as a static site looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// How.
    pub method: &'a Method,
    /// What for.
    pub target: Target<'a>,
    /// With which headers.
    pub fields: &'a Fields<'a>,
    /// Over what.
    pub scheme: Scheme,
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Answer<'g> {
    /// Its head stands ready in the generation.
    Ready(Ready<'g>),
    /// It was made for this request.
    Made(Reply),
}

/// An answer with a head that stands ready: a file, that it has not changed, or the site's own page for what is missing.
#[derive(Clone, Debug)]
pub struct Ready<'g> {
    /// The status.
    pub status: StatusCode,
    /// What follows the head.
    pub body: Body,
    entry: &'g Entry,
    whole: &'g Representation,
    describes: Describes,
}

impl Ready<'_> {
    /// Appends the lines of the head, without `Date`, as HTTP/1.1 sends them. `expires` as for [`answer`].
    pub fn write_head(&self, expires: &HeaderValue, out: &mut Vec<u8>) {
        self.whole.write_head(self.entry, expires, self.describes, out);
    }

    fn into_reply(self, expires: &HeaderValue) -> Reply {
        let mut headers = self.whole.head(self.entry, expires);
        if self.describes == Describes::Nothing {
            for name in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING] {
                headers.remove(name);
            }
        }
        Reply { status: self.status, headers, body: self.body }
    }
}

impl Answer<'_> {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Ready(ready) => ready.status,
            Self::Made(reply) => reply.status,
        }
    }

    /// What follows the head.
    #[must_use]
    pub const fn body(&self) -> &Body {
        match self {
            Self::Ready(ready) => &ready.body,
            Self::Made(reply) => &reply.body,
        }
    }

    /// The same in one form. `expires` as for [`answer`].
    #[must_use]
    pub fn into_reply(self, expires: &HeaderValue) -> Reply {
        match self {
            Self::Ready(ready) => ready.into_reply(expires),
            Self::Made(reply) => reply,
        }
    }

    /// The same head without what follows it, which HEAD asks for (RFC 9110 section 9.3.2).
    fn without_body(self) -> Self {
        match self {
            Self::Ready(ready) => Self::Ready(Ready { body: Body::Empty, ..ready }),
            Self::Made(reply) => Self::Made(reply.without_body()),
        }
    }
}

/// A request for one of our hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted<'a> {
    /// The host, as the client wrote it, without the port.
    pub host: &'a str,
    /// The number of its site.
    pub site: usize,
}

/// Whether the request is for one of our hosts, and said so properly; otherwise the answer that it gets. `rules` are
/// those of the site with a number.
///
/// # Errors
/// 400 for a Host that is missing, doubled or no host (RFC 9112 section 3.2), 421 for a foreign one (RFC 9110 section
/// 7.4), 301 for the `www` or bare sibling of ours under the rules of GitHub Pages.
pub fn admit<'a>(
    question: Question<'a>,
    hosts: &Hosts,
    rules: impl Fn(usize) -> Rules,
) -> Result<Admitted<'a>, Box<Reply>> {
    match host::admit(question.target, question.fields.host, hosts) {
        Admission::Ours(host, site) => Ok(Admitted { host, site }),
        Admission::Malformed => Err(Box::new(page::bad_request())),
        Admission::Sibling(ours, site) if rules(site) == Rules::GithubPages => {
            Err(Box::new(to_sibling(question, ours)))
        }
        Admission::Sibling(..) | Admission::Foreign => Err(Box::new(page::misdirected())),
    }
}

/// The answer of a site to a request that was admitted. `expires` is the HTTP date ten minutes from now.
#[must_use]
pub fn answer<'g>(question: Question<'_>, site: Option<&'g Generation>, expires: &HeaderValue) -> Answer<'g> {
    let answer = if *question.method == Method::GET || *question.method == Method::HEAD {
        found(question, site, expires)
    } else {
        Answer::Made(page::method_not_allowed())
    };
    if *question.method == Method::HEAD { answer.without_body() } else { answer }
}

fn found<'g>(question: Question<'_>, site: Option<&'g Generation>, expires: &HeaderValue) -> Answer<'g> {
    let path = match path::resolve(question.target.path_and_query().as_bytes()) {
        Ok(path) => Ok(path),
        Err(Refusal::Malformed) => return Answer::Made(page::bad_request()),
        Err(Refusal::Hidden) => Err(Refusal::Hidden),
    };
    let Some(site) = site else { return Answer::Made(page::unavailable()) };
    let Ok(path) = path else { return missing(question, site) };
    match look_up(site, &path) {
        Found::File(entry) => file(question, entry, expires),
        Found::Directory => Answer::Made(to_directory(question.target, &path, site.rules(), expires)),
        Found::Nothing => missing(question, site),
    }
}

/// What there is at a path.
enum Found<'a> {
    File(&'a Entry),
    Directory,
    Nothing,
}

fn look_up<'a>(site: &'a Generation, path: &SitePath<'_>) -> Found<'a> {
    let name = path.name.as_ref();
    let found = match path.ending {
        Ending::Slash => index_of(site, name),
        Ending::Name => file_or_directory(site, name),
    };
    // try_files $uri $uri/ /index.html: the home page, with status 200.
    if matches!(found, Found::Nothing) && site.rules() == Rules::Spa && !is_bare_directory(site, path) {
        return site.file("index.html").map_or(Found::Nothing, Found::File);
    }
    found
}

/// `/folder/`: its index.
fn index_of<'a>(site: &'a Generation, name: &str) -> Found<'a> {
    let index =
        if name.is_empty() { site.file("index.html") } else { site.file(&format!("{name}/index.html")) };
    index.map_or(Found::Nothing, Found::File)
}

/// `/name`: the file; on GitHub Pages then `name.html`, which wins over a directory; then the directory.
fn file_or_directory<'a>(site: &'a Generation, name: &str) -> Found<'a> {
    let page = || match site.rules() {
        Rules::GithubPages => site.file(&format!("{name}.html")),
        Rules::Spa | Rules::Files => None,
    };
    match site.file(name).or_else(page) {
        Some(entry) => Found::File(entry),
        None if site.is_directory(name) => Found::Directory,
        None => Found::Nothing,
    }
}

/// A directory without an index, for which nginx has no page.
fn is_bare_directory(site: &Generation, path: &SitePath<'_>) -> bool {
    path.ending == Ending::Slash && !path.name.is_empty() && site.is_directory(&path.name)
}

/// A file: 304, a part of it, or the whole in the encoding that the client likes best.
fn file<'g>(question: Question<'_>, entry: &'g Entry, expires: &HeaderValue) -> Answer<'g> {
    // Only GET has ranges (RFC 9110 section 14.2), and they are of the file as it is.
    let range = question.fields.range.filter(|_| *question.method == Method::GET);
    let whole = match range {
        Some(_) => entry.identity(),
        None => entry.best(&Accepted::read(question.fields.accept_encoding.as_deref())),
    };
    let Some(whole) = whole else { return Answer::Made(page::unavailable()) };
    let validators = Validators { etag: &whole.etag, modified: entry.modified };
    if condition::is_held(question.fields, validators) {
        let (status, body, describes) = (StatusCode::NOT_MODIFIED, Body::Empty, Describes::Nothing);
        return Answer::Ready(Ready { status, body, entry, whole, describes });
    }
    let part = range.filter(|_| condition::range_holds(question.fields, validators));
    let part = part.and_then(|range| parts(range, entry, whole, expires));
    part.map_or_else(|| Answer::Ready(in_full(StatusCode::OK, entry, whole)), Answer::Made)
}

fn in_full<'g>(status: StatusCode, entry: &'g Entry, whole: &'g Representation) -> Ready<'g> {
    Ready { status, body: Body::whole(whole), entry, whole, describes: Describes::Body }
}

/// 206 or 416; None for the whole after all.
fn parts(range: &[u8], entry: &Entry, whole: &Representation, expires: &HeaderValue) -> Option<Reply> {
    let size = whole.stored.size();
    let parts = match range::wanted(range, size) {
        Wanted::Whole => return None,
        Wanted::Unsatisfiable => return Some(page::range_not_satisfiable(size)),
        Wanted::Parts(parts) => parts,
    };
    let mut headers = whole.head(entry, expires);
    let body = match (parts.as_slice(), &whole.stored) {
        ([part], _) => {
            headers.insert(CONTENT_RANGE, content_range(part, size));
            Body::part(whole, part)
        }
        (several, Stored::Held(bytes)) => multipart(entry, bytes, several, &mut headers),
        // Ranges may be ignored (RFC 9110 section 14.2).
        (_, Stored::Left(_)) => return None,
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.size()));
    Some(Reply { status: StatusCode::PARTIAL_CONTENT, headers, body })
}

/// Several parts as `multipart/byteranges` (RFC 9110 section 14.6). The boundary is of the digest: no file holds its own.
fn multipart(entry: &Entry, whole: &Bytes, parts: &[Range<u64>], headers: &mut HeaderMap) -> Body {
    let boundary = entry.digest.to_string();
    let multipart = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}"));
    let inner = headers.insert(CONTENT_TYPE, multipart.expect("a hex boundary is visible ASCII"));
    let inner = inner.as_ref().and_then(|t| t.to_str().ok()).unwrap_or("application/octet-stream").to_owned();
    let size = whole.len();
    let mut pieces = Vec::with_capacity(parts.len() * 2 + 1);
    for part in parts {
        let (first, last) = (part.start, part.end - 1);
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: {inner}\r\nContent-Range: bytes {first}-{last}/{size}\r\n\r\n"
        );
        pieces.push(Bytes::from(head));
        pieces.push(slice(whole, part));
    }
    pieces.push(Bytes::from(format!("\r\n--{boundary}--\r\n")));
    Body::Pieces(pieces)
}

fn content_range(part: &Range<u64>, size: u64) -> HeaderValue {
    let text = format!("bytes {}-{}/{size}", part.start, part.end - 1);
    HeaderValue::try_from(text).expect("digits are visible ASCII")
}

/// 404: the site's own page where it has one.
fn missing<'g>(question: Question<'_>, site: &'g Generation) -> Answer<'g> {
    let accepted = Accepted::read(question.fields.accept_encoding.as_deref());
    let own = site.not_found().and_then(|entry| Some((entry, entry.best(&accepted)?)));
    own.map_or_else(
        || Answer::Made(page::not_found(site.rules())),
        |(entry, whole)| Answer::Ready(in_full(StatusCode::NOT_FOUND, entry, whole)),
    )
}

/// 301 to the same path with a slash: a path alone, never with scheme or host.
fn to_directory(target: Target<'_>, path: &SitePath<'_>, rules: Rules, expires: &HeaderValue) -> Reply {
    let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = HeaderValue::try_from(path.as_directory() + &query);
    let location = location.or_else(|_| HeaderValue::try_from(path.as_directory()));
    let mut reply = page::moved(location.expect("an escaped path is visible ASCII"), rules);
    if rules == Rules::GithubPages {
        reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=600"));
        reply.headers.insert(EXPIRES, expires.clone());
    }
    reply
}

/// 301 from `example.com` to `www.example.com`, or back: the path is kept.
fn to_sibling(question: Question<'_>, ours: &str) -> Reply {
    let location = format!("{}://{ours}{}", question.scheme.token(), question.target.path_and_query());
    HeaderValue::try_from(location)
        .map_or_else(|_| page::bad_request(), |location| page::moved(location, Rules::GithubPages))
}

#[cfg(test)]
mod tests;
