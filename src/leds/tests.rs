use std::collections::BTreeMap;
use std::time::Duration;

use super::rhythm::{Lamps, Level, lamps, rhythm};
use super::*;
use crate::address::Family;
use crate::heartbeat::SiteView;
use crate::status::{Fault, RecordStatus, SiteStatus, WatcherLink};

/// An agent with nothing wrong.
pub(super) fn healthy() -> AgentStatus {
    let address = AddressStatus {
        agreed: Some([198, 51, 100, 7].into()),
        verdict: Verdict::NatPublic,
        why: String::new(),
    };
    AgentStatus {
        node: "pi1".parse().unwrap(),
        version: "1".to_owned(),
        uptime_ms: 1,
        phase: Phase::Running,
        addresses: BTreeMap::from([(Family::Ipv4, address)]),
        sites: vec![SiteStatus {
            hosts: vec!["www.example.com".to_owned()],
            generation: Some("ab".to_owned()),
            files: 1,
            bytes: 1,
            source: SourceState::Ok,
            why: String::new(),
            listening: vec!["192.0.2.1:80".parse().unwrap()],
            log_dropped: 0,
        }],
        include: None,
        mounts: Vec::new(),
        records: vec![record(RecordState::InForce)],
        watchers: vec![watcher(LinkState::Answered, false)],
        faults: Vec::new(),
    }
}

fn record(state: RecordState) -> RecordStatus {
    RecordStatus {
        name: "pi1.example.com".parse().unwrap(),
        wanted: Vec::new(),
        in_force: Vec::new(),
        foreign: Vec::new(),
        state,
        why: String::new(),
    }
}

fn watcher(state: LinkState, on_fallback: bool) -> WatcherLink {
    let site = "www.example.com".to_owned();
    let in_force = vec![RdataSet::of("A 198.51.100.7".parse().unwrap())];
    let view = vec![SiteView { site, health: "up".to_owned(), on_fallback, in_force, proven: Vec::new() }];
    WatcherLink { url: String::new(), state, why: String::new(), answered_ms_ago: None, view }
}

fn with(change: impl FnOnce(&mut AgentStatus)) -> AgentStatus {
    let mut status = healthy();
    change(&mut status);
    status
}

fn unheard(status: &mut AgentStatus) {
    status.watchers = vec![watcher(LinkState::Unreachable, false)];
    status.addresses.get_mut(&Family::Ipv4).unwrap().verdict = Verdict::Unknown;
}

#[test]
fn each_status_is_shown_as_the_gravest_thing_it_says() {
    let fault = |code| Fault { code, message: String::new() };
    let needs = Shown::NeedsHuman;
    for (what, status, expected) in [
        ("nothing wrong", healthy(), Shown::Healthy),
        ("no watcher is configured", with(|s| s.watchers.clear()), Shown::Healthy),
        ("just started", with(|s| s.phase = Phase::Starting), Shown::Starting),
        ("the mount hangs", with(|s| s.sites[0].source = SourceState::Hung), Shown::Degraded),
        ("a record is on its way", with(|s| s.records = vec![record(RecordState::Pending)]), Shown::Degraded),
        (
            "a watcher is silent",
            with(|s| s.watchers = vec![watcher(LinkState::Unreachable, false)]),
            Shown::Degraded,
        ),
        (
            "no address yet",
            with(|s| s.addresses.get_mut(&Family::Ipv4).unwrap().agreed = None),
            Shown::Degraded,
        ),
        ("nobody answers", with(unheard), Shown::Offline),
        ("failover", with(|s| s.watchers = vec![watcher(LinkState::Answered, true)]), Shown::Failover),
        ("a fault", with(|s| s.faults = vec![fault(FaultCode::TlsOrClock)]), needs(FaultCode::TlsOrClock)),
        (
            "DNS refused",
            with(|s| s.records = vec![record(RecordState::Refused)]),
            needs(FaultCode::DnsRefused),
        ),
        ("watcher refused", with(|s| s.watchers[0].state = LinkState::Refused), needs(FaultCode::Watcher)),
        ("no site to serve", with(|s| s.sites.clear()), Shown::Healthy),
        ("nothing to serve", with(|s| s.sites[0].generation = None), needs(FaultCode::SiteSource)),
        (
            "the first look takes long",
            with(|s| (s.sites[0].generation, s.sites[0].source) = (None, SourceState::Slow)),
            Shown::Degraded,
        ),
        ("leaving", with(|s| s.phase = Phase::Leaving), Shown::Leaving),
    ] {
        assert_eq!(shown(&status), expected, "{what}");
    }
}

#[test]
fn a_graver_state_hides_a_lesser_one_and_uncovers_it_when_it_ends() {
    let mut status = healthy();
    let mut seen = vec![shown(&status)];
    status.sites[0].source = SourceState::Gone;
    seen.push(shown(&status));
    status.watchers = vec![watcher(LinkState::Answered, true)];
    seen.push(shown(&status));
    status.faults = vec![Fault { code: FaultCode::Link, message: String::new() }];
    seen.push(shown(&status));
    status.faults.clear();
    seen.push(shown(&status));
    let expected = [
        Shown::Healthy,
        Shown::Degraded,
        Shown::Failover,
        Shown::NeedsHuman(FaultCode::Link),
        Shown::Failover,
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_start_is_not_degraded_by_what_was_not_tried_yet() {
    let status = with(|s| {
        s.phase = Phase::Starting;
        s.sites[0].generation = None;
        s.records = vec![record(RecordState::Unknown)];
        s.watchers = vec![watcher(LinkState::Unknown, false)];
        s.addresses.clear();
    });
    assert_eq!(shown(&status), Shown::Starting);
}

#[test]
fn a_failover_that_a_silent_watcher_once_spoke_of_is_history() {
    let status = with(|s| s.watchers = vec![watcher(LinkState::Unreachable, true)]);
    assert_eq!(shown(&status), Shown::Degraded);
}

#[test]
fn a_node_that_visitors_are_not_led_to_is_not_healthy() {
    let shown_with = |in_force: &[&str]| {
        let sets = in_force.iter().map(|text| RdataSet::of(text.parse().unwrap())).collect();
        shown(&with(|s| s.watchers[0].view[0].in_force = sets))
    };
    assert_eq!(shown_with(&["A 198.51.100.7"]), Shown::Healthy);
    assert_eq!(shown_with(&["A 198.51.100.8"]), Shown::Degraded, "held down while a sibling serves");
    assert_eq!(shown_with(&[]), Shown::Degraded, "not published yet");
    assert_eq!(shown_with(&["CNAME pi1.example.com"]), Shown::Healthy);
}

#[test]
fn every_state_has_its_rhythm_to_the_millisecond() {
    let vectors: [(&str, &[u64]); 14] = [
        ("leaving", &[200, 3800]),
        ("fault-1", &[200, 300, 1500]),
        ("fault-2", &[200, 300, 200, 300, 1500]),
        ("fault-3", &[200, 300, 200, 300, 200, 300, 1500]),
        ("fault-4", &[200, 300, 200, 300, 200, 300, 200, 300, 1500]),
        ("fault-5", &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 1500]),
        ("fault-6", &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 1500]),
        ("fault-7", &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 1500]),
        ("fault-8", &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 1500]),
        ("failover", &[1000, 300, 200, 500]),
        ("offline", &[250, 250]),
        ("degraded", &[1000, 1000]),
        ("starting", &[400, 1600]),
        ("healthy", &[4900, 100]),
    ];
    let names: Vec<_> = Shown::all().iter().map(Shown::to_string).collect();
    assert_eq!(names, vectors.map(|(name, _)| name), "every state, the gravest first");
    for (name, ms) in vectors {
        let rhythm = rhythm(name.parse().unwrap());
        let steps: Vec<_> = rhythm.steps().iter().map(|s| s.span.as_millis()).collect();
        assert_eq!(steps, ms.iter().map(|ms| u128::from(*ms)).collect::<Vec<_>>(), "{name}");
        for (n, step) in rhythm.steps().iter().enumerate() {
            let lit = n % 2 == 0 && n + 1 < rhythm.steps().len();
            assert_eq!(step.level, if lit { Level::On } else { Level::Off }, "{name}, step {n}");
        }
    }
}

#[test]
fn nothing_flashes_faster_than_two_and_a_half_times_a_second() {
    for shown in Shown::all() {
        let (rhythm, mut since, mut lit) = (rhythm(shown), Duration::ZERO, 0);
        for step in rhythm.steps().iter().chain(rhythm.steps()) {
            if step.level == Level::On {
                assert!(
                    lit == 0 || since >= Duration::from_millis(400),
                    "{shown}: {since:?} from flash to flash"
                );
                (since, lit) = (Duration::ZERO, lit + 1);
            }
            since += step.span;
        }
        assert!(lit >= 2, "{shown} flashed");
    }
}

#[test]
fn no_two_states_share_a_rhythm() {
    let all: Vec<_> = Shown::all().into_iter().map(rhythm).collect();
    for (n, rhythm) in all.iter().enumerate() {
        assert_eq!(all.iter().position(|other| other == rhythm), Some(n));
    }
}

#[test]
fn the_level_at_a_point_is_that_of_its_step_and_the_rest_of_the_step_is_known() {
    let rhythm = rhythm(Shown::Failover);
    for (ms, level, left) in [
        (0, Level::On, 1000),
        (999, Level::On, 1),
        (1000, Level::Off, 300),
        (1300, Level::On, 200),
        (1500, Level::Off, 500),
        (1999, Level::Off, 1),
        (2000, Level::On, 1000),
        (2_000_000_001_000, Level::Off, 300),
    ] {
        let elapsed = Duration::from_millis(ms);
        assert_eq!(rhythm.level_at(elapsed), level, "{ms}");
        assert_eq!(rhythm.until_next(elapsed), Duration::from_millis(left), "{ms}");
    }
    assert_eq!(rhythm.period(), Duration::from_secs(2));
}

#[test]
fn three_lamps_repeat_what_the_rhythm_says() {
    use Level::{Off, On};
    for (word, lit, dark) in [
        ("fault-3", (On, Off, Off), (Off, Off, Off)),
        ("failover", (Off, On, Off), (Off, Off, Off)),
        ("offline", (Off, On, Off), (Off, Off, Off)),
        ("degraded", (Off, On, On), (Off, Off, On)),
        ("starting", (Off, On, Off), (Off, Off, Off)),
        ("healthy", (Off, Off, On), (Off, Off, Off)),
        ("leaving", (Off, On, Off), (Off, Off, Off)),
    ] {
        let shown: Shown = word.parse().unwrap();
        let first = rhythm(shown).steps()[0].span;
        let three = |(red, amber, green)| Lamps { red, amber, green };
        assert_eq!(lamps(shown, Duration::ZERO), three(lit), "{word}");
        assert_eq!(lamps(shown, first), three(dark), "{word}");
    }
}

#[test]
fn the_word_of_a_state_is_read_back_and_others_are_refused() {
    for shown in Shown::all() {
        assert_eq!(shown.to_string().parse(), Ok(shown));
        assert!(!shown.describe().is_empty());
    }
    for word in ["", "dark", "fault-0", "fault-9", "Healthy"] {
        assert!(word.parse::<Shown>().is_err(), "{word}");
    }
}
