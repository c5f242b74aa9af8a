use std::os::unix::fs::PermissionsExt;

use std::net::Ipv4Addr;

use super::*;
use crate::policy::{Policy, Profile};

/// Places where nothing is.
fn nowhere(directory: &Path) -> Places {
    let at = |address: Ipv4Addr, port| SocketAddr::from((address, port));
    let pi = |pi: Pi| PiPlaces {
        listen: at(pi.private(), 8080),
        echoes: [at(pi.private(), 8081), at(pi.private(), 8082)],
        watcher: at(pi.private(), 8083),
    };
    Places {
        directory: directory.to_owned(),
        site_port: 8000,
        https: None,
        name_server: at(Ipv4Addr::LOCALHOST, 5300),
        watcher: at(crate::demo::WATCHER_ADDRESS, 8443),
        references: vec![at(Ipv4Addr::LOCALHOST, 5300), at(Ipv4Addr::LOCALHOST, 9001)],
        pis: Pi::BOTH.map(pi),
    }
}

fn parsed(text: &str) -> toml::Table {
    text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_files_are_toml_and_say_where_everything_is() {
    let directory = tempfile::tempdir().unwrap();
    let (places, keys) = (nowhere(directory.path()), Keys::fresh(Scheme::Http).unwrap());
    write(&places, &keys, Speed(5.0)).unwrap();
    let read = |role: &str| parsed(&std::fs::read_to_string(places.config(role)).unwrap());
    let (pi2, watcher) = (read("pi2"), read("watcher"));
    assert_eq!(pi2["node"]["name"].as_str(), Some("pi2"));
    assert_eq!(pi2["site"]["listen"][0].as_str(), Some("127.0.0.112:8080"));
    assert_eq!(pi2["heartbeat"]["every"].as_str(), Some("2000ms"));
    assert_eq!(pi2["address"]["source"].as_array().map(Vec::len), Some(2));
    assert_eq!(watcher["watch"][0]["speed"].as_float(), Some(5.0));
    assert_eq!(watcher["watch"][0]["fallback"]["port"].as_integer(), Some(8000));
    assert_eq!(watcher["peer"].as_array().map(Vec::len), Some(2));
    let public = pi2["heartbeat"]["watchers"][0]["public-key"].as_str().unwrap();
    assert_eq!(public.parse(), Ok(keys.watcher.seal.verifying()));
}

#[test]
fn the_files_are_what_the_roles_read() {
    let directory = tempfile::tempdir().unwrap();
    let (places, keys) = (nowhere(directory.path()), Keys::fresh(Scheme::Http).unwrap());
    write(&places, &keys, Speed(5.0)).unwrap();
    for role in ["pi1", "pi2", "watcher"] {
        let config = crate::config::load(&places.config(role)).unwrap_or_else(|errors| panic!("{errors}"));
        let roles = (config.agent.is_some(), config.watcher.is_some());
        assert_eq!(roles, (role != "watcher", role == "watcher"));
        assert!(config.warnings.is_empty(), "{role}: {:?}", config.warnings);
        if let Some(watcher) = config.watcher {
            assert_eq!(
                watcher.watches[0].policy,
                Policy::of(Profile::Fast).faster(5.0),
                "as the script has it"
            );
        }
    }
}

#[test]
fn with_an_authority_both_pis_have_certificates_from_it_and_whoever_looks_trusts_it() {
    let directory = tempfile::tempdir().unwrap();
    let (mut places, keys) = (nowhere(directory.path()), Keys::fresh(Scheme::Https).unwrap());
    let listen = Pi::BOTH.map(|pi| SocketAddr::from((pi.private(), 4430)));
    let root = keys.authority.as_ref().unwrap().root();
    places.https = Some(Https { port: 4433, listen, root: root.clone() });
    write(&places, &keys, Speed(5.0)).unwrap();
    for pi in Pi::BOTH {
        let config =
            crate::config::load(&places.config(pi.name())).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        let agent = config.agent.unwrap();
        assert_eq!(agent.sites[0].tls.as_ref().unwrap().listen, [listen[pi as usize]]);
        assert_eq!(agent.beats.unwrap().watchers[0].roots, std::slice::from_ref(&root));
        let key = std::fs::metadata(places.directory.join(pi.name()).join("site.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
    let config = crate::config::load(&places.config("watcher")).unwrap_or_else(|errors| panic!("{errors}"));
    let watcher = config.watcher.unwrap();
    assert_eq!((watcher.roots, watcher.watches[0].check.port), (vec![root], 4433));
    assert_eq!(watcher.watches[0].check.scheme, Scheme::Https);
}

#[test]
fn keys_lie_in_files_that_only_their_owner_reads_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let (places, keys) = (nowhere(directory.path()), Keys::fresh(Scheme::Http).unwrap());
    write(&places, &keys, Speed(5.0)).unwrap();
    for (role, keys) in [("pi1", &keys.pis[0]), ("pi2", &keys.pis[1]), ("watcher", &keys.watcher)] {
        let text = std::fs::read_to_string(places.config(role)).unwrap();
        for (file, secret) in [
            ("seal.key", keys.seal.to_text().expose().clone()),
            ("tsig.key", BASE64.encode(keys.tsig.expose())),
        ] {
            let path = places.directory.join(role).join(file);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), secret);
            assert!(!text.contains(&secret), "{role}.toml holds the secret of {file}");
        }
    }
}
