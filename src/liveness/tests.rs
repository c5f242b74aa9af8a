use super::*;

const BOOT: BootId = BootId::new([1; 16]);

fn at(seconds: f64) -> Moment {
    Moment::from_millis((seconds * 1000.0) as u64)
}

fn home() -> IpAddr {
    "203.0.113.7".parse().unwrap()
}

fn up() -> Outcome {
    Outcome::Up { latency_ms: 3, generation: None }
}

fn fails() -> Outcome {
    Outcome::Failed(Failure::ConnectTimeout)
}

/// A target and its node's beats, fed by hand.
struct Bench {
    policy: Policy,
    beats: Beats,
    target: Liveness,
}

fn grounds(stakes: Stakes, patience: u32) -> Grounds {
    Grounds { stakes, accord: Accord::Alone, patience }
}

impl Bench {
    fn new() -> Self {
        Self {
            policy: Policy::default(),
            beats: Beats::default(),
            target: Liveness::new(home(), Moment::START),
        }
    }

    fn probe(&mut self, at_s: f64, outcome: Outcome) {
        self.target.record(at(at_s), at(at_s), home(), &outcome, &self.policy);
    }

    fn beat(&mut self, at_s: f64) {
        self.beats.record(at(at_s), BOOT, &self.policy);
    }

    fn judge(&mut self, at_s: f64, stakes: Stakes) -> Health {
        self.target.judge(at(at_s), &self.beats, &grounds(stakes, 1), &self.policy)
    }

    /// Ten minutes of probes every 10 s and beats every 10 s, the last of each at 600 s.
    fn healthy() -> Self {
        let mut bench = Self::new();
        for s in (0..=600).step_by(10) {
            bench.probe(f64::from(s), up());
            bench.beat(f64::from(s));
        }
        bench
    }
}

#[test]
fn a_target_is_unknown_until_it_was_looked_at() {
    let mut bench = Bench::new();
    assert_eq!(bench.judge(100.0, Stakes::LastOne), Health::Unknown);
    bench.probe(100.0, up());
    assert_eq!(bench.judge(100.0, Stakes::LastOne), Health::Up);
    assert_eq!(bench.target.proven(), Some(home()));
}

#[test]
fn one_failure_makes_it_suspect_and_one_success_clears_that() {
    let mut bench = Bench::healthy();
    bench.probe(610.0, fails());
    assert_eq!(bench.judge(610.0, Stakes::LastOne), Health::Suspect);
    bench.probe(613.0, up());
    assert_eq!(bench.judge(613.0, Stakes::LastOne), Health::Up);
}

#[test]
fn silence_and_failure_take_the_last_one_down_after_83_s_and_a_sibling_after_25_s() {
    for (stakes, limit) in [(Stakes::LastOne, 83.0), (Stakes::HasSibling, 25.0)] {
        let mut bench = Bench::healthy();
        for s in [610.0, 614.0, 617.0, 620.0] {
            bench.probe(s, fails());
        }
        assert_eq!(bench.judge(600.0 + limit - 0.1, stakes), Health::Suspect);
        assert_eq!(bench.judge(600.0 + limit, stakes), Health::DownHard, "{stakes:?}");
    }
}

#[test]
fn fewer_than_four_failures_are_never_a_verdict() {
    let mut bench = Bench::healthy();
    for s in [610.0, 614.0, 617.0] {
        bench.probe(s, fails());
    }
    assert_eq!(bench.judge(6_000.0, Stakes::HasSibling), Health::Suspect);
}

#[test]
fn beats_that_go_on_make_it_a_gray_failure_after_180_s() {
    let mut bench = Bench::healthy();
    for s in (603..=780).step_by(3) {
        bench.probe(f64::from(s), fails());
        bench.beat(f64::from(s));
    }
    assert_eq!(bench.judge(779.9, Stakes::HasSibling), Health::Suspect);
    assert_eq!(bench.judge(780.0, Stakes::HasSibling), Health::DownGray);
    assert_eq!(bench.judge(806.0, Stakes::HasSibling), Health::DownHard, "the beats have stopped too");
}

#[test]
fn silence_alone_never_takes_a_target_down() {
    let mut bench = Bench::healthy();
    for s in (610..=9_000).step_by(10) {
        bench.probe(f64::from(s), up());
    }
    assert!(bench.beats.silent(at(9_000.0), &bench.policy));
    assert_eq!(bench.judge(9_000.0, Stakes::LastOne), Health::Up);
}

#[test]
fn a_watcher_that_doubts_itself_waits_longer() {
    let mut bench = Bench::healthy();
    for s in [610.0, 614.0, 617.0, 620.0] {
        bench.probe(s, fails());
    }
    let mut judge = |s, patience| {
        bench.target.judge(at(s), &bench.beats, &grounds(Stakes::LastOne, patience), &bench.policy)
    };
    assert_eq!(judge(700.0, 4), Health::Suspect);
    assert_eq!(judge(940.0, 4), Health::DownHard);
}

#[test]
fn a_failure_that_a_later_success_has_overtaken_does_not_count() {
    let mut bench = Bench::healthy();
    bench.target.record(at(613.0), at(612.0), home(), &up(), &bench.policy);
    bench.target.record(at(616.0), at(610.0), home(), &fails(), &bench.policy);
    assert_eq!(bench.judge(616.0, Stakes::LastOne), Health::Up);
}

#[test]
fn failures_now_and_then_degrade_and_ten_successes_in_a_row_clear() {
    let mut bench = Bench::healthy();
    let mut now = 610.0;
    for _ in 0..10 {
        bench.probe(now, fails());
        bench.probe(now + 3.0, up());
        now += 10.0;
    }
    assert_eq!(bench.judge(now, Stakes::LastOne), Health::Degraded);
    assert!(Health::Degraded.is_up());
    for _ in 0..9 {
        bench.probe(now, up());
        now += 10.0;
    }
    assert_eq!(bench.judge(now, Stakes::LastOne), Health::Up);
}

#[test]
fn a_return_needs_successes_time_and_beats() {
    let mut bench = Bench::healthy();
    for s in 0..10 {
        bench.probe(610.0 + f64::from(s) * 10.0, fails());
    }
    assert_eq!(bench.judge(700.0, Stakes::LastOne), Health::DownHard);
    let hold = Duration::from_secs(180);
    let risen = |bench: &Bench, s| bench.target.risen(at(s), &bench.beats, hold, &bench.policy);
    for s in (1_000..=1_180).step_by(10) {
        assert!(!risen(&bench, f64::from(s)), "{s}");
        bench.probe(f64::from(s), up());
    }
    assert_eq!(bench.judge(1_010.0, Stakes::LastOne), Health::Recovering);
    assert!(!risen(&bench, 1_180.0), "no beat yet");
    for s in [1_160.0, 1_170.0, 1_180.0] {
        bench.beat(s);
    }
    assert!(risen(&bench, 1_180.0));
    assert_eq!(bench.judge(1_180.0, Stakes::LastOne), Health::Up);
}

#[test]
fn a_new_address_is_probed_and_the_proven_one_stays_until_it_answers() {
    let mut bench = Bench::healthy();
    let new: IpAddr = "203.0.113.9".parse().unwrap();
    bench.target.moved(new, at(601.0));
    assert_eq!((bench.target.address(), bench.target.proven()), (new, Some(home())));
    bench.probe(602.0, up());
    assert_eq!(
        bench.target.proven(),
        Some(home()),
        "an answer from the old place proves nothing about the new one"
    );
    bench.target.record(at(603.0), at(602.0), new, &up(), &bench.policy);
    assert_eq!(bench.target.proven(), Some(new));
}

#[test]
fn discarded_evidence_keeps_the_verdict_and_starts_the_count_anew() {
    let mut bench = Bench::healthy();
    for s in [610.0, 614.0, 617.0, 620.0] {
        bench.probe(s, fails());
    }
    bench.target.discard_evidence(at(680.0));
    assert_eq!(bench.judge(680.0, Stakes::LastOne), Health::Unknown);
    // What was started before the evidence was discarded comes back too late to count.
    bench.target.record(at(681.0), at(675.0), home(), &fails(), &bench.policy);
    assert_eq!(bench.target.failures(), 0);
    for s in [690.0, 693.0, 696.0, 699.0] {
        bench.probe(s, fails());
    }
    assert_eq!(bench.judge(762.0, Stakes::LastOne), Health::Suspect);
    assert_eq!(bench.judge(763.0, Stakes::LastOne), Health::DownHard);
    bench.target.discard_evidence(at(760.0));
    assert_eq!(bench.judge(761.0, Stakes::LastOne), Health::DownHard);
}

#[test]
fn an_announced_stop_counts_at_once_ends_with_a_new_run_and_expires() {
    let mut bench = Bench::healthy();
    bench.beats.record_leaving(at(601.0), &bench.policy);
    assert_eq!(bench.judge(601.0, Stakes::LastOne), Health::Draining);
    assert_eq!(bench.judge(601.0 + 900.0, Stakes::LastOne), Health::Up);
    bench.beats.record_leaving(at(602.0), &bench.policy);
    bench.beats.record(at(650.0), BootId::new([2; 16]), &bench.policy);
    assert_eq!(bench.judge(650.0, Stakes::LastOne), Health::Up);
    assert_eq!(bench.beats.in_row(), 1, "a new run must prove itself");
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn time_alone_changes_a_verdict_only_at_the_announced_deadlines(
            gaps in proptest::collection::vec((1u64..20_000, any::<bool>(), any::<bool>()), 1..40),
        ) {
            let mut bench = Bench::new();
            let mut now = Moment::START;
            for (gap, success, beat) in gaps {
                now = now + Duration::from_millis(gap);
                let outcome = if success { up() } else { fails() };
                bench.target.record(now, now, home(), &outcome, &bench.policy);
                if beat {
                    bench.beats.record(now, BOOT, &bench.policy);
                }
                let before = bench.target.judge(now, &bench.beats, &grounds(Stakes::LastOne, 1), &bench.policy);
                let mut quiet = bench.target.clone();
                let next = [
                    quiet.next_deadline(now, &grounds(Stakes::LastOne, 1), &bench.policy),
                    bench.beats.next_deadline(now, &bench.policy),
                ];
                let next = next.into_iter().flatten().min();
                let late = next.map_or(now + Duration::from_secs(3600), |at| at.back(Duration::from_millis(1)));
                if before != Health::Recovering && late >= now {
                    let after = quiet.judge(late, &bench.beats, &grounds(Stakes::LastOne, 1), &bench.policy);
                    prop_assert_eq!(before, after);
                }
            }
        }

        #[test]
        fn a_target_is_never_down_within_25_s_of_a_success(
            steps in proptest::collection::vec((1u64..5_000, 0u8..4), 1..200),
        ) {
            let mut bench = Bench::new();
            let mut now = Moment::START;
            let mut success = None;
            for (gap, kind) in steps {
                now = now + Duration::from_millis(gap);
                match kind {
                    0 => { bench.target.record(now, now, home(), &up(), &bench.policy); success = Some(now); }
                    1 => bench.beats.record(now, BOOT, &bench.policy),
                    _ => bench.target.record(now, now, home(), &fails(), &bench.policy),
                }
                let fresh = bench.target.down.is_none();
                let health = bench.target.judge(now, &bench.beats, &grounds(Stakes::HasSibling, 1), &bench.policy);
                if fresh && success.is_some_and(|s| now - s < Duration::from_secs(25)) {
                    prop_assert!(!health.is_down());
                }
            }
        }
    }
}

#[test]
fn witnesses_that_agree_hasten_a_gray_verdict_and_those_that_do_not_delay_every_one_but_not_for_ever() {
    let policy = Policy::default();
    let spans = |stakes, accord| {
        let grounds = Grounds { stakes, accord, patience: 1 };
        (grounds.hard(&policy), grounds.gray(&policy))
    };
    let (hard, gray) = spans(Stakes::LastOne, Accord::Alone);
    assert_eq!((hard, gray), (policy.hard, policy.gray));
    assert_eq!(spans(Stakes::LastOne, Accord::Agreed), (hard, policy.gray_agreed));
    assert_eq!(spans(Stakes::LastOne, Accord::Disputed), (policy.dissent, policy.dissent));
    assert_eq!(spans(Stakes::HasSibling, Accord::Disputed).0, policy.hard_with_sibling);
    assert!(policy.gray_agreed < gray && gray < policy.dissent);
}
