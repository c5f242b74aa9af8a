//! A month as a picture: a column for each day, midnight at its top, and in it what was not as it should be. PURE.
//!
//! Width and pattern carry the meaning, colour repeats it: the worse, the wider. What is too short to be seen is drawn
//! large enough to be. A picture is never alone: its summary and a list say the same in words.

use std::fmt::Write;

use super::html::{Text, Zone, span};
use crate::watcher::history::{DAY_MS, Standing, Track};

/// How many days are drawn.
pub(super) const DAYS: u64 = 30;

/// The width of a day, and the height of it.
const DAY: u64 = 12;
const TALL: u64 = 96;

/// Left of the days: the hours.
const GUTTER: u64 = 22;

/// Above them.
const TOP: u64 = 6;

/// Nothing that was not well is drawn lower than this.
const LEAST: f64 = 1.6;

/// Whose month it is; the words differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Site,
    Node,
}

impl Of {
    /// What a standing means.
    pub(super) const fn word(self, standing: Standing) -> &'static str {
        match (self, standing) {
            (Of::Site, Standing::Well) => "at home",
            (Of::Site, Standing::Reduced) => "some nodes only",
            (Of::Site, Standing::Away) => "on the fallback",
            (Of::Site, Standing::Dark) => "nobody answered",
            (Of::Node, Standing::Well) => "up",
            (Of::Node, Standing::Reduced) => "coming back",
            (Of::Node, Standing::Away) => "left on purpose",
            (Of::Node, Standing::Dark) => "down",
            (_, Standing::Blind) => "not known",
        }
    }
}

/// The class of a standing.
pub(super) const fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Well => "well",
        Standing::Reduced => "reduced",
        Standing::Away => "away",
        Standing::Dark => "dark",
        Standing::Blind => "blind",
    }
}

/// From where in the width of a day to where.
pub(super) const fn extent(standing: Standing) -> (u64, u64) {
    match standing {
        Standing::Blind => (5, 2),
        Standing::Well => (4, 4),
        Standing::Reduced => (3, 6),
        Standing::Away => (2, 8),
        Standing::Dark => (1, 10),
    }
}

/// A month of one track, until `now_ms`.
pub(super) struct Month<'a> {
    pub(super) track: &'a Track,
    pub(super) of: Of,
    pub(super) now_ms: u64,
    pub(super) zone: Zone,
}

impl Month<'_> {
    /// When its first day begins.
    fn begins(&self) -> u64 {
        let today = self.zone.local(self.now_ms) / DAY_MS * DAY_MS;
        let first = today.saturating_sub((DAYS - 1) * DAY_MS);
        first.saturating_add_signed(-self.zone.ahead_ms)
    }

    /// Its spans, cut to the month.
    pub(super) fn spans(&self) -> impl Iterator<Item = (u64, u64, Standing)> {
        let begins = self.begins();
        let cut =
            move |(from, to, standing): (u64, u64, Standing)| (from.max(begins), to.max(begins), standing);
        self.track.spans(self.now_ms).filter(move |(_, to, _)| *to > begins).map(cut)
    }

    /// What it comes to, in words.
    pub(super) fn summary(&self) -> String {
        let total =
            |of: Standing| self.spans().filter(|s| s.2 == of).map(|(from, to, _)| to - from).sum::<u64>();
        let count = |of: Standing| self.spans().filter(|s| s.2 == of).count();
        let known: u64 = self.spans().filter(|s| s.2 != Standing::Blind).map(|(from, to, _)| to - from).sum();
        if known == 0 {
            return "nothing is known yet".to_owned();
        }
        let mut text = format!("{} {}", percent(total(Standing::Well), known), self.of.word(Standing::Well));
        for standing in [Standing::Reduced, Standing::Away, Standing::Dark] {
            let (times, word) = (count(standing), self.of.word(standing));
            let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
            if count(standing) > 0 {
                let _ = write!(text, "; {word} {times}, {} in all", span(total(standing)));
            }
        }
        let _ = write!(text, "; watched for {}", span(known));
        text
    }

    /// The picture.
    pub(super) fn svg(&self) -> String {
        let (width, height) = (GUTTER + DAYS * DAY, TOP + TALL + 4);
        let label = Text(self.summary());
        let mut out = format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">");
        for hour in [0, 6, 12, 18, 24] {
            let y = TOP + TALL * hour / 24;
            let _ = write!(
                out,
                "<text class=\"hour\" x=\"{}\" y=\"{}\">{hour}</text><path class=\"grid\" d=\"M{GUTTER} {y}H{width}\"/>",
                GUTTER - 5,
                y + 3
            );
        }
        let spans: Vec<_> = self.spans().collect();
        // The longest-lasting states lie below, so that what is short and bad is seen.
        for of in [Standing::Blind, Standing::Well, Standing::Reduced, Standing::Away, Standing::Dark] {
            spans.iter().filter(|s| s.2 == of).for_each(|span| self.draw(&mut out, *span));
        }
        for pair in spans.windows(2) {
            if self.of == Of::Site && is_switch(pair[0].2, pair[1].2) {
                self.mark(&mut out, pair[1].0);
            }
        }
        out.push_str("</svg>");
        out
    }

    /// One span, with a piece in each of its days.
    fn draw(&self, out: &mut String, (from, to, standing): (u64, u64, Standing)) {
        let begins = self.begins();
        let (left, wide) = extent(standing);
        let word = self.of.word(standing);
        let title = format!("{word} from {}, for {}", self.zone.minute(from), span(to.saturating_sub(from)));
        let _ = write!(out, "<g class=\"{}\"><title>{}</title>", class(standing), Text(title));
        for day in (from - begins) / DAY_MS..=(to - begins) / DAY_MS {
            let start = begins + day * DAY_MS;
            let (top, bottom) = (y(from.max(start) - start), y(to.min(start + DAY_MS) - start));
            if day >= DAYS || (bottom <= top && to > from && to == start) {
                continue;
            }
            let tall = if standing == Standing::Well { bottom - top } else { (bottom - top).max(LEAST) };
            let x = GUTTER + day * DAY + left;
            let _ = write!(out, "<rect x=\"{x}\" y=\"{top:.2}\" width=\"{wide}\" height=\"{tall:.2}\"/>");
        }
        out.push_str("</g>");
    }

    /// A switch: a line across its day.
    fn mark(&self, out: &mut String, at: u64) {
        let begins = self.begins();
        let day = (at - begins) / DAY_MS;
        let _ = write!(
            out,
            "<path class=\"switch\" d=\"M{} {:.2}h{DAY}\"/>",
            GUTTER + day * DAY,
            y(at - begins - day * DAY_MS)
        );
    }

    /// The first day and the last, for below it.
    pub(super) fn ends(&self) -> (String, String) {
        (self.zone.day(self.begins()), self.zone.day(self.now_ms))
    }
}

/// Whether visitors were sent elsewhere.
fn is_switch(before: Standing, after: Standing) -> bool {
    let known = before != Standing::Blind && after != Standing::Blind;
    known && (before == Standing::Away) != (after == Standing::Away)
}

/// How far down in a day that is.
#[expect(clippy::cast_precision_loss, reason = "a day has far fewer milliseconds than f64 can tell apart")]
fn y(into_day_ms: u64) -> f64 {
    TOP as f64 + into_day_ms as f64 / DAY_MS as f64 * TALL as f64
}

/// Rounded down, so that less than all never looks like all.
fn percent(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests;
