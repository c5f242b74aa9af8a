//! A person with the binary and a file: each service as it is set up, looked at, planned and written by hand.

#![allow(clippy::print_stdout, reason = "with --no-capture a test shows what a person sees")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::rig::Stand;
use super::stands::{DnsPodStand, TencentStand};
use super::stands_of_addresses::{DuckDnsStand, Dyndns2Stand};
use super::stands_of_zones::{CloudflareStand, PowerDnsStand};
use super::stands_without_lines::{AlidnsStand, DesecStand};
use crate::support::name_server::ZONE;
use crate::support::powerdns::API_KEY;
use crate::support::vendor::Row;
use crate::support::vendor::serve::Served;
use crate::support::vendor::zone::Zone;

/// Says that it sees everybody at 127.0.9.1; its thread ends with the process.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 2048]);
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n127.0.9.1");
        }
    });
    at
}

/// A file with one name at this service.
fn write_file<S: Stand>(directory: &Path, provider: &str, secret: &str) {
    let source = |operator| {
        format!(
            "[[address.source]]\nkind = \"https\"\nurl = \"http://{}/\"\noperator = \"{operator}\"\n",
            echo()
        )
    };
    let text = format!(
        "[node]\nname = \"pi1\"\nkey = {{ file = \"node.key\" }}\nstate = \"state\"\ncontrol = \"agent.sock\"\n\
         [address]\nfamilies = [\"ipv4\"]\nadmit = [\"127.0.0.0/8\"]\n{}{}\
         [[record]]\nname = \"{}\"\nprovider = \"home\"\nttl = \"2h\"\n[provider.home]\n{provider}",
        source("one"),
        source("two"),
        S::NAME
    );
    std::fs::write(directory.join("hearth.toml"), text).unwrap();
    std::fs::write(directory.join("secret"), secret).unwrap();
    let key = hearth::heartbeat::seal::SigningKey::from_seed([7; 32]);
    std::fs::write(directory.join("node.key"), key.to_text().expose()).unwrap();
}

fn run(directory: &Path, words: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.args(words).arg("--config").arg(directory.join("hearth.toml")).env("HEARTH_LOG", "debug");
    let output = command.output().unwrap();
    let said = String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap();
    assert!(!said.contains("good-secret"), "{words:?}:\n{said}");
    // With --no-capture this is what a person sees.
    println!("$ hearth {}\n{said}", words.join(" "));
    (output, said)
}

/// Sets up a service with `provider`, and writes a name by hand.
fn by_hand<S: Stand>(provider: impl Fn(&Served<S::Service>) -> String, secret: &str) {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::start(S::service());
    write_file::<S>(directory.path(), &provider(&served), secret);
    let hearth = |code: i32, words: &[&str], wanted: &str| {
        let (output, said) = run(directory.path(), words);
        assert_eq!(output.status.code(), Some(code), "{words:?}:\n{said}");
        assert!(said.contains(wanted), "{words:?} says nothing of `{wanted}`:\n{said}");
    };
    hearth(0, &["check-config"], "(secret)");
    hearth(0, &["address"], "127.0.9.1");
    hearth(0, &["address", "--json"], "\"127.0.9.1\"");
    hearth(0, &["dns", "list"], "no records");
    let rows = || served.with(|service| crate::support::vendor::Vendor::rows(service));
    let before = rows();
    hearth(2, &["dns", "plan"], "+ A 127.0.9.1");
    assert_eq!(rows(), before);
    hearth(0, &["dns", "apply"], "written and read back");
    // Long enough for a list that lags behind.
    served.pass(Duration::from_secs(60));
    hearth(0, &["dns", "plan"], S::NAME);
    hearth(0, &["dns", "list"], "A 127.0.9.1");
    let penalties = served.with(|service| crate::support::vendor::Vendor::penalties(service).to_vec());
    // To be told to wait a second is no punishment.
    assert!(penalties.iter().all(|what| what.starts_with("throttled: GET")), "{penalties:?}");
}

#[test]
fn a_name_is_kept_on_the_lines_that_are_named_and_shown_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::start(DnsPodStand::service());
    let abroad = Row { line: "0".to_owned(), ..Row::new("www", "A", "192.0.2.77", 7_200) };
    served.with(|service| DnsPodStand::put(service, abroad));
    let more = "token = { file = \"secret\" }\ncontact = \"me@example.com\"";
    write_file::<DnsPodStand>(directory.path(), &cloud(&served, "dnspod", more), "13490,good-secret");
    let file = directory.path().join("hearth.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("ttl = \"2h\"", "ttl = \"2h\"\nlines = [\"3=0\", \"7=0\"]")).unwrap();
    for (code, words, wanted) in [
        (0, &["check-config"][..], "lines = [\"3=0\", \"7=0\"]"),
        (2, &["dns", "plan"], "+ A 127.0.9.1 (TTL 7200 s, line 3=0)\n  + A 127.0.9.1 (TTL 7200 s, line 7=0)"),
        (2, &["dns", "plan"], "= A 192.0.2.77 (not pi1's, left alone, line 0)"),
        (0, &["dns", "apply"], "written and read back"),
        (0, &["dns", "plan"], "nothing to do"),
        (0, &["dns", "list"], "line 7=0  owner pi1"),
    ] {
        let (output, said) = run(directory.path(), words);
        assert_eq!(output.status.code(), Some(code), "{words:?}:\n{said}");
        assert!(said.contains(wanted), "{words:?} says nothing of `{wanted}`:\n{said}");
    }
    let rows = served.with(|service| crate::support::vendor::Vendor::rows(service));
    let lines: Vec<(&str, &str)> = rows.iter().map(|r| (r.line.as_str(), r.value.as_str())).collect();
    assert_eq!(lines, [("0", "192.0.2.77"), ("3=0", "127.0.9.1"), ("7=0", "127.0.9.1")]);
}

fn cloud<V: crate::support::vendor::Vendor>(served: &Served<V>, kind: &str, more: &str) -> String {
    format!("kind = \"{kind}\"\nendpoint = \"{}\"\nzone = \"example.com\"\n{more}\n", served.url())
}

#[test]
fn dnspod_is_set_up_by_hand() {
    let more = "token = { file = \"secret\" }\ncontact = \"me@example.com\"";
    by_hand::<DnsPodStand>(|served| cloud(served, "dnspod", more), "13490,good-secret");
}

#[test]
fn tencent_is_set_up_by_hand() {
    let more = "access-key = \"AKID\"\nsecret-key = { file = \"secret\" }";
    by_hand::<TencentStand>(|served| cloud(served, "tencent", more), "good-secret");
}

#[test]
fn alidns_is_set_up_by_hand() {
    let more = "access-key = \"LTAI\"\nsecret-key = { file = \"secret\" }";
    by_hand::<AlidnsStand>(|served| cloud(served, "alidns", more), "good-secret");
}

#[test]
fn desec_is_set_up_by_hand() {
    by_hand::<DesecStand>(|served| cloud(served, "desec", "token = { file = \"secret\" }"), "good-secret");
}

#[test]
fn cloudflare_is_set_up_by_hand() {
    let provider = |served: &Served<_>| {
        let endpoint = format!("{}/client/v4", served.url());
        format!(
            "kind = \"cloudflare\"\nendpoint = \"{endpoint}\"\nzone = \"example.com\"\ntoken = {{ file = \"secret\" }}\n"
        )
    };
    by_hand::<CloudflareStand>(provider, "good-secret");
}

#[test]
fn a_powerdns_is_set_up_by_hand() {
    if PowerDnsStand::left_out() {
        return;
    }
    let provider = |served: &Served<_>| {
        let endpoint = served.url();
        format!(
            "kind = \"powerdns\"\nendpoint = \"{endpoint}\"\nzone = \"{ZONE}\"\napi-key = {{ file = \"secret\" }}\n"
        )
    };
    by_hand::<PowerDnsStand>(provider, API_KEY);
}

#[test]
fn a_dyndns2_service_is_set_up_by_hand() {
    let provider = |served: &Served<_>| {
        format!(
            "kind = \"dyndns2\"\nendpoint = \"{}/nic/update\"\nzone = \"dyn.example.org\"\nuser = \"me\"\n\
             password = {{ file = \"secret\" }}\ncontact = \"me@example.com\"\nname-servers = [\"{}\"]\n",
            served.url(),
            Zone::start(served).address
        )
    };
    by_hand::<Dyndns2Stand>(provider, "good-secret");
}

#[test]
fn duckdns_is_set_up_by_hand() {
    let provider = |served: &Served<_>| {
        let zone = Zone::start(served).address;
        let endpoint = served.url();
        format!(
            "kind = \"duckdns\"\nendpoint = \"{endpoint}\"\ntoken = {{ file = \"secret\" }}\nname-servers = [\"{zone}\"]\n"
        )
    };
    by_hand::<DuckDnsStand>(provider, "good-secret");
}
