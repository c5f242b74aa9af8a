//! `hearth check-config` shows all that is in force.

use std::process::Command;

use super::{Installed, NODE, PEER, PROVIDER, WATCHER};

/// A table of each kind that a file can have, but for what it shares with another.
const AGENT: &str = r#"
[[site]]
hosts = ["www.example.com"]
root = "www"
keep = "kept"
validators = { from = "https://user.github.io" }
[site.tls]
listen = ["192.0.2.1:8443"]
acme = { directory = "letsencrypt", provider = "home", contact = "me@example.com", share = "shared" }
redirect = true
hsts = "180d"
[site.log]
file = "log"

[[site]]
hosts = ["photos.example.com"]
root = "photos"
[site.tls]
listen = ["192.0.2.1:8443"]
certificate = "photos.pem"
key = { file = "photos.key" }

[[mount]]
path = "/mnt/one"

[address]
every = "7m"
[[address.source]]
kind = "interface"

[[record]]
name = "pi1.example.com"
provider = "home"

[heartbeat]
watchers = [{ url = "https://watch.example.net", public-key = "ed25519:6DEyPOSX/su9cEfRK1td/VaKwGvqI7cgPhkgq+sIKJc=" }]

[[hook]]
command = ["/usr/local/bin/told"]

[leds]
preset = "off"
"#;

const DECIDER: &str = r#"
token = { file = "t" }
page = "public"
[watcher.tls]
hosts = ["watch.example.com"]
acme = { directory = "https://ca.example/dir", provider = "home" }

[[watcher.notify]]
command = ["/usr/local/bin/told"]

[[watch]]
site = "www.example.com"
provider = "home"
record = "address"
nodes = ["pi1"]
fallback = { addresses = ["192.0.2.9"] }
"#;

/// The tables of a page, and the keys in each without what stands behind a dot.
fn outline(text: &str) -> Vec<(String, String)> {
    let mut table = String::new();
    let mut seen = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            line.split("  #").next().unwrap().clone_into(&mut table);
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with('#')) {
            seen.push((table.clone(), key.split('.').next().unwrap().to_owned()));
        }
    }
    seen
}

#[test]
fn every_table_and_every_key_that_is_written_is_shown_again() {
    for text in [format!("{NODE}{AGENT}{PROVIDER}"), format!("{WATCHER}{DECIDER}{PEER}{PROVIDER}")] {
        let installed = Installed::new(&text);
        let output = Command::new(env!("CARGO_BIN_EXE_hearth"))
            .args(["check-config", "--no-secrets", "--config"])
            .arg(installed.path("hearth.toml"))
            .output()
            .unwrap();
        let (shown, said) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(output.status.success(), "{said}");
        let told = outline(&shown);
        let missing: Vec<_> = outline(&text).into_iter().filter(|key| !told.contains(key)).collect();
        assert_eq!(missing, [], "{shown}");
    }
}
