//! Several sites in one agent: the configuration, who is answered with what, and what a dead mount of one costs the others.

use std::path::Path;
use std::time::Duration;

use hearth::config::{self, Secrets};
use hearth::heartbeat::SourceState;
use hearth::site::{Rules, SiteSettings};

use super::rig::{self, Plan};
use crate::support::faulty::Faulty;
use crate::support::{http, wait_until};

const NODE: &str = "[node]\nname = \"pi1\"\nkey = { file = \"k\" }\n";

/// The sites that a text after `NODE` means, whose first line is line 4; or what is wrong with it.
fn read(text: &str) -> Result<Vec<SiteSettings>, String> {
    let text = format!("{NODE}{text}");
    let checked = config::check_text(&text, Path::new("hearth.toml"), Secrets::Skip);
    let checked = checked.map_err(|errors| errors.to_string())?;
    Ok(checked.config().agent.as_ref().unwrap().sites.clone())
}

#[track_caller]
fn refused(text: &str, rendered: &str) {
    assert_eq!(read(text).unwrap_err(), rendered.trim_matches('\n'), "for:\n{text}");
}

#[test]
fn one_site_and_several_are_written_alike() {
    let keys = "hosts = [\"www.example.com\"]\nroot = \"/srv\"\n[site.log]\nformat = \"json\"\n";
    let (one, list) = (read(&format!("[site]\n{keys}")), read(&format!("[[site]]\n{keys}")));
    assert_eq!(one.as_ref().unwrap().len(), 1);
    assert_eq!(one, list);
    assert_eq!(read(""), Ok(Vec::new()));
}

#[test]
fn each_site_has_values_of_its_own_and_an_address_may_be_shared() {
    let sites = read(
        "[[site]]\nhosts = [\"a.example\"]\nroot = \"/a\"\nrules = \"spa\"\nmemory = \"1MiB\"\nkeep = \"/k/a\"\n\
         listen = [\"[::]:80\", \"[::]:8080\"]\n\
         [site.log]\nfile = \"/log/a\"\n\
         [[site]]\nhosts = [\"b.example\", \"b.home\"]\nroot = \"/b\"\npoll = \"5s\"\n",
    )
    .unwrap();
    let [a, b] = &sites[..] else { panic!("{sites:?}") };
    assert_eq!((a.rules, a.memory, a.keep.as_deref()), (Rules::Spa, 1 << 20, Some(Path::new("/k/a"))));
    assert_eq!((b.rules, b.poll, &b.log.file), (Rules::GithubPages, Duration::from_secs(5), &None));
    assert_eq!(a.log.file.as_deref(), Some(Path::new("/log/a")));
    let (first, second) = ("[::]:80".parse().unwrap(), "[::]:8080".parse().unwrap());
    let entrances = hearth::site::entrances(&sites);
    let seen: Vec<_> = entrances.into_iter().map(|entrance| (entrance.address, entrance.sites)).collect();
    assert_eq!(seen, [(first, vec![0, 1]), (second, vec![0])]);
}

#[test]
fn a_host_belongs_to_one_site() {
    refused(
        "[[site]]\nhosts = [\"a.example\"]\nroot = \"/a\"\n[[site]]\nhosts = [\"b.example\", \"A.example\"]\nroot = \"/b\"\n",
        r#"
hearth.toml:8:23: the host `a.example` is there twice
 8 | hosts = ["b.example", "A.example"]
   |                       ^^^^^^^^^^^
   = the first is on line 5"#,
    );
}

#[test]
fn two_sites_do_not_keep_their_copies_in_one_place() {
    refused(
        "[[site]]\nhosts = [\"a.example\"]\nroot = \"/a\"\nkeep = \"/k\"\n\
         [[site]]\nhosts = [\"b.example\"]\nroot = \"/b\"\nkeep = \"/k\"\n",
        r#"
hearth.toml:11:8: the place of a kept copy `/k` is there twice
 11 | keep = "/k"
    |        ^^^^
    = the first is on line 7"#,
    );
}

#[test]
fn a_mistake_in_a_later_site_keeps_its_place() {
    let first = "[[site]]\nhosts = [\"a.example\"]\nroot = \"/a\"\n";
    refused(
        &format!("{first}[[site]]\nhost = [\"b.example\"]\n"),
        r#"
hearth.toml:8:1: unknown key `host`
 8 | host = ["b.example"]
   | ^^^^
   = did you mean `hosts`?"#,
    );
    refused(
        &format!("{first}[[site]]\nroot = \"/b\"\n"),
        r#"
hearth.toml:7:1: the key `hosts` is missing
 7 | [[site]]
   | ^^^^^^^^
   = add it to this table"#,
    );
    refused(
        &format!("{first}[[site]]\nhosts = [\"b.example\"]\nroot = \"/b\"\nmemory = \"much\"\n"),
        r#"
hearth.toml:10:10: `much` is not a size; write "512KiB", "64MiB" or "1GiB"
 10 | memory = "much"
    |          ^^^^^^"#,
    );
}

#[test]
fn something_else_than_a_site_says_what_is_wanted() {
    let errors = config::check_text("site = 7\n", Path::new("hearth.toml"), Secrets::Skip).unwrap_err();
    let said = "hearth.toml:1:8: wanted here: the table [site], or several times [[site]]; found: a number";
    assert!(errors.to_string().starts_with(said), "{errors}");
}

#[test]
fn the_host_says_which_site_is_meant() {
    let plan = |host: &str, rules| Plan { hosts: vec![host.to_owned()], rules, ..Plan::default() };
    let sites = rig::start_several(
        vec![
            (plan("www.one.example", Rules::GithubPages), "one"),
            (plan("two.example", Rules::Files), "two"),
            (plan("one.example.net", Rules::Spa), "three"),
        ],
        &[vec![0, 1, 2], vec![1]],
    );
    let (all, second_alone) = (sites.doors[0], sites.doors[1]);
    let ask = |to, host: &str, target: &str| http::ask(to, "GET", target, host, &[]);
    for (host, text) in
        [("www.one.example", "one"), ("TWO.example:8080", "two"), ("one.example.net.", "three")]
    {
        assert_eq!(ask(all, host, "/").text(), text);
        // What a request does not find is answered as its site wants it.
        let wanted = if text == "three" { 200 } else { 404 };
        assert_eq!(ask(all, host, "/missing").status, wanted, "{host}");
    }
    let moved = ask(all, "one.example", "/page?x");
    assert_eq!((moved.status, moved.header("location")), (301, Some("http://www.one.example/page?x")));
    // These rules know no siblings.
    assert_eq!(ask(all, "www.two.example", "/").status, 421);
    assert_eq!(ask(all, "four.example", "/").status, 421);
    assert_eq!(ask(second_alone, "two.example", "/").text(), "two");
    assert_eq!(ask(second_alone, "www.one.example", "/").status, 421, "it does not listen there");
}

#[test]
fn one_connection_may_ask_several_sites() {
    let plan = |host: &str| Plan { hosts: vec![host.to_owned()], ..Plan::default() };
    let sites =
        rig::start_several(vec![(plan("a.example"), "one"), (plan("b.example"), "two")], &[vec![0, 1]]);
    let request: String =
        ["a", "b", "a", "c"].map(|name| format!("GET / HTTP/1.1\r\nHost: {name}.example\r\n\r\n")).concat();
    let request = request + "GET / HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n";
    let answer = String::from_utf8(http::raw(sites.doors[0], request.as_bytes())).unwrap();
    let seen: Vec<_> = ["\r\n\r\none", "\r\n\r\ntwo", "421 "]
        .iter()
        .flat_map(|text| answer.match_indices(text).map(|(at, found)| (at, found.trim())))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into_values()
        .collect();
    assert_eq!(seen, ["one", "two", "one", "421", "two"], "{answer}");
}

#[test]
fn a_mount_that_hangs_costs_the_other_sites_nothing() {
    let Some(mount) = Faulty::mount() else { return };
    let plan = |host: &str| Plan { hosts: vec![host.to_owned()], ..Plan::default() };
    let mounted = Plan { root: Some(mount.mount.clone()), ..plan("a.example") };
    std::fs::write(mount.below.join("index.html"), "one").unwrap();
    let sites = rig::start_several(vec![(mounted, "one"), (plan("b.example"), "two")], &[vec![0, 1]]);
    let home = |host: &str| http::ask(sites.doors[0], "GET", "/", host, &[]).text();
    assert_eq!((home("a.example"), home("b.example")), ("one".to_owned(), "two".to_owned()));
    mount.fail(&["getattr * HANG *"]);
    sites.wait_for("the first mount to hang", |all| all[0].source == SourceState::Hung);
    std::fs::write(sites.roots[1].join("index.html"), "new").unwrap();
    // Ten looks: one that waited for the first site's loader would take longer than three seconds.
    wait_until("the second site to change", Duration::from_secs(2), || {
        (home("b.example") == "new").then_some(())
    });
    assert_eq!(home("a.example"), "one");
    let status = sites.status();
    assert_eq!((status[0].source, status[1].source), (SourceState::Hung, SourceState::Ok));
    assert_eq!(status[0].hosts, ["a.example"]);
}
