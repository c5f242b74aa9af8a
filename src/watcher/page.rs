//! The status page: one HTML text made from what is known now and of the last weeks. PURE.
//!
//! It works without JavaScript, which then reloads it; with it, it renews itself in place and says so when it cannot.
//! Words and shapes carry the meaning, colour repeats it. Never holds a secret, changes nothing, asks nobody else for
//! anything, and escapes everything that comes from outside.

mod chart;
mod html;
mod site;

use std::fmt::Write;
use std::sync::LazyLock;

use data_encoding::BASE64;
use ring::digest::{SHA256, digest};

pub use self::html::Zone;

use self::html::{Text, Tone, span, state};
use super::history::History;
use crate::failover::event::Weight;
use crate::failover::view::{Happened, WatcherStatus};

/// How many things that happened are shown.
const SHOWN: usize = 60;

/// Seconds between two reloads of a browser that runs no scripts.
const RELOAD: u32 = 10;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/live.js");

/// What the page is allowed to do (CSP 3): its own style and its own script, known by their hashes, and to ask this
/// watcher again. Nothing from elsewhere, no frame, no form: it shows texts that strangers may have written.
pub static CONTENT_SECURITY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| BASE64.encode(digest(&SHA256, text.as_bytes()).as_ref());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

/// What the page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What is known now.
    pub status: &'a WatcherStatus,
    /// What is known of the last weeks.
    pub history: &'a History,
    /// When that was, in milliseconds since 1970.
    pub wall_ms: u64,
    /// The clock that dates are shown by.
    pub zone: Zone,
}

/// The page.
#[must_use]
pub fn html(seen: &Seen<'_>) -> String {
    let (tone, title) = title(seen.status);
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <noscript><meta http-equiv=\"refresh\" content=\"{RELOAD}\"></noscript>\
         <title>{title} · hearth</title><link rel=\"icon\" href=\"{}\"><style>{STYLE}</style></head><body>\
         <a class=\"skip\" href=\"#now\">To the state of the sites</a>{DEFINITIONS}",
        icon(tone)
    );
    header(&mut out, seen);
    out.push_str("<main id=\"now\">");
    trouble(&mut out, seen.status);
    seen.status.sites.iter().enumerate().for_each(|(index, one)| site::section(&mut out, seen, one, index));
    log(&mut out, seen);
    out.push_str("</main>");
    footer(&mut out, seen);
    let _ = writeln!(out, "<script>{SCRIPT}</script></body></html>");
    out
}

/// The hatching of a time on the fallback; every picture refers to it.
const DEFINITIONS: &str = "<svg class=\"defs\" aria-hidden=\"true\"><defs><pattern id=\"hatch\" width=\"4\" height=\"4\" \
                           patternUnits=\"userSpaceOnUse\"><rect width=\"4\" height=\"4\"/>\
                           <path d=\"M-1 5L5 -1M-1 1L1 -1M3 5L5 3\"/></pattern></defs></svg>";

/// What a browser's tab says.
fn title(status: &WatcherStatus) -> (Tone, String) {
    let away = status.sites.iter().filter(|s| s.on_fallback).count();
    let down = status.sites.iter().flat_map(|s| &s.nodes).filter(|node| node.health.is_down()).count();
    match (status.isolated_for_ms, away, down) {
        (Some(_), ..) => (Tone::Bad, "CUT OFF".to_owned()),
        (None, 0, 0) => (Tone::Good, "all at home".to_owned()),
        (None, 0, 1) => (Tone::Warn, "a node is down".to_owned()),
        (None, 0, n) => (Tone::Warn, format!("{n} nodes are down")),
        (None, 1, _) => (Tone::Bad, "on the fallback".to_owned()),
        (None, n, _) => (Tone::Bad, format!("{n} sites on the fallback")),
    }
}

/// A picture for the tab, by shape as well.
fn icon(tone: Tone) -> String {
    let shape = match tone {
        Tone::Good => "<circle cx='8' cy='8' r='6' fill='%23176f2c'/>",
        Tone::Warn => "<path d='M8 1L15 14H1Z' fill='%23d99a1f'/>",
        Tone::Bad => "<rect x='2' y='2' width='12' height='12' fill='%23c4281c'/>",
        Tone::Calm => "<circle cx='8' cy='8' r='5' fill='none' stroke='%2357606a' stroke-width='2'/>",
    };
    format!("data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{shape}</svg>")
        .replace('<', "%3C")
        .replace('>', "%3E")
}

fn header(out: &mut String, seen: &Seen<'_>) {
    let status = seen.status;
    let (answered, asked) = status.references;
    let now = match (status.isolated_for_ms, status.warming_up_for_ms) {
        (Some(ms), _) => state(Tone::Bad, format!("cut off for {}", span(ms))),
        (None, Some(ms)) => state(Tone::Warn, format!("warming up, decides in {}", span(ms))),
        (None, None) => state(Tone::Good, "watching and deciding"),
    };
    let references = match asked {
        0 => "no references are configured".to_owned(),
        _ => format!("{answered} of {asked} references answer"),
    };
    let _ = write!(
        out,
        "<header><h1>hearth watcher</h1><p>{now}</p><p class=\"soft\">{references} · up for {} · as of {} {}</p></header>",
        span(status.uptime_ms),
        seen.zone.date(seen.wall_ms),
        seen.zone.name(),
    );
}

/// What concerns the watcher as a whole.
fn trouble(out: &mut String, status: &WatcherStatus) {
    if status.isolated_for_ms.is_some() {
        notice(
            out,
            Tone::Bad,
            "The watcher itself is cut off: nothing is decided, and what is below is not what visitors meet.",
        );
    }
    if let Some(trouble) = &status.journal_trouble {
        notice(out, Tone::Bad, &format!("No decision is carried out: {trouble}"));
    }
}

/// Something that should be read first.
fn notice(out: &mut String, tone: Tone, text: &str) {
    let (class, word) = match tone {
        Tone::Bad => ("bad", state(tone, "alarm")),
        Tone::Good | Tone::Warn | Tone::Calm => ("warn", state(tone, "note")),
    };
    let _ = write!(out, "<p class=\"notice {class}\">{word}: {}</p>", Text(text));
}

fn log(out: &mut String, seen: &Seen<'_>) {
    out.push_str(
        "<section class=\"card\" aria-labelledby=\"log\"><h2 id=\"log\">What happened</h2><ol class=\"log\">",
    );
    seen.status.timeline.iter().take(SHOWN).for_each(|what| line(out, seen, what));
    if seen.status.timeline.is_empty() {
        out.push_str("<li><p>nothing yet</p></li>");
    }
    out.push_str("</ol></section>");
}

fn line(out: &mut String, seen: &Seen<'_>, what: &Happened) {
    let weight = match what.weight {
        Weight::Info => String::new(),
        Weight::Warning => state(Tone::Warn, "warning") + ": ",
        Weight::Alarm => state(Tone::Bad, "alarm") + ": ",
    };
    let site = match &what.site {
        Some(site) if seen.status.sites.len() > 1 => format!("<b>{}</b>: ", Text(site)),
        Some(_) | None => String::new(),
    };
    let (date, text) = (seen.zone.date(what.wall_ms), Text(&what.text));
    let _ = write!(out, "<li><span class=\"when\">{date}</span><p>{weight}{site}{text}</p></li>");
}

fn footer(out: &mut String, seen: &Seen<'_>) {
    let _ = write!(
        out,
        "<footer><p>hearth {} · times in {} · <a href=\"/status.json\">status.json</a> · \
         <a href=\"/history.json\">history.json</a> · <a href=\"/metrics\">metrics</a></p></footer>",
        Text(&seen.status.version),
        seen.zone.name(),
    );
}

#[cfg(test)]
mod tests;
