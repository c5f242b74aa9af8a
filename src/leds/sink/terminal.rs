//! Three lamps on one line of a terminal; without a terminal, one line for each change of state.
//!
//! Goes to standard error, beside the log. Never prints a line for a blink, and no colour into a file.

use std::io::{self, IsTerminal, Stderr, Write};
use std::time::Duration;

use super::Sink;
use crate::leds::Shown;
use crate::leds::face::{Face, Wiring};
use crate::leds::face::{Lamps, lamps};
use crate::leds::rhythm::Level;

/// How often a terminal is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At every step of the rhythm.
    Steps,
    /// When the state changes.
    Changes,
}

/// Lamps drawn with characters.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    pace: Pace,
    said: Option<Said>,
}

/// The line that was printed last.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Shown(Shown),
    Dark,
}

impl Terminal<Stderr> {
    /// On standard error.
    #[must_use]
    pub fn on_stderr() -> Self {
        let err = io::stderr();
        let pace = if err.is_terminal() { Pace::Steps } else { Pace::Changes };
        Self::new(err, pace)
    }
}

impl<W: Write> Terminal<W> {
    /// On `out`: a terminal at [`Pace::Steps`], anything else at [`Pace::Changes`].
    pub fn new(out: W, pace: Pace) -> Self {
        Self { out, pace, said: None }
    }

    /// Draws over the line. The cursor is left at its beginning, so that a line of the log covers it.
    fn draw(&mut self, lamps: Lamps, words: &str) -> io::Result<()> {
        write!(self.out, "\r\x1b[2K{} {words}\r", coloured(lamps))?;
        self.out.flush()
    }

    /// Prints a line, unless it says what the one before said.
    fn say(&mut self, said: Said, words: &str) -> io::Result<()> {
        if self.said.as_ref() != Some(&said) {
            writeln!(self.out, "lamps: {words}")?;
            self.out.flush()?;
            self.said = Some(said);
        }
        Ok(())
    }
}

impl<W: Write> Sink for Terminal<W> {
    fn show(&mut self, shown: Shown, elapsed: Duration) -> io::Result<Option<Duration>> {
        let words = format!("{shown}: {}", shown.describe());
        match self.pace {
            Pace::Steps => {
                self.draw(lamps(shown, elapsed), &words)?;
                Ok(Face::of(shown, Wiring::Three).until_next(elapsed))
            }
            Pace::Changes => self.say(Said::Shown(shown), &words).map(|()| None),
        }
    }

    fn dark(&mut self, why: &str) -> io::Result<()> {
        let words = format!("dark: {why}");
        match self.pace {
            Pace::Steps => {
                self.draw(Lamps::DARK, &words)?;
                writeln!(self.out)
            }
            Pace::Changes => self.say(Said::Dark, &words),
        }
    }
}

/// Red, amber, green: filled when lit. The order repeats what the colour says (SGR codes, ECMA-48 section 8.3.117).
fn coloured(lamps: Lamps) -> String {
    let lamp = |level, colour| match level {
        Level::On => format!("\x1b[{colour}m●\x1b[0m"),
        Level::Off => "○".to_owned(),
    };
    format!("{}{}{}", lamp(lamps.red, 31), lamp(lamps.amber, 33), lamp(lamps.green, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIP: Duration = Duration::from_millis(4950);

    fn text(terminal: Terminal<Vec<u8>>) -> String {
        String::from_utf8(terminal.out).unwrap()
    }

    #[test]
    fn a_terminal_sees_three_lamps_and_words_on_one_line() {
        let mut terminal = Terminal::new(Vec::new(), Pace::Steps);
        terminal.show(Shown::Healthy, Duration::ZERO).unwrap();
        terminal.show(Shown::Healthy, DIP).unwrap();
        let text = text(terminal);
        assert!(text.contains("○○\x1b[32m●\x1b[0m healthy: all is well"), "{text:?}");
        assert!(text.contains("○○○ healthy") && !text.contains('\n'), "{text:?}");
    }

    #[test]
    fn a_file_sees_one_plain_line_for_each_change() {
        let mut terminal = Terminal::new(Vec::new(), Pace::Changes);
        for elapsed in [Duration::ZERO, DIP, Duration::ZERO] {
            terminal.show(Shown::Healthy, elapsed).unwrap();
        }
        terminal.show(Shown::Offline, Duration::ZERO).unwrap();
        terminal.dark("gone").unwrap();
        terminal.dark("gone").unwrap();
        let text = text(terminal);
        assert!(!text.contains('\x1b'), "{text:?}");
        let starts: Vec<_> = text.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
        assert_eq!(starts, ["healthy", "offline", "dark"]);
    }
}
