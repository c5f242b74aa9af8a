//! What an agent does after a change: a command of one's own, and a webhook.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use hickory_proto::rr::RecordType;
use serde_json::{Value, json};

use super::rig::{PATIENCE, Rig, text};
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::wait_until;

/// Puts a program into the rig's directory, and a hook that runs it.
fn hook(rig: &Rig, script: &str, more: &str) {
    let program = rig.path("hook");
    std::fs::write(&program, format!("#!/bin/sh\ncd {}\n{script}", rig.path("").display())).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    rig.also(&format!("[[hook]]\ncommand = [{:?}, \"arg\"]\n{more}", program.display().to_string()));
}

/// The lines of a file of the rig, once there are so many.
#[track_caller]
fn lines(rig: &Rig, file: &str, many: usize) -> Vec<String> {
    wait_until(&format!("{many} lines in {file}: {}", rig.log()), PATIENCE, || {
        let text = std::fs::read_to_string(rig.path(file)).ok()?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= many && text.ends_with('\n')).then_some(lines)
    })
}

#[track_caller]
fn wait_for_answer(knot: &Knot, expected: &str) {
    wait_until(&format!("pi1 answers {expected}"), PATIENCE, || {
        (knot.query("pi1", RecordType::A) == [expected]).then_some(())
    });
}

#[test]
fn a_command_sees_each_change_that_landed_and_a_restart_is_none() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    let script = "cat >> told\necho \"$1 $HEARTH_EVENT $HEARTH_NAME $HEARTH_TYPE $HEARTH_OLD $HEARTH_NEW\" >> seen\n\
                  env >> environment\n";
    hook(&rig, script, "on = [\"record\", \"address\"]\n");
    rig.start();
    // The order of the two is not given: an address may be said to be agreed on after the record has it.
    lines(&rig, "seen", 2);
    rig.line.moves_to([127, 0, 9, 2]);
    lines(&rig, "seen", 4);
    rig.kill();
    rig.start();
    rig.wait_for_record("read", |record| record.why.starts_with("read"));
    rig.line.moves_to([127, 0, 9, 3]);
    let mut seen = lines(&rig, "seen", 6);
    seen.sort();
    assert_eq!(
        seen,
        [
            "arg address pi1 ipv4  127.0.9.1",
            "arg address pi1 ipv4 127.0.9.1 127.0.9.2",
            "arg address pi1 ipv4 127.0.9.2 127.0.9.3",
            "arg record pi1.hearth.test A  127.0.9.1",
            "arg record pi1.hearth.test A 127.0.9.1 127.0.9.2",
            "arg record pi1.hearth.test A 127.0.9.2 127.0.9.3",
        ]
    );
    let told = lines(&rig, "told", 6);
    let told: Vec<Value> = told.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = told.iter().rfind(|change| change["event"] == "record").unwrap();
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.contains("A 127.0.9.2 -> 127.0.9.3"), "{reason}");
    assert_eq!((&last["old"], &last["new"]), (&json!(["127.0.9.2"]), &json!(["127.0.9.3"])));
    let environment = lines(&rig, "environment", 6).join("\n");
    assert!(!environment.contains("HEARTH_LOG") && environment.contains("HEARTH_REASON"), "{environment}");
}

#[test]
fn a_command_that_hangs_is_killed_and_the_next_change_lands_meanwhile() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    // The first run hangs, with a child; the second does not.
    let script = "echo $$ >> began\nif [ ! -e hung ]; then touch hung; sleep 1000 & echo $! > child; wait; fi\n\
                  echo $HEARTH_NEW >> done\n";
    hook(&rig, script, "timeout = \"12s\"\n");
    rig.start();
    lines(&rig, "child", 1);
    rig.line.moves_to([127, 0, 9, 2]);
    wait_for_answer(&knot, "127.0.9.2");
    assert!(!rig.log().contains("was killed"), "the change landed while the command hung");
    assert_eq!(lines(&rig, "began", 1).len(), 1, "one at a time");
    wait_until("it is killed", PATIENCE, || {
        rig.log().contains("did not end within 12s and was killed").then_some(())
    });
    assert_eq!(lines(&rig, "done", 1), ["127.0.9.2"]);
    let child = lines(&rig, "child", 1).remove(0);
    let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[test]
fn a_member_that_is_withdrawn_at_the_stop_is_told_before_the_end() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["shared"]);
    hook(&rig, "echo \"$HEARTH_NAME $HEARTH_OLD>$HEARTH_NEW\" >> seen\n", "");
    rig.start();
    lines(&rig, "seen", 1);
    rig.stop();
    assert_eq!(lines(&rig, "seen", 2), ["shared.hearth.test >127.0.9.1", "shared.hearth.test 127.0.9.1>"]);
}

#[test]
fn a_stop_does_not_wait_for_a_command_that_hangs_and_leaves_none_behind() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    hook(&rig, "echo $$ > began\nexec sleep 1000\n", "timeout = \"5m\"\n");
    rig.start();
    let child = lines(&rig, "began", 1).remove(0);
    rig.stop();
    assert!(rig.log().contains("was cut off by the stop"), "{}", rig.log());
    let gone = || std::fs::metadata(format!("/proc/{child}")).is_err().then_some(());
    wait_until("the command is gone", PATIENCE, gone);
}

/// A service that takes what is POSTed, and answers with these statuses, and 200 after them.
struct Sink {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Sink {
    fn start(mut statuses: Vec<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let takes = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let (mut first, mut length) = (String::new(), 0);
                reader.read_line(&mut first).unwrap();
                for line in reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
                    let header = line.to_ascii_lowercase();
                    length = header.strip_prefix("content-length: ").map_or(length, |n| n.parse().unwrap());
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                takes.lock().unwrap().push((first.trim().to_owned(), serde_json::from_slice(&body).unwrap()));
                let status = if statuses.is_empty() { 200 } else { statuses.remove(0) };
                let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { address, taken }
    }

    #[track_caller]
    fn taken(&self, rig: &Rig, many: usize) -> Vec<(String, Value)> {
        let enough = || Some(self.taken.lock().unwrap().clone()).filter(|taken| taken.len() >= many);
        wait_until(&format!("{many} were taken: {}", rig.log()), PATIENCE, enough)
    }
}

#[test]
fn a_webhook_gets_the_facts_and_its_secret_url_is_told_nowhere() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    // The first try meets an overloaded service, and the second and third change are refused.
    let sink = Sink::start(vec![503, 200, 404, 410]);
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    std::fs::write(rig.path("url"), format!("http://{}/up/s3cret-topic?auth=hunter2\n", sink.address))
        .unwrap();
    rig.also("[[hook]]\nwebhook = { url = { file = \"url\" } }\n");
    rig.start();
    let taken = sink.taken(&rig, 2);
    assert_eq!(taken[0], taken[1], "the same again");
    assert_eq!(taken[0].0, "POST /up/s3cret-topic?auth=hunter2 HTTP/1.1");
    let expected = json!({
        "event": "record", "node": "pi1", "name": "pi1.hearth.test", "type": "A", "old": [], "new": ["127.0.9.1"],
        "reason": taken[0].1["reason"],
    });
    assert_eq!(taken[0].1, expected);
    rig.line.moves_to([127, 0, 9, 2]);
    wait_until("the refusal", PATIENCE, || rig.log().contains("it answered 404").then_some(()));
    rig.line.moves_to([127, 0, 9, 3]);
    wait_until("the next", PATIENCE, || rig.log().contains("it answered 410").then_some(()));
    assert_eq!(rig.log().matches("nothing more is said until it answers").count(), 1, "once an outage");
    rig.line.moves_to([127, 0, 9, 4]);
    wait_until("the end of the outage", PATIENCE, || {
        rig.log().contains("told again; 2 changes").then_some(())
    });
    let status = rig.say("{\"ask\":\"status\"}").unwrap();
    let (check, log) = (text(&rig.hearth(&["check-config"])), rig.log());
    assert!(check.contains("webhook.url = \"(secret)\"") && log.contains("the webhook with a secret URL"));
    for told in [status, check, log] {
        assert!(!told.contains("s3cret") && !told.contains("hunter2"), "{told}");
    }
}
