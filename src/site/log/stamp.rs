//! The time of a line of the access log, in the two forms that lines have it.
//!
//! PURE. Written once a second, not for each line.

use std::fmt::Write as _;
use std::time::SystemTime;

use crate::site::generation::unix;

/// A second in UTC, as lines have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// `28/Feb/2000:23:59:59 +0000`
    pub(super) combined: String,
    /// `2000-02-28T23:59:59Z`
    pub(super) json: String,
}

impl Stamp {
    /// That of a moment.
    #[must_use]
    pub fn of(at: SystemTime) -> Self {
        let Time { year, month, day, hour, minute, second } = Time::of(unix(at));
        let name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
        let mut stamp = Self::default();
        // Writing to a `String` does not fail.
        let _ = write!(stamp.combined, "{day:02}/{name}/{year}:{hour:02}:{minute:02}:{second:02} +0000");
        let _ = write!(stamp.json, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
        stamp
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Time {
    /// From seconds since 1970. The calendar is counted from 1 March of a year that 400 divides, so that the day that
    /// leap years add is the last of a year.
    fn of(unix: u64) -> Self {
        let (days, rest) = (unix / 86_400 + 719_468, unix % 86_400);
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_calendar_is_that_of_the_http_date() {
        for unix in (0..8_000_000_000).step_by(86_400 * 7 + 12_345) {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(unix);
            let Time { year, month, day, hour, minute, second } = Time::of(unix);
            let name = MONTHS[usize::try_from(month - 1).unwrap()];
            let text = format!("{day:02} {name} {year} {hour:02}:{minute:02}:{second:02} GMT");
            assert_eq!(httpdate::fmt_http_date(at)[5..], text);
        }
    }
}
