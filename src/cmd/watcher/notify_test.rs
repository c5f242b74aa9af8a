//! `hearth watcher notify-test`: one message on every way, and what came back.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cmd::print;
use crate::config;
use crate::host::time::Timeline;
use crate::notify::Message;
use crate::notify::run::notifiers;

/// Sends a test message on every way, one after another.
///
/// # Errors
/// When the configuration has no watcher or no ways, or a way did not take it.
pub(super) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let config = config::load(path)?;
    let watcher = config.watcher.with_context(|| format!("{} has no [watcher]", path.display()))?;
    if watcher.notify.is_empty() {
        bail!("nobody is told anything: {} has no `notify` in [watcher]", path.display());
    }
    let line = Timeline::start(None);
    let message = Message::test(watcher.name.as_str(), line.wall_ms());
    let mut missed = 0;
    for way in notifiers(&watcher.notify, line).1 {
        let told = match way.try_once(&message).await {
            Ok(said) => format!("taken: {said}"),
            Err(why) => {
                missed += 1;
                format!("NOT TAKEN: {why}")
            }
        };
        print(&format!("{}: {told}\n", way.label()))?;
    }
    match missed {
        0 => Ok(ExitCode::SUCCESS),
        missed => bail!("{missed} of {} did not take it", watcher.notify.len()),
    }
}
