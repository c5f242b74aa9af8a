//! `hearth failover why`: why a record is what it is, on which evidence, and what would change it.
//!
//! Now, by the watcher that runs here; or at a time, by its journal. Never changes anything.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use crate::cli::FailoverWhyArgs;
use crate::cmd::print;
use crate::cmd::words::date;
use crate::config::{WatcherConfig, time_in_words};
use crate::failover::lane::words;
use crate::failover::why::{Explanation, RrsetWhy};
use crate::host::control::{self, ControlError};
use crate::host::time::{wall_clock, wall_of};
use crate::watcher::journal_directory;
use crate::watcher::question::{Question, Told};
use crate::watcher::replay::{self, Stood};

/// The exit code when the journal does not reach back so far.
const TOO_LONG_AGO: u8 = 3;

/// A journal that ends longer than this before the time that is asked for was not being written then.
const SILENT: Duration = Duration::from_secs(60);

/// Tells why.
///
/// # Errors
/// When the site is not one of the configuration, or it cannot be found out.
pub(super) async fn run(watcher: &WatcherConfig, args: &FailoverWhyArgs) -> anyhow::Result<ExitCode> {
    if let Some(site) = args.site.as_ref().filter(|site| watcher.watches.iter().all(|w| w.site != **site)) {
        let known: Vec<String> = watcher.watches.iter().map(|w| w.site.to_string()).collect();
        bail!("`{site}` is not a site of this configuration; these are: {}", known.join(", "));
    }
    let stood = match &args.at {
        None => now(watcher, args).await?,
        Some(at) => match then(watcher, args, at)? {
            Some(stood) => stood,
            None => {
                print("the journal does not reach back so far\n")?;
                return Ok(ExitCode::from(TOO_LONG_AGO));
            }
        },
    };
    if args.json {
        let silent_ms = u64::try_from(stood.silent.as_millis()).unwrap_or(u64::MAX);
        let answer = json!({ "sites": stood.told, "silent_ms": silent_ms });
        print(&format!("{}\n", serde_json::to_string_pretty(&answer)?))?;
    } else {
        print(&screen(&stood))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn now(watcher: &WatcherConfig, args: &FailoverWhyArgs) -> anyhow::Result<Stood> {
    let question = Question::Why(args.site.clone());
    let answer = match control::ask(&watcher.control, &question.to_value()).await {
        Err(error @ ControlError::NotRunning(_)) => {
            return Err(error).context("`--at TIME` asks the journal instead, as in `--at 10m`");
        }
        answer => answer?,
    };
    if let Some(refusal) = answer.get("error").and_then(|e| e.as_str()) {
        bail!("the watcher answers: {refusal}");
    }
    let told: Vec<Told> = serde_json::from_value(answer).context("the watcher is of another version")?;
    Ok(Stood { told, silent: Duration::ZERO })
}

fn then(watcher: &WatcherConfig, args: &FailoverWhyArgs, at: &str) -> anyhow::Result<Option<Stood>> {
    let ago = || Some(wall_clock() - time_in_words(at).ok()?);
    let since_1970 = |wall: std::time::SystemTime| wall.duration_since(std::time::UNIX_EPOCH).ok();
    let relative = ago().and_then(since_1970).and_then(|span| u64::try_from(span.as_millis()).ok());
    let wall_ms = wall_of(at).or(relative).with_context(|| {
        format!("`{at}` is not a time; write how long ago, such as 90m, or \"2026-11-20 21:04:30\"")
    })?;
    let directory = journal_directory(&watcher.state);
    if !directory.exists() {
        bail!("there is no journal in {}: no watcher has run here yet", directory.display());
    }
    Ok(replay::at(&directory, wall_ms, args.site.as_ref())?)
}

fn screen(stood: &Stood) -> String {
    let mut screen = String::new();
    if stood.silent > SILENT {
        put(
            &mut screen,
            format_args!(
                "the journal says nothing for {} before that: the watcher did not run, or could not write\n",
                words(stood.silent)
            ),
        );
    }
    if stood.told.is_empty() {
        put(&mut screen, "nothing was watched then");
    }
    for (index, told) in stood.told.iter().enumerate() {
        if index > 0 {
            screen.push('\n');
        }
        site(&mut screen, told);
    }
    screen
}

fn site(screen: &mut String, told: &Told) {
    let Explanation { site, held, rrsets } = &told.explanation;
    put(screen, format_args!("{site}, {}", date(told.wall_ms)));
    section(screen, "held back", held);
    if rrsets.is_empty() {
        put(screen, "  nothing has been decided yet");
    }
    for RrsetWhy { stands, because, evidence, changes } in rrsets {
        put(screen, format_args!("\n  {stands}"));
        put(screen, format_args!("    because  {because}"));
        section(screen, "what is known", evidence);
        section(screen, "what would change it", changes);
    }
    if !told.lately.is_empty() {
        put(screen, "\n  what led to it, the newest first");
    }
    for happened in &told.lately {
        put(screen, format_args!("    {}  {}", date(happened.wall_ms), happened.text));
    }
}

fn section(screen: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        put(screen, format_args!("    {title}"));
    }
    lines.iter().for_each(|line| put(screen, format_args!("      - {line}")));
}

fn put(screen: &mut String, line: impl std::fmt::Display) {
    writeln!(screen, "{line}").expect("a String takes everything");
}
