use super::*;
use crate::dns::{Rdata, RdataSet};
use crate::failover::engine::Engine;
use crate::moment::Moment;

const T: u64 = 1_763_000_000_000;

/// A site with two nodes that look like that; who is down is not published.
fn status(healths: [Health; 2], on_fallback: bool) -> WatcherStatus {
    let node = |(name, health): (&str, Health)| {
        serde_json::json!({
            "node": name, "health": health, "why": "", "beat_ms_ago": 1, "published": !health.is_down(), "version": "1",
            "generation": null, "targets": []
        })
    };
    let address: std::net::IpAddr = "192.0.2.1".parse().unwrap();
    let nodes: Vec<_> = ["pi1", "pi2"].into_iter().zip(healths).map(node).collect();
    let site = serde_json::json!({
        "site": "www.example.com", "on_fallback": on_fallback, "in_force": [RdataSet::of(Rdata::from(address))],
        "pending": null, "why": "", "epoch": 1, "confirmed": null, "read_trouble": null, "pinned": null,
        "frozen_for_ms": null, "rrsets": [], "nodes": nodes,
        "fallback": []
    });
    let mut status = Engine::default().status(Moment::START, Moment::START, Vec::new());
    status.sites = vec![serde_json::from_value(site).unwrap_or_else(|e| panic!("{e}"))];
    status
}

fn site() -> Name {
    "www.example.com".parse().unwrap()
}

fn spans(history: &History) -> Vec<(u64, u64, Standing)> {
    let spans = history.site(&site()).unwrap().record.spans(history.seen_ms());
    spans.map(|(from, to, standing)| (from - T, to - T, standing)).collect()
}

use Health::{DownHard, Suspect, Up};

#[test]
fn a_month_of_calm_is_one_span() {
    let mut history = History::default();
    for minute in 0..30 * 24 * 60 {
        assert_eq!(history.see(T + minute * 60_000, &status([Up, Up], false)), []);
    }
    assert_eq!(spans(&history), [(0, 30 * DAY_MS - 60_000, Standing::Well)]);
}

#[test]
fn what_stands_otherwise_is_a_turn_and_a_span() {
    let mut history = History::default();
    let mut see = |at: u64, healths, away| {
        let turns = history.see(T + at, &status(healths, away));
        turns.into_iter().map(|t| (t.node.map(|n| n.to_string()), t.to, t.after_ms)).collect::<Vec<_>>()
    };
    let (pi1, pi2) = (|| Some("pi1".to_owned()), || Some("pi2".to_owned()));
    assert_eq!(see(0, [Up, Up], false), []);
    assert_eq!(see(10_000, [Suspect, Up], false), [], "one failed look is no turn");
    assert_eq!(
        see(20_000, [DownHard, Up], false),
        [(None, Standing::Reduced, 0), (pi1(), Standing::Dark, 0)]
    );
    assert_eq!(
        see(40_000, [DownHard, DownHard], true),
        [(None, Standing::Away, 20_000), (pi2(), Standing::Dark, 0)]
    );
    let back = see(50_000, [Up, Up], false);
    assert_eq!(
        back,
        [(None, Standing::Well, 30_000), (pi1(), Standing::Well, 30_000), (pi2(), Standing::Well, 10_000)]
    );
    assert_eq!(
        spans(&history),
        [
            (0, 20_000, Standing::Well),
            (20_000, 40_000, Standing::Reduced),
            (40_000, 50_000, Standing::Away),
            (50_000, 50_000, Standing::Well)
        ]
    );
}

#[test]
fn a_time_in_which_nobody_looked_is_in_no_span() {
    let mut history = History::default();
    history.see(T, &status([Up, Up], false));
    history.see(T + 30_000, &status([Up, Up], false));
    assert_eq!(history.see(T + 500_000, &status([Up, Up], false)), [], "nothing turned");
    assert_eq!(spans(&history), [(0, 30_000, Standing::Well), (500_000, 500_000, Standing::Well)]);
}

#[test]
fn a_watcher_that_is_cut_off_tells_of_no_turn_and_goes_on_from_what_it_knew() {
    let mut history = History::default();
    history.see(T, &status([Up, Up], false));
    let cut = WatcherStatus { isolated_for_ms: Some(1), ..status([DownHard, DownHard], false) };
    assert_eq!(history.see(T + 1_000, &cut), []);
    assert_eq!(history.see(T + 2_000, &status([Up, Up], false)), []);
    let turns = history.see(T + 3_000, &status([Up, Up], true));
    assert_eq!(turns.iter().map(|t| (t.from, t.to)).collect::<Vec<_>>(), [(Standing::Well, Standing::Away)]);
    assert_eq!(spans(&history)[1], (1_000, 2_000, Standing::Blind));
}

#[test]
fn what_is_older_than_its_reach_is_forgotten_and_no_flood_outgrows_it() {
    let mut history = History::default();
    for n in 0..5_000 {
        let health = if n % 2 == 0 { Up } else { DownHard };
        history.see(T + n * 1_000, &status([health, Up], false));
    }
    let count =
        |history: &History| history.site(&site()).unwrap().nodes[&"pi1".parse().unwrap()].spans(0).count();
    assert_eq!(count(&history), MOST);
    history.see(T + REACH_MS + 6_000_000, &status([Up, Up], false));
    assert_eq!(count(&history), 1);
}

#[test]
fn a_clock_that_is_set_back_adds_nothing() {
    let mut history = History::default();
    history.see(T + 10_000, &status([Up, Up], false));
    assert_eq!(history.see(T, &status([Up, Up], true)), []);
    assert_eq!(spans(&history), [(10_000, 10_000, Standing::Well)]);
}

#[test]
fn it_is_written_and_read_as_the_same() {
    let mut history = History::default();
    history.see(T, &status([Up, Up], false));
    history.see(T + 1_000, &status([DownHard, Up], false));
    let json = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history, "{json}");
    assert!(json.contains(r#""standing":"dark""#), "{json}");
}
