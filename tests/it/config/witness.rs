//! A watcher that only bears witness, and what its decider knows it by.

use super::*;

const DECIDER: &str = "decider = { url = \"https://watch.example.net/\", public-key = \"ed25519:6DEyPOSX/su9cEfRK1td/VaKwGvqI7cgPhkgq+sIKJc=\" }\n";

fn witness(more: &str) -> String {
    format!("[watcher]\nmode = \"witness\"\nkey = {{ file = \"k\" }}\n{more}")
}

#[test]
fn a_witness_needs_a_name_and_a_decider_and_nothing_else() {
    let checked = check(&witness(&format!("name = \"watch2\"\n{DECIDER}"))).unwrap();
    let config = checked.config();
    assert!(config.watcher.is_none() && config.warnings.is_empty(), "{:?}", config.warnings);
    let witness = config.witness.as_ref().unwrap();
    assert_eq!((witness.name.as_str(), witness.every), ("watch2", Duration::from_secs(10)));
    assert_eq!(witness.decider.url, "https://watch.example.net");
}

#[test]
fn what_belongs_to_a_decider_is_told_from_what_belongs_to_a_witness() {
    let refusals = |text: &str| check(text).map(|_| ()).unwrap_err().to_string();
    let bare = refusals(&witness(""));
    assert!(bare.contains("needs the `name`") && bare.contains("needs the `decider`"), "{bare}");
    let named = format!("name = \"watch2\"\n{DECIDER}");
    for (more, what) in [
        ("listen = [\"[::]:8443\"]\n".to_owned(), "`listen` belongs to the watcher that decides"),
        ("references = [\"192.0.2.1:443\"]\n".to_owned(), "`references` belongs to"),
        ("ca = \"ca.pem\"\n".to_owned(), "`ca` belongs to"),
        (PEER.to_owned(), "[[peer]] belongs to"),
    ] {
        let told = refusals(&witness(&format!("{named}{more}")));
        assert!(told.contains(what), "{told}");
    }
    let told = refusals(&format!("{WATCHER}{DECIDER}every = \"5s\"\n"));
    assert!(told.contains("`decider` is for") && told.contains("`every` is for"), "{told}");
}

#[test]
fn a_peer_that_is_a_witness_serves_no_site() {
    let peer = PEER.replace("name = \"pi1\"", "name = \"watch2\"\nrole = \"witness\"");
    let watch = "[[watch]]\nsite = \"www.example.com\"\nprovider = \"home\"\nnodes = [\"watch2\"]\n\
                 fallback = { github-pages = \"user.github.io\" }\n";
    let told = check(&format!("{WATCHER}{watch}{peer}{PROVIDER}")).map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("the peer `watch2` is a witness, and serves no site"), "{told}");
}
