use std::collections::BTreeMap;
use std::time::Duration;

use super::face::{Face, Lamp, Lamps, Wiring, lamps};
use super::rhythm::{Level, Rhythm, rhythm};
use super::*;
use crate::address::Family;
use crate::heartbeat::SiteView;
use crate::status::{Announced, Fault, LampStatus, RecordStatus, SiteStatus, WatcherLink};

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
        passed_over: None,
        certificates: Vec::new(),
        mounts: Vec::new(),
        records: vec![record(RecordState::InForce)],
        watchers: vec![watcher(LinkState::Answered, false)],
        faults: Vec::new(),
        lamps: LampStatus::default(),
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

/// The state, the milliseconds lit and dark in turn, and who plays it: red, amber, green of a traffic light, then red,
/// green, blue of a lamp that mixes colours. `r` plays the rhythm, `+` is lit, `-` is dark.
const TABLE: [(&str, &[u64], &str, &str); 27] = [
    ("leaving", &[200, 3800], "-r-", "rrr"),
    ("identify", &[250, 250], "rrr", "rrr"),
    ("test", &[500, 500], "123", "123"),
    ("fault-1", &[200, 300, 1500], "r--", "r--"),
    ("fault-2", &[200, 300, 200, 300, 1500], "r--", "r--"),
    ("fault-3", &[200, 300, 200, 300, 200, 300, 1500], "r--", "r--"),
    ("fault-4", &[200, 300, 200, 300, 200, 300, 200, 300, 1500], "r--", "r--"),
    ("fault-5", &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 1500], "r--", "r--"),
    ("fault-6", &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 1500], "r--", "r--"),
    ("fault-7", &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 1500], "r--", "r--"),
    (
        "fault-8",
        &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 1500],
        "r--",
        "r--",
    ),
    ("failover", &[1000, 300, 200, 500], "-r-", "r-r"),
    ("offline", &[250, 250], "-r-", "rr-"),
    ("acknowledged-1", &[200, 300, 9500], "r--", "r--"),
    ("acknowledged-2", &[200, 300, 200, 300, 9000], "r--", "r--"),
    ("acknowledged-3", &[200, 300, 200, 300, 200, 300, 8500], "r--", "r--"),
    ("acknowledged-4", &[200, 300, 200, 300, 200, 300, 200, 300, 8000], "r--", "r--"),
    ("acknowledged-5", &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 7500], "r--", "r--"),
    ("acknowledged-6", &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 7000], "r--", "r--"),
    (
        "acknowledged-7",
        &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 6500],
        "r--",
        "r--",
    ),
    (
        "acknowledged-8",
        &[200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 200, 300, 6000],
        "r--",
        "r--",
    ),
    ("degraded", &[1000, 1000], "-r+", "rr-"),
    ("updating", &[450, 50], "-r-", "--r"),
    ("setup", &[1000, 100, 300, 100, 300, 100], "-r-", "--r"),
    ("starting", &[400, 1600], "-r-", "rrr"),
    ("healthy", &[4900, 100], "--r", "-r-"),
    ("night", &[], "---", "---"),
];

#[test]
fn every_state_has_its_rhythm_to_the_millisecond() {
    let names: Vec<_> = Shown::all().iter().map(Shown::to_string).collect();
    assert_eq!(names, TABLE.map(|(name, ..)| name), "every state, the gravest first");
    for (name, ms, ..) in TABLE.iter().filter(|(name, ..)| *name != "night") {
        let rhythm = rhythm(name.parse().unwrap());
        let steps: Vec<_> = rhythm.steps().iter().map(|s| s.span.as_millis()).collect();
        assert_eq!(steps, ms.iter().map(|ms| u128::from(*ms)).collect::<Vec<_>>(), "{name}");
        for (n, step) in rhythm.steps().iter().enumerate() {
            let pause = ms.len() % 2 == 1 && n + 1 == ms.len();
            let lit = n % 2 == 0 && !pause;
            assert_eq!(step.level, if lit { Level::On } else { Level::Off }, "{name}, step {n}");
        }
    }
    assert!(rhythm(Shown::Night).steps().iter().all(|step| step.level == Level::Off));
}

#[test]
fn every_state_has_its_face_on_one_lamp_three_and_one_that_mixes_colours() {
    for (name, _, three, mixed) in TABLE {
        let shown: Shown = name.parse().unwrap();
        assert_eq!(Face::of(shown, Wiring::One).lamps(), [Lamp::Plays(rhythm(shown))], "{name}");
        for (wiring, face) in [(Wiring::Three, three), (Wiring::Rgb, mixed)] {
            let lamp = |c| match c {
                '-' => Lamp::Dark,
                '+' => Lamp::Lit,
                'r' => Lamp::Plays(rhythm(shown)),
                _ => Lamp::Plays(Rhythm::turn(c as usize - '1' as usize, 3)),
            };
            let expected: Vec<_> = face.chars().map(lamp).collect();
            assert_eq!(Face::of(shown, wiring).lamps(), expected, "{name} on {wiring:?}");
        }
    }
}

#[test]
fn a_test_lights_each_lamp_alone_and_then_none() {
    let face = Face::of(Shown::Test, Wiring::Three);
    let lit =
        |s: u64| face.levels_at(Duration::from_millis(s * 1000 + 500)).into_iter().map(|l| l == Level::On);
    let expected = [[true, false, false], [false, true, false], [false, false, true], [false; 3]];
    for s in 0..8 {
        assert_eq!(lit(s).collect::<Vec<_>>(), expected[s as usize % 4], "second {s}");
    }
}

#[test]
fn what_somebody_asked_for_is_shown_before_faults_and_an_update_after_them() {
    let announced = |what| with(|s| s.lamps.announced = Some(what));
    let faulty = |what| {
        let mut status = announced(what);
        status.faults = vec![Fault { code: FaultCode::Link, message: String::new() }];
        shown(&status)
    };
    for (what, alone, beside_a_fault) in [
        (Announced::Identify, Shown::Identify, Shown::Identify),
        (Announced::Test, Shown::Test, Shown::Test),
        (Announced::Setup, Shown::Setup, Shown::NeedsHuman(FaultCode::Link)),
        (Announced::Updating, Shown::Updating, Shown::NeedsHuman(FaultCode::Link)),
    ] {
        assert_eq!(shown(&announced(what)), alone);
        assert_eq!(faulty(what), beside_a_fault);
    }
    let mut first_boot = announced(Announced::Setup);
    first_boot.phase = Phase::Starting;
    assert_eq!(shown(&first_boot), Shown::Setup);
    first_boot.phase = Phase::Leaving;
    assert_eq!(shown(&first_boot), Shown::Leaving);
}

#[test]
fn an_acknowledged_fault_uncovers_a_new_one_and_what_is_worse_than_an_old_one() {
    let fault = |code| Fault { code, message: String::new() };
    let mut status = healthy();
    status.faults = vec![fault(FaultCode::SiteSource), fault(FaultCode::Link)];
    assert_eq!(shown(&status), Shown::NeedsHuman(FaultCode::SiteSource));
    status.lamps.acknowledged = vec![FaultCode::SiteSource];
    assert_eq!(shown(&status), Shown::NeedsHuman(FaultCode::Link), "the other one was not seen");
    status.lamps.acknowledged.push(FaultCode::Link);
    status.sites[0].source = SourceState::Gone;
    assert_eq!(shown(&status), Shown::Acknowledged(FaultCode::SiteSource), "before what passes by itself");
    status.watchers = vec![watcher(LinkState::Answered, true)];
    assert_eq!(shown(&status), Shown::Failover);
}

#[test]
fn at_night_only_what_a_person_must_do_or_asked_for_is_lit() {
    let at_night = |change: fn(&mut AgentStatus)| {
        shown(&with(|s| {
            change(s);
            s.lamps.night = true;
        }))
    };
    assert_eq!(at_night(|_| {}), Shown::Night);
    assert_eq!(at_night(|s| s.sites[0].source = SourceState::Hung), Shown::Night);
    assert_eq!(at_night(unheard), Shown::Night);
    assert_eq!(at_night(|s| s.lamps.announced = Some(Announced::Updating)), Shown::Night);
    assert_eq!(at_night(|s| s.lamps.announced = Some(Announced::Identify)), Shown::Identify);
    assert_eq!(at_night(|s| s.phase = Phase::Leaving), Shown::Leaving);
    let refused = at_night(|s| s.records = vec![record(RecordState::Refused)]);
    assert_eq!(refused, Shown::NeedsHuman(FaultCode::DnsRefused));
    assert_eq!(state(&with(|s| s.lamps.night = true)), Shown::Healthy, "what it would be by day");
}

#[test]
fn nothing_flashes_faster_than_two_and_a_half_times_a_second() {
    for shown in Shown::all().into_iter().filter(|shown| *shown != Shown::Night) {
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
    // Identify is asked for by whoever looks, and lasts half a minute.
    let all: Vec<_> = Shown::all().into_iter().filter(|s| *s != Shown::Identify).map(rhythm).collect();
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
    for word in ["", "dark", "fault-0", "fault-9", "acknowledged-9", "Healthy"] {
        assert!(word.parse::<Shown>().is_err(), "{word}");
    }
}
