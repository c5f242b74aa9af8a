//! No watcher answers any more, and the site is on the fallback: a node may send visitors back to itself, once.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use data_encoding::BASE64;
use hearth::dns::change::{Outcome, change};
use hearth::dns::plan::{Desired, Scope};
use hearth::dns::provider::Provider;
use hearth::dns::{Owner, RdataSet, Ttl};
use hearth::host::time::wall_clock;
use hickory_proto::rr::RecordType;

use super::rig::{PATIENCE, Rig, free_port};
use crate::support::authority::Authority;
use crate::support::knot::Knot;
use crate::support::name_server::{ZONE, left_out, tsig_key};
use crate::support::{stays, wait_until};

const PAGES: &str = "185.199.108.153";
/// Where the agents listen, and where the echoes see them.
const HOME: &str = "127.0.0.1";

fn site() -> String {
    format!("www.{ZONE}")
}

/// Writes the site's record as the watcher would.
pub(crate) fn written(server: &Knot, address: &str, epoch: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let provider = Provider::new(&server.provider_settings("watcher"), wall_clock).unwrap();
    let desired = Desired {
        name: site().parse().unwrap(),
        owner: Owner::new("watcher"),
        ttl: Ttl::from_secs(60),
        epoch: Some(epoch),
        scope: Scope::Whole,
        lines: Default::default(),
        sets: vec![RdataSet::of(format!("A {address}").parse().unwrap())],
        retire: Default::default(),
        mine: Default::default(),
    };
    let done = runtime.block_on(change(&provider, &desired, |_| async { Ok(()) })).unwrap();
    assert!(matches!(done, Outcome::Landed { .. }), "{done:?}");
}

fn epoch(server: &Knot) -> Option<u64> {
    let marks = server.query("_hearth.www", RecordType::TXT);
    let mark = marks.iter().find(|mark| mark.contains("owner=watcher"))?;
    mark.split_once("epoch=")?.1.trim_end_matches('"').parse().ok()
}

fn record(server: &Knot) -> Vec<String> {
    server.query("www", RecordType::A)
}

/// A node whose watcher is dead, and that may act after so long.
fn orphan(server: &Knot, after: &str) -> Rig {
    let rig = Rig::new("");
    let door = format!("port = {}", rig.site.port());
    started(rig, server, after, "", &door)
}

/// That node, with more said of its watcher and of how it is to look at itself.
fn started(mut rig: Rig, server: &Knot, after: &str, pin: &str, door: &str) -> Rig {
    let dead: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let key = hearth::heartbeat::seal::SigningKey::from_seed([9; 32]).verifying();
    let at = server.address();
    rig.also(&format!(
        "[heartbeat]\nevery = \"500ms\"\nwatchers = [{{ url = \"http://{dead}\", public-key = \"{key}\"{pin} }}]\n\
         [[heartbeat.fail-back]]\nsite = \"{}\"\nprovider = \"home\"\n{door}\nafter = \"{after}\"\n\
         fallback = {{ addresses = [\"{PAGES}\"] }}\n\
         [provider.home]\nkind = \"rfc2136\"\nserver = \"{at}\"\nzone = \"{ZONE}\"\nname-servers = [\"{at}\"]\n\
         key = {{ name = \"watcher\", secret = {{ file = \"watcher.tsig\" }} }}\n",
        site()
    ));
    std::fs::write(rig.path("watcher.tsig"), BASE64.encode(tsig_key("watcher").secret.expose())).unwrap();
    rig.line.moves_to(HOME.parse::<Ipv4Addr>().unwrap().octets());
    rig.start();
    rig
}

#[test]
fn a_site_that_is_stuck_on_the_fallback_comes_home_once_and_the_epoch_goes_on() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    written(&server, PAGES, 7);
    let rig = orphan(&server, "4s");
    wait_until("the site is at home", PATIENCE, || (record(&server) == [HOME]).then_some(()));
    assert_eq!(epoch(&server), Some(8));
    wait_until("it is told", PATIENCE, || {
        rig.log().contains("visitors were sent back to this node").then_some(())
    });

    // A person wants the fallback after all, and is not fought.
    written(&server, PAGES, 9);
    let serial = server.serial();
    let stands = stays("the person's word", Duration::from_secs(8), || (record(&server), server.serial()));
    assert_eq!(stands, (vec![PAGES.to_owned()], serial), "{}", rig.log());
}

#[test]
fn of_two_nodes_one_writes_and_the_other_sees_it() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    written(&server, PAGES, 7);
    let serial: u64 = server.serial().parse().unwrap();
    let rigs = [orphan(&server, "4s"), orphan(&server, "4s")];
    wait_until("the site is at home", PATIENCE, || (record(&server) == [HOME]).then_some(()));
    let other = || rigs.iter().any(|rig| rig.log().contains("visitors are not on the fallback"));
    wait_until("the other has seen it", PATIENCE, || other().then_some(()));
    assert_eq!((epoch(&server), server.serial()), (Some(8), (serial + 1).to_string()));
    let sent = rigs.iter().filter(|rig| rig.log().contains("visitors were sent back to this node"));
    assert_eq!(sent.count(), 1);
}

#[test]
fn nobody_is_sent_away_from_another_node_nor_to_one_that_serves_nothing() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    written(&server, "203.0.113.9", 7);
    let serial = server.serial();
    let rig = orphan(&server, "3s");
    wait_until("it looked", PATIENCE, || {
        rig.log().contains("visitors are not on the fallback").then_some(())
    });
    assert_eq!((record(&server), server.serial()), (vec!["203.0.113.9".to_owned()], serial));

    std::fs::rename(rig.path("www"), rig.path("away")).unwrap();
    rig.wait_for("its source is gone", |s| s.sites[0].source != hearth::heartbeat::SourceState::Ok);
    written(&server, PAGES, 8);
    wait_until("it says why not", PATIENCE, || {
        rig.log().contains("this node should not have them").then_some(())
    });
    assert_eq!(record(&server), [PAGES]);
}

#[test]
fn a_node_that_has_sent_visitors_back_does_not_do_it_again_after_a_restart() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    written(&server, PAGES, 7);
    let mut rig = orphan(&server, "4s");
    wait_until("the site is at home", PATIENCE, || (record(&server) == [HOME]).then_some(()));
    wait_until("it is told", PATIENCE, || {
        rig.log().contains("visitors were sent back to this node").then_some(())
    });
    rig.stop();
    // A person wants the fallback after all.
    written(&server, PAGES, 9);
    let serial = server.serial();
    rig.start();
    wait_until("it has looked, and says why not", PATIENCE, || {
        rig.log().contains("they were sent back before").then_some(())
    });
    // Two more looks are due.
    let stands = stays("the person's word", Duration::from_secs(3), || (record(&server), server.serial()));
    assert_eq!(stands, (vec![PAGES.to_owned()], serial), "{}", rig.log());
}

#[test]
fn a_site_under_a_private_authority_is_looked_at_as_the_watcher_would() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    written(&server, PAGES, 7);
    let at = free_port();
    let rig = Rig::new(&format!(
        "[site.tls]\nlisten = [\"{at}\"]\ncertificate = \"www.pem\"\nkey = {{ file = \"www.key\" }}\n"
    ));
    let authority = Authority::new("hearth test");
    std::fs::write(rig.path("root.pem"), authority.root_pem()).unwrap();
    authority.issue(&[&site()]).write(&rig.path(""), "www");
    let (pin, door) = (", ca = \"root.pem\"", format!("scheme = \"https\"\nport = {}", at.port()));
    let rig = started(rig, &server, "4s", pin, &door);
    wait_until("the site is at home", PATIENCE, || (record(&server) == [HOME]).then_some(()));
    assert_eq!(epoch(&server), Some(8), "{}", rig.log());
}
