//! `hearth address` and what the configuration says of sources.

use std::process::{Command, Output};

use hearth::config::{Secrets, check_text};

use crate::support::loopback::Network;

fn hearth(text: &str, words: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hearth.toml");
    let node = "[node]\nname = \"pi1\"\nkey = { file = \"k\" }\nstate = \"state\"\ncontrol = \"sock\"\n";
    std::fs::write(&file, format!("{node}{text}")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_hearth")).args(words).arg("--config").arg(&file).output().unwrap()
}

fn out(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn sources_that_do_not_answer_are_shown_with_their_error_and_a_code_of_its_own() {
    let gateway = Network::new().at(9);
    let text = format!(
        "[address]\nfamilies = [\"ipv4\"]\n\
         [[address.source]]\nkind = \"interface\"\n\
         [[address.source]]\nkind = \"nat-pmp\"\ngateway = \"{gateway}\"\n\
         [[address.source]]\nkind = \"stun\"\nserver = \"127.0.0.1:9\"\n\
         [[address.source]]\nkind = \"https\"\nurl = \"http://127.0.0.1:9/\"\noperator = \"x\"\nevery = \"2m\"\n"
    );
    let shown = hearth(&text, &["address"]);
    let screen = out(&shown);
    assert_eq!(shown.status.code(), Some(3), "{screen}");
    for part in [
        "router            NAT-PMP at 127.",
        "- nobody listens there",
        "stun              stun:127.0.0.1:9",
        "= no address: not confirmed, unknown",
        "not asked this time: http://127.0.0.1:9/ about ipv4",
    ] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    let json = hearth(&text, &["address", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["families"]["ipv4"]["verdict"], "unknown");
    assert_eq!(report["families"]["ipv4"]["observations"][0]["error"]["kind"], "silent");
    let cached = hearth(&text, &["address", "--cached"]);
    assert_eq!(cached.status.code(), Some(1), "no agent runs: {}", out(&cached));
}

#[test]
fn the_check_says_who_is_asked_and_how_often() {
    let shown = hearth("", &["check-config", "--no-secrets"]);
    let page = out(&shown);
    for part in [
        "kind = \"interface\"",
        "kind = \"upnp\"\nevery = \"2s\"",
        "kind = \"nat-pmp\"",
        "url = \"https://api6.ipify.org\"\noperator = \"ipify\"\nfamily = \"ipv6\"",
        "name = \"whoami.cloudflare\"\nservers = [\"1.1.1.1:53\", \"[2606:4700:4700::1111]:53\"]\nanswer = \"chaos-txt\"",
        "kind = \"stun\"\nserver = \"stun.cloudflare.com:3478\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let china = out(&hearth("[address]\nregion = \"china\"\n", &["check-config", "--no-secrets"]));
    assert!(
        china.contains(
            "url = \"http://ip.3322.net/\"\noperator = \"pubyun\"\nfamily = \"ipv4\"\nevery = \"2m\""
        ),
        "{china}"
    );
    assert!(!china.contains("ipify"), "{china}");
}

#[test]
fn what_the_check_prints_about_sources_is_a_configuration_that_means_the_same() {
    let node = "[node]\nname = \"pi1\"\nkey = { file = \"k\" }\n";
    let given = format!(
        "{node}[address]\nevery = \"1m\"\n\
         [[address.source]]\nkind = \"https\"\nurl = \"https://x.example/\"\noperator = \"x\"\nkey = \"ip\"\nfamily = \"ipv6\"\n\
         [[address.source]]\nkind = \"dns\"\nname = \"who.example\"\nservers = [\"192.0.2.1\", \"2001:db8::1\"]\nanswer = \"txt\"\n\
         [[address.source]]\nkind = \"pcp\"\ngateway = \"192.168.1.1\"\nevery = \"1m\"\n\
         [[address.source]]\nkind = \"stun\"\nserver = \"2001:db8::2\"\n\
         [[record]]\nname = \"nas.example.com\"\nprovider = \"home\"\nsuffix = \"::1234\"\n\
         [provider.home]\nkind = \"rfc2136\"\nserver = \"192.0.2.1\"\nzone = \"example.com\"\nkey = {{ name = \"k\", secret = {{ file = \"t\" }} }}\n"
    );
    let understood = |text: &str| {
        let checked = check_text(text, std::path::Path::new("/etc/hearth/hearth.toml"), Secrets::Skip);
        let checked = checked.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let agent = checked.config().agent.as_ref().unwrap();
        (agent.address.clone(), agent.records[0].suffix, agent.records[0].families.clone())
    };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hearth.toml"), &given).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_hearth"));
    let printed =
        check.args(["check-config", "--no-secrets", "--config"]).arg(dir.path().join("hearth.toml"));
    let printed = out(&printed.output().unwrap());
    let (address, suffix, families) = understood(&given);
    assert_eq!((families.len(), suffix.map(|suffix| suffix.to_string())), (1, Some("::1234/64".to_owned())));
    let sources = printed.split("[[record]]").next().unwrap().split("\n[address]").nth(1).unwrap();
    let again = given.split("[address]").next().unwrap().to_owned() + "[address]" + sources;
    let rest = given.split("[[record]]").nth(1).unwrap();
    assert_eq!(understood(&format!("{again}\n[[record]]{rest}")), (address, suffix, families));
}

#[test]
fn mistakes_about_sources_are_told_with_their_place() {
    for (text, says) in [
        ("[[address.source]]\nkind = \"interface\"\nurl = \"https://x.example\"", "`interface` has no `url`"),
        ("[[address.source]]\nkind = \"upnp\"\nserver = \"x.example\"", "`upnp` has no `server`"),
        ("[[address.source]]\nkind = \"https\"\nurl = \"https://x.example\"", "needs `url` and `operator`"),
        ("[[address.source]]\nkind = \"dns\"\nname = \"x.example\"", "needs `name` and `servers`"),
        (
            "[[address.source]]\nkind = \"dns\"\nname = \"x.example\"\nservers = [\"192.0.2.1\", \"192.0.2.2\"]",
            "`ipv4` is there twice",
        ),
        ("[[address.source]]\nkind = \"stun\"", "needs `server`"),
        ("[[address.source]]\nkind = \"stun\"\nserver = \"a b\"", "is not a server"),
        ("[[address.source]]\nkind = \"natpmp\"", "unknown value `natpmp`"),
        (
            "[address]\nregion = \"china\"\n[[address.source]]\nkind = \"upnp\"",
            "`region` chooses the sources",
        ),
        (
            "[[record]]\nname = \"x.example.com\"\nprovider = \"home\"\nsuffix = \"2a02::1\"",
            "within the first 64",
        ),
        (
            "[address]\nfamilies = [\"ipv4\"]\n[[record]]\nname = \"x.example.com\"\nprovider = \"home\"\nsuffix = \"::1\"",
            "`ipv6` is not among the families",
        ),
    ] {
        let shown = hearth(text, &["check-config", "--no-secrets"]);
        assert_eq!(shown.status.code(), Some(2), "{text}");
        assert!(
            out(&shown).contains(says) && out(&shown).contains("hearth.toml:"),
            "{says}: {}",
            out(&shown)
        );
    }
}
