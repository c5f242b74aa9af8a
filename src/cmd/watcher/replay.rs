//! `hearth watcher replay`: does the engine decide today what the journal says that it decided?

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::ReplayArgs;
use crate::cmd::print;
use crate::cmd::words::date;
use crate::config::{self, Secrets};
use crate::failover::event::Weight;
use crate::watcher::journal::Step;
use crate::watcher::journal::walk::Rest;
use crate::watcher::journal_directory;
use crate::watcher::replay::{Follows, SegmentReport, replay, story};

/// The exit code when a step is answered differently today.
const DIFFERS: u8 = 3;

/// The exit code when lines in the middle of a segment are damaged.
const DAMAGED: u8 = 4;

/// Replays, and says how it went.
///
/// # Errors
/// When the journal cannot be read, or there is none.
pub(super) fn run(config: &Path, args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let files = if args.files.is_empty() { vec![configured(config)?] } else { args.files.clone() };
    let mut told = Ok(());
    let reports = replay(&files, |step| {
        if args.story && told.is_ok() {
            told = tell(step);
        }
    })?;
    told?;
    if reports.is_empty() {
        bail!("there is no journal in {}", files[0].display());
    }
    for report in &reports {
        print(&screen(report))?;
    }
    Ok(verdict(&reports))
}

fn configured(config: &Path) -> anyhow::Result<std::path::PathBuf> {
    let checked = config::check(config, Secrets::Skip)?;
    let watcher = checked.config().watcher.as_ref();
    let watcher =
        watcher.with_context(|| format!("{} has no [watcher]; name the files", config.display()))?;
    Ok(journal_directory(&watcher.state))
}

fn verdict(reports: &[SegmentReport]) -> ExitCode {
    let damaged = |report: &SegmentReport| matches!(report.rest, Rest::Damaged { .. });
    if reports.iter().any(|report| report.differing > 0) {
        ExitCode::from(DIFFERS)
    } else if reports.iter().any(damaged) {
        ExitCode::from(DAMAGED)
    } else {
        ExitCode::SUCCESS
    }
}

fn tell(step: &Step) -> anyhow::Result<()> {
    for (site, weight, text) in story(step) {
        let site = site.map(|site| format!("{site}: ")).unwrap_or_default();
        let mark = match weight {
            Weight::Info => "",
            Weight::Warning => "warning: ",
            Weight::Alarm => "ALARM: ",
        };
        print(&format!("{}  {mark}{site}{text}\n", date(step.wall_ms)))?;
    }
    Ok(())
}

fn screen(report: &SegmentReport) -> String {
    let SegmentReport { file, ended_ms, steps, differing, .. } = report;
    let file = file.display();
    let mut screen = match &report.first {
        None => format!(
            "{file}: {steps} steps, each answered as it was written down; up to {}\n",
            date(*ended_ms)
        ),
        Some(first) => format!(
            "{file}: {differing} of {steps} steps are answered differently today; the first:\n  {file}:{}, byte {}, {}\n  \
             event    {}\n  written  {}\n  today    {}\n",
            first.line,
            first.byte,
            date(first.wall_ms),
            first.event,
            first.written,
            first.today
        ),
    };
    if report.follows == Follows::Anew {
        screen.push_str("  it does not go on where the file before it ends: what happened between them was not written down\n");
    }
    match report.rest {
        Rest::Nothing | Rest::Left => {}
        Rest::Torn { bytes } => {
            screen.push_str(&format!("  {bytes} bytes at its end are half a line: it was being written when the watcher died\n"));
        }
        Rest::Damaged { line, byte, lines } => screen.push_str(&format!(
            "  {file}:{line}, byte {byte}: DAMAGED: this line does not carry the hash of those before it; it and {} that \
             follow were not replayed\n",
            lines - 1
        )),
    }
    screen
}
