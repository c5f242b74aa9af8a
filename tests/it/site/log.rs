//! The access log.

#![expect(clippy::print_stdout, reason = "what is left out is said")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use hearth::site::log::{LogFormat, LogSettings};

use super::rig::{self, HOST, Plan, Site};
use crate::support::http;
use crate::support::wait_until;

fn serve(format: LogFormat, file: PathBuf) -> Site {
    let log = LogSettings { format, file: Some(file) };
    let site = rig::start(Plan { log, ..Plan::default() }, |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
    });
    site.wait_for("the site", |s| s.generation.is_some());
    site
}

fn lines(file: &Path, count: usize) -> Vec<String> {
    wait_until(&format!("{count} lines in {}", file.display()), rig::PATIENCE, || {
        let text = std::fs::read_to_string(file).ok()?;
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

#[test]
fn every_answer_is_a_line_and_no_client_writes_two() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.log");
    let site = serve(LogFormat::Combined, file.clone());
    site.ask("GET", "/", &["Referer: http://a/\"x", "User-Agent: evil\\\" 200 \u{e9}"]);
    site.ask("HEAD", "/missing", &[]);
    let hostile = format!("GET /\"%0a\"{{}} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    http::raw(site.address, hostile.as_bytes());
    let lines = lines(&file, 3);
    assert!(lines[0].starts_with("127.0.0.1 - - ["), "{}", lines[0]);
    let agent = "\"http://a/\\x22x\" \"evil\\x5C\\x22 200 \\xC3\\xA9\"";
    assert!(lines[0].ends_with(&format!("\"GET / HTTP/1.1\" 200 4 {agent}")), "{}", lines[0]);
    assert!(lines[1].ends_with("\"HEAD /missing HTTP/1.1\" 404 0 \"-\" \"-\""), "{}", lines[1]);
    assert_eq!((lines.len(), lines[2].matches('"').count()), (3, 6), "{}", lines[2]);
}

#[test]
fn json_lines_are_json() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.json");
    let site = serve(LogFormat::Json, file.clone());
    site.ask("GET", "/?a=%22", &["User-Agent: \"quoted\""]);
    let line: serde_json::Value = serde_json::from_str(&lines(&file, 1)[0]).unwrap();
    assert_eq!((&line["status"], &line["bytes"]), (&200.into(), &4.into()));
    assert_eq!((&line["target"], &line["user-agent"]), (&"/?a=%22".into(), &"\"quoted\"".into()));
}

#[test]
fn a_log_that_was_rotated_goes_on_under_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.log");
    let site = serve(LogFormat::Combined, file.clone());
    site.get("/");
    lines(&file, 1);
    std::fs::rename(&file, directory.path().join("access.log.1")).unwrap();
    site.get("/new");
    assert!(lines(&file, 1)[0].contains("GET /new "));
}

#[test]
fn a_log_that_hangs_holds_no_answer_up_and_what_it_loses_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    // Opening a FIFO for writing waits for a reader, who never comes.
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let site = serve(LogFormat::Combined, pipe.clone());
    let long = "x".repeat(4000);
    let start = Instant::now();
    for _ in 0..400 {
        assert_eq!(site.ask("GET", "/", &[&format!("User-Agent: {long}")]).text(), "home");
    }
    assert!(start.elapsed() < rig::PATIENCE * 3, "{:?}", start.elapsed());
    // 400 lines of 4 KB, and room for 1 MB besides what the writer has taken.
    let status = site.wait_for("the drops to be shown", |status| status.log_dropped > 0);
    assert!((1..400).contains(&status.log_dropped), "{status:?}");
    // Let the writer go, so that the process can end.
    let mut reader = std::fs::File::open(&pipe).unwrap();
    let mut some = [0; 1000];
    assert!(std::io::Read::read(&mut reader, &mut some).unwrap() > 0);
}

/// A file system of 64 KiB; None where this user may mount none.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=64k", "hearth-small"];
        let mounted = Command::new("mount").args(mount).arg(directory.path()).output().unwrap();
        if !mounted.status.success() {
            println!(
                "left out: this user may mount no tmpfs ({})",
                String::from_utf8_lossy(&mounted.stderr).trim()
            );
            return None;
        }
        Some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_costs_lines_that_are_counted_and_no_answer() {
    let Some(disk) = SmallDisk::mount() else { return };
    let file = disk.0.path().join("access.log");
    let site = serve(LogFormat::Combined, file.clone());
    let long = format!("User-Agent: {}", "x".repeat(3000));
    let ask =
        |count: usize| (0..count).for_each(|_| assert_eq!(site.ask("GET", "/", &[&long]).text(), "home"));
    ask(40);
    let status = site.wait_for("the drops to be shown", |status| status.log_dropped > 0);
    let whole = |text: &str| text.split_inclusive('\n').filter(|line| line.ends_with("x\"\n")).count() as u64;
    let written = wait_until("every line to be written or dropped", rig::PATIENCE, || {
        let written = whole(&std::fs::read_to_string(&file).unwrap());
        (written + site.status().log_dropped == 40).then_some(written)
    });
    assert!((10..30).contains(&written), "{status:?}");
    // Somebody makes room; lines are whole again, whatever was cut off.
    std::fs::File::options().write(true).open(&file).unwrap().set_len(3500).unwrap();
    ask(3);
    let text = wait_until("three more lines", rig::PATIENCE, || {
        Some(std::fs::read_to_string(&file).unwrap()).filter(|text| whole(text) == 4)
    });
    let cut_off = text.lines().filter(|line| !line.ends_with("x\"")).count();
    assert_eq!((cut_off, text.lines().count()), (1, 5), "{text}");
}

#[test]
fn a_log_whose_directory_is_missing_begins_when_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("later/access.log");
    let site = serve(LogFormat::Combined, file.clone());
    site.get("/lost");
    site.wait_for("the drop to be shown", |status| status.log_dropped == 1);
    std::fs::create_dir(directory.path().join("later")).unwrap();
    site.get("/kept");
    assert!(lines(&file, 1)[0].contains("GET /kept "));
}
