//! A segment from its beginning to its end, step by step, with the engine that answers each again.
//!
//! Never writes, and never takes a line that does not carry the hash of all before it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;

use data_encoding::HEXLOWER;

use super::{End, FORM, FORM_IN_FULL, JournalError, LINK, Line, Step, disk, link};
use crate::failover::engine::Engine;
use crate::failover::event::Effect;
use crate::moment::Moment;

/// One step of a segment, replayed.
#[derive(Debug)]
pub struct Replayed<'a> {
    /// The number of its line, from 1; the first is the snapshot.
    pub line: usize,
    /// Where the line begins, in bytes from the beginning of the file.
    pub byte: usize,
    /// What was written down.
    pub step: &'a Step,
    /// What the engine answers today.
    pub effects: &'a [Effect],
    /// The engine after it.
    pub engine: &'a Engine,
}

impl Replayed<'_> {
    /// Whether the engine answers today what was written down, byte for byte in the form of the journal.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let bytes = |effects: &[Effect]| serde_json::to_vec(effects).ok();
        bytes(self.effects) == bytes(&self.step.effects)
    }
}

/// A segment as it was found.
#[derive(Debug)]
pub struct Walked {
    /// The engine that it begins with.
    pub began: Engine,
    /// The engine after the last step that was looked at.
    pub engine: Engine,
    /// The point in time of the last line that was looked at, and the wall clock then.
    pub last: (Moment, u64),
    /// How many steps were replayed.
    pub steps: usize,
    /// What follows the last good line.
    pub rest: Rest,
    pub(super) form: u32,
    pub(super) good: u64,
    pub(super) end: End,
}

/// What follows the last good line of a segment, or was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// A part of one line: the process died, or the power went, while it was written.
    Torn {
        /// How many bytes it has.
        bytes: usize,
    },
    /// A line that is whole and does not fit, and perhaps more of them: the file was changed or the disk is ill.
    Damaged {
        /// The number of the line.
        line: usize,
        /// Where it begins.
        byte: usize,
        /// How many lines there are from it on.
        lines: usize,
    },
    /// It was not asked for.
    Left,
}

/// Walks through a segment until its end, or until `see` has seen enough.
///
/// # Errors
/// When it cannot be read, or its first line cannot be understood.
pub fn walk(
    path: &Path,
    mut see: impl FnMut(&Replayed<'_>) -> ControlFlow<()>,
) -> Result<Walked, JournalError> {
    let bytes = fs::read(path).map_err(|error| disk(path, error))?;
    let mut lines = Lines { bytes: &bytes, good: 0, end: End::default() };
    let (form, at, wall_ms, engine) = first(&mut lines, path)?;
    let mut walked = Walked {
        began: engine.clone(),
        engine,
        last: (at, wall_ms),
        steps: 0,
        rest: Rest::Nothing,
        form,
        good: 0,
        end: End::default(),
    };
    loop {
        let byte = lines.good;
        let Some(Line::Step(step)) = lines.next() else {
            walked.rest = lines.rest(walked.steps + 2);
            break;
        };
        walked.steps += 1;
        walked.last = (step.at, step.wall_ms);
        let effects = walked.engine.step(step.at, &step.event);
        let line = walked.steps + 1;
        let seen = Replayed { line, byte, step: &step, effects: &effects, engine: &walked.engine };
        if see(&seen).is_break() {
            walked.rest = Rest::Left;
            break;
        }
    }
    walked.good = lines.good as u64;
    walked.end = lines.end;
    Ok(walked)
}

/// The wall clock when a segment began, in milliseconds since 1970.
///
/// # Errors
/// As [`walk`].
pub fn began(path: &Path) -> Result<u64, JournalError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| BufReader::new(file).read_until(b'\n', &mut bytes));
    read.map_err(|error| disk(path, error))?;
    let (_, _, wall_ms, _) = first(&mut Lines { bytes: &bytes, good: 0, end: End::default() }, path)?;
    Ok(wall_ms)
}

fn first(lines: &mut Lines<'_>, path: &Path) -> Result<(u32, Moment, u64, Engine), JournalError> {
    let form = |why: &str| JournalError::Form { path: path.to_owned(), why: why.to_owned() };
    match lines.next() {
        Some(Line::Snapshot { form: form @ (FORM | FORM_IN_FULL), at, wall_ms, engine }) => {
            Ok((form, at, wall_ms, *engine))
        }
        Some(Line::Snapshot { .. }) => Err(form("it was written by another version")),
        Some(Line::Step(_)) | None => Err(form("its first line is damaged")),
    }
}

/// The good lines of a segment, from its beginning.
struct Lines<'a> {
    bytes: &'a [u8],
    good: usize,
    end: End,
}

impl Lines<'_> {
    fn next(&mut self) -> Option<Line> {
        let rest = &self.bytes[self.good..];
        let end = rest.iter().position(|b| *b == b'\n')?;
        let (hex, written) = (rest.get(..LINK * 2)?, rest.get(LINK * 2 + 1..end)?);
        let (text, said) = self.end.terse.read(written)?;
        let link = link(self.end.link, &text);
        if HEXLOWER.encode(&link).as_bytes() != hex || rest[LINK * 2] != b' ' {
            return None;
        }
        let line = serde_json::from_slice(&text).ok()?;
        if let Line::Step(_) = line {
            self.end.terse.remember(said);
        }
        self.end.link = link;
        self.good += end + 1;
        Some(line)
    }

    /// What follows the last good line; the next would have this number.
    fn rest(&self, line: usize) -> Rest {
        let rest = &self.bytes[self.good..];
        let ends = rest.iter().filter(|b| **b == b'\n').count();
        match (rest.len(), ends) {
            (0, _) => Rest::Nothing,
            (bytes, 0) => Rest::Torn { bytes },
            (_, lines) => Rest::Damaged { line, byte: self.good, lines },
        }
    }
}
