//! The command line, through the real binary: keys, the configuration check, and what the exit codes say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use hearth::heartbeat::seal::{SigningKey, VerifyingKey};

fn hearth(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hearth")).args(words).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The key in the line `public-key = "…"`.
fn public_key(text: &str) -> VerifyingKey {
    let line = text.lines().find_map(|line| line.strip_prefix("public-key = ")).expect(text);
    line.trim_matches('"').parse().unwrap()
}

#[test]
fn a_new_key_is_for_its_owner_alone_and_show_prints_its_public_half() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.key");
    let file = path.to_str().unwrap();
    let made = hearth(&["key", "new", "--out", file]);
    assert_eq!(made.status.code(), Some(0), "{}", err(&made));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let key: SigningKey = fs::read_to_string(&path).unwrap().parse().unwrap();
    assert_eq!(public_key(&out(&made)), key.verifying());
    assert_eq!(out(&hearth(&["key", "show", file])), format!("{}\n", key.verifying()));
    assert!(!format!("{}{}", out(&made), err(&made)).contains("hearth-key-1:"));
}

#[test]
fn a_key_that_is_there_is_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.key");
    fs::write(&path, "precious").unwrap();
    let refused = hearth(&["key", "new", "--out", path.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("a key that is there is never replaced"), "{}", err(&refused));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn without_a_file_the_private_key_alone_is_on_standard_output() {
    let made = hearth(&["key", "new"]);
    let key: SigningKey = out(&made).parse().unwrap();
    assert_eq!(public_key(&err(&made)), key.verifying());
    let another: SigningKey = out(&hearth(&["key", "new"])).parse().unwrap();
    assert_ne!(another.verifying(), key.verifying());
}

#[test]
fn a_file_that_is_no_key_is_refused_and_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.key");
    fs::write(&path, "hunter2").unwrap();
    let refused = hearth(&["key", "show", path.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("not a private key") && !err(&refused).contains("hunter2"), "{refused:?}");
}

#[test]
fn the_examples_are_in_order_and_are_printed_with_their_defaults() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let wanted = [
        ("pi1.toml", "memory = \"64MiB\""),
        ("pi2.toml", "rules = \"github-pages\""),
        ("watcher.toml", "hard-failures = 4"),
    ];
    for (name, default) in wanted {
        let path = examples.join(name);
        let checked = hearth(&["check-config", "--no-secrets", "--config", path.to_str().unwrap()]);
        assert_eq!((checked.status.code(), err(&checked)), (Some(0), String::new()), "{name}");
        assert!(out(&checked).contains(default), "{name}: {}", out(&checked));
        assert!(out(&checked).contains("\"(secret)\"  # file "), "{name}: {}", out(&checked));
    }
}

/// A configuration with a private key and a TSIG secret, both read.
const CONFIGURATION: &str = r#"
[node]
name = "pi1"
key = { file = "node.key" }
[[record]]
name = "pi1.example.com"
provider = "home"
[provider.home]
kind = "rfc2136"
server = "127.0.0.1:5300"
zone = "example.com"
key = { name = "hearth", secret = { env = "HEARTH_TEST_TSIG" } }
"#;

#[test]
fn checking_a_configuration_reads_its_secrets_and_prints_none() {
    let directory = tempfile::tempdir().unwrap();
    let (config, key) = (directory.path().join("hearth.toml"), directory.path().join("node.key"));
    fs::write(&config, CONFIGURATION).unwrap();
    assert_eq!(hearth(&["key", "new", "--out", key.to_str().unwrap()]).status.code(), Some(0));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let private = fs::read_to_string(&key).unwrap();

    let checked = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args(["check-config", "--config", config.to_str().unwrap()])
        .env("HEARTH_TEST_TSIG", "aHVudGVyMg==")
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", err(&checked));
    let public = private.parse::<SigningKey>().unwrap().verifying().to_string();
    assert!(out(&checked).contains(&public), "{}", out(&checked));
    assert!(out(&checked).contains("# environment variable HEARTH_TEST_TSIG"), "{}", out(&checked));
    assert!(err(&checked).contains("warning: ") && err(&checked).contains("chmod 600"), "{}", err(&checked));
    let all = format!("{}{}", out(&checked), err(&checked));
    let seed = private.trim().strip_prefix("hearth-key-1:").unwrap();
    assert!(!all.contains(seed) && !all.contains("aHVudGVyMg") && !all.contains("hunter2"), "{all}");
}

#[test]
fn a_credential_is_found_where_systemd_puts_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("hearth.toml");
    fs::write(&config, "[node]\nname = \"pi1\"\nkey = { credential = \"node\" }\n").unwrap();
    fs::write(directory.path().join("node"), SigningKey::from_seed([9; 32]).to_text().expose()).unwrap();
    let check = |with_credentials: &[(&str, &Path)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        command.args(["check-config", "--config", config.to_str().unwrap()]);
        command.env_remove("CREDENTIALS_DIRECTORY").envs(with_credentials.iter().copied()).output().unwrap()
    };
    let found = check(&[("CREDENTIALS_DIRECTORY", directory.path())]);
    assert_eq!((found.status.code(), err(&found)), (Some(0), String::new()));
    let missing = check(&[]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(err(&missing).contains("LoadCredential="), "{}", err(&missing));
}

#[test]
fn a_wrong_configuration_is_told_on_standard_error_with_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("hearth.toml");
    fs::write(&config, "[noed]\n").unwrap();
    let path = config.to_str().unwrap();
    let refused = hearth(&["check-config", "--config", path]);
    assert_eq!((refused.status.code(), out(&refused)), (Some(2), String::new()));
    let wanted =
        format!("{path}:1:2: unknown key `noed`\n 1 | [noed]\n   |  ^^^^\n   = did you mean `node`?\n");
    assert_eq!(err(&refused), wanted);
}

#[test]
fn a_wrong_command_line_has_exit_code_2_and_help_is_no_failure() {
    for words in [&["no-such-command"][..], &[], &["failover", "to-home", "www.example.com"]] {
        assert_eq!(hearth(words).status.code(), Some(2), "{words:?}");
    }
    for words in [&["--help"][..], &["--version"], &["failover", "to-home", "--help"]] {
        let helped = hearth(words);
        assert_eq!((helped.status.code(), err(&helped)), (Some(0), String::new()), "{words:?}");
        assert!(out(&helped).contains("hearth"), "{words:?}");
    }
}
