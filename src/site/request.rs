//! What a static site looks at in a request, however the request was read.
//!
//! PURE. Borrowed from the bytes that came or from hyper's request, so that there is one way to decide and two ways to
//! ask.

use std::borrow::Cow;

use hyper::header::{
    ACCEPT_ENCODING, HOST, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE,
    REFERER, USER_AGENT,
};
use hyper::{HeaderMap, Uri};

/// What is asked for (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target<'a> {
    /// The authority, where the target names one: the absolute form, HTTP/2.
    pub authority: Option<&'a str>,
    /// Path and query, where there is a path.
    pub path: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// A target in origin form: path and query.
    #[must_use]
    pub const fn origin(path: &'a str) -> Self {
        Self { authority: None, path: Some(path) }
    }

    /// That of hyper's request.
    #[must_use]
    pub fn of(uri: &'a Uri) -> Self {
        Self {
            authority: uri.authority().map(|authority| authority.as_str()),
            path: uri.path_and_query().map(|path| path.as_str()),
        }
    }

    /// Path and query; empty where there is no path.
    #[must_use]
    pub fn path_and_query(self) -> &'a str {
        self.path.unwrap_or_default()
    }

    /// What follows the question mark.
    #[must_use]
    pub fn query(self) -> Option<&'a str> {
        self.path_and_query().split_once('?').map(|(_, query)| query)
    }
}

/// The headers that count. One that may come several times is joined as a list (RFC 9110 section 5.3); of another that
/// does, the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// `Host`.
    pub host: Host<'a>,
    /// `If-None-Match`.
    pub if_none_match: Option<Cow<'a, [u8]>>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<&'a [u8]>,
    /// `If-Range`.
    pub if_range: Option<&'a [u8]>,
    /// `Range`.
    pub range: Option<&'a [u8]>,
    /// `Accept-Encoding`.
    pub accept_encoding: Option<Cow<'a, [u8]>>,
    /// `Referer`, for the log.
    pub referer: Option<&'a [u8]>,
    /// `User-Agent`, for the log.
    pub user_agent: Option<&'a [u8]>,
}

/// How often `Host` was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Host<'a> {
    /// Never.
    #[default]
    Missing,
    /// Once; whether it is a host is another question.
    One(&'a [u8]),
    /// More than once.
    Several,
}

impl<'a> Fields<'a> {
    /// Those of hyper's request.
    #[must_use]
    pub fn of(headers: &'a HeaderMap) -> Self {
        let first = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
        Self {
            host: Host::of(headers),
            if_none_match: joined(headers, &IF_NONE_MATCH),
            if_modified_since: first(IF_MODIFIED_SINCE),
            if_range: first(IF_RANGE),
            range: first(RANGE),
            accept_encoding: joined(headers, &ACCEPT_ENCODING),
            referer: first(REFERER),
            user_agent: first(USER_AGENT),
        }
    }
}

impl<'a> Host<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut values = headers.get_all(HOST).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Missing,
            (Some(one), None) => Self::One(one.as_bytes()),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}

/// All values of a list.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let mut list = Cow::Borrowed(values.next()?.as_bytes());
    for value in values {
        let list = list.to_mut();
        list.extend_from_slice(b", ");
        list.extend_from_slice(value.as_bytes());
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_and_of_the_others_the_first_counts() {
        let headers: HeaderMap = [
            (IF_NONE_MATCH, "\"a\""),
            (RANGE, "bytes=0-1"),
            (IF_NONE_MATCH, "\"b\""),
            (RANGE, "bytes=2-3"),
            (HOST, "one"),
        ]
        .into_iter()
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, HeaderValue::from_static(value));
            map
        });
        let fields = Fields::of(&headers);
        assert_eq!(fields.if_none_match.as_deref(), Some(&b"\"a\", \"b\""[..]));
        assert_eq!(fields.range, Some(&b"bytes=0-1"[..]));
        assert_eq!((fields.host, fields.referer), (Host::One(b"one"), None));
    }

    #[test]
    fn a_host_that_is_said_twice_is_seen() {
        let mut headers = HeaderMap::new();
        assert_eq!(Fields::of(&headers).host, Host::Missing);
        headers.append(HOST, HeaderValue::from_static("a"));
        headers.append(HOST, HeaderValue::from_static("a"));
        assert_eq!(Fields::of(&headers).host, Host::Several);
    }

    #[test]
    fn a_target_is_taken_apart() {
        let uri = "http://a.example:80/x?y?z".parse().unwrap();
        let target = Target::of(&uri);
        assert_eq!((target.authority, target.path), (Some("a.example:80"), Some("/x?y?z")));
        assert_eq!((target.query(), Target::origin("/x").query()), (Some("y?z"), None));
        assert_eq!(Target::default().path_and_query(), "");
    }
}
