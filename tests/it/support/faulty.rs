//! A mount that fails when it is told to: a real FUSE file system over a directory.

#![expect(clippy::print_stdout, reason = "what is left out is said")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::name_server::left_out;
use super::wait_until;

/// A mounted file system; unmounted when it is dropped, whatever hangs in it.
pub(crate) struct Faulty {
    /// What lies below: written to without any fault.
    pub(crate) below: PathBuf,
    /// The mount point.
    pub(crate) mount: PathBuf,
    faults: PathBuf,
    daemon: Child,
    _directory: tempfile::TempDir,
}

impl Faulty {
    /// Mounts one; None, with a word why, where this machine or this run does without.
    #[track_caller]
    pub(crate) fn mount() -> Option<Self> {
        if left_out("FUSE file system") {
            return None;
        }
        if let Err(error) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse") {
            println!("left out: this machine mounts no FUSE file systems (/dev/fuse: {error})");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let [below, mount] = ["below", "mount"].map(|name| directory.path().join(name));
        let faults = directory.path().join("faults");
        for made in [&below, &mount] {
            std::fs::create_dir(made).unwrap();
        }
        std::fs::write(&faults, "").unwrap();
        // Debian's own, which sees Debian's packages.
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/faulty.py");
        let daemon = Command::new("/usr/bin/python3")
            .arg(program)
            .args([&below, &mount, &faults])
            .stdin(Stdio::null())
            .spawn()
            .expect("python3 and python3-fusepy are installed; tests/run installs them");
        let mut faulty = Self { below, mount, faults, daemon, _directory: directory };
        let mounted = wait_until("the file system to be mounted", Duration::from_secs(10), || {
            let ended = faulty.daemon.try_wait().unwrap();
            ended.map(|_| false).or(faulty.is_mounted().then_some(true))
        });
        if !mounted {
            // Without root the packages are unpacked, not installed: fusermount3 has no rights then.
            assert!(
                !rustix::process::geteuid().is_root(),
                "nothing was mounted; is python3-fusepy installed?"
            );
            println!("left out: this user may mount no FUSE file systems");
            return None;
        }
        Some(faulty)
    }

    /// From now on these faults: lines of `OPERATION PATH ERROR COUNT`.
    pub(crate) fn fail(&self, faults: &[&str]) {
        let next = self.faults.with_extension("next");
        std::fs::write(&next, faults.join("\n")).unwrap();
        std::fs::rename(next, &self.faults).unwrap();
    }

    /// What has failed so far, one line each.
    pub(crate) fn failed(&self) -> Vec<String> {
        let done = std::fs::read_to_string(self.faults.with_extension("done")).unwrap_or_default();
        done.lines().map(str::to_owned).collect()
    }

    /// Takes the file system away, as an administrator or a crash does; what hangs in it fails.
    pub(crate) fn unmount(&self) {
        let _ =
            Command::new("fusermount3").args(["-u", "-z"]).arg(&self.mount).stderr(Stdio::null()).status();
    }

    /// Ends the process behind the mount and leaves the mount: ENOTCONN from now on.
    pub(crate) fn crash(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    fn is_mounted(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        mounts.lines().any(|line| line.split(' ').nth(1) == self.mount.to_str())
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.fail(&[]);
        self.unmount();
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
