//! Why a record is what it is, now and at a time, and a journal that is replayed by the binary that wrote it.

use std::time::{SystemTime, UNIX_EPOCH};

use hearth::failover::Shape;
use hearth::watcher::question::Told;

use super::person::{done, text};
use super::rig::Rig;
use crate::support::knot::Knot;
use crate::support::name_server::left_out;

fn wall_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// As `--at` takes it, to the millisecond.
fn date(wall_ms: u64) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(wall_ms).unwrap()).unwrap();
    at.to_string()
}

fn told(rig: &Rig, words: &[&str]) -> Told {
    let json: serde_json::Value =
        serde_json::from_str(&done(rig, &[&["failover", "why", "--json"], words].concat())).unwrap();
    serde_json::from_value(json["sites"][0].clone()).unwrap()
}

#[test]
fn the_journal_of_an_outage_replays_and_tells_how_it_stood_before_and_after() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::at_home(Shape::Address, &server);
    let before = wall_ms();
    rig.pi2.dies();
    rig.wait_for_record(&server, &rig.first());
    rig.settled();
    let after = wall_ms();

    let why = done(&rig, &["failover", "why"]);
    for shown in
        ["www.hearth.test", "pi2 left", "what would change it", "pi2 comes back after", "what led to it"]
    {
        assert!(why.contains(shown), "no `{shown}` in {why}");
    }
    let (then, now) = (told(&rig, &["--at", &date(before)]), told(&rig, &["--at", &date(after)]));
    let rrset = |told: &Told| told.explanation.rrsets[0].clone();
    assert!(rrset(&then).stands.contains(&rig.at(12).to_string()), "{then:?}");
    assert!(!rrset(&now).stands.contains(&rig.at(12).to_string()), "{now:?}");
    assert!(
        rrset(&now).because.contains("pi2 left") && !rrset(&then).because.contains("pi2 left"),
        "{then:?}"
    );
    let running = told(&rig, &["www.hearth.test"]);
    assert_eq!(rrset(&running).stands, rrset(&now).stands);

    rig.kill();
    let gone = rig.hearth(&["failover", "why"]);
    assert_eq!(gone.status.code(), Some(1), "{}", text(&gone));
    assert!(text(&gone).contains("--at"), "{}", text(&gone));
    assert_eq!(rrset(&told(&rig, &["--at", &date(after)])), rrset(&now), "the journal alone tells the same");
    let story = done(&rig, &["watcher", "replay", "--story"]);
    for shown in ["the watcher starts", "pi2 left", "in force", "each answered as it was written down"] {
        assert!(story.contains(shown), "no `{shown}` in {story}");
    }
}

#[test]
fn a_replay_says_by_its_exit_code_what_became_of_the_journal() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::new(Shape::Address, &server);
    let none = rig.hearth(&["watcher", "replay"]);
    assert_eq!(none.status.code(), Some(1), "{}", text(&none));
    rig.start();
    rig.wait_for_record(&server, &rig.both());
    rig.settled();
    rig.kill();
    let file = rig.state.join("journal/00000001.journal");
    let whole = std::fs::read(&file).unwrap();
    let replayed = |bytes: &[u8]| {
        let path = rig.path("copy.journal");
        std::fs::write(&path, bytes).unwrap();
        let output = rig.hearth(&["watcher", "replay", path.to_str().unwrap()]);
        (output.status.code(), text(&output))
    };
    let (code, said) = replayed(&whole);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = replayed(&whole[..whole.len() - 20]);
    assert!(code == Some(0) && said.contains("half a line"), "{code:?} {said}");
    let mut changed = whole.clone();
    let middle = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(20).unwrap().0;
    // Behind the hash, in what the line says: a short line says little.
    let said = middle + whole[middle..].iter().position(|byte| *byte == b' ').unwrap() + 2;
    changed[said] ^= 1;
    let (code, said) = replayed(&changed);
    assert!(code == Some(4) && said.contains(":22, byte") && said.contains("DAMAGED"), "{code:?} {said}");
}
