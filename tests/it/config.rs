//! The configuration file: every mistake has its place and a hint, and every file that is shipped is in order.

mod fail_back;
mod gluster;
mod hooks;
mod lines;
mod shown;
mod ttl;
mod witness;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hearth::config::{self, Checked, Config, ConfigErrors, Secrets};
use hearth::dns::Ttl;
use hearth::failover::Shape;
use hearth::heartbeat::seal::SigningKey;
use hearth::policy::{Policy, Profile};
use hearth::probe::Scheme;
use hearth::site::Rules;
use hearth::site::log::LogFormat;

const NODE: &str = "[node]\nname = \"pi1\"\nkey = { file = \"k\" }\n";
const WATCHER: &str = "[watcher]\nkey = { file = \"k\" }\nreferences = [\"192.0.2.1:443\"]\n";
const PROVIDER: &str = "[provider.home]\nkind = \"rfc2136\"\nserver = \"ns1.example.com\"\nzone = \"example.com\"\n\
     key = { name = \"hearth\", secret = { file = \"k\" } }\n";
const PEER: &str =
    "[[peer]]\nname = \"pi1\"\npublic-key = \"ed25519:6DEyPOSX/su9cEfRK1td/VaKwGvqI7cgPhkgq+sIKJc=\"\n";

fn check(text: &str) -> Result<Checked, ConfigErrors> {
    config::check_text(text, Path::new("hearth.toml"), Secrets::Skip)
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

#[track_caller]
fn refused(text: &str, rendered: &str) {
    match check(text) {
        Ok(_) => panic!("this was accepted:\n{text}"),
        Err(errors) => assert_eq!(errors.to_string(), rendered.trim_matches('\n'), "for:\n{text}"),
    }
}

/// The one error of a text that follows `NODE`, whose first line is line 4.
#[track_caller]
fn refused_in_agent(text: &str, rendered: &str) {
    refused(&format!("{NODE}{text}"), rendered);
}

fn warnings(text: &str) -> Vec<String> {
    check(text).unwrap().config().warnings.iter().map(ToString::to_string).collect()
}

/// Every mistake by itself.
fn errors(text: &str) -> Vec<String> {
    match check(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.problems().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_mistyped_key_is_guessed() {
    refused_in_agent(
        "[site]\nhost = [\"www.example.com\"]\nroot = \"/srv\"\n",
        r#"
hearth.toml:5:1: unknown key `host`
 5 | host = ["www.example.com"]
   | ^^^^
   = did you mean `hosts`?"#,
    );
}

#[test]
fn a_key_that_nothing_is_near_to_gets_the_list() {
    refused_in_agent(
        "[leds]\nqqq = 1\n",
        r#"
hearth.toml:5:1: unknown key `qqq`
 5 | qqq = 1
   | ^^^
   = known here: `preset`, `also`, `backend`, `night`, `pins`, `kernel`, `button`"#,
    );
}

#[test]
fn a_mistyped_value_is_guessed() {
    refused_in_agent(
        "[site]\nhosts = [\"www.example.com\"]\nroot = \"/srv\"\nrules = \"github-page\"\n",
        r#"
hearth.toml:7:9: unknown value `github-page`
 7 | rules = "github-page"
   |         ^^^^^^^^^^^^^
   = did you mean `github-pages`? known here: `github-pages`, `spa`, `files`"#,
    );
}

#[test]
fn a_wrong_type_says_what_is_wanted() {
    refused_in_agent(
        "[site]\nhosts = \"www.example.com\"\nroot = \"/srv\"\n",
        r#"
hearth.toml:5:9: wanted here: a list in [ ]; found: a text
 5 | hosts = "www.example.com"
   |         ^^^^^^^^^^^^^^^^^"#,
    );
    refused_in_agent(
        "[address]\nevery = 10\n",
        r#"
hearth.toml:5:9: wanted here: a time in quotes, such as "10s", "5m" or "2h"; found: a number
 5 | every = 10
   |         ^^"#,
    );
}

#[test]
fn a_missing_key_is_shown_at_its_table() {
    refused_in_agent(
        "[site]\nroot = \"/srv\"\n",
        r#"
hearth.toml:4:1: the key `hosts` is missing
 4 | [site]
   | ^^^^^^
   = add it to this table"#,
    );
}

#[test]
fn a_time_that_is_none_is_told() {
    refused_in_agent(
        "[address]\nevery = \"5 parsecs\"\n",
        r#"
hearth.toml:5:9: `5 parsecs` is not a time; write "250ms", "10s", "5m", "2h" or "1d"
 5 | every = "5 parsecs"
   |         ^^^^^^^^^^^"#,
    );
}

#[test]
fn a_text_that_is_not_toml_is_told_with_its_place() {
    refused(
        "[node\nname = \"pi1\"\n",
        r#"
hearth.toml:1:6: unclosed table, expected `]`
 1 | [node
   |      ^"#,
    );
    refused(
        "[node]\nname = \"pi1\n",
        r#"
hearth.toml:2:12: invalid basic string, expected `"`
 2 | name = "pi1
   |            ^"#,
    );
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    refused(
        "[node]\nname = \"pi1\"\nkey = \"hunter2\"\n",
        r#"
hearth.toml:3:7: a secret is never written here; write { file = "/path/to/it" }, { credential = "name" } or { env = "NAME" }
 3 | key = "*******"
   |       ^^^^^^^^^"#,
    );
}

#[test]
fn no_mistake_beside_a_literal_secret_shows_it() {
    let provider = "[provider.home]\nkind = \"rfc2136\"\nserver = \"x\"\nzone = \"x.example\"\n";
    let lines = [
        "[node]\nname = \"pi1\"\nkey = \"SECRET\"",
        "[node]\nname = \"pi1\"\nkey = 'SECRET",
        "[node]\nname = \"pi1\"\nkey = SECRET",
        "[node]\nname = \"pi1\"\nkye = \"hearth-key-1:SECRET\"",
        "[node]\nname = \"pi1\"\nkey = \"SECRET\" name = \"x\"",
        &format!("{NODE}{provider}key = \"SECRET\""),
        &format!("{NODE}{provider}key = {{ name = \"k\", secret = \"SECRET\" }}"),
        &format!("{NODE}{provider}key = {{ name = \"k\", algorithm = \"md5\", secret = \"SECRET\" }}"),
        &format!("{NODE}{provider}key = {{ name = \"k\", scret = \"SECRET\" }}"),
        &format!("{NODE}{provider}key = {{ nme = \"k\", secret = \"SECRET\" }}"),
        &format!("{NODE}{provider}secret = \"SECRET\""),
    ];
    let secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=";
    for line in lines {
        let errors = check(&line.replace("SECRET", secret)).expect_err(line).to_string();
        assert!(errors.contains("****") && !errors.contains("c2Vj"), "{errors}");
    }
}

/// Every text that results when one character of `text` is left out, doubled or replaced by a quote.
fn slips(text: &str) -> Vec<String> {
    let mut slips = Vec::new();
    for (i, c) in text.char_indices() {
        let (before, after) = (&text[..i], &text[i + c.len_utf8()..]);
        slips.extend(["", "\"", "é", &format!("{c}{c}")].map(|instead| format!("{before}{instead}{after}")));
    }
    slips
}

#[test]
fn no_slip_of_the_finger_shows_a_literal_secret() {
    let secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=";
    let text = format!("{NODE}{PROVIDER}").replace("{ file = \"k\" }", &format!("\"{secret}\""));
    let mut refused = 0;
    for slip in slips(&text) {
        let Err(errors) = check(&slip) else { panic!("accepted:\n{slip}") };
        assert!(
            !errors.to_string().contains("JldHNlY3JldH") && !errors.to_string().contains("c2VjcmV0c2Vj"),
            "{errors}"
        );
        refused += 1;
    }
    assert!(refused > 900, "{refused}");
}

#[test]
fn no_slip_of_the_finger_is_more_than_the_check_can_take() {
    let texts = ["pi1.toml", "watcher.toml"].map(|name| fs::read_to_string(examples().join(name)).unwrap());
    let uncommented = |text: &String| -> String {
        text.lines().map(|line| format!("{}\n", line.split('#').next().unwrap_or(""))).collect()
    };
    let mut told = 0;
    for slip in texts.iter().flat_map(|text| slips(&uncommented(text))) {
        if let Err(errors) = check(&slip) {
            assert!(errors.to_string().starts_with("hearth.toml:"), "{errors}");
            told += 1;
        }
    }
    assert!(told > 1000, "{told}");
}

#[test]
fn cloudflare_and_powerdns_are_understood_and_say_what_they_need() {
    let good = "[provider.a]\nkind = \"cloudflare\"\nzone = \"example.com\"\ntoken = { file = \"k\" }\n\
                [provider.b]\nkind = \"powerdns\"\nzone = \"example.net\"\napi-key = { file = \"k\" }\n\
                endpoint = \"https://ns1.example.net:8081\"\n";
    check(&format!("{NODE}{good}")).unwrap();
    let short = "[provider.b]\nkind = \"powerdns\"\nzone = \"example.net\"\ntoken = { file = \"k\" }\n";
    let errors = check(&format!("{NODE}{short}")).unwrap_err().to_string();
    for wanted in ["needs `api-key`", "needs `endpoint`", "has no `token`"] {
        assert!(errors.contains(wanted), "{errors}");
    }
}

#[test]
fn a_record_outside_of_its_zone_is_refused() {
    refused_in_agent(
        &format!("[[record]]\nname = \"pi1.example.org\"\nprovider = \"home\"\n{PROVIDER}"),
        r#"
hearth.toml:5:8: `pi1.example.org` is not in the zone `example.com` of the provider `home`
 5 | name = "pi1.example.org"
   |        ^^^^^^^^^^^^^^^^^
   = write a name that ends in `.example.com`, or name another provider"#,
    );
}

#[test]
fn an_unknown_provider_is_guessed() {
    refused_in_agent(
        &format!("[[record]]\nname = \"pi1.example.com\"\nprovider = \"hoem\"\n{PROVIDER}"),
        r#"
hearth.toml:6:12: there is no provider `hoem`
 6 | provider = "hoem"
   |            ^^^^^^
   = did you mean `home`?"#,
    );
}

#[test]
fn sources_of_one_class_are_warned_of() {
    let page = |operator: &str| {
        format!(
            "[[address.source]]\nkind = \"https\"\nurl = \"http://127.0.0.1/\"\noperator = \"{operator}\"\n"
        )
    };
    let address = "[address]\nfamilies = [\"ipv4\"]\n";
    let [alone] = &warnings(&format!("{NODE}{address}{}{}", page("a"), page("a")))[..] else {
        panic!("one warning")
    };
    assert!(alone.starts_with("hearth.toml:6:1: it takes two classes of sources"), "{alone}");
    assert!(alone.contains("about ipv4 only one is asked"), "{alone}");
    assert_eq!(warnings(&format!("{NODE}{address}{}{}", page("a"), page("b"))), [""; 0]);
}

#[test]
fn a_family_that_is_not_looked_for_cannot_be_published() {
    refused_in_agent(
        &format!(
            "[address]\nfamilies = [\"ipv4\"]\n[[record]]\nname = \"pi1.example.com\"\nprovider = \"home\"\n\
             families = [\"ipv4\", \"ipv6\"]\n{PROVIDER}"
        ),
        r#"
hearth.toml:9:12: `ipv6` is not among the families of [address]
 9 | families = ["ipv4", "ipv6"]
   |            ^^^^^^^^^^^^^^^^
   = what is not looked for cannot be published; add it there"#,
    );
}

fn watch(lines: &str) -> String {
    format!(
        "{WATCHER}[[watch]]\nsite = \"www.example.com\"\nprovider = \"home\"\n{lines}\n\
         fallback = {{ github-pages = \"user.github.io\" }}\n{PEER}{PROVIDER}"
    )
}

#[test]
fn one_name_has_one_writer() {
    let record = "[[record]]\nname = \"www.example.com\"\nprovider = \"home\"\n";
    refused(
        &format!("{NODE}{record}{}", watch("nodes = [\"pi1\"]").replace("name = \"pi1\"", "name = \"pi2\""))
            .replace("[\"pi1\"]", "[\"pi2\"]"),
        r#"
hearth.toml:11:8: `www.example.com` would have two writers: this watch, and the record on line 5
 11 | site = "www.example.com"
    |        ^^^^^^^^^^^^^^^^^
    = a [[record]] is a node's own name, such as `pi1.…`; the site's name is the watcher's alone"#,
    );
}

#[test]
fn a_node_that_is_there_twice_and_one_that_is_unknown_are_told_together() {
    refused(
        &watch("nodes = [\"pi1\", \"pi11\", \"pi1\"]"),
        r#"
hearth.toml:7:17: there is no peer `pi11`
 7 | nodes = ["pi1", "pi11", "pi1"]
   |                 ^^^^^^
   = did you mean `pi1`?

hearth.toml:7:25: the node `pi1` is there twice
 7 | nodes = ["pi1", "pi11", "pi1"]
   |                         ^^^^^
   = the first is on line 7"#,
    );
}

#[test]
fn a_peer_that_is_there_twice_is_told() {
    refused(
        &format!("{WATCHER}{PEER}{}", PEER.replace("6DEy", "7DEy")),
        r#"
hearth.toml:8:8: the peer `pi1` is there twice
 8 | name = "pi1"
   |        ^^^^^
   = the first is on line 5"#,
    );
}

#[test]
fn a_cname_at_the_apex_and_one_that_leads_nowhere_are_refused() {
    refused(
        &watch("record = \"cname\"\nnodes = [\"pi1\"]").replace("www.example.com", "example.com"),
        r#"
hearth.toml:7:10: `example.com` is the apex of its zone, where a CNAME is not possible
 7 | record = "cname"
   |          ^^^^^^^
   = use record = "address"

hearth.toml:8:10: the peer `pi1` has no `host`, which a CNAME would lead to
 8 | nodes = ["pi1"]
   |          ^^^^^
   = add host = "…" to its [[peer]], or use record = "address""#,
    );
}

#[test]
fn the_name_that_a_node_keeps_is_not_the_sites() {
    let text = watch("nodes = [\"pi1\"]").replace(PEER, &format!("{PEER}host = \"www.example.com\"\n"));
    refused(
        &text,
        r#"
hearth.toml:7:10: `www.example.com` would have two writers: it is the `host` of the peer `pi1` too
 7 | nodes = ["pi1"]
   |          ^^^^^
   = give the node a name of its own, such as `pi1.…`"#,
    );
}

#[test]
fn lines_at_a_provider_that_has_none_are_refused_with_their_place() {
    refused(
        &watch("nodes = [\"pi1\"]\nlines = [\"0\", \"10=1\"]"),
        r#"
hearth.toml:8:9: the provider `home` has no GeoDNS lines
 8 | lines = ["0", "10=1"]
   |         ^^^^^^^^^^^^^
   = remove `lines`; the kinds `dnspod`, `tencent` and `alidns` have them"#,
    );
}

#[test]
fn mistakes_in_a_policy_keep_their_place() {
    refused(
        &watch("nodes = [\"pi1\"]\npolicy = \"stedy\""),
        r#"
hearth.toml:8:10: unknown value `stedy`
 8 | policy = "stedy"
   |          ^^^^^^^
   = did you mean `steady`? known here: `fast`, `steady`, `calm`"#,
    );
    refused(
        &watch("nodes = [\"pi1\"]\npolicy = { hard = \"75s\", grey = \"1m\" }"),
        r#"
hearth.toml:8:26: unknown key `grey`
 8 | policy = { hard = "75s", grey = "1m" }
   |                          ^^^^
   = did you mean `gray`?"#,
    );
    refused(
        &watch("nodes = [\"pi1\"]\npolicy = { hard = \"75\" }"),
        r#"
hearth.toml:8:19: `75` is not a time; write "250ms", "10s", "5m", "2h" or "1d"
 8 | policy = { hard = "75" }
   |                   ^^^^"#,
    );
}

#[test]
fn tables_without_their_role_and_a_file_without_a_role_are_told() {
    refused(
        "[leds]\n[[peer]]\nname = \"pi1\"\npublic-key = \"ed25519:6DEyPOSX/su9cEfRK1td/VaKwGvqI7cgPhkgq+sIKJc=\"\n",
        r#"
hearth.toml:1:1: [leds] belongs to an agent, and there is no [node]
 1 | [leds]
   | ^^^^^^
   = add [node] with `name` and `key`

hearth.toml:2:1: [[peer]] belongs to a watcher, and there is no [watcher]
 2 | [[peer]]
   | ^^^^^^^^
   = add [watcher] with `key`"#,
    );
    refused(
        "# nothing\n",
        r#"
hearth.toml: there is neither [node] nor [watcher], so there is nothing to run
   = [node] makes an agent, [watcher] a watcher"#,
    );
}

#[test]
fn a_missing_file_is_told_with_what_to_do() {
    let errors = config::load(Path::new("/nowhere/hearth.toml")).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/nowhere/hearth.toml: the configuration cannot be read: No such file or directory (os error 2)\n   \
         = write one, or say where it is with --config PATH"
    );
}

/// A directory with a configuration and its secrets: `k` a private key, `t` a TSIG secret.
struct Installed {
    directory: tempfile::TempDir,
}

impl Installed {
    fn new(text: &str) -> Self {
        let installed = Self { directory: tempfile::tempdir().unwrap() };
        installed.secret("k", SigningKey::from_seed([7; 32]).to_text().expose());
        installed.secret("t", "c2VjcmV0");
        fs::write(installed.path("hearth.toml"), text).unwrap();
        installed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn secret(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        config::load(&self.path("hearth.toml"))
    }
}

#[test]
fn a_secret_that_is_not_there_is_told_with_its_path() {
    let installed = Installed::new(&NODE.replace("\"k\"", "\"missing\""));
    let errors = installed.load().unwrap_err().to_string();
    let directory = installed.directory.path().display();
    assert_eq!(
        errors,
        format!(
            "{directory}/hearth.toml:3:7: the secret of `node.key` is missing: {directory}/missing cannot be read: \
             No such file or directory (os error 2)\n 3 | key = {{ file = \"missing\" }}\n   |       \
             ^^^^^^^^^^^^^^^^^^^^\n   = `hearth check-config --no-secrets` checks everything else where the \
             secrets are not"
        )
    );
}

#[test]
fn secrets_that_are_not_what_they_should_be_are_not_repeated() {
    let installed = Installed::new(&format!("{NODE}{PROVIDER}"));
    installed.secret("k", "hunter2-which is no key");
    let errors = installed.load().unwrap_err();
    assert_eq!(errors.problems().len(), 2, "the node's key and the TSIG secret");
    assert!(!errors.to_string().contains("hunter2"), "{errors}");
}

#[test]
fn a_secret_that_others_can_read_is_a_warning() {
    let installed = Installed::new(NODE);
    fs::set_permissions(installed.path("k"), fs::Permissions::from_mode(0o644)).unwrap();
    let config = installed.load().unwrap();
    let [warning] = config.warnings.as_slice() else { panic!("{:?}", config.warnings) };
    assert!(warning.to_string().contains("is open to others than its owner"), "{warning}");
}

#[test]
fn secrets_are_read_and_paths_start_at_the_directory_of_the_file() {
    let provider = PROVIDER.replace("secret = { file = \"k\" }", "secret = { file = \"t\" }");
    let record = "[[record]]\nname = \"pi1.example.com\"\nprovider = \"home\"\n";
    let site = "[site]\nhosts = [\"WWW.Example.com\"]\nroot = \"www\"\n";
    let installed = Installed::new(&format!("{NODE}{site}{record}{provider}"));
    let config = installed.load().unwrap();
    assert_eq!(config.warnings, []);
    let agent = config.agent.unwrap();
    assert_eq!(agent.key.verifying(), SigningKey::from_seed([7; 32]).verifying());
    let hearth::dns::provider::ProviderSettings::Rfc2136(home) = &agent.providers["home"] else {
        panic!("{:?}", agent.providers)
    };
    assert_eq!(home.key.secret.expose(), b"secret");
    assert_eq!(home.server, "ns1.example.com:53");
    assert_eq!(agent.sites[0].root, installed.path("www"));
    assert_eq!(agent.state, Path::new("/var/lib/hearth"));
}

#[test]
fn what_is_left_out_has_its_default() {
    let site = "[site]\nhosts = [\"WWW.Example.com\"]\nroot = \"/srv\"\n";
    let record = "[[record]]\nname = \"pi1.example.com\"\nprovider = \"home\"\n";
    let checked = check(&format!("{NODE}{site}{record}{PROVIDER}")).unwrap();
    let agent = checked.config().agent.as_ref().unwrap();
    let site = &agent.sites[0];
    assert_eq!(site.hosts, ["www.example.com"]);
    assert_eq!(site.listen, ["[::]:80".parse::<SocketAddr>().unwrap()]);
    assert_eq!((site.memory, site.poll, site.rules), (64 << 20, Duration::from_secs(2), Rules::GithubPages));
    assert_eq!(agent.records[0].ttl, Ttl::from_secs(600));
    assert_eq!(agent.records[0].families, agent.address.families);
    assert!(agent.address.asks_interface());
    assert!(agent.beats.is_none());
}

#[test]
fn a_watch_is_understood() {
    let checked = check(&watch(
        "nodes = [\"pi1\"]\nscheme = \"https\"\npolicy = { profile = \"calm\", gray = \"5m\" }\nspeed = 2.0",
    ))
    .unwrap();
    let watcher = checked.config().watcher.as_ref().unwrap();
    let watch = &watcher.watches[0];
    assert_eq!(watch.shape, Shape::Address);
    assert_eq!((watch.check.scheme, watch.check.port), (Scheme::Https, 443));
    assert_eq!(watch.fallback.check, watch.check);
    assert_eq!(watch.fallback.addresses.len(), 8);
    let gray = Duration::from_secs(300);
    assert_eq!(watch.policy, Policy { gray, ..Policy::of(Profile::Calm) }.faster(2.0));
    assert_eq!(watch.ttl, Ttl::from_secs(60));
    assert_eq!(watcher.name.as_str(), "watcher");
}

#[test]
fn a_fallback_of_ones_own_has_its_own_way_to_be_asked() {
    let own = "fallback = { name = \"b.example.org\", addresses = [\"192.0.2.9\"], scheme = \"https\" }";
    let text = watch("nodes = [\"pi1\"]\nport = 8080")
        .replace("fallback = { github-pages = \"user.github.io\" }", own);
    let checked = check(&text).unwrap();
    let watch = &checked.config().watcher.as_ref().unwrap().watches[0];
    assert_eq!((watch.check.scheme, watch.check.port), (Scheme::Http, 8080));
    assert_eq!((watch.fallback.check.scheme, watch.fallback.check.port), (Scheme::Https, 443));
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let source = "[[address.source]]\nkind = \"https\"\nurl = \"http://HOST/\"\noperator = \"x\"\n";
    let other = source.replace("HOST", "127.0.0.1").replace("\"x\"", "\"y\"");
    let source = |host| format!("{NODE}{}{other}", source.replace("HOST", host));
    assert!(warnings(&source("ip.example.com"))[0].contains(":6:7: anybody on the way can change"));
    assert_eq!(warnings(&source("127.0.0.1:8081")), [""; 0]);
    assert!(warnings(&format!("{NODE}{PROVIDER}"))[0].contains("nothing uses the provider `home`"));
    let deaf = WATCHER.replace("references = [\"192.0.2.1:443\"]\n", "");
    assert!(warnings(&deaf)[0].contains("cannot tell a dead site from its own dead line"));
}

#[test]
fn every_file_that_is_shipped_is_in_order() {
    let directory = examples();
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    for file in &files {
        let checked = config::check(file, Secrets::Skip).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(checked.config().warnings, [], "{}", file.display());
    }
    assert!(files.len() >= 3, "{files:?}");
}

#[test]
fn the_examples_fit_together() {
    let directory = examples();
    let check = |name: &str| config::check(&directory.join(name), Secrets::Skip).unwrap();
    let (pi1, pi2, watcher) = (check("pi1.toml"), check("pi2.toml"), check("watcher.toml"));
    let nodes: Vec<_> = [&pi1, &pi2].map(|c| c.config().agent.as_ref().unwrap().node.clone()).into();
    assert_eq!(watcher.config().watcher.as_ref().unwrap().watches[0].nodes, nodes);
}

#[test]
fn the_access_log_is_combined_unless_told_otherwise_and_never_on_the_mount() {
    let site = "[site]\nhosts = [\"www.example.com\"]\nroot = \"/srv\"\n";
    let log = |more: &str| {
        let checked = check(&format!("{NODE}{site}{more}")).unwrap();
        checked.config().agent.as_ref().unwrap().sites[0].log.clone()
    };
    assert_eq!(log("").format, LogFormat::None);
    let written = log("[site.log]\nfile = \"/var/log/a.log\"\n");
    assert_eq!((written.format, written.file), (LogFormat::Combined, Some("/var/log/a.log".into())));
    assert_eq!(log("[site.log]\nformat = \"json\"\n").file, None);
    let errors = check(&format!("{NODE}{site}[site.log]\nfile = \"/srv/a.log\"\n")).unwrap_err().to_string();
    assert!(errors.contains("hearth.toml:7") && errors.contains("local storage"), "{errors}");
}

/// A table for each service, with everything that it needs.
const SERVICES: [&str; 6] = [
    "kind = \"dnspod\"\nzone = \"example.com\"\ntoken = { file = \"t\" }\ncontact = \"me@example.com\"\n",
    "kind = \"tencent\"\nzone = \"example.com\"\naccess-key = \"AKID\"\nsecret-key = { file = \"t\" }\n",
    "kind = \"alidns\"\nzone = \"example.com\"\naccess-key = \"LTAI\"\nsecret-key = { file = \"t\" }\n",
    "kind = \"desec\"\nzone = \"example.com\"\ntoken = { file = \"t\" }\n",
    "kind = \"dyndns2\"\nzone = \"example.com\"\npreset = \"no-ip\"\nuser = \"me\"\npassword = { file = \"t\" }\n\
     contact = \"me@example.com\"\n",
    "kind = \"duckdns\"\nzone = \"example.com\"\ntoken = { file = \"t\" }\n",
];

#[test]
fn every_service_is_understood_and_says_what_is_missing() {
    let record =
        "[[record]]\nname = \"pi1.example.com\"\nprovider = \"home\"\nttl = \"1h\"\n[provider.home]\n";
    let mut told = 0;
    for table in SERVICES {
        let checked = check(&format!("{NODE}{record}{table}")).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(checked.config().warnings, [], "{table}");
        for line in
            table.lines().skip(1).filter(|line| !line.starts_with("zone") || !table.contains("duckdns"))
        {
            let key = line.split(' ').next().unwrap();
            let errors =
                check(&format!("{NODE}{record}{}", table.replace(line, ""))).expect_err(line).to_string();
            assert!(errors.contains(&format!("needs `{key}`")), "{errors}");
            told += 1;
        }
        let errors =
            check(&format!("{NODE}{record}{table}server = \"ns1.example.com\"\n")).unwrap_err().to_string();
        assert!(errors.contains("has no `server`"), "{errors}");
    }
    assert_eq!(told, 3 + 3 + 3 + 2 + 5 + 1);
}

#[test]
fn credentials_are_not_sent_in_the_clear_without_a_word() {
    let table = format!("{NODE}[provider.home]\n{}endpoint = \"http://dns.example.net/\"\n", SERVICES[0]);
    let warnings = warnings(&table);
    assert!(warnings[1].contains("anybody on the way can read the credentials"), "{warnings:?}");
}

#[test]
fn a_token_of_dnspod_has_its_id_in_front() {
    for (token, good) in
        [("13490,6b5976c68aba5b14a0558b77c17c3932", true), ("6b5976c68aba5b14a0558b77c17c3932", false)]
    {
        let installed = Installed::new(&format!("{NODE}[provider.home]\n{}", SERVICES[0]));
        installed.secret("t", token);
        let read = installed.load();
        assert_eq!(read.is_ok(), good, "{read:?}");
        assert!(!format!("{read:?}").contains("6b5976c6"));
    }
}

#[test]
fn a_provider_of_single_addresses_cannot_hold_a_site_that_needs_more() {
    let text = |provider: &str, record: &str, fallback: &str| {
        let peer = PEER.replace("[[peer]]\n", "[[peer]]\nhost = \"pi1.example.org\"\n");
        format!(
            "{WATCHER}{peer}[[watch]]\nsite = \"www.example.com\"\nprovider = \"home\"\nnodes = [\"pi1\"]\n{record}\
             fallback = {fallback}\n[provider.home]\n{provider}"
        )
    };
    let (pages, one) = ("{ github-pages = \"user.github.io\" }", "{ addresses = [\"192.0.2.9\"] }");
    let cname = "record = \"cname\"\n";
    for table in SERVICES {
        let slots = table.contains("dyndns2") || table.contains("duckdns");
        assert_eq!(check(&text(table, "", pages)).is_err(), slots, "{table}");
        assert_eq!(check(&text(table, cname, pages)).is_err(), slots, "{table}");
        assert!(check(&text(table, "", one)).is_ok(), "{table}");
    }
    let errors = check(&text(SERVICES[5], cname, pages)).unwrap_err().to_string();
    assert!(
        errors.contains("the site needs a CNAME, and the provider `home` holds one address of each family"),
        "{errors}"
    );
}
