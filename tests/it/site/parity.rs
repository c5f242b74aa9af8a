//! The table of what GitHub Pages answers, one test for each row.

use std::time::{Duration, SystemTime};

use hearth::site::Rules;

use super::rig::{self, Site};
use crate::support::http::{self, Answer};

const PAGE: &str = "<!doctype html><title>about</title>";

fn pages() -> Site {
    rig::serve(&[
        ("index.html", "home"),
        ("404.html", "our own 404"),
        ("about.html", PAGE),
        ("both.html", "both page"),
        ("both/index.html", "both folder"),
        ("folder/index.html", "folder"),
        ("bare/only.txt", "only"),
        ("app.js", "let a = 1"),
        ("data.json", "{}"),
        ("style.css", "body{}"),
        ("robots.txt", "User-agent: *"),
        ("logo.svg", "<svg/>"),
        ("CNAME", "www.example.com"),
        ("big.html", &"all the same words again and again\n".repeat(400)),
        (".env", "SECRET=1"),
        ("folder/.git/config", "[core]"),
        (".well-known/security.txt", "Contact: mailto:me@example.com"),
    ])
}

#[track_caller]
fn is(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
}

#[track_caller]
fn moves_to(answer: &Answer, location: &str) {
    assert_eq!((answer.status, answer.header("location")), (301, Some(location)));
}

#[test]
fn row_01_a_page_is_found_without_its_ending() {
    is(&pages().get("/about"), 200, PAGE);
}

#[test]
fn row_02_a_page_is_no_directory() {
    is(&pages().get("/about/"), 404, "our own 404");
}

#[test]
fn row_03_a_page_is_found_with_its_ending_and_not_redirected() {
    is(&pages().get("/about.html"), 200, PAGE);
}

#[test]
fn row_04_a_directory_without_its_slash_is_a_redirect() {
    moves_to(&pages().get("/folder"), "/folder/");
}

#[test]
fn row_05_a_directory_is_its_index() {
    is(&pages().get("/folder/"), 200, "folder");
}

#[test]
fn row_06_an_index_is_not_redirected() {
    is(&pages().get("/folder/index.html"), 200, "folder");
}

#[test]
fn row_07_a_page_wins_over_a_directory_of_its_name() {
    is(&pages().get("/both"), 200, "both page");
}

#[test]
fn row_08_the_slash_asks_for_the_directory() {
    is(&pages().get("/both/"), 200, "both folder");
}

#[test]
fn row_09_a_missing_page_is_404_with_the_sites_own_page() {
    let answer = pages().get("/missing");
    is(&answer, 404, "our own 404");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
}

#[test]
fn row_10_a_directory_without_an_index_is_a_redirect_and_then_404() {
    let site = pages();
    moves_to(&site.get("/bare"), "/bare/");
    is(&site.get("/bare/"), 404, "our own 404");
}

#[test]
fn row_11_hidden_files_are_missing() {
    let site = pages();
    for target in ["/.env", "/folder/.git/config", "/%2eenv", "/folder/.git/", "/.git"] {
        is(&site.get(target), 404, "our own 404");
    }
}

#[test]
fn row_12_well_known_files_are_served_and_hearths_own_come_first() {
    let site = pages();
    is(&site.get("/.well-known/security.txt"), 200, "Contact: mailto:me@example.com");
    is(&site.get("/.well-known/hearth/here"), 200, "here, www.example.com");
    assert_eq!(site.get("/.well-known/hearth/nothing").status, 404);
    assert_eq!(http::ask(site.address, "GET", "/.well-known/hearth/here", "evil.example", &[]).status, 421);
}

#[test]
fn row_13_a_page_is_fresh_for_ten_minutes() {
    fresh_for_ten_minutes(&pages().get("/"));
}

#[test]
fn row_14_so_is_a_redirect() {
    fresh_for_ten_minutes(&pages().get("/folder"));
}

#[track_caller]
fn fresh_for_ten_minutes(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), Some("max-age=600"));
    let date = |name| httpdate::parse_http_date(answer.header(name).expect(name)).unwrap();
    let ahead = date("expires").duration_since(date("date")).unwrap();
    assert!((599..=601).contains(&ahead.as_secs()), "{ahead:?}");
    assert!(SystemTime::now().duration_since(date("date")).unwrap() < Duration::from_secs(5));
}

#[test]
fn row_15_a_missing_page_is_not_cached() {
    let answer = pages().get("/missing");
    assert_eq!((answer.header("cache-control"), answer.header("expires")), (None, None));
}

#[test]
fn row_16_without_an_own_page_404_is_a_short_one_that_loads_nothing() {
    let answer = rig::serve(&[("index.html", "home")]).get("/missing");
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(answer.text().contains("Not found"));
}

#[test]
fn row_17_any_origin_may_read() {
    let (site, bare) = (pages(), rig::serve(&[("index.html", "home")]));
    for answer in [site.get("/"), site.get("/folder"), site.get("/missing"), bare.get("/missing")] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{}", answer.status);
    }
}

#[test]
fn row_18_the_tag_is_hex_time_and_hex_size_and_weak_when_compressed() {
    let site = pages();
    let answer = site.get("/about");
    let modified = httpdate::parse_http_date(answer.header("last-modified").unwrap()).unwrap();
    let seconds = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(answer.header("etag"), Some(format!("\"{seconds:x}-{:x}\"", PAGE.len()).as_str()));
    let weak = compressed(&site).header("etag").unwrap().to_owned();
    assert!(weak.starts_with("W/\""), "{weak}");
    assert_eq!(site.ask("GET", "/big.html", &[&format!("If-None-Match: {weak}")]).status, 304);
}

#[test]
fn row_19_every_file_has_the_date_of_the_deploy() {
    let site = pages();
    let dates: Vec<_> =
        ["/", "/about", "/app.js"].map(|t| site.get(t).header("last-modified").map(str::to_owned)).into();
    assert!(dates[0].is_some() && dates.iter().all(|date| *date == dates[0]), "{dates:?}");
}

#[test]
fn row_20_ranges_are_accepted_and_the_encoding_always_varies() {
    let answer = pages().get("/about");
    assert_eq!(
        (answer.header("accept-ranges"), answer.header("vary")),
        (Some("bytes"), Some("Accept-Encoding"))
    );
}

#[test]
fn row_21_text_is_compressed_for_those_who_take_it() {
    let site = pages();
    let gzip = compressed(&site);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&gzip.body[..]), &mut text).unwrap();
    assert_eq!(text, site.get("/big.html").text());
    assert_eq!(
        site.ask("GET", "/big.html", &["Accept-Encoding: br, gzip"]).header("content-encoding"),
        Some("br")
    );
    assert_eq!(site.get("/big.html").header("content-encoding"), None);
}

/// The page that is worth compressing; it is compressed after it is served.
fn compressed(site: &Site) -> Answer {
    crate::support::wait_until("a compressed answer", rig::PATIENCE, || {
        let answer = site.ask("GET", "/big.html", &["Accept-Encoding: gzip"]);
        (answer.header("content-encoding") == Some("gzip")).then_some(answer)
    })
}

#[test]
fn row_22_types_have_their_charset() {
    let site = pages();
    for (target, wanted) in [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "application/javascript; charset=utf-8"),
        ("/data.json", "application/json; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/robots.txt", "text/plain; charset=utf-8"),
        ("/logo.svg", "image/svg+xml"),
    ] {
        assert_eq!(site.get(target).header("content-type"), Some(wanted), "{target}");
    }
}

#[test]
fn row_23_no_server_is_named() {
    assert_eq!(pages().get("/").header("server"), None);
}

#[test]
fn row_24_the_bare_name_is_sent_to_the_configured_one() {
    let site = pages();
    let answer = http::ask(site.address, "GET", "/about?x=1", "example.com", &[]);
    moves_to(&answer, "http://www.example.com/about?x=1");
    assert_eq!(answer.header("content-type"), Some("text/html"));
}

#[test]
fn row_25_plain_http_is_answered() {
    is(&pages().get("/"), 200, "home");
}

#[test]
fn row_26_strict_transport_is_never_demanded() {
    assert_eq!(pages().get("/").header("strict-transport-security"), None);
}

#[test]
fn row_27_reading_is_all_that_is_allowed() {
    let site = pages();
    for method in ["OPTIONS", "PUT", "DELETE", "PATCH", "POST", "TRACE", "FROB"] {
        let answer = site.ask(method, "/", &[]);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
}

#[test]
fn row_28_nobody_is_limited_in_how_much_they_read() {
    let site = pages();
    for _ in 0..300 {
        assert_eq!(site.get("/data.json").status, 200);
    }
}

#[test]
fn row_29_the_cname_file_is_a_file() {
    is(&pages().get("/CNAME"), 200, "www.example.com");
}

#[test]
fn row_30_head_has_the_head_of_get_and_nothing_more() {
    let site = pages();
    for target in ["/", "/folder", "/missing", "/big.html"] {
        let (get, head) = (site.get(target), site.ask("HEAD", target, &[]));
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{target}");
        for name in ["content-type", "content-length", "etag", "location", "last-modified"] {
            assert_eq!(head.header(name), get.header(name), "{target} {name}");
        }
    }
}

#[test]
fn row_31_case_matters() {
    is(&pages().get("/About"), 404, "our own 404");
}

#[test]
fn row_32_repeated_slashes_are_one() {
    let site = pages();
    is(&site.get("/folder//index.html"), 200, "folder");
    moves_to(&site.get("//folder"), "/folder/");
}

#[test]
fn row_33_index_is_a_page_like_any_other() {
    is(&pages().get("/index"), 200, "home");
}

#[test]
fn row_34_a_redirect_keeps_the_query() {
    moves_to(&pages().get("/folder?a=b&c"), "/folder/?a=b&c");
}

#[test]
fn spa_answers_a_missing_page_with_the_home_page() {
    let site = rig::serve_as(Rules::Spa, &[("index.html", "home"), ("a.html", "a")]);
    is(&site.get("/deep/link"), 200, "home");
    is(&site.get("/a"), 200, "home");
    is(&site.get("/a.html"), 200, "a");
    assert_eq!(site.get("/").header("cache-control"), None);
}

#[test]
fn what_is_held_is_not_sent_again() {
    let site = pages();
    let first = site.get("/about");
    let tag = format!("If-None-Match: {}", first.header("etag").unwrap());
    let date = format!("If-Modified-Since: {}", first.header("last-modified").unwrap());
    for line in [&tag, &date] {
        let again = site.ask("GET", "/about", &[line]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{line}");
        assert_eq!(again.header("etag"), first.header("etag"));
    }
    assert_eq!(site.ask("GET", "/about", &["If-None-Match: \"other\""]).status, 200);
}

#[test]
fn parts_are_sent_when_parts_are_asked_for() {
    let site = pages();
    let part = site.ask("GET", "/style.css", &["Range: bytes=0-3"]);
    is(&part, 206, "body");
    assert_eq!(part.header("content-range"), Some("bytes 0-3/6"));
    assert_eq!(site.ask("GET", "/style.css", &["Range: bytes=6-"]).status, 416);
    assert_eq!(site.ask("GET", "/style.css", &["Range: bytes=0-3", "If-Range: \"other\""]).status, 200);
}
