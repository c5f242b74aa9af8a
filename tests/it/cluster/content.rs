//! Content that is published on one node, as the other node and a watcher see it.

use super::agent::Agent;
use super::house::left_out;
use super::poll::Poller;
use super::site::{self, PAGES};
use super::volume::{MOUNT, Pair};

#[test]
fn rewriting_in_place_on_the_other_node_never_yields_an_empty_or_torn_body() {
    if left_out() {
        return;
    }
    let pair = Pair::mounted(&[]);
    site::publish(&pair.pi1, 1);
    let agents = pair.both(|machine| Agent::serving(machine, 1));
    let pollers = agents.each_ref().map(Agent::poll);
    let drafts = pair.pi2.path("drafts");
    for version in 2..10 {
        let draft = drafts.join(version.to_string());
        std::fs::create_dir_all(&draft).unwrap();
        for page in 0..PAGES {
            std::fs::write(draft.join(site::name(page)), site::body(page, version)).unwrap();
        }
    }
    // Each file is emptied, written in two halves, and left so for a moment.
    pair.pi2.run(&format!(
        "end=$(($(date +%s) + 12)); cd {drafts}; while [ $(date +%s) -lt $end ]; do for d in *; do for f in $d/*; do \
         t={MOUNT}/www/${{f#*/}}; h=$(($(stat -c %s $f) / 2)); \
         {{ head -c $h; sleep 0.02; cat; }} <$f >$t; done; done; done",
        drafts = drafts.display()
    ));
    site::publish(&pair.pi2, 20);
    for agent in &agents {
        agent.wait_for_version(20);
    }
    for (seen, node) in pollers.map(Poller::end).iter().zip(["pi1", "pi2"]) {
        seen.assert_all_answered(&format!("a storm of rewriting in place, {node}"));
        println!("newest version seen: {}", seen.newest);
    }
}
