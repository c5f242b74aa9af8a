//! `[[hook]]`: what is done after a change.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use hearth::hook::{Deed, HookSettings, Subject};

use super::{Installed, NODE, check, refused_in_agent, warnings};

fn hooks(text: &str) -> Vec<HookSettings> {
    check(&format!("{NODE}{text}")).unwrap().config().agent.as_ref().unwrap().hooks.clone()
}

#[test]
fn a_hook_is_a_command_or_a_webhook_with_its_defaults() {
    let [command, webhook] = &hooks(
        "[[hook]]\ncommand = [\"/usr/local/bin/x\", \"arg\"]\n\
         [[hook]]\nwebhook = { url = \"https://ntfy.example/topic\" }\non = [\"address\", \"record\"]\ntimeout = \"5m\"\n",
    )[..] else {
        panic!("two hooks")
    };
    assert_eq!(command.deed, Deed::Command(vec!["/usr/local/bin/x".to_owned(), "arg".to_owned()]));
    assert_eq!(command.on, BTreeSet::from([Subject::Record]));
    assert_eq!(command.timeout, Duration::from_secs(10));
    let Deed::Webhook { url, origin } = &webhook.deed else { panic!("{webhook:?}") };
    assert_eq!(url.expose(), "https://ntfy.example/topic");
    assert_eq!(origin.as_deref(), Some("https://ntfy.example"));
    assert_eq!(webhook.on, BTreeSet::from([Subject::Address, Subject::Record]));
}

#[test]
fn a_hook_that_does_nothing_or_two_things_is_refused() {
    refused_in_agent(
        "[[hook]]\ntimeout = \"1s\"\n",
        r#"
hearth.toml:4:1: this hook does nothing
 4 | [[hook]]
   | ^^^^^^^^
   = command = ["/usr/local/bin/x"], or webhook = { url = "https://…" }"#,
    );
    refused_in_agent(
        "[[hook]]\ncommand = [\"/bin/x\"]\nwebhook = { url = \"https://ntfy.example/\" }\n",
        r#"
hearth.toml:4:1: a hook does one thing, and this has two
 4 | [[hook]]
   | ^^^^^^^^
   = make it two tables [[hook]]"#,
    );
}

#[test]
fn mistakes_in_a_hook_keep_their_place() {
    refused_in_agent(
        "[[hook]]\ncommand = [\"x\"]\non = []\ntimeout = \"6m\"\n",
        r#"
hearth.toml:5:11: a command begins with the path of a program
 5 | command = ["x"]
   |           ^^^^^
   = write the whole path, such as ["/usr/local/bin/x", "arg"]

hearth.toml:6:6: `on` must not be empty
 6 | on = []
   |      ^^
   = write ["record"]

hearth.toml:7:11: a hook may take five minutes at most
 7 | timeout = "6m"
   |           ^^^^
   = what takes longer is started by the command, as a service of its own"#,
    );
    refused_in_agent(
        "[[hook]]\ncommand = [\"/bin/x\"]\non = [\"recrod\"]\n",
        r#"
hearth.toml:6:7: unknown value `recrod`
 6 | on = ["recrod"]
   |       ^^^^^^^^
   = did you mean `record`? known here: `record`, `address`, `watcher`"#,
    );
    refused_in_agent(
        "[[hook]]\nwebhook = { url = 7 }\n",
        r#"
hearth.toml:5:19: wanted here: a URL in quotes, or the source of a secret one, such as { credential = "ntfy" }; found: a number
 5 | webhook = { url = * }
   |                   ^"#,
    );
}

#[test]
fn a_webhook_in_the_clear_is_a_warning() {
    let hook = |url: &str| format!("{NODE}[[hook]]\nwebhook = {{ url = \"{url}\" }}\n");
    assert!(warnings(&hook("http://ntfy.example/"))[0].contains(":5:19: anybody on the way can read"));
    assert_eq!(warnings(&hook("https://ntfy.example/")), [""; 0]);
}

#[test]
fn a_hook_of_nobody_is_refused() {
    let errors = check("[[hook]]\ncommand = [\"/bin/x\"]\n").unwrap_err().to_string();
    assert!(errors.contains("[[hook]] belongs to an agent, and there is no [node]"), "{errors}");
}

#[test]
fn the_url_of_a_webhook_is_shown_by_no_check() {
    let installed = Installed::new(&format!(
        "{NODE}[[hook]]\nwebhook = {{ url = {{ file = \"url\" }} }}\n\
         [[hook]]\nwebhook = {{ url = \"https://ntfy.example/pl4in-topic\" }}\n"
    ));
    let check_config = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        let output =
            command.args(["check-config", "--config"]).arg(installed.path("hearth.toml")).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    installed.secret("url", "https://hc.example/s3cret-topic\n");
    let shown = check_config();
    assert!(shown.contains("webhook.url = \"(secret)\"  # file "), "{shown}");
    assert!(shown.contains("webhook.url = \"https://ntfy.example/…\""), "{shown}");
    assert!(!shown.contains("topic") && !shown.contains("hc.example"), "{shown}");
    installed.secret("url", "ftp://hc.example/s3cret-topic\n");
    let refused = check_config();
    assert!(refused.contains("this is not a URL that can be used here"), "{refused}");
    assert!(!refused.contains("s3cret") && !refused.contains("hc.example"), "{refused}");
}
