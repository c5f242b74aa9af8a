//! The beats of an agent, taken by a watcher's own listener.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hearth::config::PageAccess;
use hearth::dns::RdataSet;
use hearth::heartbeat::seal::SigningKey;
use hearth::heartbeat::window::Replayed;
use hearth::heartbeat::witness::{Assignment, Errand, FallbackLook, NodeLook};
use hearth::heartbeat::{Answer, Beat, SiteView};
use hearth::probe::{Failure, Outcome, PageCheck, Scheme};
use hearth::status::{FaultCode, LinkState, Phase};
use hearth::watcher::listen::{Accepted, Door, Handler, Limits, Shows, run};
use hickory_proto::rr::RecordType;
use tokio::sync::mpsc;

use super::rig::{PATIENCE, Rig, is_open, node_key, text};
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::{http, wait_until};
use crate::watcher::node::Place;

/// A watcher that answers and remembers.
struct Watcher {
    at: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct Heard {
    beats: Vec<Beat>,
    /// The run that is called over.
    over: Option<hearth::heartbeat::BootId>,
    /// Whether the site's port was open when the leave was heard.
    open_at_leave: Option<bool>,
    site: Option<SocketAddr>,
    /// Where the node has proved to be.
    proven: Vec<IpAddr>,
    /// What the node is asked to look at.
    errand: Errand,
}

fn watcher_key() -> SigningKey {
    SigningKey::from_seed([2; 32])
}

impl Watcher {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let (at, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Heard::default())));
        let (beats, asked) = mpsc::channel(16);
        let handler = Handler {
            key: Arc::new(watcher_key()),
            peers: BTreeMap::from([("pi1".parse().unwrap(), node_key().verifying())]),
            beats,
            shows: Shows::default(),
            door: Door::new(PageAccess::Public, None),
            words: tokio::sync::mpsc::channel(1).0,
        };
        runtime.spawn(run(vec![listener], handler, Limits::default(), None, std::future::pending()));
        runtime.spawn(listen(asked, Arc::clone(&heard)));
        Self { at, heard, _runtime: runtime }
    }

    fn link(&self, key: &SigningKey) -> String {
        self.link_every("10s", key)
    }

    fn link_every(&self, every: &str, key: &SigningKey) -> String {
        let (at, key) = (self.at, key.verifying());
        format!(
            "[heartbeat]\nevery = \"{every}\"\nwatchers = [{{ url = \"http://{at}\", public-key = \"{key}\" }}]\n"
        )
    }

    #[track_caller]
    fn wait_for<T>(&self, what: &str, look: impl Fn(&Heard) -> Option<T>) -> T {
        wait_until(what, PATIENCE, || look(&self.heard.lock().unwrap()))
    }
}

async fn listen(mut asked: mpsc::Receiver<Accepted>, heard: Arc<Mutex<Heard>>) {
    while let Some(Accepted { beat, reply }) = asked.recv().await {
        let mut heard = heard.lock().unwrap();
        if heard.over == Some(beat.boot) {
            let _ = reply.send(Err(Replayed::Over { boot: beat.boot }));
            continue;
        }
        if beat.leaving.is_some() {
            heard.open_at_leave = heard.site.map(is_open);
        }
        let _ = reply.send(Ok(answer_to(&beat, &heard)));
        heard.beats.push(beat);
    }
}

fn answer_to(beat: &Beat, heard: &Heard) -> Answer {
    let view = SiteView {
        site: "www.hearth.test".to_owned(),
        health: "up".to_owned(),
        on_fallback: false,
        in_force: vec![RdataSet::of("A 127.0.9.1".parse().unwrap())],
        proven: heard.proven.clone(),
    };
    let (node, boot, sequence) = (beat.node.clone(), beat.boot, beat.sequence);
    Answer {
        form: 1,
        node,
        boot,
        sequence,
        wall_ms: 1_800_000_000_000,
        view: vec![view],
        errand: heard.errand.clone(),
    }
}

fn claims(beat: &Beat, address: [u8; 4]) -> bool {
    beat.addresses.iter().any(|claim| claim.address == IpAddr::from(address))
}

#[test]
fn a_start_and_a_new_address_are_announced_at_once_and_the_view_is_shown() {
    let watcher = Watcher::start();
    let mut rig = Rig::new(&watcher.link(&watcher_key()));
    rig.start();
    watcher
        .wait_for("the first address", |h| h.beats.iter().any(|b| claims(b, [127, 0, 9, 1])).then_some(()));
    rig.line.moves_to([127, 0, 9, 2]);
    let began = std::time::Instant::now();
    watcher.wait_for("the second", |h| h.beats.iter().any(|b| claims(b, [127, 0, 9, 2])).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(8), "not at the next beat, which is 10 s away");
    let sequences: Vec<u64> = watcher.heard.lock().unwrap().beats.iter().map(|b| b.sequence).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");

    let status =
        rig.wait_for("answered", |s| s.watchers[0].state == LinkState::Answered && s.phase == Phase::Running);
    assert_eq!(status.watchers[0].view[0].health, "up");
    assert!(status.watchers[0].answered_ms_ago.is_some());
    let shown = text(&rig.hearth(&["status"]));
    assert!(shown.contains("sees this node up; visitors are at home: A 127.0.9.1"), "{shown}");
}

#[test]
fn a_stop_is_announced_before_the_door_closes() {
    let watcher = Watcher::start();
    let mut rig = Rig::new(&watcher.link(&watcher_key()));
    watcher.heard.lock().unwrap().site = Some(rig.site);
    rig.start();
    rig.wait_for("served", |status| status.sites[0].generation.is_some());
    watcher.wait_for("a beat", |heard| (!heard.beats.is_empty()).then_some(()));
    rig.tell_to_stop();
    watcher.wait_for("the farewell", |h| h.beats.last().is_some_and(|b| b.leaving.is_some()).then_some(()));
    assert_eq!(watcher.heard.lock().unwrap().open_at_leave, Some(true));
    assert_eq!(
        http::ask(rig.site, "GET", "/", super::rig::HOST, &[]).text(),
        "home",
        "and for a moment more"
    );
    assert_eq!(rig.ask().map(|status| status.phase), Some(Phase::Leaving));
    assert_eq!(rig.ended(), Some(0), "{}", rig.log());
    assert!(!is_open(rig.site));
}

#[test]
fn an_update_is_announced_by_the_last_beat_and_what_follows_beats_in_a_run_of_its_own() {
    let watcher = Watcher::start();
    let mut rig = Rig::new(&watcher.link(&watcher_key()));
    rig.start();
    rig.wait_for("heard", |status| status.watchers[0].state == LinkState::Answered);
    rig.signal(rustix::process::Signal::HUP);
    let beats = watcher.wait_for("another run", |heard| {
        let runs = heard.beats.first()?.boot != heard.beats.last()?.boot;
        runs.then(|| heard.beats.clone())
    });
    let (before, after): (Vec<_>, Vec<_>) = beats.iter().partition(|beat| beat.boot == beats[0].boot);
    let last = before.last().unwrap();
    assert_eq!((last.led.as_str(), &last.leaving), ("updating", &None));
    assert!(before[..before.len() - 1].iter().chain(&after).all(|beat| beat.led != "updating"), "{beats:?}");
    rig.stop();
}

#[test]
fn a_watcher_under_another_key_is_refused_and_a_person_hears_of_it() {
    let watcher = Watcher::start();
    let mut rig = Rig::new(&watcher.link(&SigningKey::from_seed([3; 32])));
    rig.start();
    let status = rig.wait_for("refused", |status| status.watchers[0].state == LinkState::Refused);
    assert!(status.watchers[0].why.contains("not sealed by the watcher's key"), "{:?}", status.watchers);
    assert_eq!(status.faults[0].code, FaultCode::Watcher);
    assert!(status.watchers[0].view.is_empty());
    rig.stop();
}

#[test]
fn a_watcher_that_is_away_is_no_fault_and_does_not_hold_up_a_stop() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let key = watcher_key().verifying();
    let more = format!("[heartbeat]\nwatchers = [{{ url = \"http://{gone}\", public-key = \"{key}\" }}]\n");
    let mut rig = Rig::new(&more);
    rig.start();
    let status = rig.wait_for("unreachable", |status| status.watchers[0].state == LinkState::Unreachable);
    assert_eq!(status.faults, []);
    let began = std::time::Instant::now();
    rig.stop();
    assert!(began.elapsed() < Duration::from_secs(3), "nobody heard it, so nobody is waited for");
}

#[test]
fn a_run_that_is_called_over_is_followed_by_a_new_one() {
    let watcher = Watcher::start();
    let mut rig = Rig::new(&watcher.link(&watcher_key()));
    rig.start();
    let first = watcher.wait_for("a beat", |heard| heard.beats.last().map(|beat| beat.boot));
    watcher.heard.lock().unwrap().over = Some(first);
    rig.line.moves_to([127, 0, 9, 4]);
    let next =
        watcher.wait_for("a beat of another run", |h| h.beats.iter().find(|b| b.boot != first).cloned());
    assert_eq!(next.sequence, 1);
    let status = rig.ask().unwrap();
    assert_ne!(status.watchers[0].state, LinkState::Refused);
}

/// An agent that keeps pi1 at `server` and beats to `link`.
fn keeping(server: SocketAddr, link: &str) -> Rig {
    let rig = Rig::keeping(server, &["pi1"]);
    let text = std::fs::read_to_string(rig.path("hearth.toml")).unwrap();
    std::fs::write(rig.path("hearth.toml"), text + link).unwrap();
    rig
}

#[test]
fn a_new_address_is_published_once_a_watcher_has_proved_it_or_has_had_time_to() {
    if left_out("Knot") {
        return;
    }
    let (knot, watcher) = (Knot::start(), Watcher::start());
    let mut rig = keeping(knot.address(), &watcher.link(&watcher_key()));
    let prove = |address: [u8; 4]| watcher.heard.lock().unwrap().proven = vec![address.into()];
    let published = |address: &str, within| {
        wait_until(address, within, || (knot.query("pi1", RecordType::A) == [address]).then_some(()));
    };
    prove([127, 0, 9, 1]);
    rig.start();
    published("127.0.9.1", PATIENCE);

    rig.line.moves_to([127, 0, 9, 2]);
    let quickly = |h: &Heard| {
        let claiming = h.beats.iter().filter(|beat| claims(beat, [127, 0, 9, 2])).count();
        (claiming >= 4).then_some(())
    };
    wait_until("several beats before the next would be due", Duration::from_secs(9), || {
        quickly(&watcher.heard.lock().unwrap())
    });
    assert_eq!(knot.query("pi1", RecordType::A), ["127.0.9.1"], "not before it is proven");
    prove([127, 0, 9, 2]);
    published("127.0.9.2", Duration::from_secs(8));

    rig.line.moves_to([127, 0, 9, 3]);
    let began = std::time::Instant::now();
    published("127.0.9.3", Duration::from_secs(40));
    assert!(began.elapsed() > Duration::from_secs(19), "{:?}", began.elapsed());
    assert!(rig.log().contains("no watcher reached this node at 127.0.9.3"), "{}", rig.log());
}

#[test]
fn a_watcher_that_is_away_holds_no_address_back() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let key = watcher_key().verifying();
    let link = format!("[heartbeat]\nwatchers = [{{ url = \"http://{gone}\", public-key = \"{key}\" }}]\n");
    let mut rig = keeping(knot.address(), &link);
    rig.start();
    for last in [1, 2] {
        rig.line.moves_to([127, 0, 9, last]);
        let address = format!("127.0.9.{last}");
        wait_until(&address, Duration::from_secs(12), || {
            (knot.query("pi1", RecordType::A) == [address.as_str()]).then_some(())
        });
    }
}

/// An errand to look at a node that listens nowhere, and at a fallback at these addresses and this port.
fn errand(references: &[&str], fallback: &[IpAddr], port: u16) -> Errand {
    let page = PageCheck { scheme: Scheme::Http, port, path: "/".to_owned(), contains: None };
    let node = NodeLook {
        node: "pi2".parse().unwrap(),
        public_key: node_key().verifying(),
        address: [127, 0, 9, 77].into(),
        every_ms: 200,
    };
    let assignment = Assignment {
        site: "www.hearth.test".parse().unwrap(),
        page: page.clone(),
        connect_ms: 2_000,
        total_ms: 3_000,
        nodes: vec![node],
        fallback: Some(FallbackLook { page, addresses: fallback.to_vec(), every_ms: 200 }),
    };
    Errand { references: references.iter().map(|r| (*r).to_owned()).collect(), sites: vec![assignment] }
}

#[test]
fn what_a_watcher_asks_for_is_looked_at_and_told_but_nothing_in_the_own_network() {
    let watcher = Watcher::start();
    let pages = Place::pages(([127, 0, 0, 1], 0).into());
    let (there, lan) = (pages.address.ip(), IpAddr::from([192, 168, 7, 7]));
    watcher.heard.lock().unwrap().errand = errand(&[], &[there, lan], pages.address.port());
    let mut rig = Rig::new(&watcher.link_every("300ms", &watcher_key()));
    rig.start();
    let said = watcher.wait_for("both kinds of testimony", |heard| {
        let said: Vec<_> = heard.beats.iter().flat_map(|beat| beat.testimonies.clone()).collect();
        let kinds = [said.iter().any(|t| t.node.is_none()), said.iter().any(|t| t.node.is_some())];
        (kinds == [true, true]).then_some(said)
    });
    for testimony in &said {
        match &testimony.node {
            None => assert!(testimony.outcome.is_up() && testimony.address == there, "{testimony:?}"),
            Some(node) => {
                assert_eq!(node.as_str(), "pi2");
                assert_eq!(testimony.outcome, Outcome::Failed(Failure::Refused));
            }
        }
        assert!(testimony.ago_ms < 5_000, "{testimony:?}");
    }
    watcher.heard.lock().unwrap().errand = Errand::default();
    watcher.wait_for("silence once nothing is asked for", |heard| {
        let quiet = heard.beats.iter().rev().take(4).all(|beat| beat.testimonies.is_empty());
        quiet.then_some(())
    });
}

#[test]
fn a_witness_that_reaches_no_reference_says_what_is_well_and_keeps_quiet_about_the_rest() {
    let watcher = Watcher::start();
    let pages = Place::pages(([127, 0, 0, 1], 0).into());
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    watcher.heard.lock().unwrap().errand = errand(&[&gone], &[pages.address.ip()], pages.address.port());
    let mut rig = Rig::new(&watcher.link_every("300ms", &watcher_key()));
    rig.start();
    let said = watcher.wait_for("several testimonies", |heard| {
        let said: Vec<_> = heard.beats.iter().flat_map(|beat| beat.testimonies.clone()).collect();
        (said.len() >= 4).then_some(said)
    });
    assert!(said.iter().all(|testimony| testimony.outcome.is_up()), "{said:?}");
}
