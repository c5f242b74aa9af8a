//! `hearth init`: makes this machine's key, writes a configuration with its reasons beside it, checks it, and says what
//! comes next.
//!
//! Never replaces a key, and a configuration only when told to; never asks where there is nobody to answer.

mod ask;
mod page;
mod place;
mod provider;

use std::io::IsTerminal;
use std::path::Path;
use std::{fmt, io};

use anyhow::Context;

use self::ask::Questions;
use self::page::{NodePage, WatcherPage};
use self::place::{Made, Place, Replace};
use self::provider::Account;
use super::print;
use crate::cli::InitArgs;
use crate::config::{self, Secrets};
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;

/// Sets this machine up with a configuration at `path`.
///
/// # Errors
/// When an answer is missing and nobody can be asked, a configuration is there already, a file cannot be written, or what
/// was written is not in order: then as a [`config::ConfigErrors`].
pub fn run(path: &Path, args: &InitArgs) -> anyhow::Result<()> {
    let replace = if args.replace { Replace::Wanted } else { Replace::Never };
    let place = Place::new(path, replace)?;
    let (mut input, mut output) = (io::stdin().lock(), io::stderr().lock());
    let mut questions = if io::stdin().is_terminal() {
        Questions::to(&mut input, &mut output)
    } else {
        Questions::to_nobody()
    };
    let report = if args.watcher {
        set_up_watcher(&place, args, &mut questions)?
    } else {
        set_up_node(&place, args, &mut questions)?
    };
    print(&report)
}

fn set_up_node(place: &Place, args: &InitArgs, ask: &mut Questions<'_>) -> anyhow::Result<String> {
    let name = ask.required("--name", "What is this node called?", args.name.clone(), place::host_name())?;
    let site = ask.required(
        "--site",
        "The name that visitors use, such as www.example.com?",
        args.site.clone(),
        None,
    )?;
    let root =
        ask.required("--root", "The directory of the site?", args.root.clone(), Some(page::ROOT.into()))?;
    let question =
        "The DNS name that this node keeps pointed at itself, such as pi1.example.com; empty for none?";
    let record = ask.optional(question, args.record.clone())?;
    let account = record.as_ref().map(|_| provider::account(args, ask)).transpose()?;
    let watcher = watcher(args, ask)?;

    let page = NodePage { name, site, root, record, account, watcher };
    let (key, made) = place.key("node.key")?;
    let written = place.write(&page.to_string(), page.account.as_ref(), made)?;
    let check = place.check(page.account.is_some())?;
    Ok(format!("{written}{check}\n{}{NODE_NEXT}", page::peer_lines(&page.name, &key, page.record.as_ref())))
}

fn set_up_watcher(place: &Place, args: &InitArgs, ask: &mut Questions<'_>) -> anyhow::Result<String> {
    let peers: Vec<(NodeName, VerifyingKey)> =
        args.peer.iter().map(|peer| (peer.name.clone(), peer.key)).collect();
    let site = ask.required(
        "--site",
        "The name that visitors use, such as www.example.com?",
        args.site.clone(),
        None,
    )?;
    let question = "Where visitors go when no node is up, such as user.github.io?";
    let fallback = ask.required("--fallback", question, args.fallback.clone(), None)?;
    let account = provider::account(args, ask)?;

    let page = WatcherPage { site, fallback, account, peers };
    let (key, made) = place.key("watcher.key")?;
    let written = place.write(&page.to_string(), Some(&page.account), made)?;
    let check = place.check(true)?;
    Ok(format!("{written}{check}\n{}{WATCHER_NEXT}", page::heartbeat_lines(&key)))
}

/// The watcher that a node beats to, if there is one yet.
fn watcher(args: &InitArgs, ask: &mut Questions<'_>) -> anyhow::Result<Option<(String, VerifyingKey)>> {
    let question = "The URL of the watcher, such as https://watch.example.net; empty for none yet?";
    let Some(url) = ask.optional(question, args.watcher_url.clone())? else { return Ok(None) };
    let question = "The watcher's public key, as its `hearth init` printed it?";
    let key = ask.required("--watcher-key", question, args.watcher_key, None)?;
    Ok(Some((url, key)))
}

const NODE_NEXT: &str = "
Start it, now and at every boot:
  systemctl enable --now hearth
  hearth status
";

const WATCHER_NEXT: &str = "
Each node's `hearth init` prints a [[peer]]: put it into the file here, and name it in [[watch]]. Then:
  systemctl enable --now hearth-watcher
  hearth status
";

impl Place {
    /// Reads what was written as the program will. `account`: whether it names a secret that a person must put there.
    fn check(&self, account: bool) -> anyhow::Result<String> {
        let waiting = account && self.secret_is_empty();
        let secrets = if waiting { Secrets::Skip } else { Secrets::Read };
        let checked = config::check(self.config(), secrets)?;
        let mut text = String::new();
        for warning in &checked.config().warnings {
            text += &format!("warning: {warning}\n");
        }
        text += &format!("{} is in order\n", self.config().display());
        if waiting {
            text += &format!(
                "\nPut the DNS provider's secret into {}, and nothing else; then run hearth check-config\n",
                self.secret().display()
            );
        }
        Ok(text)
    }

    /// Writes the configuration and the place for the provider's secret.
    fn write(&self, page: &str, account: Option<&Account>, key: Made) -> anyhow::Result<String> {
        let mut text = format!("{key}");
        if account.is_some() {
            text += &self.make_secret()?.to_string();
        }
        self.write_config(page).with_context(|| format!("{} cannot be written", self.config().display()))?;
        Ok(text + &format!("wrote {}\n", self.config().display()))
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Made::New(path) => writeln!(f, "made {}", path.display()),
            Made::Kept(path) => writeln!(f, "kept {}, which was there", path.display()),
        }
    }
}

/// The name of a node whose machine has this host name.
fn node_name(host: &str) -> Option<NodeName> {
    host.split('.').next()?.to_ascii_lowercase().parse().ok()
}

#[cfg(test)]
mod tests;
