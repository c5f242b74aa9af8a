//! The status page: one HTML text made from the snapshot. PURE.
//!
//! It works without JavaScript, reloads itself, and is readable on a phone, in the light and in the dark; words carry
//! the meaning, colour only repeats it. Never holds a secret, and escapes everything that comes from outside.

use std::fmt::Write;

use crate::failover::event::Weight;
use crate::failover::view::{Happened, NodeStatus, SiteStatus, WatcherStatus};

/// Seconds between two reloads.
const RELOAD: u32 = 5;

/// How many things that happened are shown.
const SHOWN: usize = 40;

const STYLE: &str = "\
:root{color-scheme:light dark;--ok:#1a7f37;--bad:#b42318;--mid:#9a6700;--line:#8884}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
h1{font-size:1.3rem}h2{font-size:1.1rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem .3rem 0;\
border-bottom:1px solid var(--line);vertical-align:top}.scroll{overflow-x:auto}\
.ok{color:var(--ok)}.bad{color:var(--bad)}.mid{color:var(--mid)}\
code{font-size:.95em;overflow-wrap:anywhere}.state{font-weight:600}small{opacity:.8}\
@media(prefers-color-scheme:dark){:root{--ok:#4ac26b;--bad:#ff7b72;--mid:#d4a72c}}";

/// The page.
#[must_use]
pub fn html(status: &WatcherStatus) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"{RELOAD}\"><title>{}</title><style>{STYLE}</style></head><body>\
         <h1>hearth watcher</h1>",
        escape(&title(status))
    );
    watcher(&mut out, status);
    for site in &status.sites {
        section(&mut out, site);
    }
    timeline(&mut out, &status.timeline);
    let _ = write!(
        out,
        "<p><small>hearth {} · <a href=\"/status.json\">status.json</a></small></p>",
        escape(&status.version)
    );
    out.push_str("</body></html>\n");
    out
}

/// What a browser's tab says.
fn title(status: &WatcherStatus) -> String {
    let away = status.sites.iter().filter(|s| s.on_fallback).count();
    match (status.isolated_for_ms, away) {
        (Some(_), _) => "CUT OFF · hearth".to_owned(),
        (None, 0) => "home · hearth".to_owned(),
        (None, n) => format!("{n} on fallback · hearth"),
    }
}

fn watcher(out: &mut String, status: &WatcherStatus) {
    let (answered, asked) = status.references;
    let (class, text) = match (status.isolated_for_ms, status.warming_up_for_ms) {
        (Some(ms), _) => ("bad", format!("cut off for {}: nothing is decided", ago(ms))),
        (None, Some(ms)) => ("mid", format!("warming up: decides in {}", ago(ms))),
        (None, None) => ("ok", "deciding".to_owned()),
    };
    let _ = write!(
        out,
        "<p><span class=\"state {class}\">{text}</span>, up for {}; {answered} of {asked} references answer.</p>",
        ago(status.uptime_ms)
    );
    if let Some(trouble) = &status.journal_trouble {
        let _ = write!(out, "<p class=\"bad\">No decision is carried out: {}</p>", escape(trouble));
    }
}

fn section(out: &mut String, site: &SiteStatus) {
    let (class, state) = if site.on_fallback { ("mid", "on the fallback") } else { ("ok", "at home") };
    let _ =
        write!(out, "<h2>{} <span class=\"state {class}\">{state}</span></h2>", escape(site.site.as_str()));
    record(out, site);
    out.push_str(
        "<div class=\"scroll\"><table><tr><th>node<th>state<th>address<th>last beat<th>last look</tr>",
    );
    for node in &site.nodes {
        row(out, node);
    }
    out.push_str("</table></div><p>Fallback: ");
    let each = site.fallback.iter().map(|f| {
        let class = if f.state == "good" { "ok" } else { "bad" };
        let seen =
            f.good_ms_ago.map_or_else(|| "never seen good".to_owned(), |ms| format!("good {} ago", ago(ms)));
        format!("<code>{}</code> <span class=\"{class}\">{}</span> ({seen})", f.address, escape(&f.state))
    });
    out.push_str(&each.collect::<Vec<_>>().join("; "));
    out.push_str("</p>");
}

fn record(out: &mut String, site: &SiteStatus) {
    let sets =
        |sets: &[crate::dns::RdataSet]| sets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let in_force = if site.in_force.is_empty() { "nothing yet".to_owned() } else { sets(&site.in_force) };
    let _ = write!(out, "<p>In force: <code>{}</code><br>Why: {}", escape(&in_force), escape(&site.why));
    if let Some((agree, asked)) = site.confirmed {
        let _ = write!(out, "<br>{agree} of {asked} name servers answer with it (epoch {}).", site.epoch);
    }
    if let Some(pending) = &site.pending {
        let trouble = pending.trouble.as_deref().unwrap_or("not confirmed yet");
        let _ = write!(
            out,
            "<br><span class=\"mid\">On its way for {}: <code>{}</code>: {}</span>",
            ago(pending.for_ms),
            escape(&sets(&pending.sets)),
            escape(trouble)
        );
    }
    let remarks = [
        site.read_trouble.as_ref().map(|t| format!("The record could not be read: {t}")),
        site.pinned.as_ref().map(|p| format!("Override {p}")),
        site.frozen_for_ms.map(|ms| format!("Changed by somebody else; left alone for another {}", ago(ms))),
    ];
    for remark in remarks.into_iter().flatten() {
        let _ = write!(out, "<br><span class=\"mid\">{}</span>", escape(&remark));
    }
    for set in &site.rrsets {
        let _ = write!(
            out,
            "<br><small>{}: {} returns left this hour, a node must be steady for {}</small>",
            set.record_type,
            set.returns_left,
            ago(set.hold_ms)
        );
    }
    out.push_str("</p>");
}

fn row(out: &mut String, node: &NodeStatus) {
    let class = match () {
        () if node.health.is_up() => "ok",
        () if node.health.is_down() => "bad",
        () => "mid",
    };
    let published = if node.published { ", published" } else { "" };
    let since = |ms: Option<u64>| ms.map_or_else(|| "never".to_owned(), |ms| format!("{} ago", ago(ms)));
    let addresses: Vec<String> = node.targets.iter().map(|t| format!("<code>{}</code>", t.address)).collect();
    let looked = node.targets.iter().filter_map(|t| t.looked_ms_ago).max();
    let remark =
        node.remark().map(|r| format!("<br><span class=\"mid\">{}</span>", escape(&r))).unwrap_or_default();
    let _ = write!(
        out,
        "<tr><td>{}<td><span class=\"state {class}\">{}</span>{published}<br><small>{}</small>{remark}<td>{}<td>{}\
         <td>{}</tr>",
        escape(node.node.as_str()),
        node.health,
        escape(&node.why),
        addresses.join("<br>"),
        since(node.beat_ms_ago),
        since(looked)
    );
}

fn timeline(out: &mut String, happened: &[Happened]) {
    out.push_str("<h2>What happened</h2><div class=\"scroll\"><table>");
    for what in happened.iter().take(SHOWN) {
        let class = match what.weight {
            Weight::Info => "",
            Weight::Warning => "mid",
            Weight::Alarm => "bad",
        };
        let at =
            httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_millis(what.wall_ms));
        let site = what.site.as_ref().map(|s| escape(s.as_str())).unwrap_or_default();
        let text = escape(&what.text);
        let _ = write!(out, "<tr><td><small>{at}</small><td>{site}<td class=\"{class}\">{text}</tr>");
    }
    out.push_str("</table></div>");
}

/// A span in milliseconds, in words.
fn ago(ms: u64) -> String {
    crate::failover::lane::words(std::time::Duration::from_millis(ms))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let text = "<script>alert('x')</script>".to_owned();
        let happened = Happened { wall_ms: 0, site: None, weight: Weight::Alarm, text };
        let engine = crate::failover::engine::Engine::default();
        let start = crate::moment::Moment::START;
        let page = html(&engine.status(start, start, vec![happened]));
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(!page.contains("<script"));
    }
}
