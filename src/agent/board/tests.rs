use super::super::event::LampEvent;
use super::*;
use crate::address::Verdict;
use crate::heartbeat::{RecordsReport, SourceState};
use crate::host::shutdown::Shutdown;
use crate::leds::{Shown, shown};
use crate::status::{FaultCode, RecordState};
use std::collections::BTreeSet;

const NOW: Moment = Moment::from_millis(60_000);

fn board(sites: Vec<SiteStatus>) -> Board {
    let watchers = vec!["http://a".to_owned(), "http://b".to_owned()];
    let record = RecordSettings {
        name: "pi1.example.com".parse().unwrap(),
        provider: "home".to_owned(),
        ttl: crate::dns::Ttl::from_secs(60),
        families: vec![Family::Ipv4],
        suffix: None,
        lines: BTreeSet::new(),
    };
    Board::new("pi1".parse().unwrap(), addresses(Verdict::Unknown), sites, Vec::new(), &[record], watchers)
}

fn with_site() -> Board {
    board(vec![site::not_looked_at(hosts(), vec!["192.0.2.1:80".parse().unwrap()])])
}

fn addresses(verdict: Verdict) -> BTreeMap<Family, AddressStatus> {
    let agreed = (verdict != Verdict::Unknown).then(|| "192.0.2.1".parse().unwrap());
    BTreeMap::from([(Family::Ipv4, AddressStatus { agreed, verdict, why: "because".to_owned() })])
}

fn hosts() -> Vec<String> {
    vec!["www.example.com".to_owned()]
}

fn site(generation: Option<&str>, source: SourceState) -> Event {
    Event::Site(
        0,
        SiteStatus {
            hosts: hosts(),
            generation: generation.map(str::to_owned),
            files: 1,
            bytes: 1,
            source,
            why: if source == SourceState::Ok { String::new() } else { "/www: gone".to_owned() },
            listening: vec!["192.0.2.1:80".parse().unwrap()],
            log_dropped: 0,
        },
    )
}

fn link(index: usize, state: LinkState) -> Event {
    let view = (state == LinkState::Answered).then(Vec::new);
    Event::Link(index, LinkReport { state, why: "words".to_owned(), view })
}

fn record(state: RecordState) -> Event {
    let status = RecordStatus::unread("pi1.example.com".parse().unwrap());
    Event::Record(0, RecordStatus { state, why: "the reason".to_owned(), ..status })
}

/// Everything was tried, and all is well.
fn well() -> Board {
    let mut board = with_site();
    for event in [
        Event::Addresses(addresses(Verdict::Public)),
        site(Some("g"), SourceState::Ok),
        link(0, LinkState::Answered),
        link(1, LinkState::Answered),
        record(RecordState::InForce),
    ] {
        board.take(event, NOW);
    }
    board
}

fn status(board: &Board) -> AgentStatus {
    board.snapshot(NOW + Duration::from_secs(3), Duration::from_secs(9))
}

#[test]
fn a_node_is_starting_until_everything_was_tried_once() {
    let mut board = with_site();
    for event in [
        Event::Addresses(addresses(Verdict::Unknown)),
        link(0, LinkState::Unreachable),
        site(None, SourceState::Gone),
    ] {
        board.take(event, NOW);
        assert_eq!(status(&board).phase, Phase::Starting);
    }
    board.take(link(1, LinkState::Unreachable), NOW);
    assert_eq!(status(&board).phase, Phase::Running);
}

#[test]
fn leaving_is_the_last_phase() {
    let mut board = well();
    board.take(Event::Leaving, NOW);
    board.take(site(Some("h"), SourceState::Ok), NOW);
    assert_eq!(status(&board).phase, Phase::Leaving);
}

#[test]
fn a_snapshot_says_how_long_ago_a_watcher_answered() {
    let mut board = well();
    board.take(link(0, LinkState::Unreachable), NOW + Duration::from_secs(2));
    let status = status(&board);
    assert_eq!(status.uptime_ms, 9_000);
    assert_eq!(status.watchers[0].answered_ms_ago, Some(3_000), "a beat without an answer is no answer");
    assert_eq!((shown(&status), status.records_report()), (Shown::Degraded, RecordsReport::InForce));
}

#[test]
fn only_what_stays_wrong_until_a_person_acts_is_a_fault() {
    type Step = fn(&mut Board);
    let table: [(&str, Step, Option<FaultCode>); 11] = [
        ("all is well", |_| {}, None),
        ("nothing to serve", |b| b.take(site(None, SourceState::Gone), NOW), Some(FaultCode::SiteSource)),
        ("a first look that takes long", |b| b.take(site(None, SourceState::Slow), NOW), None),
        ("a mount that hangs behind its content", |b| b.take(site(Some("g"), SourceState::Hung), NOW), None),
        ("a provider that is away", |b| b.take(record(RecordState::Pending), NOW), None),
        (
            "a provider that refuses",
            |b| b.take(record(RecordState::Refused), NOW),
            Some(FaultCode::DnsRefused),
        ),
        ("a watcher that is away", |b| b.take(link(1, LinkState::Unreachable), NOW), None),
        ("a watcher that refuses", |b| b.take(link(1, LinkState::Refused), NOW), Some(FaultCode::Watcher)),
        ("an address that is shared", |b| b.take(Event::Addresses(addresses(Verdict::Cgnat)), NOW), {
            Some(FaultCode::NotReachable)
        }),
        (
            "an address that is not known",
            |b| b.take(Event::Addresses(addresses(Verdict::Unknown)), NOW),
            None,
        ),
        (
            "a newer configuration that was passed over",
            |b| b.status.passed_over = Some("hearth.toml:7:1: unknown key `host`\n".to_owned()),
            Some(FaultCode::Configuration),
        ),
    ];
    for (what, step, expected) in table {
        let mut board = well();
        step(&mut board);
        let faults = status(&board).faults;
        assert_eq!(faults.first().map(|fault| fault.code), expected, "{what}: {faults:?}");
        assert!(faults.len() <= 1, "{what}: {faults:?}");
    }
}

#[test]
fn a_node_without_a_site_misses_none() {
    let mut board = board(Vec::new());
    for event in [
        Event::Addresses(addresses(Verdict::Public)),
        link(0, LinkState::Answered),
        link(1, LinkState::Answered),
        record(RecordState::InForce),
    ] {
        board.take(event, NOW);
    }
    let status = status(&board);
    assert_eq!((status.phase, status.faults.len(), shown(&status)), (Phase::Running, 0, Shown::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_published_at_every_report_and_often_enough_when_nothing_happens() {
    let (report, reports) = mpsc::channel(4);
    let (line, close) = (Timeline::start(None), Shutdown::manual());
    let publish = watch::Sender::new(status(&with_site()));
    let mut seen = publish.subscribe();
    let running = tokio::spawn(with_site().run(reports, publish, line, close.receiver()));
    report.send(record(RecordState::Refused)).await.unwrap();
    let refused = |s: &AgentStatus| s.records[0].state == RecordState::Refused;
    seen.wait_for(refused).await.unwrap();
    for _ in 0..20 {
        let before = line.uptime();
        seen.changed().await.unwrap();
        assert!(line.uptime() - before <= Duration::from_secs(5));
    }
    assert_eq!(seen.borrow().uptime_ms, millis(line.uptime()));
    close.begin();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_fault_is_new_again_when_it_comes_back_and_what_is_announced_ends() {
    let (report, reports) = mpsc::channel(4);
    let (line, close) = (Timeline::start(None), Shutdown::manual());
    let publish = watch::Sender::new(status(&with_site()));
    let mut seen = publish.subscribe();
    let running = tokio::spawn(well().run(reports, publish, line, close.receiver()));
    let mut step = async |event, expected: Shown| {
        report.send(event).await.unwrap();
        let found =
            tokio::time::timeout(Duration::from_secs(60), seen.wait_for(|s| shown(s) == expected)).await;
        assert!(found.is_ok(), "{expected} was not shown");
    };
    let refused = Shown::NeedsHuman(FaultCode::DnsRefused);
    step(record(RecordState::Refused), refused).await;
    step(Event::Lamps(LampEvent::Acknowledged), Shown::Acknowledged(FaultCode::DnsRefused)).await;
    step(record(RecordState::InForce), Shown::Healthy).await;
    step(record(RecordState::Refused), refused).await;
    let identify = LampEvent::Announced(crate::status::Announced::Identify, Duration::from_secs(30));
    step(Event::Lamps(identify), Shown::Identify).await;
    let asked = line.uptime();
    step(record(RecordState::InForce), Shown::Healthy).await;
    let lasted = line.uptime() - asked;
    assert!(lasted >= Duration::from_secs(28) && lasted <= Duration::from_secs(33), "{lasted:?}");
    close.begin();
    running.await.unwrap();
}

#[test]
fn a_watcher_that_is_lost_is_told_to_hooks_once_and_so_is_its_return() {
    let mut board = well();
    let seen = |board: &Board, seconds: u64| {
        let span = Duration::from_secs(seconds);
        board.snapshot(NOW + span, span)
    };
    let told = |before: &AgentStatus, after: &AgentStatus| {
        let changes = hooks::lost_and_found(before, after);
        changes
            .iter()
            .map(|change| (change.name.clone(), change.old[0].clone(), change.new[0].clone()))
            .collect::<Vec<_>>()
    };
    let word = |old: &str, new: &str| ("http://a".to_owned(), old.to_owned(), new.to_owned());
    board.take(link(1, LinkState::Answered), NOW + Duration::from_secs(400));
    let (early, late) = (seen(&board, 299), seen(&board, 300));
    assert_eq!(told(&seen(&board, 10), &early), []);
    assert_eq!(told(&early, &late), [word("answers", "lost")]);
    assert_eq!(told(&late, &seen(&board, 301)), [], "once");
    board.take(link(0, LinkState::Answered), NOW + Duration::from_secs(302));
    assert_eq!(told(&late, &seen(&board, 303)), [word("lost", "answers")]);
    board.take(link(0, LinkState::Refused), NOW + Duration::from_secs(304));
    assert_eq!(told(&seen(&well(), 10), &seen(&board, 305)), [word("answers", "lost")], "a refusal at once");
}
