//! Dates as HTTP has them: whole seconds, from 1970 to the end of the year 9999.
//!
//! PURE. Never reads a clock.

use std::time::{Duration, SystemTime};

use hyper::header::HeaderValue;

/// The end of the year 9999: an HTTP date holds none after it, and nothing before 1970.
pub(super) const LAST_SECOND: u64 = 253_402_300_799;

/// An HTTP date as a header value.
#[must_use]
pub fn date(at: SystemTime) -> HeaderValue {
    let within = at.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(LAST_SECOND));
    HeaderValue::from_str(&httpdate::fmt_http_date(within)).expect("an HTTP date is visible ASCII")
}

/// Whole seconds of a time stamp; 1970 for what is before it.
pub(super) fn seconds(nanos: i64) -> SystemTime {
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The time so many seconds after 1970. One that no clock shows is no reason to fail: it only names a deploy.
pub(super) fn since_1970(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND))
}

/// Whole seconds since 1970.
#[must_use]
pub fn unix(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_before_the_epoch_and_after_the_calendar_do_no_harm() {
        assert_eq!(seconds(-5), SystemTime::UNIX_EPOCH);
        assert_eq!(date(SystemTime::UNIX_EPOCH - Duration::from_secs(9)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert!(
            date(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50)).to_str().unwrap().contains("9999")
        );
    }
}
