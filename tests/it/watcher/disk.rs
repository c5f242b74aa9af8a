//! A disk that is full: the watcher goes on watching, says so, and acts on nothing that it could not write down.

use std::path::{Path, PathBuf};
use std::process::Command;

use hearth::failover::Shape;

use super::rig::{PATIENCE, Rig};
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::wait_until;

/// A file system of a few MiB; unmounted when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: &Path) -> Self {
        std::fs::create_dir_all(path).unwrap();
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "none"]).arg(path).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        Self(path.to_owned())
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Not a byte is left.
    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        while std::io::Write::write(&mut ballast, &[0; 4096]).is_ok_and(|written| written > 0) {}
    }

    fn clear(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn on_a_full_disk_it_watches_on_and_decides_once_it_can_write_again() {
    if left_out("Knot") {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        println!("left out: a small disk needs root");
        return;
    }
    let server = Knot::start();
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::at(directory.path());
    let mut rig = Rig::new(Shape::Address, &server);
    rig.state = directory.path().join("state");
    rig.start();
    rig.wait_for_record(&server, &rig.both());
    rig.settled();

    disk.fill();
    wait_until("the trouble is told", PATIENCE, || rig.ask()?.journal_trouble);
    rig.pi1.dies();
    let down = |status: &hearth::failover::view::WatcherStatus| status.sites[0].pending.is_some();
    wait_until("the node is seen to be down", PATIENCE, || rig.ask().filter(down));
    let shown = String::from_utf8_lossy(&rig.hearth(&["failover", "status"]).stdout).into_owned();
    assert!(shown.contains("no decision is carried out: ") && shown.contains("No space left"), "{shown}");
    assert_eq!(rig.record(&server), rig.both(), "what is not written down is not done");

    disk.clear();
    rig.wait_for_record(&server, &rig.second());
    let well = |status: &hearth::failover::view::WatcherStatus| status.journal_trouble.is_none();
    wait_until("the trouble is over", PATIENCE, || rig.ask().filter(well));

    // What was decided is known after a crash.
    let epoch = rig.ask().unwrap().sites[0].epoch;
    rig.kill();
    rig.start();
    wait_until("it goes on from there", PATIENCE, || rig.ask().filter(|s| s.sites[0].epoch >= epoch));
    assert_eq!(rig.record(&server), rig.second());
}
