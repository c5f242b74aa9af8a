//! The rules of the house, checked in the text of the source: what is PURE stays pure, and arrows point down.

use std::fs;
use std::path::{Path, PathBuf};

/// What knows no tokio, files, sockets, environment, clock or logging. A folder stands for all files in it.
const PURE: &[&str] = &[
    "acme/renewal.rs",
    "acme/settings.rs",
    "address/admissible.rs",
    "address/agreement.rs",
    "address/mod.rs",
    "address/report.rs",
    "address/settings.rs",
    "address/suffix.rs",
    "address/wire/",
    "agent/decision.rs",
    "appliance/findings.rs",
    "appliance/mod.rs",
    "appliance/names.rs",
    "appliance/preseed.rs",
    "appliance/report.rs",
    "appliance/secrets.rs",
    "appliance/settings.rs",
    "appliance/slots/mod.rs",
    "appliance/slots/sector.rs",
    "appliance/text.rs",
    "appliance/update/mod.rs",
    "appliance/update/signature.rs",
    "appliance/volume.rs",
    "demo/zone/mod.rs",
    "demo/zone/update.rs",
    "dns/account.rs",
    "dns/guard.rs",
    "dns/mark.rs",
    "dns/mod.rs",
    "dns/plan.rs",
    "dns/plan/",
    "dns/provider/alidns/words.rs",
    "dns/provider/desec/words.rs",
    "dns/provider/dnspod/words.rs",
    "dns/provider/loose.rs",
    "dns/provider/settings.rs",
    "dns/provider/sign/",
    "dns/provider/tencent/",
    "dns/remark.rs",
    "dns/snapshot.rs",
    "failover/",
    "gluster/answer.rs",
    "gluster/health.rs",
    "gluster/mod.rs",
    "gluster/options.rs",
    "gluster/plan.rs",
    "gluster/units.rs",
    "heartbeat/mod.rs",
    "heartbeat/proof.rs",
    "heartbeat/receive.rs",
    "heartbeat/seal.rs",
    "heartbeat/window.rs",
    "heartbeat/witness.rs",
    "hook/mod.rs",
    "hook/queue.rs",
    "leds/button.rs",
    "leds/choice.rs",
    "leds/face.rs",
    "leds/header.rs",
    "leds/mod.rs",
    "leds/night.rs",
    "leds/preset.rs",
    "leds/rhythm.rs",
    "leds/settings.rs",
    "leds/words.rs",
    "liveness.rs",
    "liveness/grounds.rs",
    "moment.rs",
    "mount/info.rs",
    "mount/judge.rs",
    "mount/mod.rs",
    "mount/retry.rs",
    "notify/digest.rs",
    "notify/preset.rs",
    "notify/retry.rs",
    "notify/settings.rs",
    "policy.rs",
    "probe/outcome.rs",
    "probe/page.rs",
    "secret.rs",
    "site/adopt/claim.rs",
    "site/answer.rs",
    "site/condition.rs",
    "site/generation.rs",
    "site/generation/",
    "site/host.rs",
    "site/media.rs",
    "site/negotiate.rs",
    "site/path.rs",
    "site/range.rs",
    "site/reply.rs",
    "site/request.rs",
    "site/serve/plain/head.rs",
    "site/serve/plain/outbox.rs",
    "site/serve/plain/text.rs",
    "site/log/line.rs",
    "site/log/stamp.rs",
    "status.rs",
    "tls/certificate.rs",
    "tls/settings.rs",
    "watcher/errand.rs",
    "watcher/history.rs",
    "watcher/metrics.rs",
    "watcher/page.rs",
    "watcher/page/",
    "watcher/question.rs",
    "watcher/tell.rs",
];

/// What a PURE file must not name, and why.
const IMPURE: &[(&str, &str)] = &[
    ("tokio", "runs tasks and waits"),
    ("std::fs", "touches files"),
    ("std::io::std", "reads and writes the terminal"),
    ("std::env", "reads the environment"),
    ("std::process", "starts or ends processes"),
    ("std::thread", "starts threads or sleeps"),
    ("TcpStream", "is a socket"),
    ("TcpListener", "is a socket"),
    ("UdpSocket", "is a socket"),
    ("UnixStream", "is a socket"),
    ("Instant::now", "reads a clock"),
    ("SystemTime::now", "reads a clock"),
    ("tracing", "writes a log"),
    ("println!", "prints"),
    ("eprintln!", "prints"),
    ("reqwest", "asks over the network"),
    ("crate::host", "is the machine"),
    ("SystemRandom", "makes random numbers"),
];

/// The floors of the house, the highest first. A file names nothing of a higher floor than its own.
const FLOORS: &[&[&str]] = &[
    &["main", "cmd"],
    &["cli", "demo"],
    &["agent", "watcher"],
    &["config"],
    &[
        "site",
        "mount",
        "leds",
        "probe",
        "address",
        "appliance",
        "dns",
        "heartbeat",
        "hook",
        "notify",
        "failover",
        "liveness",
        "status",
        "gluster",
        "acme",
        "tls",
    ],
    &["host"],
    &["moment", "policy", "secret"],
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files below `src` but tests, relative to it.
fn files() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if name != "tests" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && name != "tests.rs" {
                files.push(path.strip_prefix(source()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    assert!(files.len() > 60, "only {} files were seen", files.len());
    files
}

/// The code of a file: without comments and without its tests.
fn code(file: &str) -> String {
    let text = fs::read_to_string(source().join(file)).unwrap_or_else(|e| panic!("src/{file}: {e}"));
    let body = text.split("#[cfg(test)]\nmod ").next().unwrap();
    body.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

fn is_pure(file: &str) -> bool {
    PURE.iter().any(|p| *p == file || (p.ends_with('/') && file.starts_with(p)))
}

#[test]
fn every_pure_file_exists_and_names_nothing_impure() {
    let files = files();
    for pure in PURE {
        let there = files.iter().any(|f| f == pure || (pure.ends_with('/') && f.starts_with(pure)));
        assert!(there, "src/{pure} is listed as PURE and does not exist");
    }
    let mut seen = 0;
    for file in files.iter().filter(|f| is_pure(f)) {
        seen += 1;
        let code = code(file);
        for (word, why) in IMPURE {
            // `SystemTime` and `IpAddr` are values, and an encoder that writes into memory is no disk.
            assert!(!code.contains(word), "src/{file} is PURE and names `{word}`, which {why}");
        }
    }
    assert!(seen >= PURE.len(), "{seen}");
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

#[test]
fn arrows_point_down() {
    let mut arrows = 0;
    for file in files().iter().filter(|f| *f != "lib.rs") {
        let own =
            floor(room(file)).unwrap_or_else(|| panic!("src/{file} stands on no floor: add it to FLOORS"));
        for used in code(file).split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let Some(floor) = floor(&used) else { continue };
            arrows += 1;
            assert!(floor >= own, "src/{file} names crate::{used}, which stands above it");
        }
    }
    assert!(arrows > 100, "only {arrows} arrows were seen");
}

#[test]
fn the_drivers_do_not_know_each_other() {
    for file in files() {
        let other = match room(&file) {
            "agent" => "crate::watcher",
            "watcher" => "crate::agent",
            _ => continue,
        };
        assert!(!code(&file).contains(other), "src/{file} names {other}");
    }
}

#[test]
fn every_file_says_first_what_it_is() {
    for file in files() {
        let text = fs::read_to_string(source().join(&file)).unwrap();
        assert!(text.starts_with("//! "), "src/{file} does not begin with what it is");
    }
}

#[test]
fn no_file_outgrows_a_reader() {
    for file in files() {
        let lines = fs::read_to_string(source().join(&file)).unwrap().lines().count();
        assert!(lines <= 600, "src/{file} has {lines} lines: it is two rooms");
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let mut explained = false;
    let mut seen = 0;
    for line in section.lines() {
        if line.starts_with('#') {
            explained = true;
        } else if line.contains('=') {
            seen += 1;
            assert!(explained, "no reason stands above `{line}`");
        } else if line.is_empty() {
            explained = false;
        }
    }
    assert!(seen > 15, "{seen}");
}
