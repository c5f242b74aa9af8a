//! A shorter way to write a line that differs from an earlier one in its numbers alone: the earlier one's number, and by
//! how much each number has changed.
//!
//! Nearly every line is a beat, a look or its answer, and says what another has said before of the same node: but for
//! its times, and a count. The text itself stays what it was: what is written short reads back byte for byte, whatever
//! it means. Writer and reader remember the same lines, those that stand in full in the segment. Never reads or
//! writes a file.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

/// What a short line begins with; a text of JSON does not.
const SHORT: u8 = b'#';

/// Where a number was. A text of JSON holds no such byte.
const GAP: u8 = 0;

/// Numbers with more digits are left where they are.
const DIGITS: usize = 15;

/// The first numbers of a line are its times: they go on from the line before, whatever that was about.
const TIMES: usize = 2;

/// The lines so far of one segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Terse {
    full: Vec<Full>,
    places: HashMap<Arc<[u8]>, usize>,
    times: [i64; TIMES],
}

/// A line that stands in full, and the numbers that the last one like it had.
#[derive(Clone, Debug)]
struct Full {
    frame: Arc<[u8]>,
    numbers: Vec<i64>,
}

/// A line that is about to be written, or was just read: its place among the full ones, when it is a short one.
#[derive(Debug)]
pub(super) struct Said {
    place: Option<usize>,
    frame: Arc<[u8]>,
    numbers: Vec<i64>,
}

impl Terse {
    /// How `text` is written, and what is to be [remembered](Self::remember) once it is.
    pub(super) fn write(&self, text: &[u8]) -> (Vec<u8>, Option<Said>) {
        let Some((frame, numbers)) = taken_apart(text) else { return (text.to_vec(), None) };
        let short = |place: &usize| (*place, self.short(*place, &numbers).into_bytes());
        // Read back first: a defect here costs bytes, and never the journal from that line on.
        let reads_back =
            |(_, short): &(usize, Vec<u8>)| self.read(short).is_some_and(|(read, _)| read == text);
        match self.places.get(&frame[..]).map(short).filter(reads_back) {
            Some((place, short)) => (short, Some(Said { place: Some(place), frame: frame.into(), numbers })),
            None => (text.to_vec(), Some(Said { place: None, frame: frame.into(), numbers })),
        }
    }

    fn short(&self, place: usize, numbers: &[i64]) -> String {
        let mut steps: Vec<i64> = numbers.iter().zip(self.before(place)).map(|(n, last)| n - last).collect();
        // Two clocks run alike.
        if let [first, second, ..] = &mut steps[..] {
            *second -= *first;
        }
        let said = steps.iter().rposition(|step| *step != 0).map_or(0, |last| last + 1);
        let mut text = format!("{}{place}", char::from(SHORT));
        for step in &steps[..said] {
            let _ = write!(text, " {step}");
        }
        text
    }

    /// What the numbers of a line like the one at `place` are counted from.
    fn before(&self, place: usize) -> impl Iterator<Item = i64> {
        self.times.into_iter().chain(self.full[place].numbers.iter().skip(TIMES).copied())
    }

    /// What a written line says, and what is to be remembered of it. None: no writer has written it.
    pub(super) fn read(&self, written: &[u8]) -> Option<(Vec<u8>, Option<Said>)> {
        let Some(short) = written.strip_prefix(&[SHORT]) else {
            let said = taken_apart(written);
            let said = said.map(|(frame, numbers)| Said { place: None, frame: frame.into(), numbers });
            return Some((written.to_vec(), said));
        };
        let mut words = std::str::from_utf8(short).ok()?.split(' ');
        let place: usize = words.next()?.parse().ok()?;
        let full = self.full.get(place)?;
        let mut steps: Vec<i64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
        if steps.len() > full.numbers.len() {
            return None;
        }
        // What is not said is zero.
        steps.resize(full.numbers.len(), 0);
        if let [first, second, ..] = &mut steps[..] {
            *second = second.checked_add(*first)?;
        }
        let numbers = steps.iter().zip(self.before(place)).map(|(step, last)| last.checked_add(*step));
        let numbers = numbers.collect::<Option<Vec<i64>>>()?;
        let text = put_together(&full.frame, &numbers)?;
        Some((text, Some(Said { place: Some(place), frame: full.frame.clone(), numbers })))
    }

    /// A line has been written, or read and found to be good.
    pub(super) fn remember(&mut self, said: Option<Said>) {
        let Some(Said { place, frame, numbers }) = said else { return };
        if let [first, second, ..] = numbers[..] {
            self.times = [first, second];
        }
        match place {
            Some(place) => self.full[place].numbers = numbers,
            None => {
                self.places.insert(frame.clone(), self.full.len());
                self.full.push(Full { frame, numbers });
            }
        }
    }
}

/// A text with gaps for its numbers, and the numbers. None: it holds some that would not read back as they were, or
/// none that could be a time.
fn taken_apart(text: &[u8]) -> Option<(Vec<u8>, Vec<i64>)> {
    let (mut frame, mut numbers) = (Vec::with_capacity(text.len()), Vec::new());
    let mut kept = 0;
    for number in numbers_in(text) {
        let digits = &text[number.clone()];
        if digits.len() > DIGITS || (digits.len() > 1 && digits[0] == b'0') {
            return None;
        }
        numbers.push(digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')));
        frame.extend_from_slice(&text[kept..number.start]);
        frame.push(GAP);
        kept = number.end;
    }
    frame.extend_from_slice(&text[kept..]);
    (numbers.len() >= TIMES && !text.contains(&GAP)).then_some((frame, numbers))
}

/// Where the digits are in a text of JSON that are not part of a string.
fn numbers_in(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let (mut at, mut quoted) = (0, false);
    std::iter::from_fn(move || {
        while let Some(byte) = text.get(at) {
            match byte {
                b'"' => quoted = !quoted,
                b'\\' if quoted => at += 1,
                b'0'..=b'9' if !quoted => {
                    let digits = text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
                    let from = at;
                    at += digits;
                    return Some(from..at);
                }
                _ => {}
            }
            at += 1;
        }
        None
    })
}

/// A frame with its numbers put back. None: one of them could not have been taken from a text.
fn put_together(frame: &[u8], numbers: &[i64]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(frame.len() + 16 * numbers.len());
    let mut parts = frame.split(|byte| *byte == GAP);
    text.extend_from_slice(parts.next()?);
    for (part, number) in parts.zip(numbers) {
        text.extend_from_slice(u64::try_from(*number).ok()?.to_string().as_bytes());
        text.extend_from_slice(part);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes the texts and reads them again; what was written.
    fn written(texts: &[&str]) -> Vec<String> {
        let (mut writer, mut reader) = (Terse::default(), Terse::default());
        let mut all = Vec::new();
        for text in texts {
            let (bytes, said) = writer.write(text.as_bytes());
            writer.remember(said);
            let (read, said) = reader.read(&bytes).expect("it was written");
            reader.remember(said);
            assert_eq!(String::from_utf8(read).unwrap(), *text);
            all.push(String::from_utf8(bytes).unwrap());
        }
        all
    }

    #[test]
    fn what_differs_in_its_numbers_alone_is_written_short() {
        let lines = written(&[
            r#"{"at":1000,"wall":1700000001000,"beat":{"node":"pi1","seq":7,"skew":-3}}"#,
            r#"{"at":1040,"wall":1700000001040,"probed":"pi1"}"#,
            r#"{"at":11000,"wall":1700000011000,"beat":{"node":"pi1","seq":8,"skew":-3}}"#,
            r#"{"at":11040,"wall":1700000011041,"probed":"pi1"}"#,
            r#"{"at":11080,"wall":1700000011081,"probed":"pi1"}"#,
            r#"{"at":21000,"wall":1700000021001,"beat":{"node":"pi1","seq":9,"skew":-4}}"#,
            r#"{"at":21000,"wall":1700000021001,"beat":{"node":"pi2","seq":9,"skew":-4}}"#,
        ]);
        assert_eq!(&lines[2..6], ["#0 9960 0 1", "#1 40 1", "#1 40", "#0 9920 0 1 1"]);
        assert!(lines[6].starts_with('{'), "another node stands in full");
    }

    #[test]
    fn what_would_not_read_back_as_it_was_stands_in_full() {
        let strange = [
            r#"{"at":1,"wall":2,"n":1.05}"#,
            r#"{"at":1,"wall":2,"n":12345678901234567890}"#,
            r#"{"at":1}"#,
            r#"{"at":1,"wall":2,"n":"5 \" 6"}"#,
            "",
        ];
        for text in strange {
            assert_eq!(written(&[text])[0], text);
            assert_eq!(written(&[text, text])[0], text);
        }
    }

    #[test]
    fn nobody_has_written_what_names_no_line_or_a_number_below_zero() {
        let mut reader = Terse::default();
        let (_, said) = reader.write(br#"{"at":5,"wall":5}"#);
        reader.remember(said);
        for wrong in ["#1 1", "#", "#x", "#0 1 1 1", "#0 -6", "#0 9223372036854775807", "#0 \u{ff}"] {
            assert!(reader.read(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(reader.read(b"#0 1").is_some());
    }

    proptest! {
        #[test]
        fn any_texts_read_back_as_they_were(
            texts in proptest::collection::vec("[\\[{\"a#: ,0-9.\\\\-]{0,40}", 0..40),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).filter(|t| !t.starts_with('#')).collect();
            written(&texts);
        }
    }
}
