//! What a client already has: conditional requests (RFC 9110 section 13).
//!
//! PURE.

use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE};

/// The validators of a file as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// The `ETag` of the answer.
    pub etag: &'a HeaderValue,
    /// `Last-Modified`, whole seconds.
    pub modified: SystemTime,
}

/// Whether the client has this already, so that 304 is the answer. `If-None-Match` wins over `If-Modified-Since`
/// (section 13.2.2) and compares weakly (section 13.1.2), so that an answer of GitHub Pages, whose tag is weak when it
/// was compressed, counts as ours.
#[must_use]
pub fn is_held(headers: &HeaderMap, validators: Validators<'_>) -> bool {
    if headers.contains_key(IF_NONE_MATCH) {
        let mut values = headers.get_all(IF_NONE_MATCH).iter();
        return values.any(|value| lists(value.as_bytes(), validators.etag.as_bytes()));
    }
    headers.get(IF_MODIFIED_SINCE).and_then(date).is_some_and(|since| validators.modified <= since)
}

/// Whether a `Range` still means the file as it stands: no `If-Range`, or one that matches strongly (section 13.1.5).
#[must_use]
pub fn range_holds(headers: &HeaderMap, validators: Validators<'_>) -> bool {
    let Some(value) = headers.get(IF_RANGE) else { return true };
    let bytes = value.as_bytes();
    if bytes.starts_with(b"\"") {
        return bytes == validators.etag.as_bytes();
    }
    date(value).is_some_and(|at| at == validators.modified)
}

/// Whether a list of entity tags names `etag`, or is `*`.
fn lists(list: &[u8], etag: &[u8]) -> bool {
    let own = opaque(etag);
    list.trim_ascii() == b"*" || tags(list).any(|tag| tag == own)
}

/// The tags of a list without `W/`, quotes kept. A tag may hold commas, so quotes decide where it ends.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|b| *b == b'"')?;
        let length = rest[start + 1..].iter().position(|b| *b == b'"')? + 2;
        let (tag, after) = rest[start..].split_at(length);
        rest = after;
        Some(tag)
    })
}

fn opaque(etag: &[u8]) -> &[u8] {
    etag.strip_prefix(b"W/").unwrap_or(etag)
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ETAG: HeaderValue = HeaderValue::from_static("\"5f-a\"");

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn held(name: hyper::header::HeaderName, value: &str) -> bool {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        is_held(&headers, Validators { etag: &ETAG, modified: at(1000) })
    }

    #[test]
    fn tags_are_compared_weakly() {
        for (list, wanted) in [
            ("\"5f-a\"", true),
            ("W/\"5f-a\"", true),
            ("\"x,y\", W/\"5f-a\"", true),
            ("*", true),
            ("\"5f-b\"", false),
            ("5f-a", false),
            ("\"5f-a", false),
            ("", false),
        ] {
            assert_eq!(held(IF_NONE_MATCH, list), wanted, "{list}");
        }
    }

    #[test]
    fn dates_count_when_no_tag_was_sent() {
        assert!(held(IF_MODIFIED_SINCE, &httpdate::fmt_http_date(at(1000))));
        assert!(!held(IF_MODIFIED_SINCE, &httpdate::fmt_http_date(at(999))));
        assert!(!held(IF_MODIFIED_SINCE, "yesterday"));
        let headers = HeaderMap::from_iter([
            (IF_NONE_MATCH, HeaderValue::from_static("\"other\"")),
            (IF_MODIFIED_SINCE, httpdate::fmt_http_date(at(2000)).parse().unwrap()),
        ]);
        assert!(!is_held(&headers, Validators { etag: &ETAG, modified: at(1000) }));
    }

    #[test]
    fn a_range_of_an_older_file_is_not_answered_in_parts() {
        let holds = |value: &str| {
            let headers = HeaderMap::from_iter([(IF_RANGE, value.parse().unwrap())]);
            range_holds(&headers, Validators { etag: &ETAG, modified: at(1000) })
        };
        assert!(holds("\"5f-a\"") && holds(&httpdate::fmt_http_date(at(1000))));
        assert!(!holds("W/\"5f-a\"") && !holds("\"5f-b\"") && !holds(&httpdate::fmt_http_date(at(1001))));
    }
}
