use std::net::IpAddr;

use serde_json::{Value, json};

use super::*;
use crate::dns::{Rdata, RdataSet};
use crate::failover::engine::Engine;
use crate::failover::view::SiteStatus;
use crate::moment::Moment;
use crate::watcher::history::DAY_MS;

const NOW: u64 = 1_795_251_600_000;

fn set(addresses: &[&str]) -> Value {
    let rdata = addresses.iter().map(|text| Rdata::from(text.parse::<IpAddr>().unwrap()));
    serde_json::to_value(RdataSet::new(rdata).unwrap()).unwrap()
}

fn node(name: &str, address: &str, health: &str, why: &str, content: &str) -> Value {
    let up = health == "up";
    json!({
        "node": name, "health": health, "why": why, "beat_ms_ago": if up { 4_200 } else { 700_000 }, "published": up,
        "version": "0.1.0", "generation": "9f3c2a7d11", "content": content,
        "targets": [{
            "address": address, "proven": address, "health": health, "for_ms": if up { 431_000_000_u64 } else { 702_000 },
            "looked_ms_ago": 2_100, "failure": null
        }]
    })
}

/// One of two nodes is down, and what is live is not what is wanted.
fn site() -> SiteStatus {
    let live = set(&["203.0.113.7", "198.51.100.20"]);
    let wanted = set(&["203.0.113.7"]);
    serde_json::from_value(json!({
        "site": "www.example.com", "on_fallback": false, "in_force": [live], "why": "pi2 left: pi2 down: neither answers nor beats",
        "pending": { "epoch": 42, "sets": [wanted], "for_ms": 3_000, "trouble": "the provider answers 503 <b>" },
        "epoch": 42, "confirmed": [3, 4], "read_trouble": null, "pinned": "by uid-0 for another 3000 s: paint", "frozen_for_ms": null,
        "freeze": "by uid-0 for another 600 s: look first", "drains": { "pi2": "by uid-0 for another 60 s: new disk" },
        "witnesses": [{
            "witness": "pi1", "address": "198.51.100.20", "looked_ms_ago": 9_000, "up_ms_ago": null, "failures": 7
        }],
        "rrsets": [{
            "record_type": "A", "side": "home", "in_force": live, "written": live, "wanted": wanted,
            "why": "pi2 left: pi2 down", "for_ms": 702_000, "returns_left": 1, "hold_ms": 360_000
        }],
        "nodes": [
            node("pi1", "203.0.113.7", "up", "up", "current"),
            node("pi2", "198.51.100.20", "down-hard", "down: neither answers nor beats: no answer within 4 s", "stale"),
        ],
        "fallback": [
            { "address": "185.199.108.153", "state": "good", "good_ms_ago": 41_000 },
            { "address": "185.199.109.153", "state": "status 404", "good_ms_ago": 2_000_000 }
        ]
    }))
    .unwrap()
}

fn history() -> History {
    let minute = 60_000;
    let day = |n: u64| NOW - n * DAY_MS;
    let spans = |turns: &[(u64, &str)]| {
        let ends = turns.iter().skip(1).map(|(at, _)| json!(at)).chain([Value::Null]);
        let one = |((from, standing), to): (&(u64, &str), Value)| json!({ "from_ms": from, "to_ms": to, "standing": standing });
        Value::Array(turns.iter().zip(ends).map(one).collect())
    };
    let mut reconnects = vec![(day(30), "well")];
    for n in (1..30).rev().filter(|n| n % 3 != 0) {
        let at = day(n) + 14 * 60 * minute;
        reconnects.extend([(at, "dark"), (at + 4 * minute, "reduced"), (at + 7 * minute, "well")]);
    }
    let record = [
        (day(30), "well"),
        (day(22), "reduced"),
        (day(21), "away"),
        (day(21) + 300 * minute, "well"),
        (day(9), "dark"),
        (day(9) + 90 * minute, "well"),
        (day(4), "blind"),
        (day(4) + 40 * minute, "well"),
        (day(0) - 12 * minute, "reduced"),
    ];
    let pi2 = [
        (day(30), "well"),
        (day(22), "dark"),
        (day(21) + 310 * minute, "well"),
        (day(0) - 12 * minute, "dark"),
    ];
    serde_json::from_value(json!({
        "seen_ms": NOW,
        "sites": { "www.example.com": { "record": spans(&record), "nodes": { "pi1": spans(&reconnects), "pi2": spans(&pi2) } } }
    }))
    .unwrap()
}

fn status() -> WatcherStatus {
    let told = [
        (1, Weight::Info, "pi2 left: pi2 down: neither answers nor beats"),
        (2, Weight::Warning, "pi2 at 198.51.100.20: down: neither answers nor beats (no answer within 4 s)"),
        (700, Weight::Alarm, "no node is up: <script>alert('x')</script>"),
        (1_000, Weight::Info, "warmed up: decisions are made from now on"),
    ];
    let happened = |(minutes, weight, text): (u64, Weight, &str)| Happened {
        wall_ms: NOW - minutes * 60_000,
        site: Some("www.example.com".parse().unwrap()),
        weight,
        text: text.to_owned(),
    };
    let at = Moment::from_millis(1_900_000_000);
    let mut status = Engine::default().status(at, Moment::START, told.map(happened).to_vec());
    status.references = (3, 3);
    status.sites = vec![site()];
    status
}

fn page(status: &WatcherStatus) -> String {
    html(&Seen { status, history: &history(), wall_ms: NOW, zone: Zone::default() })
}

#[test]
fn it_tells_what_is_live_written_and_wanted_when_they_differ() {
    let text = page(&status());
    for shown in [
        "written last",
        "203.0.113.7",
        "pi2 left",
        "on its way for 3.0 s",
        "1 more this hour",
        "3 of 4 name servers",
        "differs",
    ] {
        assert!(text.contains(shown), "no `{shown}`");
    }
    let mut calm = status();
    calm.sites[0].rrsets[0].wanted = calm.sites[0].rrsets[0].in_force.clone();
    let text = page(&calm);
    assert!(text.contains("live, as written and wanted") && !text.contains("written last"));
}

#[test]
fn what_is_old_or_bad_is_told_in_words_beside_a_shape() {
    let text = page(&status());
    assert!(text.contains("11 min ago, <b>old</b>"), "a beat of eleven minutes ago is old");
    assert!(text.contains("33 min ago, <b>old</b>"), "and so is what a fallback looked like then");
    for state in ["</span> down", "</span> alarm", "</span> ready, 1 of 2 addresses", "</span> status 404"] {
        assert!(
            text.contains(&format!("<span aria-hidden=\"true\">■{state}"))
                || text.contains(&format!("▲{state}")),
            "{state}"
        );
    }
    for told in ["frozen by uid-0", "pi2 is drained by uid-0", "■</span> failed 7 times"] {
        assert!(text.contains(told), "no `{told}`");
    }
    assert!(text.contains("<title>a node is down · hearth</title>"));
    let cut = WatcherStatus { isolated_for_ms: Some(90_000), ..status() };
    let text = page(&cut);
    assert!(
        text.contains("<title>CUT OFF")
            && text.contains("cut off for 90 s")
            && text.contains("nothing is decided")
    );
}

#[test]
fn what_comes_from_outside_is_escaped() {
    let text = page(&status());
    assert!(text.contains("&lt;script&gt;alert(&#39;x&#39;)") && text.contains("503 &lt;b&gt;"));
    assert_eq!(text.matches("<script").count(), 1, "its own");
    assert_eq!(text.matches("style=").count(), 0, "the policy allows no style of an element's own");
}

#[test]
fn every_element_that_is_opened_is_closed_and_every_label_leads_somewhere() {
    let text = page(&status());
    let body = text.split("</style>").nth(1).unwrap().split("<script>").next().unwrap();
    for tag in [
        "table", "tr", "td", "th", "section", "figure", "svg", "g", "p", "span", "details", "ul", "ol", "li",
        "div", "h3",
    ] {
        let opened = body.matches(&format!("<{tag}>")).count() + body.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, body.matches(&format!("</{tag}>")).count(), "{tag}");
        assert!(opened > 0, "{tag} is looked for and not there");
    }
    for label in body.split("aria-labelledby=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(body.contains(&format!("id=\"{label}\"")), "{label}");
    }
}

#[test]
fn the_policy_names_the_style_and_the_script_by_their_hashes() {
    assert_eq!(CONTENT_SECURITY.matches("'sha256-").count(), 2);
    assert!(!CONTENT_SECURITY.contains("unsafe"));
    let text = page(&status());
    assert!(
        text.contains(&format!("<style>{STYLE}</style>"))
            && text.contains(&format!("<script>{SCRIPT}</script>"))
    );
}
