//! The parts of a file that a client asks for (`Range`, RFC 9110 section 14).
//!
//! PURE. Never lets a request cost more than the file itself: a handful of ranges, together no larger than the file.

use std::ops::Range;

/// At most so many ranges in one request; more are answered with the whole file (CVE-2011-3192 and its kind).
const MOST: usize = 5;

/// What a `Range` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The whole file: nothing was asked for, or nothing that we answer in parts.
    Whole,
    /// These parts, each within the file and not empty.
    Parts(Vec<Range<u64>>),
    /// Nothing that the file has: 416.
    Unsatisfiable,
}

/// Reads a `Range` for a file of `size` bytes. What cannot be read is ignored, as section 14.2 allows.
#[must_use]
pub fn wanted(value: &[u8], size: u64) -> Wanted {
    let Some(items) = std::str::from_utf8(value).ok().and_then(bytes_unit) else { return Wanted::Whole };
    let mut parts = Vec::new();
    let mut count = 0;
    for item in items.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        count += 1;
        let Some(part) = one(item, size) else { return Wanted::Whole };
        if count > MOST {
            return Wanted::Whole;
        }
        parts.extend(part);
    }
    if count == 0 {
        return Wanted::Whole;
    }
    if parts.is_empty() {
        return Wanted::Unsatisfiable;
    }
    let sum = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.end - part.start));
    if sum.is_some_and(|sum| sum <= size) { Wanted::Parts(parts) } else { Wanted::Whole }
}

/// What follows `bytes=`.
fn bytes_unit(value: &str) -> Option<&str> {
    let (unit, items) = value.split_once('=')?;
    unit.trim().eq_ignore_ascii_case("bytes").then_some(items)
}

/// One range: None when it is not one, `Some(None)` when the file does not have it.
fn one(item: &str, size: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = item.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let length = number(last)?.min(size);
        return Some((length > 0).then(|| size - length..size));
    }
    let first = number(first)?;
    let end = if last.is_empty() { size } else { number(last)?.saturating_add(1) };
    if end <= first && !last.is_empty() {
        return None;
    }
    Some((first < size).then(|| first..end.min(size)))
}

/// A number of digits only; what does not fit counts as the largest that does.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[allow(clippy::single_range_in_vec_init, reason = "a list of one range is meant")]
    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let parts = |list: &[Range<u64>]| Wanted::Parts(list.to_vec());
        for (value, wanted_parts) in [
            ("bytes=0-0", parts(&[0..1])),
            ("bytes=5-", parts(&[5..10])),
            ("bytes=-3", parts(&[7..10])),
            ("bytes=-99", parts(&[0..10])),
            ("bytes=2-99999999999999999999", parts(&[2..10])),
            ("Bytes = 0-1 , 4-5", parts(&[0..2, 4..6])),
            ("bytes=0-1,50-60", parts(&[0..2])),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=--1", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("bytes=0-1,0-1,0-1,0-1,0-1,0-1", Wanted::Whole),
            ("bytes=0-,0-", Wanted::Whole),
        ] {
            assert_eq!(wanted(value.as_bytes(), 10), wanted_parts, "{value}");
        }
        assert_eq!(wanted(b"bytes=0-", 0), Wanted::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn no_range_costs_more_than_the_file(value in "bytes=[0-9, -]{0,40}", size in 0_u64..1000) {
            if let Wanted::Parts(parts) = wanted(value.as_bytes(), size) {
                prop_assert!(!parts.is_empty() && parts.len() <= MOST);
                prop_assert!(parts.iter().all(|p| p.start < p.end && p.end <= size));
                prop_assert!(parts.iter().map(|p| p.end - p.start).sum::<u64>() <= size);
            }
        }
    }
}
