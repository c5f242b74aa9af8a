//! One button: from presses to what the person wants.
//!
//! A tap acknowledges, two ask which box it is, three seconds open the set-up window, eight seconds switch off. Nothing
//! in between is guessed at. Never reads a line or a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A press that is no longer than this is a tap.
pub const TAP: Duration = Duration::from_secs(1);

/// A second tap that begins within this time after the first makes the two one gesture.
pub const SECOND: Duration = Duration::from_millis(400);

/// Held for this long and let go: the set-up window.
pub const SETUP: Duration = Duration::from_secs(3);

/// Held for this long: switch off, without waiting for the release.
pub const OFF: Duration = Duration::from_secs(8);

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gesture {
    /// A tap: I have seen it.
    Acknowledge,
    /// Two taps: which box is it?
    Identify,
    /// Three seconds: open the set-up window.
    Setup,
    /// Eight seconds: switch off cleanly.
    Shutdown,
}

/// How the button is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// It went down.
    Down,
    /// It came up.
    Up,
}

/// A press that is being understood. Every time is on one line, which need not begin anywhere in particular.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Button {
    /// Nothing, or a press that has been understood already and still lasts.
    #[default]
    Idle,
    /// Down since then.
    Down(Duration),
    /// One tap, which ended then.
    Tapped(Duration),
    /// Down a second time, since then.
    DownAgain(Duration),
}

impl Button {
    /// The button changed. A button that was down before anybody looked means nothing when it comes up.
    pub fn change(&mut self, press: Press, now: Duration) -> Option<Gesture> {
        let (next, gesture) = match (*self, press) {
            (Self::Idle, Press::Down) => (Self::Down(now), None),
            (Self::Tapped(_), Press::Down) => (Self::DownAgain(now), None),
            (Self::Down(since), Press::Up) => match now.saturating_sub(since) {
                held if held <= TAP => (Self::Tapped(now), None),
                held => (Self::Idle, after_holding(held)),
            },
            (Self::DownAgain(since), Press::Up) => match now.saturating_sub(since) {
                held if held <= TAP => (Self::Idle, Some(Gesture::Identify)),
                held => (Self::Idle, after_holding(held)),
            },
            (state, Press::Up | Press::Down) => (state, None),
        };
        *self = next;
        gesture
    }

    /// Time went by.
    pub fn tick(&mut self, now: Duration) -> Option<Gesture> {
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        if !due {
            return None;
        }
        let gesture = match self {
            Self::Idle => return None,
            Self::Tapped(_) => Gesture::Acknowledge,
            Self::Down(_) | Self::DownAgain(_) => Gesture::Shutdown,
        };
        *self = Self::Idle;
        Some(gesture)
    }

    /// When [`tick`](Self::tick) has something to say, if nothing changes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Idle => None,
            Self::Tapped(ended) => Some(*ended + SECOND),
            Self::Down(since) | Self::DownAgain(since) => Some(*since + OFF),
        }
    }
}

fn after_holding(held: Duration) -> Option<Gesture> {
    (held >= SETUP).then_some(if held >= OFF { Gesture::Shutdown } else { Gesture::Setup })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays changes at these milliseconds, down first, and then lets 20 s go by.
    fn played(changes: &[u64]) -> Vec<(Gesture, u64)> {
        let (mut button, mut seen, mut changes) = (Button::default(), Vec::new(), changes.iter().peekable());
        let mut press = Press::Down;
        for ms in 0..20_000 {
            let now = Duration::from_millis(ms);
            seen.extend(button.tick(now).map(|gesture| (gesture, ms)));
            if changes.next_if_eq(&&ms).is_some() {
                seen.extend(button.change(press, now).map(|gesture| (gesture, ms)));
                press = if press == Press::Down { Press::Up } else { Press::Down };
            }
        }
        seen
    }

    #[test]
    fn each_gesture_is_understood_at_its_time_and_nothing_else_is() {
        use Gesture::{Acknowledge, Identify, Setup, Shutdown};
        type Row = (&'static str, &'static [u64], &'static [(Gesture, u64)]);
        let table: [Row; 11] = [
            ("nothing", &[], &[]),
            ("a tap", &[100, 200], &[(Acknowledge, 600)]),
            ("the longest tap", &[100, 1100], &[(Acknowledge, 1500)]),
            ("two taps", &[100, 200, 500, 600], &[(Identify, 600)]),
            ("two taps too far apart", &[100, 200, 700, 800], &[(Acknowledge, 600), (Acknowledge, 1200)]),
            ("four taps", &[100, 200, 300, 400, 500, 600, 700, 800], &[(Identify, 400), (Identify, 800)]),
            ("held too long for a tap, too short for set-up", &[100, 3000], &[]),
            ("held for three seconds", &[100, 3100], &[(Setup, 3100)]),
            ("held for almost eight", &[100, 8099], &[(Setup, 8099)]),
            ("held for eight", &[100, 9000], &[(Shutdown, 8100)]),
            ("held for ever", &[100], &[(Shutdown, 8100)]),
        ];
        for (what, changes, expected) in table {
            assert_eq!(played(changes), expected, "{what}");
        }
    }

    #[test]
    fn a_button_that_was_down_before_anybody_looked_means_nothing() {
        let mut button = Button::default();
        assert_eq!(button.change(Press::Up, Duration::from_secs(9)), None);
        assert_eq!((button, button.deadline()), (Button::Idle, None));
    }
}
