//! `hearth init` as far as it touches no machine: its questions, and that everything it can write is in order.

use std::path::Path;

use clap::{Parser, ValueEnum};

use super::ask::Questions;
use super::page::{NodePage, WatcherPage};
use super::*;
use crate::cli::{Cli, Command, ProviderChoice};
use crate::heartbeat::seal::SigningKey;

fn args(words: &[&str]) -> InitArgs {
    let cli = Cli::try_parse_from(["hearth", "init"].iter().chain(words)).unwrap();
    let Command::Init(args) = cli.command else { panic!("{cli:?}") };
    args
}

fn key() -> VerifyingKey {
    SigningKey::from_seed([7; 32]).verifying()
}

/// Everything that some kind of provider asks for.
fn account(kind: ProviderChoice) -> Account {
    let kind = kind.to_string();
    let words =
        ["--provider", &kind, "--zone", "example.com", "--account", "me", "--contact", "me@example.com"];
    let server = if kind == "rfc2136" { "ns1.example.com" } else { "https://ns1.example.com/update" };
    let args = args(&[&words[..], &["--server", server]].concat());
    provider::account(&args, &mut Questions::to_nobody()).unwrap()
}

fn in_order(text: &str) {
    let checked = config::check_text(text, Path::new("/etc/hearth/hearth.toml"), Secrets::Skip);
    let checked = checked.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let warnings = &checked.config().warnings;
    assert!(warnings.is_empty(), "{}\n{text}", warnings[0]);
}

#[test]
fn a_node_at_every_provider_is_in_order() {
    assert_eq!(ProviderChoice::value_variants().len(), 9);
    for kind in ProviderChoice::value_variants() {
        let zone = if *kind == ProviderChoice::Duckdns { "duckdns.org" } else { "example.com" };
        let page = NodePage {
            name: "pi1".parse().unwrap(),
            site: "www.example.com".parse().unwrap(),
            root: "/srv/\"www\"".to_owned(),
            record: Some(format!("pi1.{zone}").parse().unwrap()),
            account: Some(account(*kind)),
            watcher: Some(("https://watch.example.net".to_owned(), key())),
        };
        in_order(&page.to_string());
    }
}

#[test]
fn a_node_that_serves_and_nothing_else_is_in_order() {
    let page = NodePage {
        name: "pi1".parse().unwrap(),
        site: "www.example.com".parse().unwrap(),
        root: page::ROOT.to_owned(),
        record: None,
        account: None,
        watcher: None,
    };
    in_order(&page.to_string());
}

#[test]
fn a_watcher_is_in_order_with_its_nodes() {
    let page = WatcherPage {
        site: "www.example.com".parse().unwrap(),
        fallback: "user.github.io".parse().unwrap(),
        account: account(ProviderChoice::Rfc2136),
        peers: vec![("pi1".parse().unwrap(), key())],
    };
    in_order(&page.to_string());
}

/// Before the nodes are known the [[watch]] waits as a comment, and nothing else is missing.
#[test]
fn a_watcher_without_nodes_is_in_order_and_can_be_completed_by_removing_the_comment() {
    let page = WatcherPage {
        site: "www.example.com".parse().unwrap(),
        fallback: "user.github.io".parse().unwrap(),
        account: account(ProviderChoice::Cloudflare),
        peers: Vec::new(),
    };
    let text = page.to_string();
    config::check_text(&text, Path::new("hearth.toml"), Secrets::Skip).unwrap();
    let (before, rest) = text.split_once("# [[watch]]").unwrap();
    let rest =
        rest.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect::<Vec<_>>().join("\n");
    let completed = format!("{before}[[watch]]{rest}").replace("ed25519:…", &key().to_string());
    in_order(&completed);
}

fn ask(typed: &str, question: impl FnOnce(&mut Questions<'_>)) -> String {
    let (mut input, mut output) = (typed.as_bytes(), Vec::new());
    question(&mut Questions::to(&mut input, &mut output));
    String::from_utf8(output).unwrap()
}

#[test]
fn an_answer_that_means_nothing_is_asked_for_again() {
    let said = ask("two words\npi1\n", |questions| {
        let name: NodeName = questions.required("--name", "What?", None, None).unwrap();
        assert_eq!(name.to_string(), "pi1");
    });
    assert_eq!(said.matches("What? ").count(), 2, "{said}");
}

#[test]
fn an_empty_answer_takes_the_default_or_none() {
    ask("\n\n", |questions| {
        let zone: String = questions.required("--zone", "Zone?", None, Some("a.b".to_owned())).unwrap();
        assert_eq!(zone, "a.b");
        assert_eq!(questions.optional::<String>("Watcher?", None).unwrap(), None);
    });
}

#[test]
fn the_end_of_the_input_is_no_answer() {
    ask("", |questions| {
        let error = questions.optional::<String>("Watcher?", None).unwrap_err().to_string();
        assert!(error.contains("nothing was written"), "{error}");
    });
}

#[test]
fn where_nobody_can_be_asked_the_missing_flag_is_named() {
    let error =
        Questions::to_nobody().required::<String>("--site", "Site?", None, None).unwrap_err().to_string();
    assert!(error.contains("--site is missing"), "{error}");
}

#[test]
fn a_host_name_becomes_the_name_of_a_node() {
    assert_eq!(node_name("Pi1.lan").map(|name| name.to_string()).as_deref(), Some("pi1"));
    assert_eq!(node_name(""), None);
}

#[test]
fn the_daemons_user_is_found_in_the_list_of_users() {
    let passwd = "root:x:0:0:root:/root:/bin/bash\nhearth:x:998:997::/var/lib/hearth:/usr/sbin/nologin\n";
    assert_eq!(place::entry(passwd, "hearth"), Some((998, 997)));
    assert_eq!(place::entry(passwd, "hear"), None);
}
