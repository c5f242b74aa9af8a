//! What a client already has: conditional requests (RFC 9110 section 13).
//!
//! PURE.

use std::time::SystemTime;

use hyper::header::HeaderValue;

use super::request::Fields;

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
pub fn is_held(fields: &Fields<'_>, validators: Validators<'_>) -> bool {
    match &fields.if_none_match {
        Some(list) => lists(list, validators.etag.as_bytes()),
        None => fields.if_modified_since.and_then(date).is_some_and(|since| validators.modified <= since),
    }
}

/// Whether a `Range` still means the file as it stands: no `If-Range`, or one that matches strongly (section 13.1.5).
#[must_use]
pub fn range_holds(fields: &Fields<'_>, validators: Validators<'_>) -> bool {
    let Some(value) = fields.if_range else { return true };
    if value.starts_with(b"\"") {
        return value == validators.etag.as_bytes();
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

fn date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ETAG: HeaderValue = HeaderValue::from_static("\"5f-a\"");

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn is(fields: &Fields<'_>) -> bool {
        is_held(fields, Validators { etag: &ETAG, modified: at(1000) })
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
            let fields = Fields { if_none_match: Some(list.as_bytes().into()), ..Fields::default() };
            assert_eq!(is(&fields), wanted, "{list}");
        }
    }

    #[test]
    fn dates_count_when_no_tag_was_sent() {
        let since =
            |value: &str| is(&Fields { if_modified_since: Some(value.as_bytes()), ..Fields::default() });
        assert!(since(&httpdate::fmt_http_date(at(1000))));
        assert!(!since(&httpdate::fmt_http_date(at(999))));
        assert!(!since("yesterday"));
        let date = httpdate::fmt_http_date(at(2000));
        assert!(since(&date));
        let both = Fields {
            if_none_match: Some(b"other"[..].into()),
            if_modified_since: Some(date.as_bytes()),
            ..Fields::default()
        };
        assert!(!is(&both));
    }

    #[test]
    fn a_range_of_an_older_file_is_not_answered_in_parts() {
        let holds = |value: &str| {
            let fields = Fields { if_range: Some(value.as_bytes()), ..Fields::default() };
            range_holds(&fields, Validators { etag: &ETAG, modified: at(1000) })
        };
        assert!(holds("\"5f-a\"") && holds(&httpdate::fmt_http_date(at(1000))));
        assert!(!holds("W/\"5f-a\"") && !holds("\"5f-b\"") && !holds(&httpdate::fmt_http_date(at(1001))));
    }
}
