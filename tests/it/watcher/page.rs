//! The status page in a real browser, who may see it, and the same for programs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hearth::failover::Shape;

use super::rig::{PATIENCE, Rig};
use crate::support::browser::Browser;
use crate::support::http;
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::wait_until;

/// The page in a frame of 360 pixels: as it is, and without scripts. The verdicts become the text of the document.
const HARNESS: &str = "<!doctype html><title>harness</title><body><pre id=told></pre>\
    <iframe id=live width=360 height=700 src=/></iframe>\
    <iframe id=bare width=360 height=700 sandbox=allow-same-origin src=/></iframe><script>\
    addEventListener('load', () => setTimeout(() => {\
      const told = [];\
      for (const id of ['live', 'bare']) {\
        const page = document.getElementById(id).contentDocument, root = page.documentElement;\
        told.push(`${id} width ${root.scrollWidth} of ${root.clientWidth}`);\
        told.push(`${id} sites ${page.querySelectorAll('main section h2').length}`);\
        told.push(`${id} styled ${getComputedStyle(page.querySelector('.card')).borderTopWidth}`);\
        told.push(`${id} pictures ${page.querySelectorAll('figure svg[role=img] rect').length > 0}`);\
        told.push(`${id} reloads ${page.querySelector('meta[http-equiv=refresh]') !== null}`);\
      }\
      document.getElementById('told').textContent = told.join('\\n');\
      console.log('the harness ran');\
    }, 2000));</script>";

/// Hands the watcher's page on, counts how often it was asked for, and serves the harness beside it, which the page by
/// itself would not let frame it.
struct Relay {
    address: SocketAddr,
    asked: Arc<AtomicU32>,
}

impl Relay {
    fn start(watcher: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let asked = relay.asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let asked = asked.clone();
                std::thread::spawn(move || serve(stream, watcher, &asked));
            }
        });
        relay
    }
}

fn serve(mut stream: TcpStream, watcher: SocketAddr, asked: &AtomicU32) -> Option<()> {
    let mut first = String::new();
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    reader.read_line(&mut first).ok()?;
    while {
        let mut line = String::new();
        reader.read_line(&mut line).ok()? > 2
    } {}
    let (policy, body) = match first.split(' ').nth(1)? {
        "/harness" => (String::new(), HARNESS.to_owned()),
        "/" => {
            let count = asked.fetch_add(1, Ordering::SeqCst) + 1;
            let page = http::ask(watcher, "GET", "/", "watcher", &[]);
            let policy = page
                .header("content-security-policy")?
                .replace("frame-ancestors 'none'", "frame-ancestors 'self'");
            let body = page
                .text()
                .replace("<main id=\"now\">", &format!("<main id=\"now\"><p>asked {count} times</p>"));
            (format!("Content-Security-Policy: {policy}\r\n"), body)
        }
        _ => return None,
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{policy}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).ok()
}

/// What scripts and the browser itself wrote to the console.
fn console(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.contains("CONSOLE")).collect()
}

#[test]
fn a_browser_shows_the_page_without_a_complaint_and_renews_it() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let relay = Relay::start(rig.address);
    let (page, said) = Browser::new().shows(&format!("http://{}/", relay.address), 14_000);
    assert_eq!(console(&said), [""; 0], "{said}");
    assert!(page.contains("www.hearth.test") && page.contains("The last 30 days"), "{page}");
    let asked = relay.asked.load(Ordering::SeqCst);
    assert!(asked >= 2, "it was asked for {asked} times in 14 s");
    let shown = page.split("<p>asked ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(shown.parse::<u32>().unwrap() >= 2, "what came later is shown: {shown}");
    assert!(!page.contains("id=\"lost\""), "{page}");
}

#[test]
fn a_narrow_browser_never_scrolls_sideways_and_one_without_scripts_sees_the_same() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    rig.pi2.dies();
    rig.wait_for_record(&server, &rig.first());
    let relay = Relay::start(rig.address);
    let (page, said) = Browser::new().shows(&format!("http://{}/harness", relay.address), 4_000);
    assert!(console(&said).iter().any(|line| line.contains("the harness ran")), "{said}");
    let told = page.split("<pre id=\"told\">").nth(1).and_then(|rest| rest.split("</pre>").next()).unwrap();
    for id in ["live", "bare"] {
        for verdict in ["sites 2", "styled 1px", "pictures true"] {
            assert!(told.contains(&format!("{id} {verdict}")), "{id} {verdict}: {told}");
        }
        let width = told.lines().find_map(|line| line.strip_prefix(&format!("{id} width "))).unwrap();
        let (wide, of) = width.split_once(" of ").unwrap();
        assert!(wide == of && of.parse::<u32>().unwrap() <= 360, "{told}");
    }
    assert!(told.contains("bare reloads true"), "without scripts it reloads itself: {told}");
}

#[test]
fn a_page_that_has_lost_its_watcher_says_so() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::at_home(Shape::Address, &server);
    let page = rig.get("/").text();
    rig.kill();
    // What is served is the last page, once; then nobody is there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            page.len()
        );
        let _ = stream.write_all(&[head.as_bytes(), page.as_bytes()].concat());
    });
    let (shown, _) = Browser::new().shows(&format!("http://{address}/"), 40_000);
    assert!(shown.contains("id=\"lost\" role=\"alert\">The watcher does not answer"), "{shown}");
}

#[test]
fn the_page_is_for_whom_it_was_meant_and_a_word_needs_the_token() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::new(Shape::Address, &server);
    rig.settings = "page = \"token\"\ntoken = { file = \"token\" }".to_owned();
    let token = "a-long-word-that-nobody-guesses";
    std::fs::write(rig.path("token"), token).unwrap();
    rig.launch();
    wait_until("it listens", PATIENCE, || http::connect(rig.address).ok());
    let bearer = format!("Authorization: Bearer {token}");
    let get = |path: &str, more: &[&str]| http::ask(rig.address, "GET", path, "watcher", more);
    for path in ["/", "/status.json", "/history.json", "/metrics"] {
        let refused = get(path, &[]);
        assert_eq!((refused.status, refused.header("www-authenticate").is_some()), (401, true), "{path}");
        assert_eq!(get(path, &[&bearer]).status, 200, "{path}");
    }
    assert_eq!(get("/healthz", &[]).text(), "ok\n");
    rig.wait_for_record(&server, &rig.both());

    let word = |site: &str| {
        format!("{{\"ask\":\"to-fallback\",\"site\":\"{site}\",\"for_ms\":600000,\"reason\":\"paint\"}}")
    };
    let say = |kind: &str, more: &str, body: &str| {
        let head = format!(
            "POST /v1/override HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Type: {kind}\r\n{more}Content-Length: {}\r\n\r\n",
            body.len()
        );
        http::parse(&http::raw(rig.address, format!("{head}{body}").as_bytes()))
    };
    let (json, with) = ("application/json", format!("{bearer}\r\n"));
    let good = word("www.hearth.test");
    assert_eq!(say(json, "", &good).status, 401);
    assert_eq!(say(json, "Authorization: Bearer wrong\r\n", &good).status, 401);
    assert_eq!(say("text/plain", &with, &good).status, 400, "no form of a browser can say it");
    assert_eq!(say(json, &with, "{\"ask\":\"status\"}").status, 400);
    assert_eq!(say(json, &with, &word("other.hearth.test")).status, 409);
    let done = wait_until("the word is taken", PATIENCE, || {
        let answer = say(json, &with, &good);
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(done.text(), "{\"done\":true}");
    rig.wait_for_record(&server, &rig.away());
    wait_until("whose word it is is shown", PATIENCE, || {
        get("/status.json", &[&bearer]).text().contains("by token for another").then_some(())
    });
    assert!(!rig.log().contains(token), "the token is told");
}

#[test]
fn the_numbers_are_in_the_form_that_prometheus_reads() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let answer = rig.get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let (mut family, mut kinds, mut samples) = (String::new(), Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap().to_owned();
            assert!(rest.ends_with('.') && !kinds.contains(&family), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(["gauge", "counter"].contains(&kind), "{line}");
            kinds.push(family.clone());
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert_eq!(name, family, "{line}");
            assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
            assert!(series.len() == name.len() || series.ends_with("\"}"), "{line}");
            assert!(!samples.contains(&series.to_owned()), "twice: {line}");
            samples.push(series.to_owned());
        }
    }
    assert!(text.ends_with('\n') && samples.len() > 40, "{text}");
    for wanted in [
        "hearth_node_up{site=\"www.hearth.test\",node=\"pi1\"} 1",
        "hearth_site_on_fallback{site=\"www.hearth.test\"} 0",
        "hearth_site_writes_total{site=\"www.hearth.test\"} 1",
    ] {
        assert!(text.contains(wanted), "no {wanted} in {text}");
    }
}

#[test]
fn what_was_seen_outlives_the_watcher_and_its_file() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::at_home(Shape::Address, &server);
    rig.pi2.dies();
    rig.wait_for_record(&server, &rig.first());
    let standings = |rig: &Rig| -> Vec<String> {
        let json: serde_json::Value = serde_json::from_slice(&rig.get("/history.json").body).unwrap();
        let spans = json["sites"]["www.hearth.test"]["record"].as_array().cloned().unwrap_or_default();
        spans.iter().map(|span| span["standing"].as_str().unwrap().to_owned()).collect()
    };
    let reduced = |rig: &Rig| standings(rig).contains(&"reduced".to_owned()).then_some(());
    wait_until("the outage is in the history", PATIENCE, || reduced(&rig));
    rig.kill();
    rig.start();
    assert!(reduced(&rig).is_some(), "after a crash: {:?}", standings(&rig));
    rig.kill();
    std::fs::remove_file(rig.state.join("history.json")).unwrap();
    rig.start();
    assert!(reduced(&rig).is_some(), "from the journal alone: {:?}", standings(&rig));
}
