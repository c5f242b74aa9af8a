//! The path of a request: from the bytes that a client sent to a name inside the site, or to a refusal.
//!
//! PURE. Never touches a file system; what it lets through holds no `..`, no hidden name and no separator that was
//! smuggled in by an escape, so that it can be looked up, and written into a `Location`, without a second thought.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The one hidden directory that may be asked for (RFC 8615).
pub const WELL_KNOWN: &str = ".well-known";

/// A name inside the site: segments joined by single slashes, none at either end; empty for the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePath<'a> {
    /// The name, decoded.
    pub name: Cow<'a, str>,
    /// How the request ended.
    pub ending: Ending,
}

/// Whether a path asked for a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a slash, as the root always does.
    Slash,
    /// Without one.
    Name,
}

/// Why a path is not looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no path: 400.
    #[error("the request target is not a path")]
    Malformed,
    /// It names something hidden, which is answered as if it were missing: 404.
    #[error("the path names a hidden file")]
    Hidden,
}

impl SitePath<'_> {
    /// The path to redirect to: this name as a directory, escaped, with exactly one leading slash.
    ///
    /// A segment is never empty, so `//host/` cannot come out (open redirect).
    #[must_use]
    pub fn as_directory(&self) -> String {
        let mut location = String::with_capacity(self.name.len() + 2);
        for segment in self.name.split('/').filter(|s| !s.is_empty()) {
            location.push('/');
            escape_into(&mut location, segment);
        }
        location.push('/');
        location
    }
}

/// Resolves the path of a request; a query or fragment is cut off.
///
/// # Errors
/// [`Refusal::Malformed`] for what does not begin with a slash, for broken escapes, `.` and `..`, for a segment that
/// decodes to something with `/`, `\` or a control character, and for what is not UTF-8 (overlong forms are not).
/// [`Refusal::Hidden`] for names with a leading dot, except [`WELL_KNOWN`] as the first.
pub fn resolve(target: &[u8]) -> Result<SitePath<'_>, Refusal> {
    let end = target.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(target.len());
    let rest = target[..end].strip_prefix(b"/").ok_or(Refusal::Malformed)?;
    let raw = std::str::from_utf8(rest).map_err(|_| Refusal::Malformed)?;
    let ending = if raw.is_empty() || raw.ends_with('/') { Ending::Slash } else { Ending::Name };
    let trimmed = raw.strip_suffix('/').unwrap_or(raw);
    let name = if trimmed.contains('%') || has_empty_segment(trimmed) {
        Cow::Owned(rebuilt(trimmed)?)
    } else {
        judge_all(trimmed)?;
        Cow::Borrowed(trimmed)
    };
    Ok(SitePath { name, ending })
}

/// Whether slashes are repeated anywhere: such a path is rebuilt with single ones.
fn has_empty_segment(path: &str) -> bool {
    path.starts_with('/') || path.ends_with('/') || path.contains("//")
}

/// The path with every segment decoded and repeated slashes made one.
fn rebuilt(path: &str) -> Result<String, Refusal> {
    let mut name = String::with_capacity(path.len());
    for segment in path.split('/').filter(|s| !s.is_empty()) {
        let decoded = decode(segment)?;
        judge(&decoded, name.is_empty())?;
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(&decoded);
    }
    Ok(name)
}

/// Judges every segment of a path that needs no decoding.
fn judge_all(path: &str) -> Result<(), Refusal> {
    if path.is_empty() {
        return Ok(());
    }
    path.split('/').enumerate().try_for_each(|(at, segment)| judge(segment, at == 0))
}

/// Judges one decoded segment; `first` is the one under the root.
fn judge(segment: &str, first: bool) -> Result<(), Refusal> {
    if matches!(segment, "" | "." | "..") || segment.bytes().any(is_smuggled) {
        return Err(Refusal::Malformed);
    }
    if segment.starts_with('.') && !(first && segment == WELL_KNOWN) {
        return Err(Refusal::Hidden);
    }
    Ok(())
}

/// Bytes that no segment may hold: separators of any system, NUL and the other control characters.
const fn is_smuggled(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\' | 0..=0x1f | 0x7f)
}

/// Undoes percent-encoding (RFC 3986 section 2.1), once.
fn decode(segment: &str) -> Result<Cow<'_, str>, Refusal> {
    if !segment.contains('%') {
        return Ok(Cow::Borrowed(segment));
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { hex(bytes.next())? << 4 | hex(bytes.next())? } else { byte });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Refusal::Malformed)
}

/// The value of one hexadecimal digit.
fn hex(digit: Option<u8>) -> Result<u8, Refusal> {
    match digit {
        Some(d @ b'0'..=b'9') => Ok(d - b'0'),
        Some(d @ b'a'..=b'f') => Ok(d - b'a' + 10),
        Some(d @ b'A'..=b'F') => Ok(d - b'A' + 10),
        _ => Err(Refusal::Malformed),
    }
}

/// Percent-encodes everything but the unreserved and the harmless reserved characters (RFC 3986 section 3.3).
pub(super) fn escape_into(out: &mut String, segment: &str) {
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(target: &str) -> Result<String, Refusal> {
        resolve(target.as_bytes()).map(|p| p.name.into_owned())
    }

    #[test]
    fn plain_paths_are_names_inside_the_site() {
        for (target, wanted, ending) in [
            ("/", "", Ending::Slash),
            ("/a", "a", Ending::Name),
            ("/a/", "a", Ending::Slash),
            ("/a/b.html?x=/../y", "a/b.html", Ending::Name),
            ("/a%20b/%C3%A9", "a b/é", Ending::Name),
            ("//a///b//", "a/b", Ending::Slash),
            ("/%61", "a", Ending::Name),
            ("/.well-known/x", ".well-known/x", Ending::Name),
            ("/%2ewell-known/x", ".well-known/x", Ending::Name),
            ("/a..b/...c.", "", Ending::Name),
        ] {
            if wanted.is_empty() && target != "/" {
                assert_eq!(name(target), Err(Refusal::Hidden), "{target}");
                continue;
            }
            let path = resolve(target.as_bytes()).unwrap();
            assert_eq!((path.name.as_ref(), path.ending), (wanted, ending), "{target}");
        }
    }

    #[test]
    fn what_could_leave_the_site_is_malformed() {
        for target in [
            "",
            "a",
            "*",
            "http://x/",
            "/..",
            "/../etc/passwd",
            "/a/../b",
            "/a/./b",
            "/%2e%2e/x",
            "/%2E%2e",
            "/.%2e/x",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/..\\x",
            "/%00",
            "/a%00.html",
            "/%c0%ae%c0%ae/x",
            "/%c0%af",
            "/%",
            "/%2",
            "/%zz",
            "/a%0d%0ab",
            "/%7f",
            "/%ff",
        ] {
            assert_eq!(name(target), Err(Refusal::Malformed), "{target}");
        }
        assert_eq!(resolve(b"/\xc0\xaf").unwrap_err(), Refusal::Malformed);
    }

    #[test]
    fn hidden_names_are_missing_at_every_depth() {
        for target in [
            "/.env",
            "/a/.git/config",
            "/%2eenv",
            "/a/.well-known/x",
            "//.env",
            "/.well-known/.x",
            "/.well-knownx",
        ] {
            assert_eq!(name(target), Err(Refusal::Hidden), "{target}");
        }
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(name("/%252e%252e").unwrap(), "%2e%2e");
        assert_eq!(name("/%252f").unwrap(), "%2f");
    }

    #[test]
    fn a_redirect_stays_on_this_host() {
        for (target, wanted) in
            [("//evil.example", "/evil.example/"), ("/a b%3f", "/a%20b%3F/"), ("///", "/")]
        {
            assert_eq!(resolve(target.as_bytes()).unwrap().as_directory(), wanted, "{target}");
        }
    }

    proptest! {
        #[test]
        fn no_target_leaves_the_site(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            check(&bytes);
        }

        #[test]
        fn no_hostile_target_leaves_the_site(parts in proptest::collection::vec(prop_oneof![
            Just("/"), Just(".."), Just("%2e"), Just("%2f"), Just("%5c"), Just("\\"), Just("%00"), Just("%c0%ae"),
            Just("a"), Just("."), Just("%25"), Just("?"), Just("evil.example"), Just(".well-known"),
        ], 0..16)) {
            check(format!("/{}", parts.concat()).as_bytes());
        }
    }

    fn check(target: &[u8]) {
        let Ok(path) = resolve(target) else { return };
        for segment in path.name.split('/') {
            assert!(path.name.is_empty() || !segment.is_empty());
            assert!(!segment.starts_with('.') || segment == WELL_KNOWN);
            assert!(!segment.contains(['\\', '\0']));
        }
        let location = path.as_directory();
        assert!(location.starts_with('/') && !location.starts_with("//"), "{location}");
        assert_eq!(
            resolve(location.as_bytes()).unwrap().name,
            path.name,
            "a redirect leads to what was asked for"
        );
    }
}
