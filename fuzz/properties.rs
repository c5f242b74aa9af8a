//! What must hold whatever a client sends. Used by the fuzz targets here and by a bounded run in tests/it.

use std::time::{Duration, SystemTime};

use hearth::site::condition::{Validators, is_held, range_holds};
use hearth::site::path::{Refusal, resolve};
use hearth::site::range::{Wanted, wanted};
use hearth::site::request::Fields;
use hyper::header::HeaderValue;

/// A path is refused, or it names something inside the site, and redirects to this host.
pub(crate) fn path(target: &[u8]) {
    let path = match resolve(target) {
        Ok(path) => path,
        Err(Refusal::Malformed | Refusal::Hidden) => return,
    };
    let name = path.name.as_ref();
    assert!(!name.starts_with('/') && !name.ends_with('/') && !name.contains("//"), "{name:?}");
    assert!(!name.contains('\\') && !name.contains(|c: char| c.is_ascii_control()), "{name:?}");
    for (at, segment) in name.split('/').enumerate() {
        let hidden = segment.starts_with('.') && !(at == 0 && segment == ".well-known");
        assert!(!hidden, "{name:?}");
    }
    let location = path.as_directory();
    assert!(
        location.starts_with('/') && !location.starts_with("//") && location.ends_with('/'),
        "{location:?}"
    );
    assert!(
        HeaderValue::try_from(location.as_str()).is_ok_and(|value| value.to_str().is_ok()),
        "{location:?}"
    );
    let again = resolve(location.as_bytes()).expect("what we redirect to is a path");
    assert_eq!(again.name, path.name);
}

/// The parts that are sent lie inside the file, are few, and are together no more than the file.
pub(crate) fn range(bytes: &[u8]) {
    let (size, value) = bytes
        .split_first_chunk::<8>()
        .map_or((1000, bytes), |(size, rest)| (u64::from_be_bytes(*size), rest));
    for size in [size, size % 1000, 0, u64::MAX] {
        let Wanted::Parts(parts) = wanted(value, size) else { continue };
        assert!((1..=5).contains(&parts.len()), "{parts:?}");
        assert!(parts.iter().all(|part| part.start < part.end && part.end <= size), "{parts:?} of {size}");
        let sum = parts.iter().map(|part| u128::from(part.end - part.start)).sum::<u128>();
        assert!(sum <= u128::from(size), "{parts:?} of {size}");
    }
}

/// Nobody is told that nothing changed who did not name the tag or a date that is late enough.
pub(crate) fn conditional(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let etag = HeaderValue::from_static("W/\"65a1-400\"");
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let validators = Validators { etag: &etag, modified };
    let names_the_tag = bytes.windows(10).any(|w| w == b"\"65a1-400\"") || bytes.trim_ascii() == b"*";
    if is_held(&Fields { if_none_match: Some(bytes.into()), ..Fields::default() }, validators) {
        assert!(names_the_tag, "{value:?}");
    }
    let date = value.to_str().ok().and_then(|text| text.trim().parse::<httpdate::HttpDate>().ok());
    if is_held(&Fields { if_modified_since: Some(bytes), ..Fields::default() }, validators) {
        assert!(date.is_some(), "{value:?}");
    }
    // A weak tag never holds a range (RFC 9110 section 13.1.5).
    if range_holds(&Fields { if_range: Some(bytes), ..Fields::default() }, validators) {
        assert!(date.is_some(), "{value:?}");
    }
}
