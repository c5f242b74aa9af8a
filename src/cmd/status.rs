//! `hearth status`: what this machine is doing and why.
//!
//! Asks the roles that run here and shows what they say; never guesses for one that does not answer.

pub(super) mod agent;
mod watcher;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use super::print;
use crate::cli::StatusArgs;
use crate::config::{self, Config, Secrets};
use crate::failover::view::WatcherStatus;
use crate::host::control;
use crate::status::AgentStatus;

/// Asks the running roles and shows what they say. With `--json` the answer of one role is printed as it came, those of
/// two as an object with `agent` and `watcher`.
///
/// # Errors
/// When a role does not answer, and when the configuration that says where to ask cannot be read.
pub async fn run(config: &Path, args: &StatusArgs) -> anyhow::Result<()> {
    let sockets = match &args.socket {
        Some(socket) => vec![("hearth", socket.clone())],
        None => sockets(config::check(config, Secrets::Skip)?.config()),
    };
    let mut answers = Vec::new();
    let mut silent = Vec::new();
    for (role, socket) in &sockets {
        match ask(socket).await {
            Ok(answer) => answers.push((*role, answer)),
            Err(error) => silent.push(format!("{role}: {error:#}")),
        }
    }
    show(&answers, args)?;
    if silent.is_empty() { Ok(()) } else { Err(anyhow!(silent.join("\n"))) }
}

/// The roles of a configuration and where they answer.
fn sockets(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let agent = config.agent.iter().map(|agent| ("agent", agent.control.clone()));
    let watcher = config.watcher.iter().map(|watcher| ("watcher", watcher.control.clone()));
    agent.chain(watcher).collect()
}

async fn ask(socket: &Path) -> anyhow::Result<Value> {
    ask_for(socket, &json!({ "ask": "status" })).await
}

/// Asks a role something; its own refusal is an error as well.
pub(super) async fn ask_for(socket: &Path, question: &Value) -> anyhow::Result<Value> {
    let answer = control::ask(socket, question).await?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => bail!("{} answers: {error}", socket.display()),
        None => Ok(answer),
    }
}

fn show(answers: &[(&'static str, Value)], args: &StatusArgs) -> anyhow::Result<()> {
    match answers {
        [] => Ok(()),
        [(_, answer)] if args.json => print(&pretty(answer)?),
        several if args.json => {
            let object = several.iter().map(|(role, answer)| ((*role).to_owned(), answer.clone())).collect();
            print(&pretty(&Value::Object(object))?)
        }
        several => several.iter().try_for_each(|(_, answer)| print(&screen(answer)?)),
    }
}

fn pretty(answer: &Value) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(answer)?))
}

/// The screen of whichever role it is.
fn screen(answer: &Value) -> anyhow::Result<String> {
    if answer.get("node").is_some() {
        let status: AgentStatus = serde_json::from_value(answer.clone()).context(SAME_VERSION)?;
        return Ok(agent::screen(&status));
    }
    let status: WatcherStatus = serde_json::from_value(answer.clone()).context(SAME_VERSION)?;
    Ok(watcher::screen(&status))
}

pub(super) const SAME_VERSION: &str =
    "the status cannot be read; restart hearth if it was updated, so that both are one version";

/// One line: what it is about, and what there is to say.
pub(super) fn line(screen: &mut String, what: &str, text: &str) {
    screen.push_str(&format!("{what:<10}{text}\n"));
}

/// Milliseconds as people say them: `3 s`, `5 min`, `2 h`, `4 d`.
fn span(ms: u64) -> String {
    let s = Duration::from_millis(ms).as_secs();
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} d", s / 86_400),
    }
}

/// Texts with a comma between them, or a dash for none.
fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    if items.is_empty() { "-".to_owned() } else { items.join(", ") }
}
