//! `hearth gluster`: a volume made from nothing by its own commands, with the options that it advises, put to the test.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use hearth::heartbeat::SourceState;
use serde_json::Value;

use super::agent::{Agent, HEARTH};
use super::house::{House, Machine, left_out};
use super::poll::Poller;
use super::volume::{MOUNT, PATIENCE, Pair};
use super::{nginx, site};
use crate::support::wait_until;

const VOLUME: [&str; 4] = ["--nodes", "pi1,pi2", "--brick", "/mnt/brick1/gv0"];

/// Exit codes of `hearth gluster check`.
const HEALTHY: i32 = 0;
const DEGRADED: i32 = 4;
const SPLIT: i32 = 5;
const DOWN: i32 = 6;

fn gluster(machine: &Machine, words: &[&str]) -> Output {
    machine.command(HEARTH).arg("gluster").args(words).args(VOLUME).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn ends_with(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    said(output)
}

/// Waits until the check ends with this code; what it says then. What it says until then is printed when it changes.
#[track_caller]
fn wait_for_check(machine: &Machine, code: i32) -> String {
    wait_for_check_of(machine, &["check"], code)
}

#[track_caller]
fn wait_for_check_of(machine: &Machine, words: &[&str], code: i32) -> String {
    let (start, mut last) = (Instant::now(), String::new());
    wait_until(&format!("the check of {} to end with {code}", machine.name()), PATIENCE * 2, || {
        let output = gluster(machine, words);
        let now = said(&output);
        if now != last {
            println!("{} checks after {:.1} s: {now}", machine.name(), start.elapsed().as_secs_f64());
            last = now;
        }
        (output.status.code() == Some(code)).then_some(())
    });
    last
}

/// Makes the volume with the commands of hearth.
fn applied() -> Pair {
    let pair = Pair::strangers();
    let planned = ends_with(&gluster(&pair.pi1, &["plan"]), 2);
    assert!(planned.contains("\ngluster --mode=script peer probe pi2\n"), "{planned}");
    assert!(planned.contains("pi1:/gv0 /mnt/gluster1 glusterfs _netdev"), "{planned}");
    assert!(pair.pi1.run("gluster peer status").contains("Number of Peers: 0"), "a plan changes nothing");
    let down = ends_with(&gluster(&pair.pi1, &["check"]), DOWN);
    assert!(down.contains("there is no volume gv0"), "{down}");
    for machine in [&pair.pi1, &pair.pi2] {
        let done = ends_with(&gluster(machine, &["apply"]), 0);
        assert!(done.contains("mount -t glusterfs -o backup-volfile-servers="), "{done}");
    }
    pair
}

/// Both nodes write the same file while they do not see each other.
fn write_apart(pair: &Pair, file: &str) {
    pair.cut();
    for machine in [&pair.pi1, &pair.pi2] {
        machine.run(&format!("echo {} >{MOUNT}/{file}", machine.name()));
        // So that it is known which is newer: GlusterFS compares whole seconds.
        std::thread::sleep(Duration::from_millis(1100));
    }
    pair.mend();
}

#[test]
fn the_commands_make_a_volume_that_heals_itself_and_say_how_it_stands() {
    if left_out() {
        return;
    }
    let pair = applied();
    for machine in [&pair.pi1, &pair.pi2] {
        assert_eq!(ends_with(&gluster(machine, &["apply"]), 0), "nothing is missing\n");
        ends_with(&gluster(machine, &["plan"]), 0);
        let healthy = wait_for_check(machine, HEALTHY);
        assert_eq!(healthy, "gv0 is healthy: both copies are whole and served\n");
    }
    site::publish(&pair.pi1, 1);
    let agents = pair.both(|machine| Agent::serving(machine, 1));
    let pollers = agents.each_ref().map(Agent::poll);

    pair.pi2.kill_brick();
    pair.pi1.run(&format!("echo meanwhile >{MOUNT}/late"));
    let degraded = wait_for_check(&pair.pi1, DEGRADED);
    assert!(degraded.contains("the brick pi2:/mnt/brick1/gv0 is not reached"), "{degraded}");
    // What the check says to do.
    pair.pi2.run("gluster --mode=script volume start gv0 force");
    wait_for_check(&pair.pi1, HEALTHY);

    // The advised policy heals what both changed.
    pair.pi1.run(&format!("echo before >{MOUNT}/both"));
    write_apart(&pair, "both");
    wait_for_check(&pair.pi1, HEALTHY);
    let newer = |machine: &Machine| {
        wait_until("the newer content", PATIENCE, || {
            let read = machine.attempt(&format!("cat {MOUNT}/both"));
            (read.stdout == b"pi2\n").then_some(())
        });
    };
    pair.both(newer);

    // Without it, a person must choose, and the check says how.
    pair.pi1.run("gluster --mode=script volume set gv0 cluster.favorite-child-policy none");
    write_apart(&pair, "both");
    let split = wait_for_check(&pair.pi1, SPLIT);
    assert!(split.contains("/both was changed on both nodes"), "{split}");
    let json = gluster(&pair.pi1, &["check", "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["verdict"], "split", "{json}");
    let advised = "gluster volume heal gv0 split-brain source-brick pi2:/mnt/brick1/gv0 /both";
    assert!(split.contains(advised), "{split}");
    pair.pi1.run(advised);
    wait_for_check(&pair.pi1, HEALTHY);
    pair.both(newer);

    for (seen, node) in pollers.map(Poller::end).iter().zip(["pi1", "pi2"]) {
        seen.assert_all_answered(&format!("the advised options, a brick killed and two partitions, {node}"));
    }
}

#[test]
fn with_the_advised_options_a_partition_is_short_and_the_check_does_not_hang_in_it() {
    if left_out() {
        return;
    }
    let pair = applied();
    site::publish(&pair.pi1, 1);
    let agents = pair.both(|machine| Agent::serving(machine, 1));
    nginx::start(&pair.pi1);
    let beside = Poller::start(&pair.pi1, nginx::PORT);
    let pollers = agents.each_ref().map(Agent::poll);
    pair.cut();
    agents[0].wait_for_source(SourceState::Hung);
    agents[0].wait_for_source(SourceState::Ok);
    site::publish(&pair.pi1, 2);
    agents[0].wait_for_version(2);
    let start = Instant::now();
    let check = ends_with(&gluster(&pair.pi1, &["check"]), DEGRADED);
    println!("the check of a cut-off node took {:.1} s: {check}", start.elapsed().as_secs_f64());
    pair.mend();
    agents[1].wait_for_version(2);
    wait_for_check(&pair.pi1, HEALTHY);
    // No question was asked that keeps the lock of the pool.
    pair.pi1.run("gluster --mode=script volume set gv0 network.ping-timeout 11");
    println!("nginx on pi1, the same mount, the advised options: {}", beside.end());
    for (seen, node) in pollers.map(Poller::end).iter().zip(["pi1", "pi2"]) {
        seen.assert_all_answered(&format!("a partition with the advised options, {node}"));
    }
}

#[test]
fn what_is_renamed_into_place_while_a_node_is_gone_is_there() {
    if left_out() {
        return;
    }
    let pair = applied();
    site::publish(&pair.pi1, 1);
    pair.pi1.run(&format!("echo first >{MOUNT}/www.html"));
    pair.cut();
    for page in ["second", "third"] {
        pair.pi1.run(&format!("echo {page} >{MOUNT}/new && mv {MOUNT}/new {MOUNT}/www.html"));
        assert_eq!(pair.pi1.run(&format!("cat {MOUNT}/www.html")), format!("{page}\n"));
    }
    assert!(!pair.pi1.run(&format!("ls {MOUNT}")).lines().any(|name| name == "new"));
    pair.mend();
}

#[test]
fn an_arbiter_keeps_the_nodes_from_changing_one_file_on_both_sides() {
    if left_out() {
        return;
    }
    let house = House::new();
    let (pi3, pair) = (house.machine(3), Pair { pi1: house.machine(1), pi2: house.machine(2), house });
    for machine in [&pair.pi1, &pair.pi2, &pi3] {
        machine.start_glusterd();
    }
    let with = |machine: &Machine, word| gluster(machine, &[word, "--arbiter", "pi3"]);
    for machine in [&pair.pi1, &pair.pi2] {
        ends_with(&with(machine, "apply"), 0);
    }
    assert_eq!(ends_with(&with(&pi3, "apply"), 0), "nothing is missing\n", "an arbiter mounts nothing");
    site::publish(&pair.pi1, 1);
    let agents = pair.both(|machine| Agent::serving(machine, 1));
    let pollers = agents.each_ref().map(Agent::poll);
    pair.pi1.run(&format!("echo before >{MOUNT}/both"));
    pair.cut();
    pair.pi1.run(&format!("echo pi1 >{MOUNT}/both"));
    let refused = pair.pi2.attempt(&format!("echo pi2 >{MOUNT}/both"));
    assert!(!refused.status.success(), "the node that is alone must not write");
    pair.mend();
    wait_for_check_of(&pair.pi1, &["check", "--arbiter", "pi3"], HEALTHY);
    wait_until("pi2 to read what pi1 wrote", PATIENCE, || {
        (pair.pi2.attempt(&format!("cat {MOUNT}/both")).stdout == b"pi1\n").then_some(())
    });
    for (seen, node) in pollers.map(Poller::end).iter().zip(["pi1", "pi2"]) {
        seen.assert_all_answered(&format!("a partition with an arbiter, {node}"));
    }
}

#[test]
fn the_units_are_in_order_for_systemd_and_nothing_requires_them() {
    if std::env::var_os("HEARTH_QUICK").is_some_and(|value| value == "1") {
        println!("left out under HEARTH_QUICK=1: a test with systemd-analyze");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().to_str().unwrap();
    let words = ["units", "--here", "pi2", "--mount", "/srv/my-site", "--out", at];
    let output = Command::new(HEARTH).arg("gluster").args(words).args(VOLUME).output().unwrap();
    let told = ends_with(&output, 0);
    assert!(told.contains("systemctl enable --now 'srv-my\\x2dsite.automount'"), "{told}");
    let units = ["mount", "automount"].map(|kind| directory.path().join(format!("srv-my\\x2dsite.{kind}")));
    let verified = Command::new("systemd-analyze")
        .args(["--man=no", "verify"])
        .args(&units)
        .output()
        .expect("of Debian's systemd");
    assert_eq!((verified.status.code(), said(&verified).as_str()), (Some(0), ""));
    let text = units.map(|unit| std::fs::read_to_string(unit).unwrap()).concat();
    assert!(text.contains("What=pi2:/gv0\n") && text.contains("backup-volfile-servers=pi1"), "{text}");
    assert!(!text.contains("RequiredBy") && !text.contains("Requires="), "{text}");
}
