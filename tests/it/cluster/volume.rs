//! A replicated volume of two machines, and what can be done to it.

use std::time::Duration;

use super::house::{House, Machine};
use crate::support::wait_until;

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Where the volume is mounted on each machine.
pub(super) const MOUNT: &str = "/mnt/gluster1";

/// Two machines with the volume `gv0`.
pub(super) struct Pair {
    /// The first to be dropped: the machines end with it.
    pub(super) house: House,
    pub(super) pi1: Machine,
    pub(super) pi2: Machine,
}

impl Pair {
    /// Two machines whose management daemons run, and that do not know each other.
    pub(super) fn strangers() -> Self {
        let house = House::new();
        let pair = Self { pi1: house.machine(1), pi2: house.machine(2), house };
        pair.both(Machine::start_glusterd);
        pair
    }

    /// A replicated volume, mounted on both, with these options set.
    pub(super) fn mounted(options: &[(&str, &str)]) -> Self {
        let pair = Self::strangers();
        let (pi1, pi2) = (&pair.pi1, &pair.pi2);
        wait_until("the peers accept each other", PATIENCE, || {
            pi1.attempt("gluster peer probe pi2").status.success().then_some(())
        });
        for machine in [pi1, pi2] {
            wait_until("the peers are connected", PATIENCE, || {
                machine.run("gluster peer status").contains("Peer in Cluster (Connected)").then_some(())
            });
        }
        wait_until("the volume is created", PATIENCE, || {
            let line = "gluster --mode=script volume create gv0 replica 2 pi1:/mnt/brick1/gv0 pi2:/mnt/brick1/gv0 force";
            pi1.attempt(line).status.success().then_some(())
        });
        for (option, value) in options {
            pi1.run(&format!("gluster --mode=script volume set gv0 {option} {value}"));
        }
        pi1.run("gluster --mode=script volume start gv0");
        pair.both(Machine::mount);
        pi1.run(&format!("echo here >{MOUNT}/seen"));
        wait_until("a file is seen on the other machine", PATIENCE, || {
            pi2.attempt(&format!("cat {MOUNT}/seen")).status.success().then_some(())
        });
        pair
    }

    pub(super) fn both<'a, T>(&'a self, what: impl Fn(&'a Machine) -> T) -> [T; 2] {
        [what(&self.pi1), what(&self.pi2)]
    }

    /// Cuts the machines off from each other without a word to either: packets vanish.
    pub(super) fn cut(&self) {
        self.pi2.run(
            "nft add table inet cut; \
             nft 'add chain inet cut in { type filter hook input priority 0; }'; \
             nft 'add chain inet cut out { type filter hook output priority 0; }'; \
             nft add rule inet cut in iifname eth0 drop; nft add rule inet cut out oifname eth0 drop",
        );
    }

    pub(super) fn mend(&self) {
        self.pi2.run("nft delete table inet cut");
    }

    /// Waits until nothing is left to heal.
    pub(super) fn wait_until_healed(&self) {
        wait_until("the volume is healed", Duration::from_secs(90), || {
            let said = self.pi1.attempt("gluster volume heal gv0 info");
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            let whole = said.matches("Number of entries: 0").count() == 2;
            if !whole {
                std::thread::sleep(Duration::from_millis(300));
            }
            whole.then_some(())
        });
    }
}

impl Machine {
    pub(super) fn start_glusterd(&self) {
        self.run("glusterd -p /run/glusterd.pid --log-level WARNING");
        wait_until("glusterd answers", PATIENCE, || {
            self.attempt("gluster --mode=script pool list").status.success().then_some(())
        });
    }

    pub(super) fn mount(&self) {
        let other = if self.number() == 1 { "pi2" } else { "pi1" };
        let own = self.name();
        wait_until("the volume is mounted", PATIENCE, || {
            let line = format!(
                "mount -t glusterfs -o backup-volfile-servers={other} {own}:/gv0 {MOUNT}; stat {MOUNT}/. -f -c %T | grep fuse"
            );
            self.attempt(&line).status.success().then_some(())
        });
    }

    /// The FUSE client is gone, and its mount point with it: what is left is an empty directory.
    pub(super) fn unmount(&self) {
        self.run(&format!("umount -l {MOUNT}"));
    }

    /// As a power cut leaves it: no brick, no daemon, but the mount, which is the kernel's.
    pub(super) fn kill_gluster_servers(&self) {
        assert!(self.signal("glusterfsd .*gv0", "KILL") >= 1, "no brick ran");
        assert!(self.signal("glusterd -p", "KILL") >= 1, "no daemon ran");
        self.signal("glustershd", "KILL");
    }

    pub(super) fn kill_brick(&self) {
        assert!(self.signal("glusterfsd .*gv0", "KILL") >= 1, "no brick ran");
    }

    pub(super) fn start_brick_again(&self) {
        self.run("gluster --mode=script volume start gv0 force");
    }
}
