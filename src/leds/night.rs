//! The hours in which LEDs sleep.
//!
//! Never asks what time it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Minutes in a day.
const DAY: u16 = 24 * 60;

/// From one time of the day to another, past midnight when the second is the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Night {
    /// Minutes after midnight.
    from: u16,
    /// Minutes after midnight; this minute is day again.
    to: u16,
}

impl Night {
    /// Whether LEDs sleep at this minute after midnight. Without a clock that can be believed (None) they do not:
    /// dark must never come from a wrong guess.
    #[must_use]
    pub const fn covers(self, minute: Option<u16>) -> bool {
        match minute {
            None => false,
            Some(minute) if self.from <= self.to => self.from <= minute && minute < self.to,
            Some(minute) => self.from <= minute || minute < self.to,
        }
    }
}

/// A text that is no pair of times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a night; write it as \"22:00-07:00\"")]
pub struct NightError(String);

impl FromStr for Night {
    type Err = NightError;
    fn from_str(text: &str) -> Result<Self, NightError> {
        let wrong = || NightError(text.to_owned());
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
        if from == to { Err(wrong()) } else { Ok(Self { from, to }) }
    }
}

/// `HH:MM` as minutes after midnight.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str| text.parse().ok().filter(|_| text.len() == 2 && !text.starts_with('+'));
    let (hours, minutes): (u16, u16) = (number(hours)?, number(minutes)?);
    (minutes < 60).then_some(hours * 60 + minutes).filter(|minute| *minute < DAY)
}

impl fmt::Display for Night {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl From<Night> for String {
    fn from(night: Night) -> Self {
        night.to_string()
    }
}

impl TryFrom<String> for Night {
    type Error = NightError;
    fn try_from(text: String) -> Result<Self, NightError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_past_midnight_begins_and_ends_on_its_minutes() {
        let night: Night = "22:00-07:00".parse().unwrap();
        for (minute, dark) in
            [(0, true), (419, true), (420, false), (1319, false), (1320, true), (1439, true)]
        {
            assert_eq!(night.covers(Some(minute)), dark, "{minute}");
        }
        let siesta: Night = "13:00-14:30".parse().unwrap();
        for (minute, dark) in [(779, false), (780, true), (869, true), (870, false)] {
            assert_eq!(siesta.covers(Some(minute)), dark, "{minute}");
        }
    }

    #[test]
    fn without_a_clock_it_is_day() {
        assert!(!"00:00-23:59".parse::<Night>().unwrap().covers(None));
    }

    #[test]
    fn a_night_is_read_back_as_it_is_written_and_nonsense_is_refused() {
        for text in ["22:00-07:00", "00:00-23:59"] {
            assert_eq!(text.parse::<Night>().unwrap().to_string(), text);
        }
        for text in
            ["", "22-7", "22:00", "24:00-07:00", "22:60-07:00", "7:00-8:00", "+7:00-08:00", "08:00-08:00"]
        {
            assert!(text.parse::<Night>().is_err(), "{text}");
        }
    }
}
