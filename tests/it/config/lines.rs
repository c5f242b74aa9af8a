//! GeoDNS lines: which providers have them, and what they are called.

use super::{NODE, PEER, WATCHER, errors};

const DNSPOD: &str = "[provider.cloud]\nkind = \"dnspod\"\nzone = \"example.com\"\ntoken = { file = \"t\" }\n\
                      contact = \"me@example.com\"\n";

fn record(lines: &str, provider: &str) -> String {
    format!(
        "{NODE}[[record]]\nname = \"pi1.example.com\"\nprovider = \"cloud\"\nttl = \"2h\"\nlines = {lines}\n{provider}"
    )
}

fn watch(lines: &str, provider: &str) -> String {
    format!(
        "{WATCHER}[[watch]]\nsite = \"www.example.com\"\nprovider = \"cloud\"\nttl = \"2h\"\nnodes = [\"pi1\"]\n\
         lines = {lines}\nfallback = {{ github-pages = \"user.github.io\" }}\n{PEER}{provider}"
    )
}

#[test]
fn the_ids_of_a_providers_lines_are_taken() {
    let alidns = "[provider.cloud]\nkind = \"alidns\"\nzone = \"example.com\"\naccess-key = \"LTAI\"\n\
                  secret-key = { file = \"t\" }\n";
    for (lines, provider) in [
        ("[\"0\", \"3=0\", \"10=1\"]", DNSPOD.to_owned()),
        ("[\"default\", \"oversea\", \"cn_mobile_anhui\"]", alidns.to_owned()),
    ] {
        assert_eq!(errors(&record(lines, &provider)), [""; 0], "{lines}");
        assert_eq!(errors(&watch(lines, &provider)), [""; 0], "{lines}");
    }
}

#[test]
fn a_name_of_a_line_one_that_is_there_twice_and_none_are_refused() {
    for (lines, message) in [
        ("[\"境外\"]", "`境外` is no id of a line at the provider `cloud`"),
        ("[\"oversea\"]", "write ids such as \"0\" (everybody) or \"3=0\" (abroad)"),
        ("[\"0\", \"0\"]", "the line `0` is there twice"),
        ("[]", "`lines` must not be empty"),
    ] {
        for text in [record(lines, DNSPOD), watch(lines, DNSPOD)] {
            let [error] = &errors(&text)[..] else { panic!("{lines}: {:?}", errors(&text)) };
            assert!(error.contains(message), "{message}: {error}");
        }
    }
}

#[test]
fn a_provider_without_lines_is_refused_with_the_kinds_that_have_them() {
    let rfc2136 = "[provider.cloud]\nkind = \"rfc2136\"\nserver = \"192.0.2.53\"\nzone = \"example.com\"\n\
                   key = { name = \"k\", secret = { file = \"t\" } }\n";
    let more = [
        rfc2136.to_owned(),
        "[provider.cloud]\nkind = \"cloudflare\"\nzone = \"example.com\"\ntoken = { file = \"t\" }\n".to_owned(),
        "[provider.cloud]\nkind = \"desec\"\nzone = \"example.com\"\ntoken = { file = \"t\" }\n".to_owned(),
        "[provider.cloud]\nkind = \"powerdns\"\nzone = \"example.com\"\nendpoint = \"http://127.0.0.1:8081\"\n\
         api-key = { file = \"t\" }\n"
            .to_owned(),
        "[provider.cloud]\nkind = \"dyndns2\"\nzone = \"example.com\"\npreset = \"dyn\"\nuser = \"u\"\n\
         password = { file = \"t\" }\ncontact = \"me@example.com\"\n"
            .to_owned(),
    ];
    for provider in more {
        let [error] = &errors(&record("[\"0\"]", &provider))[..] else { panic!("{provider}") };
        assert!(error.contains("the provider `cloud` has no GeoDNS lines"), "{error}");
        assert!(error.contains("`dnspod`, `tencent` and `alidns`"), "{error}");
    }
}
