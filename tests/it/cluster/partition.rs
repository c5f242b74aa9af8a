//! The nodes are cut off from each other without a word: the fault that hangs everything else.

use std::time::Duration;

use hearth::heartbeat::SourceState;

use super::agent::Agent;
use super::house::left_out;
use super::poll::Poller;
use super::volume::Pair;
use super::{nginx, site};

/// Longer than the 42 s after which GlusterFS gives the other node up by default.
const CUT: Duration = Duration::from_secs(52);

#[test]
fn a_silent_partition_costs_no_visitor_an_answer() {
    if left_out() {
        return;
    }
    let pair = Pair::mounted(&[]);
    site::publish(&pair.pi1, 1);
    let agents = pair.both(|machine| Agent::serving(machine, 1));
    nginx::start(&pair.pi1);
    let beside = Poller::start(&pair.pi1, nginx::PORT);
    let pollers = agents.each_ref().map(Agent::poll);

    pair.cut();
    for agent in &agents {
        agent.wait_for_source(SourceState::Hung);
    }
    std::thread::sleep(CUT);
    pair.mend();
    for agent in &agents {
        agent.wait_for_source(SourceState::Ok);
    }
    site::publish(&pair.pi2, 2);
    for agent in &agents {
        let took = agent.time_to_version(2);
        println!("published on pi2 after healing, served within {:.1} s", took.as_secs_f64());
    }
    let [one, two] = pollers.map(Poller::end);
    let nginx = beside.end();
    println!("nginx on pi1, the same mount: {nginx}");
    one.assert_all_answered("pi1 in a silent partition");
    two.assert_all_answered("pi2 in a silent partition");
    assert!(nginx.longest_gap > Duration::from_secs(10), "the mount did not hang, so this shows nothing");
}
