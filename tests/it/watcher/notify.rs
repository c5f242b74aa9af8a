//! What the watcher tells people, and that telling them holds up nothing.

use hearth::failover::Shape;

use super::node::Reference;
use super::person::text;
use super::rig::{PATIENCE, Rig};
use super::sink::{Mood, Sink};
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::wait_until;

/// A rig with these lines, and a secret URL in its place.
fn rig(server: &Knot, more: &str, secret: &str) -> Rig {
    let mut rig = Rig::new(Shape::Address, server);
    rig.settings = more.to_owned();
    std::fs::write(rig.path("hook.url"), secret).unwrap();
    rig
}

#[test]
fn people_hear_of_an_outage_and_of_its_end_while_another_service_hangs() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let (hears, hangs, monitor) =
        (Sink::start(Mood::Takes("ok")), Sink::start(Mood::Hangs), Sink::start(Mood::Takes("ok")));
    let more = format!(
        "notify = [{{ webhook = {{ url = {{ file = \"hook.url\" }}, preset = \"slack\" }} }}, \
         {{ webhook = {{ url = \"{}\" }} }}]\nping = {{ url = \"{}\", every = \"1s\", fail = \"/fail\" }}",
        hangs.url("/"),
        monitor.url("/ping"),
    );
    let mut rig = rig(&server, &more, &hears.url("/s3cret-topic"));
    rig.start();
    rig.wait_for_record(&server, &rig.both());
    rig.settled();
    rig.pi1.dies();
    rig.wait_for_record(&server, &rig.second());
    wait_until("people hear that a node is down", PATIENCE, || {
        (!hears.about("pi1 at").is_empty()).then_some(())
    });
    wait_until("the other service was told, and hangs", PATIENCE, || {
        (!hangs.asked().is_empty()).then_some(())
    });
    let down = hears.about("down: neither answers nor beats");
    assert_eq!(down.len(), 1, "one message for one transition: {down:?}");
    assert!(
        down[0].contains("[hearth] www.hearth.test: warning") && hears.asked()[0].target == "/s3cret-topic"
    );
    rig.pi1.lives();
    rig.wait_for_record(&server, &rig.both());
    wait_until("people hear that it is up again", PATIENCE, || {
        (hears.about("pi1 is up again after").len() == 1).then_some(())
    });
    wait_until("the monitor is pinged", PATIENCE, || (monitor.asked().len() > 2).then_some(()));
    let metrics = rig.get("/metrics").text();
    assert!(
        metrics.contains("hearth_notifications_sent_total{way=\"notify 1 (the webhook with a secret URL)\"}"),
        "{metrics}"
    );
    assert_eq!(rig.stop().code(), Some(0), "a service that hangs does not keep it from stopping");
    let told = format!("{}{metrics}", rig.log());
    assert!(!told.contains("s3cret-topic"), "a secret URL is told");
    let pings = monitor.asked();
    assert!(pings.iter().all(|asked| asked.target == "/ping"), "{pings:?}");
}

#[test]
fn a_watcher_that_is_cut_off_pings_that_it_fails_and_one_that_is_dead_does_not_ping() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let monitor = Sink::start(Mood::Takes("ok"));
    let more = format!("ping = {{ url = \"{}\", every = \"1s\", fail = \"/fail\" }}", monitor.url("/ping"));
    let mut rig = rig(&server, &more, "unused");
    rig.start();
    rig.wait_for_record(&server, &rig.both());
    rig.references.iter_mut().for_each(Reference::closes);
    wait_until("it says that it fails", PATIENCE, || {
        monitor.asked().iter().any(|a| a.target == "/ping/fail" && a.body.contains("cut off")).then_some(())
    });
    rig.kill();
    let count = monitor.asked().len();
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert!(monitor.asked().len() <= count + 1, "what was under way, and no more");
}

#[test]
fn a_person_can_try_every_way_and_sees_what_came_back() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let (ntfy, dingtalk) = (
        Sink::start(Mood::Takes("{}")),
        Sink::start(Mood::Takes(r#"{"errcode":310000,"errmsg":"sign not match"}"#)),
    );
    let good = "notify = [{ webhook = { url = { file = \"hook.url\" }, preset = \"ntfy\" }, from = \"alarm\" }, \
                { command = [\"/bin/sh\", \"-c\", \"echo $HEARTH_EVENT\"] }]";
    let trying = rig(&server, good, &ntfy.url("/s3cret-topic"));
    let output = trying.hearth(&["watcher", "notify-test"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("taken: 200 OK") && said.contains("it said: test") && !said.contains("s3cret"),
        "{said}"
    );
    let [asked] = &ntfy.asked()[..] else { panic!("{said}") };
    assert!(asked.target == "/" && asked.body.contains("\"topic\":\"s3cret-topic\""), "{asked:?}");
    let checked = trying.hearth(&["check-config"]);
    assert!(
        text(&checked).contains("webhook.preset = \"ntfy\"") && !text(&checked).contains("s3cret"),
        "{}",
        text(&checked)
    );

    let refusing = "notify = [{ webhook = { url = { file = \"hook.url\" }, preset = \"dingtalk\" } }]";
    let output = rig(&server, refusing, &dingtalk.url("/robot")).hearth(&["watcher", "notify-test"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("errcode 310000 sign not match"), "{}", text(&output));

    let refused = Sink::start(Mood::Refuses);
    let plain = format!("notify = [{{ webhook = {{ url = \"{}\" }} }}]", refused.url("/x"));
    let output = rig(&server, &plain, "unused").hearth(&["watcher", "notify-test"]);
    assert!(text(&output).contains("it answered 403"), "{}", text(&output));
}
