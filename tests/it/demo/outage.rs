//! The story of an outage, with the real binary in every part; and that a world which is broken in secret fails it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use hearth::demo::act::Act;
use hearth::demo::config::Speed;
use hearth::demo::script::{Failure, outage, play};
use hearth::demo::system::System;
use hearth::host::time::Timeline;
use hearth::policy::{Policy, Profile};
use hearth::probe::Scheme;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::wait_until;

const HEARTH: &str = env!("CARGO_BIN_EXE_hearth");

/// A demo whose lines are read one by one. Dropping it ends it and removes what it kept.
struct Demo {
    child: Child,
    lines: BufReader<ChildStdout>,
    introduction: String,
    directory: PathBuf,
}

impl Demo {
    fn start(words: &[&str]) -> Self {
        let mut demo = Command::new(HEARTH);
        demo.arg("demo").args(words).stdout(Stdio::piped());
        // As on a machine without ca-certificates, which a minimal Debian is.
        demo.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
        let mut child = demo.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let introduction = up_to_line_with(&mut lines, "Logs: ");
        let directory = PathBuf::from(introduction.rsplit_once("Logs: ").unwrap().1.trim_end());
        assert!(directory.join("watcher.toml").exists(), "{introduction}");
        Self { child, lines, introduction, directory }
    }

    /// The process of one of its roles.
    fn role(&self, role: &str) -> Pid {
        wait_until(role, Duration::from_secs(5), || {
            children(self.child.id()).into_iter().find(|(_, words)| words.contains(role)).map(|(pid, _)| pid)
        })
    }

    /// What is left to read, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn up_to_line_with(lines: &mut impl BufRead, part: &str) -> String {
    let mut text = String::new();
    while !text.contains(part) {
        assert!(lines.read_line(&mut text).unwrap() > 0, "it ended without `{part}`:\n{text}");
    }
    text
}

/// The processes that `parent` started and their command lines (proc(5)).
fn children(parent: u32) -> Vec<(Pid, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        let read = |file| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        let stat = read("stat");
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        if after_name.split(' ').nth(1) == Some(&parent.to_string()) {
            found.push((pid, read("cmdline").replace('\0', " ")));
        }
    }
    found
}

fn is_gone(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let (_, after) =
            rest.split_once(part).unwrap_or_else(|| panic!("no `{part}` where it belongs in\n{text}"));
        rest = after;
    }
}

#[test]
fn an_outage_is_played_by_the_real_binary_and_every_state_is_seen() {
    plays_the_outage(Demo::start(&["--script", "outage", "--speed", "10"]));
}

#[test]
fn the_same_is_seen_by_https_and_the_line_that_is_printed_shows_it_to_whoever_trusts_the_authority() {
    let demo = Demo::start(&["--script", "outage", "--tls", "--speed", "10"]);
    let watcher = std::fs::read_to_string(demo.directory.join("watcher.toml")).unwrap();
    assert_eq!(watcher.matches("scheme = \"https\"").count(), 2, "the Pis and the fallback: {watcher}");
    let authority = format!("Its certificates are from: {}/ca.pem\n", demo.directory.display());
    in_order(&demo.introduction, &["The site: https://www.hearth.test:", &authority]);
    let line = demo.introduction.lines().find(|line| line.contains("--cacert")).unwrap();
    wait_until("pi1 serves", Duration::from_secs(15), || {
        let said = Command::new("sh").args(["-c", &format!("{line} -sS --max-time 2")]).output().unwrap();
        String::from_utf8_lossy(&said.stdout).contains(hearth::demo::site::MARKER).then_some(())
    });
    plays_the_outage(demo);
}

fn plays_the_outage(demo: Demo) {
    let directory = demo.directory.clone();
    let (text, code) = demo.end();
    assert_eq!(code, Some(0), "{text}");
    let both = "led to pi1 (127.0.0.11) and pi2 (127.0.0.12)\n";
    let seen = [
        "seen after",
        both,
        "pi2 is killed",
        "seen after",
        "led to pi1 (127.0.0.11)\n",
        "pi1 is killed",
        "seen after",
        "led to the fallback (127.0.0.21)\n",
        "pi1 is healed",
        "pi2 is healed",
        "seen after",
        "led to pi",
        "seen after",
        both,
        "All 5 steps were seen from outside",
        "none without an address",
    ];
    in_order(&text, &seen);
    in_order(&text, &["watcher  pi2 left: ", "watcher  no node is up: ", " came back: steady for "]);
    in_order(&text, &["pi2      its lamps are dark", "its lamps say `failover`"]);
    assert!(!directory.exists(), "{}", directory.display());
}

#[test]
fn a_watcher_that_dies_unseen_fails_the_script_and_is_named() {
    let mut demo = Demo::start(&["--script", "outage", "--speed", "20"]);
    up_to_line_with(&mut demo.lines, "pi1      its process is running");
    kill_process(demo.role("watcher"), Signal::KILL).unwrap();
    let logs = demo.directory.clone();
    let mut rest = String::new();
    demo.lines.read_to_string(&mut rest).unwrap();
    assert_eq!(demo.child.wait().unwrap().code(), Some(1), "{rest}");
    in_order(&rest, &["FAILED: visitors should have been led to pi1", "instead: the site has no address"]);
    in_order(&rest, &["FAILED", "watcher  dead", "pi1      running", "kept in"]);
    assert!(logs.join("watcher.log").exists());
}

#[tokio::test]
async fn a_fallback_that_is_broken_all_along_is_never_taken_and_fails_the_script() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = Timeline::start(None);
    let mut system =
        System::start(Path::new(HEARTH), Speed(20.0), Scheme::Http, clock, Box::new(|_| ())).await.unwrap();
    system.act(Act::BreakPages).unwrap();
    let steps = outage(&Policy::of(Profile::Fast).faster(20.0));
    let failure = play(&mut system, &steps).await.unwrap_err();
    assert!(matches!(&failure, Failure::TooLate { wanted, .. } if wanted.contains("fallback")), "{failure}");
    let picture = system.picture();
    assert_eq!(hearth::demo::picture::whom(&picture.record.addresses), "pi1 (127.0.0.11)");
    assert!(picture.record.why.contains("the fallback is not known to be good"), "{}", picture.record.why);
    assert_eq!((system.emptied(), system.tally().empty()), (0, 0));
    assert!(system.tally().full() > 0);
}

#[test]
fn the_processes_die_with_a_demo_that_is_killed() {
    let mut demo = Demo::start(&["--plain", "--speed", "20"]);
    up_to_line_with(&mut demo.lines, "pi2      its process is running");
    let roles = ["watcher", "pi1.toml", "pi2.toml"].map(|role| demo.role(role));
    demo.child.kill().unwrap();
    for pid in roles {
        wait_until("gone", Duration::from_secs(5), || is_gone(pid).then_some(()));
    }
}

#[test]
fn a_demo_ends_when_its_time_is_over() {
    let (text, code) = Demo::start(&["--plain", "--seconds", "1"]).end();
    assert_eq!(code, Some(0), "{text}");
    in_order(&text, &["its process is running"]);
    let (text, code) = Demo::start(&["--script", "outage", "--seconds", "1"]).end();
    assert_eq!(code, Some(1), "{text}");
    in_order(&text, &["FAILED: the script was not over after 1 s"]);
}
