//! The right of a node to send visitors back when no watcher answers any more.

use super::*;

const SITE: &str = "[site]\nhosts = [\"www.example.com\"]\nroot = \"/srv\"\n";
const BEAT: &str = "[heartbeat]\nwatchers = [{ url = \"https://watch.example.net\", \
                    public-key = \"ed25519:6DEyPOSX/su9cEfRK1td/VaKwGvqI7cgPhkgq+sIKJc=\" }]\n";

fn with(right: &str) -> String {
    format!("{NODE}{SITE}{BEAT}[[heartbeat.fail-back]]\n{right}{PROVIDER}")
}

const RIGHT: &str =
    "site = \"www.example.com\"\nprovider = \"home\"\nfallback = { github-pages = \"user.github.io\" }\n";

#[test]
fn a_fail_back_has_careful_defaults_and_is_explained() {
    let checked = check(&with(RIGHT)).unwrap();
    let agent = checked.config().agent.as_ref().unwrap();
    let [right] = &agent.fail_backs[..] else { panic!("{:?}", agent.fail_backs) };
    assert_eq!((right.after, right.owner.as_str()), (Duration::from_secs(900), "watcher"));
    assert_eq!((right.hairpin, right.fallback.len(), right.check.port), (config::Hairpin::Required, 8, 80));
    assert_eq!(warnings(&with(RIGHT)), [""; 0]);
}

#[test]
fn a_fail_back_is_for_a_site_that_the_node_serves_at_a_provider_that_can_hold_it() {
    for (right, what) in [
        (RIGHT.replace("www.example.com", "ww.example.com"), "this node does not serve `ww.example.com`"),
        (RIGHT.replace("\"home\"", "\"hom\""), "`hom`"),
        (format!("{RIGHT}[[heartbeat.fail-back]]\n{RIGHT}"), "twice"),
        (RIGHT.replace("fallback", "fall-back"), "unknown key `fall-back`"),
    ] {
        let told = check(&with(&right)).map(|_| ()).unwrap_err().to_string();
        assert!(told.contains(what), "{told}");
    }
    let hasty = warnings(&with(&format!("{RIGHT}after = \"1m\"\n")));
    assert!(hasty[0].contains("a watcher that restarts could be taken for a dead one"), "{hasty:?}");
}
