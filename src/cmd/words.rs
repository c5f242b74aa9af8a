//! Dates and spans as the commands say them.
//!
//! Never reads a clock.

use std::time::{Duration, UNIX_EPOCH};

use crate::failover::lane::words;

/// A date as HTTP has it (RFC 9110 section 5.6.7).
pub(super) fn date(wall_ms: u64) -> String {
    UNIX_EPOCH
        .checked_add(Duration::from_millis(wall_ms))
        .filter(|_| wall_ms < FAR_AHEAD)
        .map_or("by a clock that was wrong".to_owned(), httpdate::fmt_http_date)
}

/// The year 9999 begins: what a date cannot show.
const FAR_AHEAD: u64 = 253_370_764_800_000;

/// Milliseconds as people say them.
pub(super) fn span(ms: u64) -> String {
    words(Duration::from_millis(ms))
}
