//! From a change of the address to the record, with the real agent and a real Knot: how long it takes.

#![allow(clippy::print_stdout, reason = "the time that was seen belongs to the result")]

use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use hearth::heartbeat::seal::SigningKey;
use hickory_proto::rr::RecordType;

use super::lab::{Home, Process, SERVER, echo};
use crate::support::knot::Knot;
use crate::support::name_server::{ZONE, left_out, tsig_key};
use crate::support::netns::Netns;
use crate::support::wait_until;

/// What may pass between the change and the record.
const LIMIT: Duration = Duration::from_secs(5);

const PATIENCE: Duration = Duration::from_secs(30);

/// An agent on the Pi `pi` that keeps pi1 at `knot`, with the page at `url` and these other sources; rounds are five
/// minutes apart, so what happens sooner was called for. `record` is more of the record.
fn agent(dir: &std::path::Path, knot: &Knot, families: &str, sources: &[String], record: &str) -> Process {
    let mut text = format!(
        "[node]\nname = \"pi1\"\nkey = {{ file = \"node.key\" }}\nstate = \"state\"\ncontrol = \"agent.sock\"\n\
         [address]\nfamilies = [\"{families}\"]\n"
    );
    for source in sources {
        writeln!(text, "[[address.source]]\n{source}").unwrap();
    }
    let server = knot.address();
    write!(
        text,
        "[[record]]\nname = \"pi1.{ZONE}\"\nprovider = \"home\"\nttl = \"60s\"\n{record}\n\
         [provider.home]\nkind = \"rfc2136\"\nserver = \"{server}\"\nzone = \"{ZONE}\"\nname-servers = [\"{server}\"]\n\
         key = {{ name = \"pi1\", secret = {{ file = \"tsig.key\" }} }}\n"
    )
    .unwrap();
    std::fs::write(dir.join("hearth.toml"), text).unwrap();
    std::fs::write(dir.join("node.key"), SigningKey::from_seed([7; 32]).to_text().expose()).unwrap();
    std::fs::write(dir.join("tsig.key"), BASE64.encode(tsig_key("pi1").secret.expose())).unwrap();
    start(dir)
}

fn start(dir: &std::path::Path) -> Process {
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.arg("agent").arg("--config").arg(dir.join("hearth.toml")).env("HEARTH_LOG", "hearth=debug");
    command.env_remove("NOTIFY_SOCKET").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Process::of(command.spawn().unwrap())
}

/// Waits until pi1 is `address`, and says how long that took.
#[track_caller]
fn published(knot: &Knot, kind: RecordType, address: &str, dir: &std::path::Path) -> Duration {
    let began = Instant::now();
    let look = || {
        let there = knot.query("pi1", kind) == [address];
        assert!(there || began.elapsed() < PATIENCE, "{}", std::fs::read_to_string(dir.join("log")).unwrap());
        there.then_some(())
    };
    wait_until("the record", PATIENCE * 2, look);
    began.elapsed()
}

/// Waits until the agent may write again: two writes of one name are five seconds apart.
fn rest() {
    let began = Instant::now();
    wait_until("the agent may write again", PATIENCE, || (began.elapsed() > LIMIT).then_some(()));
}

fn page(url: &str) -> String {
    format!("kind = \"https\"\nurl = \"{url}\"\noperator = \"lab\"")
}

fn kind(kind: &str) -> String {
    format!("kind = \"{kind}\"")
}

/// A Pi that holds its address itself.
fn on_the_net() -> Option<(Netns, Netns)> {
    if left_out("network") {
        return None;
    }
    let (pi, internet) = (Netns::new("pi")?, Netns::new("net")?);
    pi.cable("eth0", &internet, "net0");
    internet.ip(&format!("addr add {SERVER}/32 dev lo"));
    Some((pi, internet))
}

#[test]
fn an_address_that_changes_on_the_interface_is_in_the_record_within_five_seconds() {
    let Some((pi, internet)) = on_the_net() else { return };
    internet.ip("addr add 84.1.2.1/24 dev net0");
    internet.ip("addr add 84.1.3.1/24 dev net0");
    pi.ip("addr add 84.1.2.3/24 dev eth0");
    pi.ip("route add default via 84.1.2.1");
    let url = echo(&internet, (SERVER, 80).into());
    let dir = tempfile::tempdir().unwrap();
    pi.enter(|| {
        let knot = Knot::start();
        let _agent = agent(dir.path(), &knot, "ipv4", &[kind("interface"), page(&url)], "");
        let took = published(&knot, RecordType::A, "84.1.2.3", dir.path());
        println!("start of the agent -> record written: {took:?}");
        for (old, new, via) in [("84.1.2.3", "84.1.3.9", "84.1.3.1"), ("84.1.3.9", "84.1.2.5", "84.1.2.1")] {
            rest();
            pi.ip(&format!("addr add {new}/24 dev eth0"));
            pi.ip(&format!("addr del {old}/24 dev eth0"));
            pi.ip(&format!("route replace default via {via}"));
            let took = published(&knot, RecordType::A, new, dir.path());
            println!("address of the interface changed -> record written: {took:?}");
            assert!(took < LIMIT, "{took:?}: {}", std::fs::read_to_string(dir.path().join("log")).unwrap());
        }
    });
}

#[test]
fn a_new_prefix_is_in_the_records_of_the_pi_and_of_its_neighbour_within_five_seconds() {
    let Some((pi, internet)) = on_the_net() else { return };
    internet.ip("addr add 2a02:8071:1::1/64 dev net0 nodad");
    internet.ip("addr add 2a02:8071:2::1/64 dev net0 nodad");
    internet.ip("addr add 2a02:99::1/128 dev lo nodad");
    pi.ip("addr add 2a02:8071:1::7/64 dev eth0 nodad");
    pi.ip("route add default via 2a02:8071:1::1");
    let url = echo(&internet, "[2a02:99::1]:80".parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    pi.enter(|| {
        let knot = Knot::start();
        let neighbour = format!(
            "[[record]]\nname = \"shared.{ZONE}\"\nprovider = \"home\"\nttl = \"60s\"\nsuffix = \"::1234\"\n"
        );
        let _agent = agent(dir.path(), &knot, "ipv6", &[kind("interface"), page(&url)], &neighbour);
        published(&knot, RecordType::AAAA, "2a02:8071:1::7", dir.path());
        rest();
        // As a router does it: the new prefix comes, the old one is deprecated.
        pi.ip("addr add 2a02:8071:2::7/64 dev eth0");
        pi.ip("addr change 2a02:8071:1::7/64 dev eth0 preferred_lft 0 valid_lft 600");
        pi.ip("route replace default via 2a02:8071:2::1");
        let took = published(&knot, RecordType::AAAA, "2a02:8071:2::7", dir.path());
        println!("IPv6 prefix changed, with duplicate detection -> record written: {took:?}");
        assert!(took < LIMIT, "{took:?}: {}", std::fs::read_to_string(dir.path().join("log")).unwrap());
        wait_until("the neighbour's record", PATIENCE, || {
            (knot.query("shared", RecordType::AAAA) == ["2a02:8071:2::1234"]).then_some(())
        });
        assert_eq!(knot.query("shared", RecordType::A), ["192.0.2.200"], "somebody else's member stays");
    });
}

#[test]
fn an_address_that_changes_at_the_router_is_in_the_record_within_five_seconds_of_its_announcement() {
    let Some(home) = Home::with_public_address() else { return };
    home.internet.ip("addr add 84.1.3.1/24 dev net0");
    let url = echo(&home.internet, (SERVER, 80).into());
    let dir = tempfile::tempdir().unwrap();
    home.pi.enter(|| {
        let knot = Knot::start();
        let _agent = agent(dir.path(), &knot, "ipv4", &[kind("nat-pmp"), kind("upnp"), page(&url)], "");
        published(&knot, RecordType::A, "84.1.2.3", dir.path());
        rest();
        home.router.ip("addr add 84.1.3.9/24 dev wan0");
        home.router.ip("addr del 84.1.2.3/24 dev wan0");
        home.router.ip("route replace default via 84.1.3.1");
        let took = published(&knot, RecordType::A, "84.1.3.9", dir.path());
        println!("address of the router changed -> record written: {took:?}");
        assert!(took < LIMIT, "{took:?}: {}", std::fs::read_to_string(dir.path().join("log")).unwrap());
        let cached = hearth(dir.path(), &["address", "--cached", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&cached.stdout).unwrap();
        let agreed: IpAddr = report["families"]["ipv4"]["agreed"].as_str().unwrap().parse().unwrap();
        assert_eq!(agreed, IpAddr::from([84, 1, 3, 9]), "{report}");
        let fresh = hearth(dir.path(), &["address"]);
        let screen = String::from_utf8_lossy(&fresh.stdout).into_owned();
        println!("{screen}");
        assert!(fresh.status.success() && screen.contains("= 84.1.3.9: confirmed, behind NAT"), "{screen}");
    });
}

fn hearth(dir: &std::path::Path, words: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.args(words).arg("--config").arg(dir.join("hearth.toml")).output().unwrap()
}
