//! The screen of a watcher.
//!
//! Never says more than the status does.

use super::{line, list, span};
use crate::failover::view::{FallbackStatus, NodeStatus, SiteStatus, WatcherStatus};

/// What happened is shown this far back.
const TIMELINE: usize = 8;

/// One screen: what the watcher has decided for each site and why.
pub(super) fn screen(status: &WatcherStatus) -> String {
    let mut screen = String::new();
    line(&mut screen, "watcher", &format!("hearth {}, up {}", status.version, span(status.uptime_ms)));
    line(&mut screen, "state", &state(status));
    if let Some(trouble) = &status.journal_trouble {
        line(&mut screen, "", &format!("no decision is carried out: {trouble}"));
    }
    status.sites.iter().for_each(|site| self::site(&mut screen, site));
    if !status.timeline.is_empty() {
        screen.push_str("\nlately\n");
    }
    for happened in status.timeline.iter().take(TIMELINE) {
        let site = happened.site.as_ref().map(|site| format!("{site}: ")).unwrap_or_default();
        screen.push_str(&format!("  {site}{}\n", happened.text));
    }
    screen
}

fn state(status: &WatcherStatus) -> String {
    let (answered, all) = status.references;
    match (status.isolated_for_ms, status.warming_up_for_ms) {
        (Some(ms), _) => {
            format!("cut off for {}: nothing is switched ({answered} of {all} references)", span(ms))
        }
        (None, Some(ms)) => format!("warming up: decides in {}", span(ms)),
        (None, None) => format!("watching ({answered} of {all} references answer)"),
    }
}

fn site(screen: &mut String, site: &SiteStatus) {
    let place = if site.on_fallback { "on the fallback" } else { "at home" };
    screen.push('\n');
    line(screen, "site", &format!("{}: {place}: {}", site.site, list(&site.in_force)));
    line(screen, "", &site.why);
    if let Some(pending) = &site.pending {
        let trouble = pending.trouble.as_ref().map(|t| format!(" ({t})")).unwrap_or_default();
        line(
            screen,
            "",
            &format!("being written for {}: {}{trouble}", span(pending.for_ms), list(&pending.sets)),
        );
    }
    for (what, text) in [("pinned", &site.pinned), ("cannot be read", &site.read_trouble)] {
        if let Some(text) = text {
            line(screen, "", &format!("{what}: {text}"));
        }
    }
    if let Some(ms) = site.frozen_for_ms {
        line(screen, "", &format!("changed by somebody else; left alone for another {}", span(ms)));
    }
    site.nodes.iter().for_each(|node| self::node(screen, node));
    site.fallback.iter().for_each(|fallback| self::fallback(screen, fallback));
}

fn node(screen: &mut String, node: &NodeStatus) {
    let beat = node.beat_ms_ago.map_or("no beat yet".to_owned(), |ms| format!("last beat {} ago", span(ms)));
    let published = if node.published { "published" } else { "not published" };
    line(screen, "  node", &format!("{}: {}, {published}, {beat}", node.node, node.why));
    if let Some(remark) = node.remark() {
        line(screen, "", &remark);
    }
}

fn fallback(screen: &mut String, fallback: &FallbackStatus) {
    line(screen, "  fallback", &format!(" {}: {}", fallback.address, fallback.state));
}
