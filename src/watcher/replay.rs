//! The journal replayed: whether the engine decides the same today, what happened, and how things stood at a time.
//!
//! Reads beside the watcher that writes, and never writes itself. The functions here block.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::journal::walk::{Replayed, Rest, Walked, began, walk};
use super::journal::{JournalError, Step, files};
use super::question::Told;
use crate::dns::Name;
use crate::failover::engine::Engine;
use crate::failover::event::{Effect, Event, Weight};
use crate::failover::lane::words;
use crate::failover::view::Happened;

/// How many of the things that happened are kept for a look back.
const LATELY: usize = 400;

/// One segment as its replay went.
#[derive(Debug)]
pub struct SegmentReport {
    /// The file.
    pub file: PathBuf,
    /// The wall clock at its last good line, in milliseconds since 1970.
    pub ended_ms: u64,
    /// How many steps were replayed.
    pub steps: usize,
    /// How many of them the engine answers differently today.
    pub differing: usize,
    /// The first of these.
    pub first: Option<Difference>,
    /// What follows its last good line.
    pub rest: Rest,
    /// Whether it goes on where the one before it ended.
    pub follows: Follows,
}

/// How a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// It is the first that was replayed.
    Nothing,
    /// With the engine that the one before it ends with.
    On,
    /// With another: what happened between them was not written down, since the disk was full or a file is missing.
    Anew,
}

/// A step that the engine answers differently today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The number of its line, from 1.
    pub line: usize,
    /// Where the line begins, in bytes.
    pub byte: usize,
    /// The wall clock then, in milliseconds since 1970.
    pub wall_ms: u64,
    /// What happened, as the journal has it.
    pub event: String,
    /// What was written down.
    pub written: String,
    /// What the engine answers today.
    pub today: String,
}

/// Replays the segments in `paths`, files or directories of them, in that order; `tell` hears of every step.
///
/// # Errors
/// When one cannot be read, or its first line cannot be understood.
pub fn replay(paths: &[PathBuf], mut tell: impl FnMut(&Step)) -> Result<Vec<SegmentReport>, JournalError> {
    let mut reports: Vec<SegmentReport> = Vec::new();
    let mut before: Option<Engine> = None;
    for file in segments(paths)? {
        let (mut differing, mut first) = (0, None);
        let walked = walk(&file, |seen| {
            if !seen.agrees() {
                differing += 1;
                first.get_or_insert_with(|| Difference::of(seen));
            }
            tell(seen.step);
            ControlFlow::Continue(())
        })?;
        let Walked { began, engine, last, steps, rest, .. } = walked;
        let follows = match &before {
            None => Follows::Nothing,
            Some(before) if *before == began => Follows::On,
            Some(_) => Follows::Anew,
        };
        before = Some(engine);
        reports.push(SegmentReport { file, ended_ms: last.1, steps, differing, first, rest, follows });
    }
    Ok(reports)
}

/// A directory stands for its segments, the oldest first.
fn segments(paths: &[PathBuf]) -> Result<Vec<PathBuf>, JournalError> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() {
            all.extend(files(path)?);
        } else {
            all.push(path.clone());
        }
    }
    Ok(all)
}

impl Difference {
    fn of(seen: &Replayed<'_>) -> Self {
        Self {
            line: seen.line,
            byte: seen.byte,
            wall_ms: seen.step.wall_ms,
            event: json(&seen.step.event),
            written: json(&seen.step.effects),
            today: json(&seen.effects),
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}

/// What a step has of a story: what people did and were told, and what was decided. Most steps have nothing.
#[must_use]
pub fn story(step: &Step) -> Vec<(Option<&Name>, Weight, String)> {
    let event = match &step.event {
        Event::Started { setup, .. } => {
            Some((None, Weight::Info, format!("the watcher starts with {} sites", setup.sites.len())))
        }
        Event::Stalled(span) => {
            Some((None, Weight::Warning, format!("the watcher did not run for {}", words(*span))))
        }
        Event::Confirmed { site, epoch, agree, asked } => {
            let text = format!("{agree} of {asked} name servers answer with epoch {epoch}");
            Some((Some(site), Weight::Info, text))
        }
        Event::Tick
        | Event::Beat(_)
        | Event::Witnessed(_)
        | Event::Probed { .. }
        | Event::FallbackSeen { .. }
        | Event::References { .. }
        | Event::Read { .. }
        | Event::Written { .. }
        | Event::Command { .. } => None,
    };
    event.into_iter().chain(step.effects.iter().filter_map(told)).collect()
}

fn told(effect: &Effect) -> Option<(Option<&Name>, Weight, String)> {
    match effect {
        Effect::Note(note) => Some((note.site.as_ref(), note.weight, note.text.clone())),
        Effect::Write { site, epoch, sets, why } => {
            let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
            Some((
                Some(site),
                Weight::Info,
                format!("to be written (epoch {epoch}): {}: {why}", sets.join(", ")),
            ))
        }
        Effect::Abandon { site } => {
            Some((Some(site), Weight::Info, "what was to be written is given up".to_owned()))
        }
        Effect::Probe { .. }
        | Effect::LookAtFallback { .. }
        | Effect::LookAtReferences
        | Effect::Read { .. } => None,
    }
}

/// How things stood at a point in time.
#[derive(Debug)]
pub struct Stood {
    /// What is told of each site that was asked for and was watched then.
    pub told: Vec<Told>,
    /// How long before that the last line was written. Long: the watcher did not run.
    pub silent: Duration,
}

/// Why the records were what they were at `wall_ms`, in milliseconds since 1970, by the journal in `directory`; of
/// every site, or of one. None: the journal does not reach back so far.
///
/// # Errors
/// When it cannot be read.
pub fn at(directory: &Path, wall_ms: u64, site: Option<&Name>) -> Result<Option<Stood>, JournalError> {
    let Some(file) = segment_of(directory, wall_ms)? else { return Ok(None) };
    let mut engine = None;
    let mut happened = VecDeque::new();
    let walked = walk(&file, |seen| {
        if seen.step.wall_ms > wall_ms {
            return ControlFlow::Break(());
        }
        for effect in &seen.step.effects {
            if let Effect::Note(note) = effect {
                happened.push_front(Happened::of(seen.step.wall_ms, note.clone()));
                happened.truncate(LATELY);
            }
        }
        engine = Some((seen.engine.clone(), seen.step.at, seen.step.wall_ms));
        ControlFlow::Continue(())
    })?;
    let (engine, at, last_ms) = engine.unwrap_or((walked.began, walked.last.0, wall_ms));
    let silent = Duration::from_millis(wall_ms.saturating_sub(last_ms));
    let asked = |name: &&Name| site.is_none_or(|site| site == *name);
    let names: Vec<Name> = engine.names().filter(asked).cloned().collect();
    let now = (at + silent, wall_ms);
    let told = names.iter().filter_map(|name| Told::of(&engine, name, now, &happened)).collect();
    Ok(Some(Stood { told, silent }))
}

/// The newest segment that had begun by then. One that cannot be understood is passed over.
fn segment_of(directory: &Path, wall_ms: u64) -> Result<Option<PathBuf>, JournalError> {
    for file in files(directory)?.into_iter().rev() {
        match began(&file) {
            Ok(began) if began <= wall_ms => return Ok(Some(file)),
            Ok(_) | Err(JournalError::Form { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
