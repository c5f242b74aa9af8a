//! The rules as tables: what each kind of site answers for each kind of path.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::site::generation::{File, Files, Stamp};
use crate::site::request::Host;
use hyper::header::{ETAG, IF_NONE_MATCH, LOCATION, RANGE};

const SITE: &[(&str, &str)] = &[
    ("index.html", "home"),
    ("404.html", "gone"),
    ("about.html", "about"),
    ("both.html", "both page"),
    ("both/index.html", "both folder"),
    ("folder/index.html", "folder"),
    ("bare/only.txt", "only"),
    ("style.css", "0123456789"),
];

fn site(rules: Rules, files: &[(&str, &'static str)]) -> Generation {
    let file = |text: &'static str| {
        let stamp = Stamp { inode: 1, size: text.len() as u64, mtime: 5_000_000_000, ctime: 5_000_000_000 };
        Arc::new(File::held(stamp, Bytes::from_static(text.as_bytes())))
    };
    let files: Files = files.iter().map(|(name, text)| (Box::from(*name), file(text))).collect();
    Generation::build(&files, rules, None)
}

fn ask(
    site: &Generation,
    method: &Method,
    target: &str,
    headers: &[(hyper::header::HeaderName, &str)],
) -> Reply {
    let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
    let (fields, later) = (Fields::of(&headers), HeaderValue::from_static("later"));
    let question = Question { method, target: Target::origin(target), fields: &fields, scheme: Scheme::Http };
    answer(question, Some(site), &later).into_reply(&later)
}

fn text(reply: &Reply) -> String {
    match &reply.body {
        Body::Empty => String::new(),
        Body::Held(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Body::Left(part) => format!("{} {:?}", part.file.name, part.range),
        Body::Pieces(pieces) => pieces.iter().map(|p| String::from_utf8_lossy(p)).collect(),
    }
}

/// Status and body, or status and Location.
fn seen(rules: Rules, target: &str) -> String {
    let reply = ask(&site(rules, SITE), &Method::GET, target, &[]);
    match reply.headers.get(LOCATION) {
        Some(location) => format!("{} {}", reply.status.as_u16(), location.to_str().unwrap()),
        None if reply.body == Body::Empty || text(&reply).starts_with("<!doctype") => {
            reply.status.as_u16().to_string()
        }
        None => format!("{} {}", reply.status.as_u16(), text(&reply)),
    }
}

#[test]
fn github_pages_finds_pages_as_github_pages_does() {
    for (target, wanted) in [
        ("/", "200 home"),
        ("/about", "200 about"),
        ("/about/", "404 gone"),
        ("/about.html", "200 about"),
        ("/folder", "301 /folder/"),
        ("/folder?a=b", "301 /folder/?a=b"),
        ("/folder/", "200 folder"),
        ("/folder/index.html", "200 folder"),
        ("/folder/index", "200 folder"),
        ("/both", "200 both page"),
        ("/both/", "200 both folder"),
        ("/missing", "404 gone"),
        ("/bare", "301 /bare/"),
        ("/bare/", "404 gone"),
        ("/.env", "404 gone"),
        ("/index", "200 home"),
        ("/About", "404 gone"),
        ("//folder", "301 /folder/"),
        ("/..%2fx", "400"),
    ] {
        assert_eq!(seen(Rules::GithubPages, target), wanted, "{target}");
    }
}

#[test]
fn spa_falls_back_to_the_home_page() {
    for (target, wanted) in [
        ("/", "200 home"),
        ("/about", "200 home"),
        ("/about/", "200 home"),
        ("/about.html", "200 about"),
        ("/folder", "301 /folder/"),
        ("/folder/", "200 folder"),
        ("/both", "301 /both/"),
        ("/missing/deep", "200 home"),
        ("/bare/", "404"),
        ("/.env", "404"),
    ] {
        assert_eq!(seen(Rules::Spa, target), wanted, "{target}");
    }
}

#[test]
fn files_are_files_and_nothing_else() {
    for (target, wanted) in [
        ("/", "200 home"),
        ("/about", "404"),
        ("/about.html", "200 about"),
        ("/folder", "301 /folder/"),
        ("/folder/", "200 folder"),
        ("/missing", "404"),
    ] {
        assert_eq!(seen(Rules::Files, target), wanted, "{target}");
    }
}

#[test]
fn what_the_client_holds_is_not_sent_again() {
    let site = site(Rules::GithubPages, SITE);
    let first = ask(&site, &Method::GET, "/", &[]);
    let tag = first.headers[ETAG].to_str().unwrap();
    let again = ask(&site, &Method::GET, "/", &[(IF_NONE_MATCH, tag)]);
    assert_eq!((again.status, again.body), (StatusCode::NOT_MODIFIED, Body::Empty));
    assert_eq!(again.headers[CACHE_CONTROL], "max-age=600");
    assert!(again.headers.get(CONTENT_LENGTH).is_none());
}

#[test]
fn ranges_are_cut_from_the_file() {
    let site = site(Rules::GithubPages, SITE);
    let range = |value: &str| ask(&site, &Method::GET, "/style.css", &[(RANGE, value)]);
    let one = range("bytes=2-4");
    assert_eq!((one.status, text(&one).as_str()), (StatusCode::PARTIAL_CONTENT, "234"));
    assert_eq!(one.headers[CONTENT_RANGE], "bytes 2-4/10");
    assert_eq!(one.headers[CONTENT_LENGTH], "3");
    let several = range("bytes=0-1,-2");
    assert!(several.headers[CONTENT_TYPE].to_str().unwrap().starts_with("multipart/byteranges; boundary="));
    let body = text(&several);
    assert!(
        body.contains("Content-Range: bytes 0-1/10\r\n\r\n01\r\n")
            && body.contains("bytes 8-9/10\r\n\r\n89\r\n--")
    );
    assert!(body.contains("Content-Type: text/css; charset=utf-8"), "{body}");
    assert_eq!(several.headers[CONTENT_LENGTH], body.len().to_string().as_str());
    let beyond = range("bytes=10-");
    assert_eq!(
        (beyond.status.as_u16(), &beyond.headers[CONTENT_RANGE]),
        (416, &HeaderValue::from_static("bytes */10"))
    );
    assert_eq!(range("bytes=0-,0-,0-").status, StatusCode::OK);
    assert_eq!(ask(&site, &Method::HEAD, "/style.css", &[(RANGE, "bytes=2-4")]).status, StatusCode::OK);
}

#[test]
fn without_a_site_visitors_are_asked_to_come_back() {
    let (fields, later) = (Fields::default(), HeaderValue::from_static(""));
    let target = Target::origin("/");
    let question = Question { method: &Method::GET, target, fields: &fields, scheme: Scheme::Http };
    let reply = answer(question, None, &later).into_reply(&later);
    assert_eq!((reply.status.as_u16(), &reply.headers["retry-after"]), (503, &HeaderValue::from_static("5")));
}

#[test]
fn the_bare_name_is_sent_to_ours_and_a_foreign_one_away() {
    let hosts = Hosts::new([("www.example.com".to_owned(), 3)]);
    let admitted = |host: &str, rules| {
        let fields = Fields { host: Host::One(host.as_bytes()), ..Fields::default() };
        let target = Target::origin("/a/b?c");
        let question = Question { method: &Method::GET, target, fields: &fields, scheme: Scheme::Https };
        admit(question, &hosts, |site| {
            assert_eq!(site, 3);
            rules
        })
        .map(|admitted| (admitted.host.to_owned(), admitted.site))
    };
    assert_eq!(admitted("www.example.com:8080", Rules::Files).unwrap(), ("www.example.com".to_owned(), 3));
    let sibling = admitted("example.com", Rules::GithubPages).unwrap_err();
    assert_eq!(
        (sibling.status.as_u16(), &sibling.headers[LOCATION]),
        (301, &HeaderValue::from_static("https://www.example.com/a/b?c"))
    );
    assert_eq!(admitted("example.com", Rules::Files).unwrap_err().status.as_u16(), 421);
    assert_eq!(admitted("evil.example", Rules::GithubPages).unwrap_err().status.as_u16(), 421);
}

proptest! {
    #[test]
    fn every_redirect_stays_here_and_every_answer_has_a_status_of_ours(target in "/[/a-z.%25fe\\\\?#:@]{0,24}|/(/|bare|folder|\\.\\.|%2f){0,6}") {
        let Ok(uri) = target.parse::<hyper::Uri>() else { return Ok(()) };
        let (fields, later) = (Fields::default(), HeaderValue::from_static(""));
        let target = Target::of(&uri);
        for rules in [Rules::GithubPages, Rules::Spa, Rules::Files] {
            let question = Question { method: &Method::GET, target, fields: &fields, scheme: Scheme::Http };
            let reply = answer(question, Some(&site(rules, SITE)), &later).into_reply(&later);
            prop_assert!(matches!(reply.status.as_u16(), 200 | 301 | 400 | 404), "{}", reply.status);
            if let Some(location) = reply.headers.get(LOCATION) {
                let location = location.to_str().unwrap();
                prop_assert!(location.starts_with('/') && !location.starts_with("//"), "{location}");
            }
        }
    }
}
