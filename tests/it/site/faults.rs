//! Sources that come late, change, go away, or hang; and the end.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use hearth::heartbeat::SourceState;

use super::rig::{self, HOST, POLL, Plan};
use crate::support::http;
use crate::support::wait_until;

#[test]
fn a_missing_root_is_503_until_the_site_appears() {
    let site = rig::start(Plan::default(), |root| std::fs::remove_dir(root).unwrap());
    let status = site.wait_for("a look", |s| s.why.contains("www"));
    assert_eq!((status.source, status.generation), (SourceState::Gone, None));
    let answer = site.get("/");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(site.get("/.well-known/hearth/here").status, 200);
    site.write("index.html", "home");
    site.wait_for_text("/", "home");
    site.wait_for_source(SourceState::Ok);
}

#[test]
fn a_change_in_place_is_seen_within_a_few_looks() {
    let site = rig::serve(&[("index.html", "one"), ("other.html", "other")]);
    let before = site.get("/");
    site.write("index.html", "two");
    let took = site.wait_for_text("/", "two");
    assert!(took < POLL * 12, "{took:?}");
    let after = site.get("/");
    assert_ne!(
        before.header("etag"),
        after.header("etag"),
        "the same size, in the same second, and another tag"
    );
    assert_eq!(site.get("/other").text(), "other");
}

#[test]
fn what_was_compressed_is_not_compressed_again() {
    let big = "the same words\n".repeat(1000);
    let site = rig::serve(&[("index.html", "one"), ("big.html", &big)]);
    let coding =
        || site.ask("GET", "/big.html", &["Accept-Encoding: gzip"]).header("content-encoding").is_some();
    wait_until("the compressed form", rig::PATIENCE, || coding().then_some(()));
    site.write("index.html", "two");
    wait_until("the change", rig::PATIENCE, || {
        let changed = site.get("/").text() == "two";
        assert!(coding(), "the new generation has the old one's compressed form from the start");
        changed.then_some(())
    });
}

#[test]
fn files_come_and_go() {
    let site = rig::serve(&[("index.html", "home"), ("old.html", "old")]);
    std::fs::remove_file(site.root.join("old.html")).unwrap();
    site.write("deep/er/new.html", "new");
    site.wait_for_text("/deep/er/new", "new");
    wait_until("old.html to be gone", rig::PATIENCE, || (site.get("/old").status == 404).then_some(()));
}

#[test]
fn an_empty_directory_is_wrong_and_the_site_stays() {
    let site = rig::serve(&[("index.html", "home")]);
    std::fs::remove_file(site.root.join("index.html")).unwrap();
    let status = site.wait_for_source(SourceState::Wrong);
    assert!(status.why.contains("empty") && status.generation.is_some(), "{}", status.why);
    assert_eq!(site.get("/").text(), "home");
    site.write("index.html", "back");
    site.wait_for_text("/", "back");
    site.wait_for_source(SourceState::Ok);
}

#[test]
fn a_root_that_goes_away_leaves_the_site() {
    let site = rig::serve(&[("index.html", "home")]);
    std::fs::rename(&site.root, site.root.with_file_name("away")).unwrap();
    site.wait_for_source(SourceState::Gone);
    assert_eq!(site.get("/").text(), "home");
    std::fs::rename(site.root.with_file_name("away"), &site.root).unwrap();
    site.wait_for_source(SourceState::Ok);
}

#[test]
fn with_a_generation_file_nothing_changes_until_it_is_touched() {
    let site = rig::serve(&[("index.html", "one"), (".hearth-generation", "1")]);
    let generation = site.status().generation;
    site.write("index.html", "half");
    let until = Instant::now() + POLL * 8;
    wait_until("some looks to pass", rig::PATIENCE, || {
        assert_eq!(site.get("/").text(), "one");
        (Instant::now() > until).then_some(())
    });
    assert_eq!(site.status().generation, generation);
    site.write("index.html", "whole");
    site.write(".hearth-generation", "2");
    site.wait_for_text("/", "whole");
    assert_eq!(site.get("/.hearth-generation").status, 404);
}

#[test]
fn a_loader_that_hangs_is_abandoned_and_the_site_stays() {
    let moody = rig::Moody::new();
    moody.hang();
    let site = rig::start(Plan { loader: moody.program.clone(), ..Plan::default() }, |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
    });
    let status = site.wait_for_source(SourceState::Hung);
    assert!(status.why.contains("3 s"), "{}", status.why);
    assert_eq!(site.get("/").status, 503);
    moody.work();
    site.wait_for_text("/", "home");
}

#[test]
fn answers_under_way_end_and_then_the_port_is_refused() {
    let mut site = rig::serve(&[("index.html", "home"), ("big.css", &"x".repeat(8 << 20))]);
    let mut reader = http::connect(site.address).unwrap();
    reader.write_all(format!("GET /big.css HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).unwrap();
    let mut first = [0; 1024];
    let begun = reader.read(&mut first).unwrap();
    site.tell_to_stop();
    wait_until("the port to be refused", Duration::from_secs(3), || {
        http::connect(site.address)
            .is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
            .then_some(())
    });
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert!(begun + rest.len() > 8 << 20, "the whole answer arrived: {}", begun + rest.len());
    site.join();
}

#[test]
fn an_idle_connection_does_not_hold_the_end_up() {
    let mut site = rig::serve(&[("index.html", "home")]);
    let mut idle = http::connect(site.address).unwrap();
    idle.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0);
    let start = Instant::now();
    site.tell_to_stop();
    site.join();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}
