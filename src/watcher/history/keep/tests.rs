use super::*;
use crate::failover::Shape;
use crate::failover::engine::Engine;
use crate::failover::event::{Setup, SiteSetup};
use crate::policy::Policy;
use crate::watcher::history::{Span, Standing};
use crate::watcher::journal::{Journal, Step};

const T: u64 = 1_763_000_000_000;

fn setup() -> Setup {
    let site = SiteSetup {
        site: "www.example.com".parse().unwrap(),
        shape: Shape::Address,
        nodes: vec!["pi1".parse().unwrap()],
        hosts: Default::default(),
        fallback_name: None,
        fallback_addresses: vec!["192.0.2.20".parse().unwrap()],
        policy: Policy::default(),
    };
    Setup { sites: vec![site], references: 1 }
}

/// A journal of a watcher that finds the record on the fallback: cut off for a while, then back.
fn journal(state: &Path) -> Engine {
    let (mut journal, _) = Journal::open(&journal_directory(state)).unwrap();
    let mut engine = Engine::default();
    let away = || "192.0.2.20".parse::<std::net::IpAddr>().unwrap();
    let sets = vec![crate::dns::RdataSet::of(crate::dns::Rdata::from(away()))];
    let site = || "www.example.com".parse::<crate::dns::Name>().unwrap();
    let events = [
        (0, Event::Started { setup: setup(), seed: 1 }),
        (1, Event::Read { site: site(), started: Moment::START, result: Ok(sets), epoch: None }),
        (65, Event::Tick),
        (70, Event::References { answered: 0, asked: 1 }),
        (90, Event::References { answered: 1, asked: 1 }),
        (160, Event::Tick),
        (165, Event::Tick),
    ];
    for (second, event) in events {
        let (at, wall_ms) = (Moment::from_millis(second * 1_000), T + second * 1_000);
        let effects = engine.step(at, &event);
        journal.append(Step { at, wall_ms, event, effects }).unwrap();
    }
    journal.sync().unwrap();
    engine
}

fn track(history: &History) -> Vec<(u64, Standing)> {
    let site = history.site(&"www.example.com".parse().unwrap()).expect("the site is known");
    site.record.spans(history.seen_ms()).map(|(from, _, standing)| ((from - T) / 1_000, standing)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_it_is_made_from_the_journal_and_with_one_only_the_rest_is() {
    let directory = tempfile::tempdir().unwrap();
    journal(directory.path());
    let mut chronicle = Chronicle::open(directory.path());
    let told = track(&chronicle.history);
    let (blind, away) = (Standing::Blind, Standing::Away);
    assert!(told.contains(&(0, blind)) && told.contains(&(70, blind)), "{told:?}");
    assert_eq!(told.iter().filter(|(_, standing)| *standing == away).count(), 2, "{told:?}");
    assert_eq!(chronicle.history.seen_ms(), T + 160_000);
    chronicle.save();

    std::fs::remove_dir_all(journal_directory(directory.path())).unwrap();
    assert_eq!(track(&Chronicle::open(directory.path()).history), told, "the file alone tells the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_set_aside_and_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    journal(directory.path());
    let whole = Chronicle::open(directory.path());
    std::fs::write(directory.path().join("history.json"), "{").unwrap();
    assert_eq!(Chronicle::open(directory.path()).history, whole.history);
    let span = Span { from_ms: 1, to_ms: None, standing: Standing::Well };
    assert_eq!(serde_json::to_string(&span).unwrap(), r#"{"from_ms":1,"standing":"well"}"#);
}
