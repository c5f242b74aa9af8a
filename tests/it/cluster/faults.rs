//! One part after the other is killed, stopped and brought back.

use hearth::heartbeat::SourceState;

use super::agent::Agent;
use super::house::left_out;
use super::poll::Poller;
use super::site;
use super::volume::Pair;

/// Does `what` while both nodes are asked, and wants every question answered.
#[track_caller]
fn answered_while(fault: &str, agents: &[Agent<'_>; 2], what: impl FnOnce()) {
    let pollers = agents.each_ref().map(Agent::poll);
    what();
    std::thread::sleep(std::time::Duration::from_secs(1));
    for (seen, node) in pollers.map(Poller::end).iter().zip(["pi1", "pi2"]) {
        seen.assert_all_answered(&format!("{fault}, {node}"));
    }
}

#[test]
fn bricks_and_nodes_die_and_come_back_and_every_request_is_answered() {
    if left_out() {
        return;
    }
    let pair = Pair::mounted(&[]);
    site::publish(&pair.pi1, 1);
    let agents = pair.both(|machine| Agent::serving(machine, 1));
    let all_see = |version| agents.iter().for_each(|agent| agent.wait_for_version(version));
    let all_are = |state| agents.iter().for_each(|agent| drop(agent.wait_for_source(state)));

    answered_while("the other node's brick killed", &agents, || {
        pair.pi2.kill_brick();
        site::publish(&pair.pi1, 2);
        all_see(2);
        pair.pi2.start_brick_again();
        pair.wait_until_healed();
    });
    answered_while("a node's brick and daemon killed, and back", &agents, || {
        pair.pi2.kill_gluster_servers();
        site::publish(&pair.pi1, 3);
        all_see(3);
        pair.pi2.start_glusterd();
        pair.wait_until_healed();
        all_are(SourceState::Ok);
    });
    answered_while("both bricks gone", &agents, || {
        pair.both(|machine| machine.kill_brick());
        all_are(SourceState::Gone);
        pair.pi1.start_brick_again();
        all_are(SourceState::Ok);
        site::publish(&pair.pi2, 4);
        all_see(4);
    });
}

#[test]
fn the_fuse_client_stops_and_dies_and_every_request_is_answered() {
    if left_out() {
        return;
    }
    let pair = Pair::mounted(&[]);
    site::publish(&pair.pi1, 1);
    let agents = pair.both(|machine| Agent::serving(machine, 1));
    let client = "glusterfs .*--volfile-id";

    answered_while("the FUSE client stopped, and going on", &agents, || {
        assert!(pair.pi1.signal(client, "STOP") >= 1, "no client ran");
        agents[0].wait_for_source(SourceState::Hung);
        site::publish(&pair.pi2, 2);
        agents[1].wait_for_version(2);
        pair.pi1.signal(client, "CONT");
        agents[0].wait_for_source(SourceState::Ok);
        agents[0].wait_for_version(2);
    });
    answered_while("the FUSE client killed, unmounted, mounted again", &agents, || {
        assert!(pair.pi1.signal(client, "KILL") >= 1, "no client ran");
        agents[0].wait_for_source(SourceState::Gone);
        pair.pi1.unmount();
        // The bare mount point is an empty directory without the site.
        agents[0].wait_for("the root is missed", |status| status.sites[0].why.contains("www"));
        pair.pi1.run("mkdir -p /mnt/gluster1/www");
        agents[0].wait_for_source(SourceState::Wrong);
        pair.pi1.run("rmdir /mnt/gluster1/www");
        pair.pi1.mount();
        agents[0].wait_for_source(SourceState::Ok);
        site::publish(&pair.pi1, 3);
        agents.iter().for_each(|agent| agent.wait_for_version(3));
    });
}
