//! `hearth dns why`: what a person is told of the decisions on a name, by a running agent and by what it left.

use std::collections::BTreeSet;
use std::time::SystemTime;

use hearth::dns::change::change;
use hearth::dns::plan::{Desired, Scope};
use hearth::dns::provider::{Provider, ProviderSettings, Rfc2136Settings};
use hearth::dns::{Owner, Rdata, RdataSet, Ttl};
use hearth::status::{RecordState, RecordStatus};
use serde_json::Value;

use super::rig::{Rig, text};
use crate::support::knot::Knot;
use crate::support::name_server::left_out;

fn in_force(record: &RecordStatus) -> bool {
    record.state == RecordState::InForce
}

/// What it says of pi1's name, with this exit code.
#[track_caller]
fn why(rig: &Rig, code: i32) -> String {
    let told = rig.hearth(&["dns", "why", "pi1.hearth.test"]);
    assert_eq!(told.status.code(), Some(code), "{}", text(&told));
    text(&told)
}

#[track_caller]
fn decisions(rig: &Rig) -> (String, Vec<Value>) {
    let told = rig.hearth(&["dns", "why", "pi1.hearth.test", "--json"]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told));
    let answer: Value = serde_json::from_slice(&told.stdout).unwrap();
    let decisions = answer["agent"]["decisions"].as_array().unwrap();
    let decisions = decisions.iter().map(|told| told["decision"].clone()).collect();
    (answer["agent"]["from"].as_str().unwrap().to_owned(), decisions)
}

/// Takes a record away behind everybody's back.
fn take_away(settings: &Rfc2136Settings, rdata: &str) {
    let (name, rdata) = ("pi1.hearth.test".parse().unwrap(), rdata.parse::<Rdata>().unwrap());
    let provider = Provider::new(&ProviderSettings::Rfc2136(settings.clone()), SystemTime::now).unwrap();
    let leaves = Desired {
        name,
        owner: Owner::new("pi1"),
        ttl: Ttl::from_secs(60),
        epoch: None,
        scope: Scope::Member,
        lines: BTreeSet::new(),
        sets: vec![RdataSet::of("AAAA 2001:db8::1".parse().unwrap())],
        retire: BTreeSet::from([rdata.record_type()]),
        mine: BTreeSet::new(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(change(&provider, &leaves, |_| async { Ok(()) })).unwrap();
}

#[test]
fn a_write_is_told_with_its_evidence_by_the_agent_and_after_it_is_gone() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    assert!(why(&rig, 3).contains("nothing has been decided yet"));
    assert!(!rig.path("state/agent.json").exists(), "asking writes nothing");
    rig.start();
    rig.wait_for_record("written", |r| in_force(r) && r.why.starts_with("written"));
    rig.line.moves_to([127, 0, 9, 2]);
    rig.wait_for_record("moved", |r| in_force(r) && r.in_force == ["A 127.0.9.2".parse().unwrap()]);

    let (from, told) = decisions(&rig);
    assert_eq!(from, "running");
    assert_eq!(told.len(), 2, "{told:?}");
    let last = &told[0];
    assert_eq!(last["what"], "wrote");
    assert_eq!(last["stood"], serde_json::json!(["A 127.0.9.1"]));
    assert_eq!(last["wanted"], serde_json::json!(["A 127.0.9.2"]));
    let address = &last["addresses"][0];
    assert_eq!(address["agreed"], "127.0.9.2");
    assert_eq!(address["classes"], serde_json::json!(["https one", "https two"]));
    let words = why(&rig, 0);
    for shown in ["pi1.hearth.test: wrote", "A 127.0.9.1", "named by https one, https two", "before that"] {
        assert!(words.contains(shown), "{shown}: {words}");
    }

    rig.kill();
    let file = std::fs::read(rig.path("state/agent.json")).unwrap();
    assert_eq!(decisions(&rig), ("disk".to_owned(), told));
    assert!(why(&rig, 0).contains("no agent runs here"));
    assert_eq!(std::fs::read(rig.path("state/agent.json")).unwrap(), file, "asking writes nothing");

    rig.start();
    rig.wait_for_record("read", |r| in_force(r) && r.why.starts_with("read"));
    let (_, told) = decisions(&rig);
    let words: Vec<&Value> = told.iter().map(|decision| &decision["what"]).collect();
    assert_eq!(words, ["kept", "wrote", "wrote"], "a restart forgets nothing");
    assert_eq!(std::fs::read(rig.path("state/agent.json")).unwrap(), file, "and writes nothing");
}

#[test]
fn a_refusal_is_told_with_what_the_server_said_and_after_a_crash_with_what_the_guard_says() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    std::fs::write(rig.path("tsig.key"), data_encoding::BASE64.encode(&[7; 32])).unwrap();
    rig.start();
    rig.wait_for_record("refused", |r| r.state == RecordState::Refused);
    let (_, told) = decisions(&rig);
    assert_eq!((&told[0]["what"], &told[0]["guard"]), (&"refused".into(), &"stop".into()), "{told:?}");
    assert_eq!(told[0]["wanted"], serde_json::json!(["A 127.0.9.1"]));
    let said = told[0]["said"].as_str().unwrap();
    assert!(said.contains("does not accept the key `pi1"), "{said}");

    rig.kill();
    rig.start();
    rig.wait_for_record("still refused", |r| r.why.contains("before the last crash"));
    let (_, told) = decisions(&rig);
    assert_eq!((&told[0]["what"], &told[0]["guard"]), (&"held-back".into(), &"stop".into()), "{told:?}");
    assert_eq!(told[1]["what"], "refused");
    let words = why(&rig, 0);
    assert!(words.contains("held back") && words.contains("the key was refused"), "{words}");
}

#[test]
fn what_is_done_by_hand_is_told_with_and_without_an_agent() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    let applied = rig.hearth(&["dns", "apply"]);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied));
    let words = why(&rig, 0);
    for shown in ["pi1.hearth.test: wrote", "by hand: written and read back: + A 127.0.9.1", "https one"] {
        assert!(words.contains(shown), "{shown}: {words}");
    }
    rig.start();
    rig.wait_for_record("read", |r| in_force(r) && r.why.starts_with("read"));
    // Somebody else took the record away; the agent would see it within the hour.
    let takes = knot.settings("pi1");
    take_away(&takes, "A 127.0.9.1");
    let applied = rig.hearth(&["dns", "apply"]);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied));
    assert!(text(&applied).contains("+ A 127.0.9.1"), "{}", text(&applied));
    let (from, told) = decisions(&rig);
    assert_eq!((from.as_str(), told[0]["what"].as_str()), ("running", Some("wrote")), "{told:?}");
    assert!(told[0]["said"].as_str().unwrap().starts_with("by hand: written"), "{told:?}");
    assert_eq!(knot.query("pi1", hickory_proto::rr::RecordType::A), ["127.0.9.1"]);
}

#[test]
fn a_name_that_nobody_keeps_here_is_answered_with_those_that_are() {
    let rig = Rig::keeping("127.0.0.1:9".parse().unwrap(), &["pi1", "shared"]);
    let told = rig.hearth(&["dns", "why", "other.hearth.test"]);
    assert_eq!(told.status.code(), Some(1), "{}", text(&told));
    let words = text(&told);
    for shown in ["`other.hearth.test`", "pi1.hearth.test", "shared.hearth.test"] {
        assert!(words.contains(shown), "{shown}: {words}");
    }
    let nonsense = rig.hearth(&["dns", "why", "not a name"]);
    assert_eq!(nonsense.status.code(), Some(2), "{}", text(&nonsense));
}
