//! A TTL that its provider raises.

use super::{NODE, PEER, WATCHER, warnings};

const CLOUD: &str =
    "[provider.cloud]\nkind = \"cloudflare\"\nzone = \"example.com\"\ntoken = { file = \"t\" }\n";

fn record(ttl: &str) -> String {
    format!("{NODE}[[record]]\nname = \"pi1.example.com\"\nprovider = \"cloud\"\n{ttl}")
}

#[test]
fn one_below_the_providers_minimum_is_a_warning_with_its_place() {
    assert_eq!(
        warnings(&format!("{}{CLOUD}", record("ttl = \"30s\"\n"))),
        [
            "hearth.toml:7:7: the TTL of `pi1.example.com` is 30 s, and the provider `cloud` takes none below 60 s, \
          which is what will be written\n 7 | ttl = \"30s\"\n   |       ^^^^^\n   = write ttl = \"60s\", unless the \
          provider lowered its minimum for you"
        ]
    );
    assert_eq!(warnings(&format!("{}{CLOUD}", record("ttl = \"60s\"\n"))), [""; 0]);
}

#[test]
fn a_default_below_it_is_shown_where_the_provider_is_named() {
    let desec = CLOUD.replace("cloudflare", "desec");
    let [of_record] = &warnings(&format!("{}{desec}", record("")))[..] else { panic!("one warning") };
    assert!(of_record.starts_with("hearth.toml:6:12: the TTL of `pi1.example.com` is 600 s"), "{of_record}");
    let watch = "[[watch]]\nsite = \"www.example.com\"\nprovider = \"cloud\"\nnodes = [\"pi1\"]\n\
                 fallback = { github-pages = \"user.github.io\" }\n";
    let [of_watch] = &warnings(&format!("{WATCHER}{watch}{PEER}{desec}"))[..] else { panic!("one warning") };
    assert!(of_watch.contains("the TTL of `www.example.com` is 60 s"), "{of_watch}");
    assert!(of_watch.contains("= write ttl = \"3600s\""), "{of_watch}");
}
