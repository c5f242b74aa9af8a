//! Content that is published on one node, as the other node and a watcher see it.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::Duration;

use hearth::failover::view::WatcherStatus;
use hearth::heartbeat::seal::SigningKey;

use super::agent::{Agent, HEARTH, key};
use super::house::{House, Machine, left_out};
use super::poll::Poller;
use super::site::{self, PAGES};
use super::volume::{MOUNT, PATIENCE, Pair};
use super::{nginx, poll};
use crate::support::{http, wait_until};

/// Begins to rewrite every page in place, again and again: emptied, half, a moment, whole.
fn begin_storm(machine: &Machine) -> Child {
    let drafts = machine.path("drafts");
    for version in 2..10 {
        let draft = drafts.join(version.to_string());
        std::fs::create_dir_all(&draft).unwrap();
        for page in 0..PAGES {
            std::fs::write(draft.join(site::name(page)), site::body(page, version)).unwrap();
        }
    }
    let line = format!(
        "end=$(($(date +%s) + 14)); cd {drafts}; while :; do for d in *; do for f in $d/*; do \
         [ $(date +%s) -lt $end ] || exit 0; t={MOUNT}/www/${{f#*/}}; h=$(($(stat -c %s $f) / 2)); \
         {{ head -c $h; sleep 0.02; cat; }} <$f >$t; done; done; done",
        drafts = drafts.display()
    );
    machine.command("sh").args(["-e", "-c", &line]).spawn().unwrap()
}

#[test]
fn rewriting_in_place_on_the_other_node_never_yields_an_empty_or_torn_body() {
    if left_out() {
        return;
    }
    let pair = Pair::mounted(&[]);
    site::publish(&pair.pi1, 1);
    let agent = Agent::serving(&pair.pi1, 1);
    nginx::start(&pair.pi1);
    let (visitors, beside) = (agent.poll(), Poller::start(&pair.pi1, nginx::PORT));
    let mut storm = begin_storm(&pair.pi2);
    std::thread::sleep(Duration::from_secs(2));
    // An agent that starts in the middle of it, with nothing to go on.
    let fresh = Agent::start(&pair.pi2);
    let of_fresh = wait_until("a first answer", PATIENCE, || {
        let answer = pair.pi2.begin(|| poll::ask(super::agent::PORT, 0)).join().unwrap();
        answer.is_ok_and(|(status, _)| status == 200).then(|| fresh.poll())
    });
    assert!(storm.wait().unwrap().success());
    site::publish(&pair.pi2, 20);
    agent.wait_for_version(20);
    fresh.wait_for_version(20);

    let nginx = beside.end();
    println!("nginx on pi1, the same mount: {nginx}");
    assert!(nginx.wrong > 0, "nothing was torn, so this shows nothing");
    let seen = visitors.end();
    seen.assert_all_answered("a storm of rewriting in place, pi1");
    let seen = of_fresh.end();
    println!("an agent that started in the storm, pi2: {seen}");
    assert_eq!(seen.wrong, 0, "{seen}");
}

/// The watcher of the house, which ends with it, and its key.
fn start_watcher(house: &House) -> (Child, SigningKey) {
    let secret = SigningKey::from_seed([9; 32]);
    let peers: String = [1, 2]
        .map(|n| format!("[[peer]]\nname = \"pi{n}\"\npublic-key = \"{}\"\n", key(n).verifying()))
        .concat();
    let text = format!(
        "[watcher]\nlisten = [\"10.77.0.254:8443\"]\nstate = \"watcher\"\ncontrol = \"watcher.sock\"\n\
         key = {{ file = \"watcher.key\" }}\nreferences = [\"10.77.0.254:8443\"]\n\
         [[watch]]\nsite = \"{host}\"\nprovider = \"home\"\nrecord = \"address\"\nnodes = [\"pi1\", \"pi2\"]\n\
         fallback = {{ addresses = [\"10.77.0.250\"] }}\nscheme = \"http\"\nport = {port}\n{peers}\
         [provider.home]\nkind = \"rfc2136\"\nserver = \"10.77.0.254:5353\"\nzone = \"example.com\"\n\
         name-servers = [\"10.77.0.254:5353\"]\nkey = {{ name = \"watcher\", secret = {{ file = \"tsig.key\" }} }}\n",
        host = poll::HOST,
        port = super::agent::PORT,
    );
    std::fs::write(house.path("watcher.toml"), text).unwrap();
    std::fs::write(house.path("watcher.key"), secret.to_text().expose()).unwrap();
    std::fs::write(house.path("tsig.key"), "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0").unwrap();
    let log = std::fs::File::create(house.path("watcher.log")).unwrap();
    let mut command = house.command(HEARTH);
    command.arg("watcher").arg("--config").arg(house.path("watcher.toml")).env_remove("NOTIFY_SOCKET");
    (command.stdout(Stdio::null()).stderr(log).spawn().unwrap(), secret)
}

/// The digests that the watcher has heard of, one for each node.
fn digests(house: &House) -> Vec<Option<String>> {
    let asked = house.begin(|| {
        let to = "10.77.0.254:8443".parse().unwrap();
        http::connect(to).ok().map(|_| http::ask(to, "GET", "/status.json", "10.77.0.254", &[]).body)
    });
    let Some(body) = asked.join().unwrap() else { return Vec::new() };
    let Ok(status) = serde_json::from_slice::<WatcherStatus>(&body) else { return Vec::new() };
    status.sites[0].nodes.iter().map(|node| node.generation.clone()).collect()
}

#[test]
fn what_is_published_on_one_node_is_served_by_the_other_and_known_to_the_watcher() {
    if left_out() {
        return;
    }
    let pair = Pair::mounted(&[]);
    let (mut process, secret) = start_watcher(&pair.house);
    let watcher = secret.verifying();
    site::publish(&pair.pi1, 1);
    let agents = pair.both(|machine| Agent::beating_to(machine, Some(watcher)));
    let mut known = BTreeSet::new();
    for version in 1..=4 {
        let publisher = if version % 2 == 1 { &pair.pi1 } else { &pair.pi2 };
        site::publish(publisher, version);
        for agent in &agents {
            let took = agent.time_to_version(version);
            println!("version {version} of {}: {:.1} s", publisher.name(), took.as_secs_f64());
        }
        let digest = wait_until("the watcher to hear the same new digest of both", PATIENCE, || {
            let digests = digests(&pair.house);
            let [Some(one), Some(two)] = digests.as_slice() else { return None };
            (one == two && !known.contains(one)).then(|| one.clone())
        });
        assert_eq!(agents[0].status().unwrap().sites[0].generation.as_ref(), Some(&digest));
        known.insert(digest);
    }
    drop(agents);
    drop(pair);
    process.wait().unwrap();
}
