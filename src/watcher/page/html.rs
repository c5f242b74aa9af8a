//! Text in HTML: what comes from outside is escaped, spans and dates are words. PURE.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// A text that stands for itself, in an element or in an attribute in double quotes.
pub(super) struct Text<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// How good or bad something is: a colour, and a shape that says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Warn,
    Bad,
    Calm,
}

impl Tone {
    /// The class of its colour.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
            Tone::Calm => "calm",
        }
    }

    const fn shape(self) -> &'static str {
        match self {
            Tone::Good => "●",
            Tone::Warn => "▲",
            Tone::Bad => "■",
            Tone::Calm => "○",
        }
    }
}

/// A state: shape, colour and word.
pub(super) fn state(tone: Tone, word: impl fmt::Display) -> String {
    let (class, shape) = (tone.class(), tone.shape());
    format!("<span class=\"state {class}\"><span aria-hidden=\"true\">{shape}</span> {}</span>", Text(word))
}

/// A span in milliseconds, in words.
pub(super) fn span(ms: u64) -> String {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    if ms >= 3 * DAY {
        return format!("{} days", ms / DAY);
    }
    crate::failover::lane::words(Duration::from_millis(ms))
}

/// How old something is; what is older than `limit_ms` is told to be old, and so is what was never seen.
pub(super) fn age(ms: Option<u64>, limit_ms: u64) -> String {
    match ms {
        None => "<span class=\"old\">never</span>".to_owned(),
        Some(ms) if ms > limit_ms => format!("<span class=\"old\">{} ago, <b>old</b></span>", span(ms)),
        Some(ms) => format!("<span class=\"age\">{} ago</span>", span(ms)),
    }
}

/// The clock that dates are shown by: so many milliseconds ahead of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// How far its clocks are ahead of UTC.
    pub ahead_ms: i64,
}

impl Zone {
    /// What its clocks show, as milliseconds since 1970 in UTC.
    pub(super) fn local(self, wall_ms: u64) -> u64 {
        wall_ms.saturating_add_signed(self.ahead_ms)
    }

    /// Such as `UTC+8`.
    pub(super) fn name(self) -> String {
        let minutes = self.ahead_ms / 60_000;
        match (minutes / 60, (minutes % 60).abs()) {
            (0, 0) => "UTC".to_owned(),
            (hours, 0) => format!("UTC{hours:+}"),
            (hours, minutes) => format!("UTC{hours:+}:{minutes:02}"),
        }
    }

    /// Such as `21 Nov 08:31:30`, in an element that tells machines the same.
    pub(super) fn date(self, wall_ms: u64) -> String {
        let machine = stamp(wall_ms).map_or_else(String::new, |d| d.iso());
        let person =
            stamp(self.local(wall_ms)).map_or_else(|| "by a clock that was wrong".to_owned(), |d| d.date());
        format!("<time datetime=\"{machine}\">{person}</time>")
    }

    /// Such as `21 Nov`.
    pub(super) fn day(self, wall_ms: u64) -> String {
        stamp(self.local(wall_ms)).map_or_else(String::new, |d| d.day())
    }

    /// Such as `21 Nov 08:31`.
    pub(super) fn minute(self, wall_ms: u64) -> String {
        let date = stamp(self.local(wall_ms)).map_or_else(String::new, |d| d.date());
        date.chars().take(date.len().saturating_sub(3)).collect()
    }
}

/// The parts of a date, as httpdate writes it (`Sun, 06 Nov 1994 08:49:37 GMT`, RFC 9110 section 5.6.7).
struct Stamp(String);

/// The year 9999 begins: what such a date cannot show.
const FAR_AHEAD: u64 = 253_370_764_800_000;

fn stamp(ms: u64) -> Option<Stamp> {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(ms)).filter(|_| ms < FAR_AHEAD)?;
    Some(Stamp(httpdate::fmt_http_date(at)))
}

impl Stamp {
    fn day(&self) -> String {
        self.0[5..11].trim_start_matches('0').to_owned()
    }

    fn date(&self) -> String {
        format!("{} {}", self.day(), &self.0[17..25])
    }

    fn iso(&self) -> String {
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let month = MONTHS.find(&self.0[8..11]).map_or(0, |at| at / 3 + 1);
        format!("{}-{month:02}-{}T{}Z", &self.0[12..16], &self.0[5..7], &self.0[17..25])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_in_the_zone_and_to_machines_in_utc() {
        let at = 1_763_713_890_000;
        assert_eq!(
            Zone::default().date(at),
            "<time datetime=\"2025-11-21T08:31:30Z\">21 Nov 08:31:30</time>"
        );
        let east = Zone { ahead_ms: 8 * 3_600_000 };
        assert_eq!((east.minute(at).as_str(), east.name().as_str()), ("21 Nov 16:31", "UTC+8"));
        assert_eq!(Zone { ahead_ms: -12_600_000 }.name(), "UTC-3:30");
        assert_eq!(east.day(1_764_590_000_000), "1 Dec");
        assert!(Zone::default().date(u64::MAX).contains("wrong"));
    }

    #[test]
    fn what_is_old_is_told_to_be_old() {
        assert_eq!(age(Some(4_000), 60_000), "<span class=\"age\">4.0 s ago</span>");
        assert!(age(Some(61_000), 60_000).contains("61 s ago, <b>old</b>"));
        assert!(age(None, 60_000).contains("never"));
    }
}
