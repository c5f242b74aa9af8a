//! Validators adopted from the fallback, with a stand-in that answers as GitHub Pages does.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hearth::config::{self, Secrets};
use hearth::site::adopt::AdoptSettings;
use hearth::site::{Rules, SiteSettings};

use super::rig::{self, Moody, Plan, Site};
use crate::support::wait_until;

/// A stand-in for GitHub Pages: every file is dated by the second of the deploy.
struct Pages {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Clone)]
struct State {
    files: BTreeMap<String, String>,
    deployed: u64,
    mood: Mood,
    /// Method and target of each question.
    asked: Vec<String>,
}

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// As it should.
    Well,
    /// To the domain of one's own.
    Elsewhere,
    /// Too many requests.
    Limited,
    /// As another server: every file has a time of its own.
    Mtimes,
    /// As another server: tags are digests.
    Digests,
    /// Compressed, whoever asks.
    Compressed,
    /// Every second answer is of the deploy before: caches disagree.
    Torn,
}

impl Pages {
    fn deployed(deployed: u64, files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(name, text)| (format!("/{name}"), (*text).to_owned())).collect();
        let state = Arc::new(Mutex::new(State { files, deployed, mood: Mood::Well, asked: Vec::new() }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream.unwrap(), &shared));
            }
        });
        Self { address, state }
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.state.lock().unwrap());
    }

    fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    fn tag(&self, target: &str) -> String {
        let state = self.state.lock().unwrap();
        format!("\"{:x}-{:x}\"", state.deployed, state.files[target].len())
    }

    /// Waits until it has been asked for everything, and once more whether there is anything new.
    fn wait_for_a_round(&self) {
        self.change(|state| state.asked.clear());
        wait_until("two rounds of questions", rig::PATIENCE, || {
            (self.asked().iter().filter(|asked| asked.starts_with("HEAD ")).count() >= 2).then_some(())
        });
    }

    fn settings(&self) -> AdoptSettings {
        AdoptSettings {
            from: format!("http://user.github.test:{}", self.address.port()),
            address: Some(self.address.ip()),
            every: Duration::from_millis(100),
            pace: Duration::from_millis(1),
        }
    }
}

/// One connection.
fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        assert!(
            head.contains("accept-encoding: identity\r\n") && head.contains("user.github.test:"),
            "{head}"
        );
        let answer = {
            let mut state = state.lock().unwrap();
            state.asked.push(format!("{method} {target}"));
            state.answer(&method, &target)
        };
        if (&*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

impl State {
    fn answer(&self, method: &str, target: &str) -> String {
        let plain = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        match self.mood {
            Mood::Elsewhere => return plain("301 Moved Permanently\r\nLocation: http://127.0.0.1:1/"),
            Mood::Limited => return plain("429 Too Many Requests"),
            Mood::Well | Mood::Mtimes | Mood::Digests | Mood::Compressed | Mood::Torn => {}
        }
        let Some(text) = self.files.get(&target.replace("%20", " ")) else { return plain("404 Not Found") };
        let late = if self.mood == Mood::Mtimes {
            target.len() as u64
        } else if self.mood == Mood::Torn {
            self.asked.len() as u64 % 2
        } else {
            0
        };
        let deployed = self.deployed - late;
        let weak = if self.mood == Mood::Compressed { "W/" } else { "" };
        let tag = if self.mood == Mood::Digests {
            "\"33a64df551425fcc55e4d42a148795d9f25f89d4\"".to_owned()
        } else {
            format!("{weak}\"{deployed:x}-{:x}\"", text.len())
        };
        let date = |seconds| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let body = if method == "HEAD" { "" } else { text };
        format!(
            "HTTP/1.1 200 OK\r\nServer: GitHub.com\r\nContent-Length: {}\r\nETag: {tag}\r\nLast-Modified: {}\r\n\
             Date: {}\r\nCache-Control: max-age=600\r\n\r\n{body}",
            text.len(),
            date(deployed),
            date(self.deployed + 1000),
        )
    }
}

const FILES: [(&str, &str); 4] =
    [("index.html", "home"), ("a b.txt", "text"), ("dir/page.html", "page"), ("404.html", "own 404")];

/// Some days ago; a whole deploy has one second.
const DEPLOYED: u64 = 1_760_000_000;

fn start(pages: &Pages, plan: Plan) -> Site {
    let site = rig::start(Plan { validators: Some(pages.settings()), ..plan }, |root| {
        for (name, text) in FILES {
            std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            std::fs::write(root.join(name), text).unwrap();
        }
    });
    site.wait_for("the site", |status| status.generation.is_some());
    site
}

fn tag(site: &Site, target: &str) -> String {
    site.get(target).header("etag").expect("a file has a tag").to_owned()
}

#[track_caller]
fn wait_for_tag(site: &Site, target: &str, wanted: &str) {
    wait_until(&format!("{target} to have the tag {wanted}"), rig::PATIENCE, || {
        (tag(site, target) == wanted).then_some(())
    });
}

#[test]
fn a_304_survives_the_switch_in_both_directions_because_the_validators_are_the_same() {
    let pages = Pages::deployed(DEPLOYED, &FILES);
    let site = start(&pages, Plan::default());
    wait_for_tag(&site, "/", &pages.tag("/index.html"));
    let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(DEPLOYED));
    for (target, at_pages) in
        [("/", "/index.html"), ("/a%20b.txt", "/a b.txt"), ("/dir/page", "/dir/page.html")]
    {
        let answer = site.get(target);
        assert_eq!(answer.header("etag"), Some(pages.tag(at_pages).as_str()), "{target}");
        assert_eq!(answer.header("last-modified"), Some(date.as_str()), "{target}");
        let held = pages.tag(at_pages);
        for held in [format!("If-None-Match: {held}"), format!("If-None-Match: W/{held}")] {
            assert_eq!(site.ask("GET", target, &[&held]).status, 304, "{target} {held}");
        }
        assert_eq!(site.ask("GET", target, &[&format!("If-Modified-Since: {date}")]).status, 304, "{target}");
    }
}

#[test]
fn other_bytes_of_the_same_size_keep_our_own_validators() {
    let mut files = FILES.to_vec();
    files[0].1 = "HOME";
    files[2].1 = "a longer page";
    files.remove(3);
    let pages = Pages::deployed(DEPLOYED, &files);
    let site = start(&pages, Plan::default());
    wait_for_tag(&site, "/a%20b.txt", &pages.tag("/a b.txt"));
    for (target, at_pages) in [("/", "/index.html"), ("/dir/page", "/dir/page.html")] {
        let theirs = pages.tag(at_pages);
        assert_ne!(tag(&site, target), theirs);
        assert_eq!(site.ask("GET", target, &[&format!("If-None-Match: {theirs}")]).status, 200, "{target}");
        let since = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(DEPLOYED));
        let since = format!("If-Modified-Since: {since}");
        assert_eq!(site.ask("GET", target, &[&since]).status, 200, "{target}");
    }
    // The fallback catches up, in a deploy of its own.
    pages.change(|state| {
        state.deployed += 100;
        state.files.insert("/index.html".to_owned(), "home".to_owned());
    });
    wait_for_tag(&site, "/", &pages.tag("/index.html"));
    assert_eq!(tag(&site, "/a%20b.txt"), pages.tag("/a b.txt"));
}

#[test]
fn a_page_that_changes_here_first_is_ours_alone_until_the_fallback_has_it() {
    let pages = Pages::deployed(DEPLOYED, &FILES);
    let site = start(&pages, Plan::default());
    wait_for_tag(&site, "/", &pages.tag("/index.html"));
    let old = pages.tag("/index.html");
    site.write("index.html", "HOME");
    site.wait_for_text("/", "HOME");
    assert_ne!(tag(&site, "/"), old);
    assert_eq!(site.ask("GET", "/", &[&format!("If-None-Match: {old}")]).text(), "HOME");
    // What did not change is as good as before.
    assert_eq!(tag(&site, "/dir/page"), pages.tag("/dir/page.html"));
    pages.wait_for_a_round();
    assert_eq!(pages.asked().iter().filter(|asked| **asked == "GET /index.html").count(), 0, "it is known");
    pages.change(|state| {
        state.deployed += 60;
        state.files.insert("/index.html".to_owned(), "HOME".to_owned());
    });
    wait_for_tag(&site, "/", &pages.tag("/index.html"));
}

#[test]
fn whoever_is_not_pages_or_does_not_answer_changes_nothing() {
    for mood in [Mood::Elsewhere, Mood::Limited, Mood::Mtimes, Mood::Digests, Mood::Compressed, Mood::Torn] {
        let pages = Pages::deployed(DEPLOYED, &FILES);
        pages.change(|state| state.mood = mood);
        let site = start(&pages, Plan::default());
        let own = tag(&site, "/");
        wait_until("some questions", rig::PATIENCE, || (pages.asked().len() >= 4).then_some(()));
        assert_eq!((tag(&site, "/"), site.status().why), (own, String::new()), "{mood:?}");
        pages.change(|state| state.mood = Mood::Well);
        wait_for_tag(&site, "/", &pages.tag("/index.html"));
    }
}

#[test]
fn no_request_asks_the_fallback_and_nothing_is_compared_twice() {
    let pages = Pages::deployed(DEPLOYED, &FILES);
    let site = start(&pages, Plan::default());
    wait_for_tag(&site, "/", &pages.tag("/index.html"));
    pages.wait_for_a_round();
    for _ in 0..50 {
        site.get("/dir/page");
        site.get("/missing");
    }
    let asked = pages.asked();
    assert!(asked.iter().all(|asked| asked == "HEAD /index.html"), "{asked:?}");
}

#[test]
fn what_was_adopted_outlives_a_restart_even_with_a_mount_that_hangs() {
    let pages = Pages::deployed(DEPLOYED, &FILES);
    let kept = tempfile::tempdir().unwrap();
    let plan = || Plan { keep: Some(kept.path().to_owned()), ..Plan::default() };
    let mut site = start(&pages, plan());
    wait_for_tag(&site, "/", &pages.tag("/index.html"));
    wait_until("both to be kept", rig::PATIENCE, || {
        (kept.path().join("validators").exists() && kept.path().join("copy/manifest").exists()).then_some(())
    });
    site.tell_to_stop();
    site.join();
    pages.change(|state| state.mood = Mood::Limited);
    let moody = Moody::new();
    moody.hang();
    let plan = Plan { loader: moody.program.clone(), validators: Some(pages.settings()), ..plan() };
    let site = rig::start(plan, |_| {});
    site.wait_for("the kept copy", |status| status.generation.is_some());
    assert_eq!(tag(&site, "/"), pages.tag("/index.html"));
}

fn read(site: &str) -> Result<Vec<SiteSettings>, String> {
    let text = format!(
        "[node]\nname = \"pi1\"\nkey = {{ file = \"k\" }}\n[site]\nhosts = [\"a\"]\nroot = \"/a\"\n{site}"
    );
    let checked = config::check_text(&text, Path::new("hearth.toml"), Secrets::Skip);
    Ok(checked.map_err(|errors| errors.to_string())?.config().agent.as_ref().unwrap().sites.clone())
}

#[test]
fn the_configuration_names_the_fallback_and_only_pages_rules_adopt() {
    let sites = read("validators = { from = \"https://user.github.io/project/\" }\n").unwrap();
    let validators = sites[0].validators.clone().unwrap();
    assert_eq!(validators.from, "https://user.github.io/project");
    assert_eq!((validators.address, validators.every), (None, Duration::from_secs(600)));
    let sites =
        read("validators = { from = \"http://a\", address = \"192.0.2.1\", every = \"1h\" }\n").unwrap();
    assert_eq!(sites[0].validators.clone().unwrap().address, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(sites[0].rules, Rules::GithubPages);
    let spa = read("rules = \"spa\"\nvalidators = { from = \"https://user.github.io\" }\n").unwrap_err();
    assert!(spa.starts_with("hearth.toml:8:14: validators are adopted from GitHub Pages"), "{spa}");
    let query = read("validators = { from = \"https://user.github.io/?a\" }\n").unwrap_err();
    assert!(query.starts_with("hearth.toml:7:23: what follows `?`"), "{query}");
    let none = read("validators = { }\n").unwrap_err();
    assert!(none.starts_with("hearth.toml:7:14: the key `from` is missing"), "{none}");
}
