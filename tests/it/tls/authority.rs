//! What an authority may say that pebble never does: who it is in CAA records, that it has had enough, that an order is too
//! old, and when to renew.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::acme::{certificate, provider, rig, root, shown};
use super::relay::{Relay, problem};
use super::rig::PATIENCE;
use crate::agent::rig::{Rig, free_port};
use crate::support::authority::now;
use crate::support::knot::Knot;
use crate::support::name_server::{ZONE, left_out};
use crate::support::pebble::{EveryName, Pebble, Plan};
use crate::support::vendor::{Reply, Request};
use crate::support::wait_until;
use crate::watcher::storm::libfaketime;

#[test]
fn a_caa_record_that_names_others_is_heeded_before_the_authority_is_asked() {
    if left_out("knot") {
        return;
    }
    let knot = Knot::start();
    let relay =
        Relay::alone("{\"caaIdentities\":[\"ca.example\"]}", |_| problem(500, "serverInternal", "no"));
    let (mut rig, _) = rig(&(relay.acme(", provider = \"home\"") + &provider(&knot, "pi1")));
    rig.start();
    let status = rig.wait_for("the refusal", |status| certificate(status).why.contains("CAA"));
    let why = &certificate(&status).why;
    assert!(why.contains(&format!("CAA records at {ZONE} forbid it: they name other.example")), "{why}");
    assert!(why.contains("add a CAA record `0 issue \"ca.example\"` there"), "{why}");
    assert!(certificate(&status).needs_person);
    assert_eq!(relay.asked("/new-account").len(), 0);
}

#[test]
fn an_authority_that_has_had_enough_is_left_alone_for_as_long_as_it_says() {
    let relay =
        Relay::alone("{}", |_| problem(429, "rateLimited", "too many accounts").with("retry-after", "14400"));
    let (mut rig, _) = rig(&relay.acme(""));
    rig.start();
    let status = rig.wait_for("the refusal", |status| certificate(status).why.contains("rateLimited"));
    let why = &certificate(&status).why;
    assert!(why.contains("too many accounts") && why.contains("the next try is in 4 h"), "{why}");
    assert_eq!(relay.asked("/new-account").len(), 1);
}

/// What an authority says of an order or a part of it that it has thrown away.
fn too_old(of: &str) -> Reply {
    problem(404, "malformed", &format!("{of} is expired"))
}

#[test]
fn an_order_that_is_too_old_is_left_and_another_is_made() {
    if left_out("pebble and faketime") {
        return;
    }
    let Some(library) = libfaketime() else { return };
    let dns = EveryName::start();
    for path in ["/authZ/", "/finalize-order/"] {
        let orders = AtomicUsize::new(0);
        let rig = Rig::new("");
        let pebble = Pebble::start(&Plan { http: rig.site.port(), ..Plan::asking(dns.at) });
        let relay = Relay::before(&pebble, move |request, reply, _| {
            if request.path == "/order-plz" {
                orders.fetch_add(1, Ordering::Relaxed);
            }
            // That of the first order.
            let expired = request.path.starts_with(path) && orders.load(Ordering::Relaxed) == 1;
            let nonce = reply.headers.iter().find(|(name, _)| *name == "replay-nonce").cloned();
            let replaced = |(name, value)| too_old(path).with(name, value);
            if expired { nonce.map_or_else(|| too_old(path), replaced) } else { reply }
        });
        let at = free_port();
        rig.also(&format!("[site.tls]\nlisten = [\"{at}\"]\n{}", relay.acme(", challenge = \"http-01\"")));
        let mut rig = rig;
        rig.start();
        let status = rig.wait_for("the failure", |status| certificate(status).why.contains("is expired"));
        let why = &certificate(&status).why;
        assert!(why.contains("the next try is in 1") && !certificate(&status).needs_person, "{path}: {why}");
        rig.stop();
        rig.start_at("+30m", &library);
        rig.wait_for("a certificate", |status| certificate(status).until.is_some());
        assert!(shown(at, &root(&pebble)).is_some());
        assert_eq!(relay.asked("/order-plz").len(), 2, "{path}");
        rig.stop();
    }
}

/// pebble, and a window in which it wants each certificate to be renewed: how many seconds from now it begins, for the
/// first certificate that is asked about and for every other.
fn suggesting(pebble: &Pebble, first: i64, others: i64) -> Relay {
    let known = std::sync::Mutex::new(None::<String>);
    Relay::before(pebble, move |request: &Request, reply, at| {
        if request.path == "/dir" {
            let mut directory: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
            directory["renewalInfo"] = format!("https://{at}/suggestion").into();
            return Reply::json(200, &directory);
        }
        if request.path == "/order-plz" {
            // What is replaced is repeated (RFC 9773 section 5).
            let mut order: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
            order["replaces"] = payload(request)["replaces"].clone();
            return Reply { body: order.to_string(), ..reply };
        }
        let Some(id) = request.path.strip_prefix("/suggestion/") else { return reply };
        let mut known = known.lock().unwrap();
        let is_first = *known.get_or_insert_with(|| id.to_owned()) == id;
        let start = now().as_secs().saturating_add_signed(if is_first { first } else { others });
        let stamp = |at: u64| {
            let time = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at);
            let (date, clock) = (time.date(), time.time());
            format!("{date}T{:02}:{:02}:{:02}Z", clock.hour(), clock.minute(), clock.second())
        };
        let window = serde_json::json!({ "start": stamp(start), "end": stamp(start + 60) });
        Reply::json(200, &serde_json::json!({ "suggestedWindow": window })).with("retry-after", "21600")
    })
}

/// What was signed in a request (RFC 7515 section 7.2.1).
fn payload(request: &Request) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let payload = body["payload"].as_str().unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}

#[test]
fn a_certificate_is_renewed_when_the_authority_suggests_it_and_says_what_it_replaces() {
    if left_out("pebble and knot") {
        return;
    }
    let knot = Knot::start();
    // By its life alone it would be renewed after 80 s.
    let pebble = Pebble::start(&Plan { validity: Duration::from_secs(120), ..Plan::asking(knot.address()) });
    let relay = suggesting(&pebble, -3_600, 86_400);
    let (mut rig, at) = rig(&(relay.acme(", provider = \"home\"") + &provider(&knot, "pi1")));
    rig.start();
    let root = root(&pebble);
    let first = wait_until("a certificate", PATIENCE, || shown(at, &root));
    wait_until("another certificate", PATIENCE, || shown(at, &root).filter(|shown| *shown != first));
    let suggestions = || relay.asked("/suggestion/");
    wait_until("the question when to renew that one", PATIENCE, || (suggestions().len() == 2).then_some(()));
    let orders: Vec<_> = relay.asked("/order-plz").iter().map(payload).collect();
    assert_eq!(orders.len(), 2, "{orders:?}");
    let replaced = suggestions()[0].path.rsplit('/').next().unwrap().to_owned();
    assert_eq!(
        (&orders[0]["replaces"], &orders[1]["replaces"]),
        (&serde_json::Value::Null, &replaced.into())
    );
}
