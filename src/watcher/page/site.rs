//! One site on the page: where visitors go and why, its nodes, its fallback, its month. PURE.

use std::fmt::Write;

use super::chart::{Month, Of, class};
use super::html::{Text, Tone, age, span, state};
use super::{Seen, notice};
use crate::dns::RdataSet;
use crate::failover::content::Freshness;
use crate::failover::view::{FallbackStatus, NodeStatus, RrsetStatus, SiteStatus, WitnessStatus};
use crate::liveness::Health;
use crate::watcher::history::{SiteHistory, Standing};

/// Beats and looks come every ten seconds: what is older than this says nothing of now.
const OLD_MS: u64 = 60_000;

/// The fallback is looked at every five minutes.
const OLD_FALLBACK_MS: u64 = 15 * 60_000;

/// How many times that were not well are listed.
const LISTED: usize = 40;

/// One site.
pub(super) fn section(out: &mut String, seen: &Seen<'_>, site: &SiteStatus, index: usize) {
    let (all, there) = (site.nodes.len(), site.nodes.iter().filter(|node| node.published).count());
    let where_to = match () {
        () if site.on_fallback => state(Tone::Bad, "on the fallback"),
        () if site.in_force.is_empty() => state(Tone::Calm, "not known yet"),
        () if there < all => state(Tone::Warn, format!("at home, {there} of {all} nodes")),
        () => state(Tone::Good, "at home"),
    };
    let _ = write!(
        out,
        "<section class=\"card\" aria-labelledby=\"site-{index}\"><div class=\"head\"><h2 id=\"site-{index}\">{}</h2>\
         {where_to}</div><p class=\"why\">{}</p>",
        Text(&site.site),
        Text(&site.why),
    );
    notices(out, site);
    record(out, site);
    nodes(out, site);
    fallback(out, site);
    witnesses(out, site);
    if let Some(history) = seen.history.site(&site.site) {
        months(out, seen, history, index);
    }
    out.push_str("</section>");
}

fn notices(out: &mut String, site: &SiteStatus) {
    if let Some(trouble) = &site.read_trouble {
        notice(out, Tone::Bad, &format!("the record could not be read: {trouble}"));
    }
    if let Some(drill) = &site.drill {
        notice(out, Tone::Warn, &format!("drill {}", drill.why));
    }
    if let Some(pinned) = &site.pinned {
        notice(out, Tone::Warn, &format!("override {pinned}"));
    }
    if let Some(freeze) = &site.freeze {
        notice(out, Tone::Warn, &format!("frozen {freeze}"));
    }
    for (node, word) in &site.drains {
        notice(out, Tone::Warn, &format!("{node} is drained {word}"));
    }
    if let Some(ms) = site.frozen_for_ms {
        let text = format!(
            "frozen: somebody else has changed the record; it is left alone for another {}",
            span(ms)
        );
        notice(out, Tone::Bad, &text);
    }
    if let Some(pending) = &site.pending {
        let trouble = pending.trouble.as_deref().unwrap_or("not confirmed yet");
        let sets: Vec<String> = pending.sets.iter().map(ToString::to_string).collect();
        notice(
            out,
            Tone::Warn,
            &format!("on its way for {}: {}: {trouble}", span(pending.for_ms), sets.join(", ")),
        );
    }
}

/// A table whose cells say on a narrow screen which column they are of.
fn table(out: &mut String, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    out.push_str("<table role=\"table\"><thead role=\"rowgroup\"><tr role=\"row\">");
    for column in columns {
        let _ = write!(out, "<th role=\"columnheader\" scope=\"col\">{column}</th>");
    }
    out.push_str("</tr></thead><tbody role=\"rowgroup\">");
    for row in rows {
        out.push_str("<tr role=\"row\">");
        for (index, (column, cell)) in columns.iter().zip(row).enumerate() {
            let _ = match index {
                0 => write!(out, "<th role=\"rowheader\" scope=\"row\">{cell}</th>"),
                _ => write!(out, "<td role=\"cell\" data-is=\"{column}\"><div>{cell}</div></td>"),
            };
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
}

fn record(out: &mut String, site: &SiteStatus) {
    if site.rrsets.is_empty() {
        return;
    }
    out.push_str("<h3>The record</h3>");
    let same = |rrset: &RrsetStatus| rrset.in_force == rrset.written && rrset.in_force == rrset.wanted;
    if site.rrsets.iter().all(same) {
        let columns = ["type", "live, as written and wanted", "since", "coming back"];
        table(out, &columns, site.rrsets.iter().map(|r| row(r, &[&r.in_force])));
    } else {
        let columns = ["type", "live", "written last", "wanted", "since", "coming back"];
        table(out, &columns, site.rrsets.iter().map(|r| row(r, &[&r.in_force, &r.written, &r.wanted])));
    }
    if let Some((agree, asked)) = site.confirmed {
        let word = if agree == asked {
            state(Tone::Good, format!("{agree} of {asked} name servers"))
        } else {
            state(Tone::Warn, format!("{agree} of {asked} name servers"))
        };
        let _ = write!(out, "<p class=\"soft\">{word} answered with it (epoch {}).</p>", site.epoch);
    }
}

fn row(rrset: &RrsetStatus, sets: &[&Option<RdataSet>]) -> Vec<String> {
    let budget =
        format!("{} more this hour, each after {} of steadiness", rrset.returns_left, span(rrset.hold_ms));
    let sets = sets.iter().map(|set| values(set.as_ref()));
    std::iter::once(rrset.record_type.to_string()).chain(sets).chain([span(rrset.for_ms), budget]).collect()
}

fn values(set: Option<&RdataSet>) -> String {
    let each: Vec<String> = set
        .into_iter()
        .flat_map(RdataSet::iter)
        .map(|rdata| format!("<code>{}</code>", Text(rdata.value())))
        .collect();
    if each.is_empty() { "<span class=\"soft\">nothing</span>".to_owned() } else { each.join("<br>") }
}

fn nodes(out: &mut String, site: &SiteStatus) {
    out.push_str("<h3>Nodes</h3>");
    let columns = ["node", "state", "since", "visitors", "address", "last beat", "last look", "serves"];
    table(out, &columns, site.nodes.iter().map(node));
}

fn node(node: &NodeStatus) -> Vec<String> {
    let tone = match () {
        () if node.health.is_up() => Tone::Good,
        () if node.health.is_down() => Tone::Bad,
        () if node.health == Health::Unknown => Tone::Calm,
        () => Tone::Warn,
    };
    let more = if node.why == node.health.to_string() {
        String::new()
    } else {
        format!("<p><small>{}</small></p>", Text(&node.why))
    };
    let each = |say: &dyn Fn(&crate::failover::view::TargetStatus) -> String| {
        let lines: Vec<String> = node.targets.iter().map(say).collect();
        if lines.is_empty() {
            "<span class=\"soft\">not said yet</span>".to_owned()
        } else {
            lines.join("<br>")
        }
    };
    let visitors =
        if node.published { state(Tone::Good, "sent here") } else { state(Tone::Calm, "not sent") };
    vec![
        Text(&node.node).to_string(),
        format!("{}{more}", state(tone, word(node.health))),
        each(&|target| format!("<span class=\"age\">{}</span>", span(target.for_ms))),
        visitors,
        each(&|target| format!("<code>{}</code>", target.address)),
        age(node.beat_ms_ago, OLD_MS),
        each(&|target| age(target.looked_ms_ago, OLD_MS)),
        content(node),
    ]
}

/// One word or two.
const fn word(health: Health) -> &'static str {
    match health {
        Health::Unknown => "not known",
        Health::Up => "up",
        Health::Degraded => "unsteady",
        Health::Suspect => "suspect",
        Health::DownHard | Health::DownGray => "down",
        Health::Recovering => "coming back",
        Health::Draining => "leaving",
    }
}

/// What it serves, and whether that is what was published last.
fn content(node: &NodeStatus) -> String {
    let digest = node.generation.as_ref().map(|digest| digest.chars().take(8).collect::<String>());
    let digest = digest.map_or_else(
        || "<span class=\"soft\">not said</span>".to_owned(),
        |d| format!("<code>{}</code>", Text(d)),
    );
    let fresh = match node.content {
        Freshness::Stale => format!(" {}", state(Tone::Warn, "differs")),
        Freshness::Current | Freshness::Unknown => String::new(),
    };
    let remark = node.remark().map(|r| format!("<p><small>{}</small></p>", Text(r))).unwrap_or_default();
    format!("{digest}{fresh}{remark}")
}

fn fallback(out: &mut String, site: &SiteStatus) {
    let good = site.fallback.iter().filter(|f| f.state == "good").count();
    let all = site.fallback.len();
    let ready = match good {
        0 => state(Tone::Bad, "not ready"),
        good if good < all => state(Tone::Warn, format!("ready, {good} of {all} addresses")),
        _ => state(Tone::Good, "ready"),
    };
    let _ = write!(out, "<h3>Fallback: {ready}</h3>");
    table(out, &["address", "state", "last seen good"], site.fallback.iter().map(place));
}

fn place(place: &FallbackStatus) -> Vec<String> {
    let told = if place.state == "good" { state(Tone::Good, "good") } else { state(Tone::Bad, &place.state) };
    let certificate =
        place.certificate().map(|text| format!("<br><small>{text}</small>")).unwrap_or_default();
    vec![
        format!("<code>{}</code>", place.address),
        told + &certificate,
        age(place.good_ms_ago, OLD_FALLBACK_MS),
    ]
}

/// What others saw of the same addresses.
fn witnesses(out: &mut String, site: &SiteStatus) {
    if site.witnesses.is_empty() {
        return;
    }
    out.push_str("<h3>Witnesses</h3>");
    let row = |seen: &WitnessStatus| {
        let told = match seen.failures {
            0 => state(Tone::Good, "got through"),
            1 => state(Tone::Warn, "failed once"),
            failures => state(Tone::Bad, format!("failed {failures} times")),
        };
        let address = format!("<code>{}</code>", seen.address);
        vec![Text(&seen.witness).to_string(), address, told, age(Some(seen.looked_ms_ago), OLD_FALLBACK_MS)]
    };
    table(out, &["witness", "looked at", "and", "last look"], site.witnesses.iter().map(row));
}

fn months(out: &mut String, seen: &Seen<'_>, history: &SiteHistory, index: usize) {
    let month = |track, of| Month { track, of, now_ms: seen.history.seen_ms(), zone: seen.zone };
    out.push_str("<h3>The last 30 days</h3><div class=\"months\">");
    let record = month(&history.record, Of::Site);
    figure(out, "where visitors were sent", &record);
    for (node, track) in &history.nodes {
        figure(out, node.as_str(), &month(track, Of::Node));
    }
    out.push_str("</div>");
    key(out);
    list(out, &record, index);
}

fn figure(out: &mut String, title: &str, month: &Month<'_>) {
    let (first, last) = month.ends();
    let _ = write!(
        out,
        "<figure><h4>{}</h4>{}<div class=\"ends\" aria-hidden=\"true\"><span>{first}</span><span>{last}</span></div>\
         <figcaption>{}.</figcaption></figure>",
        Text(title),
        month.svg(),
        Text(month.summary()),
    );
}

/// What the pictures mean.
fn key(out: &mut String) {
    let entries = [
        (Standing::Well, "as it should be"),
        (Standing::Reduced, "some nodes only; coming back"),
        (Standing::Away, "on the fallback; left on purpose"),
        (Standing::Dark, "down"),
        (Standing::Blind, "not known"),
    ];
    out.push_str("<ul class=\"key\">");
    for (standing, word) in entries {
        let (left, wide) = super::chart::extent(standing);
        let _ = write!(
            out,
            "<li><svg viewBox=\"0 0 12 10\" aria-hidden=\"true\"><rect class=\"{}\" x=\"{left}\" y=\"0\" width=\"{wide}\" \
             height=\"10\"/></svg>{word}</li>",
            class(standing)
        );
    }
    out.push_str(
        "<li><svg viewBox=\"0 0 12 10\" aria-hidden=\"true\"><path class=\"switch\" d=\"M0 5h12\"/></svg>visitors were \
         sent elsewhere</li><li>a column is a day, midnight at its top; nothing drawn: nobody watched</li></ul>",
    );
}

/// The same in words, the newest first.
fn list(out: &mut String, month: &Month<'_>, index: usize) {
    let mut spans: Vec<_> =
        month.spans().filter(|span| !matches!(span.2, Standing::Well | Standing::Blind)).collect();
    let count = spans.len();
    if count == 0 {
        return;
    }
    spans.reverse();
    let _ = write!(out, "<details id=\"list-{index}\"><summary>In words: {count} times</summary>");
    let row = |(from, to, standing): &(u64, u64, Standing)| {
        let tone = match standing {
            Standing::Well => Tone::Good,
            Standing::Reduced | Standing::Away => Tone::Warn,
            Standing::Dark => Tone::Bad,
            Standing::Blind => Tone::Calm,
        };
        vec![month.zone.date(*from), span(to.saturating_sub(*from)), state(tone, month.of.word(*standing))]
    };
    table(out, &["from", "for", "what"], spans.iter().take(LISTED).map(row));
    if count > LISTED {
        let _ = write!(
            out,
            "<p class=\"soft\">and {} before these; all are in history.json.</p>",
            count - LISTED
        );
    }
    out.push_str("</details>");
}
