//! Seconds since 1970 as a date in UTC, the way signatures write it (ISO 8601).
//!
//! Never reads a clock.

/// `2019-02-25` for that day's seconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn day(unix_secs: u64) -> String {
    let (year, month, day) = civil(unix_secs / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2023-10-26T10:22:32Z` for that second since 1970-01-01T00:00:00Z.
#[must_use]
pub fn second(unix_secs: u64) -> String {
    let (hours, minutes, seconds) = (unix_secs / 3_600 % 24, unix_secs / 60 % 60, unix_secs % 60);
    format!("{}T{hours:02}:{minutes:02}:{seconds:02}Z", day(unix_secs))
}

/// Year, month and day of the `days`-th day after 1970-01-01, in the Gregorian calendar. Counted in eras of 400 years
/// that begin on 1 March, so that the leap day is the last one of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_dates() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_551_113_065, "2019-02-25T16:44:25Z"),
            (1_698_315_752, "2023-10-26T10:22:32Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (secs, text) in table {
            assert_eq!(second(secs), text);
        }
    }

    #[test]
    fn dates_agree_with_http_dates_over_a_century() {
        for secs in (0..4_000_000_000).step_by(86_399 * 13) {
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs);
            let http = httpdate::fmt_http_date(at);
            let (day, clock) = (&http[5..7], &http[17..25]);
            assert_eq!((&second(secs)[8..10], &second(secs)[11..19]), (day, clock), "{http}");
        }
    }
}
