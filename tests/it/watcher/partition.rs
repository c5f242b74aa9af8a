//! Packets that are dropped without a word, one way only: a network namespace with a filter in it.

use std::time::Duration;

use hearth::failover::Shape;

use super::rig::{PATIENCE, Rig};
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::netns::Netns;
use crate::support::{stays, wait_until};

/// Longer than a node of the rig may be silent and unreachable before it is given up.
const LONG: Duration = Duration::from_secs(4);

/// A filter in a namespace.
struct Filter<'a>(&'a Netns);

impl<'a> Filter<'a> {
    fn of(net: &'a Netns) -> Self {
        net.run("nft", "add table ip lost");
        net.run("nft", "add chain ip lost out { type filter hook output priority 0 ; }");
        Self(net)
    }

    fn drops(&self, what: &str) {
        self.0.run("nft", &format!("add rule ip lost out {what} counter drop"));
    }

    /// Lets everything through again. Something must have been dropped, or nothing was put to the test.
    #[track_caller]
    fn heals(&self) {
        let dropped = self.0.output("nft", "list chain ip lost out");
        let counted =
            dropped.split("counter packets ").skip(1).filter(|rest| !rest.starts_with("0 ")).count();
        assert!(counted > 0, "{dropped}");
        self.0.run("nft", "flush chain ip lost out");
    }
}

#[test]
fn what_is_lost_one_way_moves_those_whom_visitors_do_not_reach_and_nobody_else() {
    if left_out("Knot") {
        return;
    }
    let Some(net) = Netns::new("watcher") else { return };
    net.enter(|| {
        let filter = Filter::of(&net);
        let server = Knot::start();
        let rig = Rig::at_home(Shape::Address, &server);
        let (port, watcher) = (rig.pages.address.port(), rig.address.port());

        // Visitors do not reach pi1, whose beats arrive: a black hole, not a refusal.
        filter.drops(&format!("ip daddr {} tcp dport {port}", rig.at(11)));
        rig.wait_for_record(&server, &rig.second());
        assert!(rig.status().nodes[0].beat_ms_ago.is_some_and(|ms| ms < 2_000), "it beats");
        filter.heals();
        rig.wait_for_record(&server, &rig.both());
        rig.settled();

        // No beat arrives, and visitors reach everybody.
        let serial = server.serial();
        filter.drops(&format!("tcp dport {watcher}"));
        stays("the record", LONG, || server.serial());
        filter.heals();
        let long = u64::try_from(LONG.as_millis()).unwrap();
        rig.wait_for("the watcher can be asked", |s| s.nodes.iter().all(|n| n.beat_ms_ago < Some(long)));
        assert_eq!((rig.record(&server), server.serial()), (rig.both(), serial.clone()));

        // The watcher reaches nobody: neither nodes nor fallback nor references.
        rig.wait_for("they beat again", |s| {
            s.nodes.iter().all(|n| n.beat_ms_ago.is_some_and(|ms| ms < 2_000) && n.health.is_up())
        });
        let everybody = [11, 12, 20, 31, 32].map(|host| rig.at(host).to_string()).join(", ");
        filter.drops(&format!("ip daddr {{ {everybody} }}"));
        wait_until("it knows that it is cut off", PATIENCE, || rig.ask()?.isolated_for_ms);
        let stands = stays("nothing is decided", LONG, || server.serial());
        assert_eq!(stands, serial);
        filter.heals();
        wait_until("it decides again", PATIENCE, || {
            let status = rig.ask()?;
            (status.isolated_for_ms.is_none() && status.warming_up_for_ms.is_none()).then_some(())
        });
        rig.wait_for("all are well", |s| s.nodes.iter().all(|n| n.health.is_up() && n.published));
        assert_eq!((rig.record(&server), server.serial()), (rig.both(), serial));
    });
}
