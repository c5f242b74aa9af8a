//! What an answer of GitHub Pages says of a file: the second of the deploy, and the file's size.
//!
//! PURE. Never takes what looks different: `ETag` is the quoted hex second, a dash and the hex size; `Last-Modified` is
//! the same second; the answer is no older than it. Whoever answers otherwise is somebody else, or has changed.

use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{CONTENT_LENGTH, DATE, ETAG, HeaderName, LAST_MODIFIED};

use crate::site::generation::unix;

/// What an answer says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The second of the deploy, since 1970.
    pub(super) deployed: u64,
    /// Bytes.
    pub(super) size: u64,
}

/// Why an answer says nothing that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoClaim {
    #[error("its ETag is not the time and the size of the file")]
    Tag,
    #[error("its ETag and its Last-Modified name different times")]
    Time,
    #[error("its ETag and its Content-Length name different sizes")]
    Size,
    #[error("it says that it was deployed after it answered")]
    Future,
}

impl Claim {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, NoClaim> {
        let claim = text(headers, &ETAG).and_then(Self::of_tag).ok_or(NoClaim::Tag)?;
        if date(headers, &LAST_MODIFIED) != Some(claim.deployed) {
            return Err(NoClaim::Time);
        }
        let length = text(headers, &CONTENT_LENGTH).and_then(|text| text.parse().ok());
        if length.is_some_and(|length: u64| length != claim.size) {
            return Err(NoClaim::Size);
        }
        if date(headers, &DATE).is_none_or(|answered| answered < claim.deployed) {
            return Err(NoClaim::Future);
        }
        Ok(claim)
    }

    /// A weak one is of something that was compressed on its way.
    fn of_tag(tag: &str) -> Option<Self> {
        let (deployed, size) = tag.strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
        Some(Self { deployed: hex(deployed)?, size: hex(size)? })
    }
}

/// A number as nginx writes it: without a sign, in lower case, without leading zeros.
fn hex(text: &str) -> Option<u64> {
    let number = u64::from_str_radix(text, 16).ok()?;
    (format!("{number:x}") == text).then_some(number)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let at: SystemTime = httpdate::parse_http_date(text(headers, name)?).ok()?;
    Some(unix(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPLOYED: &str = "Fri, 20 Nov 2026 12:00:00 GMT";
    const LATER: &str = "Fri, 20 Nov 2026 12:10:00 GMT";
    const TAG: &str = "\"6b00eb40-1c\"";

    fn read(tag: &str, modified: &str, length: &str, date: &str) -> Result<Claim, NoClaim> {
        let headers = [(ETAG, tag), (LAST_MODIFIED, modified), (CONTENT_LENGTH, length), (DATE, date)];
        let given = headers.into_iter().filter(|(_, value)| !value.is_empty());
        Claim::read(&given.map(|(name, value)| (name, value.parse().unwrap())).collect())
    }

    #[test]
    fn a_deploy_is_read_where_everything_agrees() {
        let deployed = unix(httpdate::parse_http_date(DEPLOYED).unwrap());
        let tag = format!("\"{deployed:x}-1c\"");
        assert_eq!(read(&tag, DEPLOYED, "28", LATER), Ok(Claim { deployed, size: 28 }));
        assert_eq!(read(&tag, DEPLOYED, "", DEPLOYED), Ok(Claim { deployed, size: 28 }));
        assert_eq!(read(&tag, LATER, "28", LATER), Err(NoClaim::Time));
        assert_eq!(read(&tag, "", "28", LATER), Err(NoClaim::Time));
        assert_eq!(read(&tag, DEPLOYED, "29", LATER), Err(NoClaim::Size));
        assert_eq!(read(&tag, DEPLOYED, "28", "Fri, 20 Nov 2026 11:59:59 GMT"), Err(NoClaim::Future));
        assert_eq!(read(&tag, DEPLOYED, "28", ""), Err(NoClaim::Future));
    }

    #[test]
    fn a_tag_of_another_form_says_nothing() {
        for tag in [
            "",
            "W/\"6b00eb40-1c\"",
            "6b00eb40-1c",
            "\"6B00EB40-1c\"",
            "\"+6b-1c\"",
            "\"06b00eb40-1c\"",
            "\"6b00eb40\"",
            "\"6b00eb40-1c-x\"",
            "\"-\"",
            "\"33a64df551425fcc55e4d42a148795d9f25f89d4\"",
        ] {
            assert_eq!(read(tag, DEPLOYED, "28", LATER), Err(NoClaim::Tag), "{tag}");
        }
        assert_ne!(read(TAG, DEPLOYED, "28", LATER), Err(NoClaim::Tag));
    }
}
