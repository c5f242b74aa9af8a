use super::*;
use crate::address::agreement::Outcome;
use crate::dns::provider::ProviderError;

fn at(s: u64) -> When {
    When { moment: Moment::from_millis(s * 1000), wall_ms: s * 1000 }
}

fn data(texts: &[&str]) -> Vec<Rdata> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn decision(s: u64, what: Decided, wanted: &str, said: &str) -> Decision {
    Decision::new(at(s), what, None, said).about(Some(&BTreeSet::new()), &data(&[wanted]))
}

#[test]
fn the_oldest_go_when_there_are_more_than_fit() {
    let mut ring = Decisions::default();
    for n in 0..100u64 {
        assert_eq!(ring.take(decision(n, Decided::Wrote, "A 192.0.2.1", "written")), Worth::Disk);
    }
    let told = ring.told(Moment::from_millis(100_000));
    assert_eq!(told.len(), MOST);
    assert_eq!((told[0].last_ms_ago, told[MOST - 1].last_ms_ago), (1_000, 16_000), "the newest first");
}

#[test]
fn the_same_again_is_counted_and_not_written_to_the_disk() {
    let mut ring = Decisions::default();
    assert_eq!(ring.take(decision(1, Decided::Waiting, "A 192.0.2.1", "no answer")), Worth::Disk);
    for s in 2..50 {
        let again = decision(s, Decided::Waiting, "A 192.0.2.1", &format!("no answer to question {s}"));
        assert_eq!(ring.take(again), Worth::Memory);
    }
    assert!(ring.end_in_a_setback());
    let told = ring.told(Moment::from_millis(50_000));
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].decision.times, told[0].first_ms_ago, told[0].last_ms_ago), (49, 49_000, 1_000));
    assert_eq!(told[0].decision.said, "no answer to question 49", "the newest word counts");
    assert_eq!(ring.take(decision(50, Decided::Waiting, "A 192.0.2.2", "no answer")), Worth::Disk);
}

#[test]
fn a_wait_is_one_whatever_fails_meanwhile_and_another_guard_is_another_decision() {
    let guarded = |s, what, guard| Decision::new(at(s), what, Some(guard), "");
    let mut ring = Decisions::default();
    ring.take(guarded(1, Decided::Waiting, Hold::Pause));
    assert_eq!(ring.take(guarded(2, Decided::Waiting, Hold::Clock)), Worth::Memory);
    assert_eq!(ring.told(Moment::from_millis(2_000))[0].decision.guard, Some(Hold::Clock));
    assert_eq!(ring.take(guarded(3, Decided::Refused, Hold::Pause)), Worth::Disk);
    assert_eq!(ring.take(guarded(4, Decided::Refused, Hold::Stop)), Worth::Disk);
}

#[test]
fn what_is_found_as_it_was_left_is_no_reason_to_write() {
    let mut ring = Decisions::default();
    ring.take(decision(1, Decided::Wrote, "A 192.0.2.1", "written"));
    assert_eq!(ring.take(decision(2, Decided::Kept, "A 192.0.2.1", "read")), Worth::Memory);
    assert_eq!(ring.take(decision(3, Decided::Kept, "A 192.0.2.1", "read")), Worth::Memory);
    assert_eq!(ring.told(Moment::from_millis(3_000)).len(), 2);
    assert!(!ring.end_in_a_setback());
    ring.take(decision(4, Decided::Waiting, "A 192.0.2.1", "no answer"));
    assert_eq!(ring.take(decision(5, Decided::Kept, "A 192.0.2.1", "read")), Worth::Disk, "it recovered");
}

#[test]
fn what_is_long_is_cut_between_characters() {
    let long = "ü".repeat(LONGEST * 3);
    let cut = decision(1, Decided::Refused, "A 192.0.2.1", &long).said;
    assert_eq!(cut.chars().count(), LONGEST);
    assert!(cut.ends_with('…'));
    let stood: BTreeSet<Rdata> = (0..100).map(|n| format!("A 192.0.2.{n}").parse().unwrap()).collect();
    let decision = Decision::new(at(1), Decided::Kept, None, "").about(Some(&stood), &[]);
    assert_eq!(decision.stood.unwrap().len(), WIDEST);
}

#[test]
fn each_failure_is_told_as_what_it_means() {
    let of = |error: ChangeError| {
        let decision = Decision::failed(at(1), &error);
        (decision.what, decision.guard)
    };
    let minute = Duration::from_secs(60);
    assert_eq!(of(ChangeError::Budget(minute)), (Decided::HeldBack, Some(Hold::Budget)));
    assert_eq!(of(ChangeError::NotNoted("the disk is full".to_owned())), (Decided::HeldBack, None));
    let (server, reason) = ("ns1".to_owned(), "no".to_owned());
    let auth = ProviderError::Auth { server: server.clone(), key: "pi1.".to_owned(), reason: reason.clone() };
    let refused = ProviderError::Refused { server: server.clone(), reason: reason.clone() };
    let clock = ProviderError::ClockSkew { server: server.clone(), reason: reason.clone() };
    let away = ProviderError::Unreachable { server: server.clone(), reason: reason.clone() };
    let busy = ProviderError::Transient { server, reason, retry_after: Some(minute) };
    for (error, expected) in [
        (auth, (Decided::Refused, Some(Hold::Stop))),
        (refused, (Decided::Refused, Some(Hold::Pause))),
        (clock, (Decided::Waiting, Some(Hold::Clock))),
        (away, (Decided::Waiting, None)),
        (busy, (Decided::Waiting, Some(Hold::Pause))),
    ] {
        assert_eq!(of(ChangeError::Provider(error)), expected);
    }
}

#[test]
fn the_evidence_names_the_classes_that_named_the_address_though_nobody_was_heard_in_this_round() {
    let family = FamilyReport {
        agreed: Some([192, 0, 2, 1].into()),
        outcome: Outcome::Kept,
        named_by: vec!["https a".to_owned(), "stun".to_owned()],
        verdict: Verdict::NatPublic,
        why: "nobody was heard".to_owned(),
        observations: Vec::new(),
    };
    let report =
        Report { held: Vec::new(), families: [(Family::Ipv4, family)].into(), left_alone: Vec::new() };
    let evidence = Evidence::of(&report);
    assert_eq!(evidence[0].classes, ["https a", "stun"]);
    assert_eq!(evidence[0].agreed, Some([192, 0, 2, 1].into()));
}

#[test]
fn a_decision_round_trips_through_its_json() {
    let mut ring = Decisions::default();
    ring.take(decision(1, Decided::HeldBack, "AAAA 2001:db8::1", "why"));
    let json = serde_json::to_string(&ring).unwrap();
    assert!(json.contains("\"held-back\""), "{json}");
    assert_eq!(serde_json::from_str::<Decisions>(&json).unwrap(), ring);
}
