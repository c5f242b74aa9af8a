//! Wall time as people have it: the time zone of this machine.
//!
//! Never dates anything for a protocol: those use UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::YOUNGEST;

/// The minute after midnight in the time zone of this machine; None while the wall clock has plainly not been set.
#[must_use]
pub fn minute_of_day(wall: SystemTime) -> Option<u16> {
    wall.duration_since(UNIX_EPOCH + Duration::from_secs(YOUNGEST)).ok()?;
    let local = jiff::Timestamp::try_from(wall).ok()?.to_zoned(jiff::tz::TimeZone::system());
    u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).ok()
}

/// How far the time zone of this machine is ahead of UTC at `wall`, in milliseconds.
#[must_use]
pub fn ahead_of_utc_ms(wall: SystemTime) -> i64 {
    let at = jiff::Timestamp::try_from(wall).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    i64::from(jiff::tz::TimeZone::system().to_offset(at).seconds()) * 1000
}

/// The point in time that a person means by `text`, in milliseconds since 1970: a date with its time and, unless it is
/// in the time zone of this machine, its offset (RFC 3339; a blank may stand for the `T`).
#[must_use]
pub fn wall_of(text: &str) -> Option<u64> {
    let with_offset = text.parse::<jiff::Timestamp>().ok();
    let local = || {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::system()).ok()?.timestamp())
    };
    u64::try_from(with_offset.or_else(local)?.as_millisecond()).ok()
}
