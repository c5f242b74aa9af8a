//! Clients that others made: curl, h2load, openssl, sslscan, and a browser.

use std::process::{Command, Stdio};

use super::rig::Secure;
use crate::agent::rig::HOST;
use crate::support::browser::Browser;
use crate::support::name_server::left_out;

fn run(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn curl_gets_the_page_over_http_2_and_over_http_1() {
    if left_out("curl") {
        return;
    }
    let secure = Secure::start("");
    for (version, wanted) in [("--http2", "2 home"), ("--http1.1", "1.1 home")] {
        let page = secure.curl(&[version, "-w", "\n%{http_version}"]);
        let (body, version) = page.split_once('\n').unwrap();
        assert_eq!(format!("{version} {body}"), wanted);
    }
    let (newest, older) = (secure.curl(&["--tlsv1.3"]), secure.curl(&["--tls-max", "1.2"]));
    assert_eq!((newest.as_str(), older.as_str()), ("home", "home"));
}

#[test]
fn a_browser_that_trusts_the_authority_shows_the_page_and_another_warns() {
    if left_out("chromium") {
        return;
    }
    let secure = Secure::start("");
    let url = format!("https://{HOST}/");
    let there = Browser::new().finding(HOST, secure.at);
    let (warning, _) = there.shows(&url, 2_000);
    assert!(!warning.contains(">home<") && !warning.contains("<body>home"), "{warning}");
    let trusting = there.trusting(&secure.rig.path("root.pem"));
    let (page, said) = trusting.shows(&url, 2_000);
    assert!(page.contains("home"), "{page}\n{said}");
    assert!(!said.contains("ERR_CERT"), "{said}");
}

#[test]
fn every_request_of_h2load_succeeds_over_both_versions_of_http() {
    if left_out("h2load") {
        return;
    }
    let secure = Secure::start("");
    let to = secure.at.to_string();
    for more in [&["-m", "10"][..], &["--h1"]] {
        let words = [&["-n", "500", "-c", "10", "--connect-to", &to], more].concat();
        let named = format!("https://{HOST}:{}/", secure.at.port());
        let said = run("h2load", &[&words[..], &[&named]].concat());
        assert!(said.contains("500 succeeded, 0 failed, 0 errored"), "{to}: {said}");
    }
}

#[test]
fn sessions_resume_in_tls_1_3_and_in_tls_1_2_with_tickets_and_without() {
    if left_out("openssl") {
        return;
    }
    let secure = Secure::start("");
    let (to, session) = (secure.at.to_string(), secure.rig.path("session").display().to_string());
    let request = secure.rig.path("request");
    std::fs::write(&request, format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")).unwrap();
    for way in [&["-tls1_3"][..], &["-tls1_2"], &["-tls1_2", "-no_ticket"]] {
        let words = [&["s_client", "-connect", &to, "-servername", HOST, "-ign_eof"], way].concat();
        let talk = |more: [&str; 2]| {
            let request = std::fs::File::open(&request).unwrap();
            let output = Command::new("openssl").args(&words).args(more).stdin(request).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let first = talk(["-sess_out", &session]);
        assert!(first.contains("New, TLS") && first.contains("home"), "{way:?}: {first}");
        let again = talk(["-sess_in", &session]);
        assert!(again.contains("Reused, TLS") && again.contains("home"), "{way:?}: {again}");
    }
}

#[test]
fn sslscan_finds_nothing_weak() {
    if left_out("sslscan") {
        return;
    }
    let secure = Secure::start("");
    let said = run("sslscan", &["--no-colour", &format!("--sni-name={HOST}"), &secure.at.to_string()]);
    for wanted in [
        "TLSv1.2   enabled",
        "TLSv1.3   enabled",
        "TLSv1.1   disabled",
        "TLSv1.0   disabled",
        "SSLv3     disabled",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let suites: Vec<&str> =
        said.lines().filter(|l| l.starts_with("Accepted") || l.starts_with("Preferred")).collect();
    assert!(suites.len() >= 6, "{said}");
    for suite in suites {
        let strong =
            suite.contains("TLS_AES_") || suite.contains("TLS_CHACHA20_") || suite.contains("ECDHE-ECDSA-");
        let sealed = suite.contains("GCM") || suite.contains("CHACHA20");
        assert!(strong && sealed, "{suite}");
    }
    assert!(
        !said.contains("vulnerable to heartbleed") || said.contains("not vulnerable to heartbleed"),
        "{said}"
    );
}
