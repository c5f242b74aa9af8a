//! Network namespaces: machines of their own on this one, with cables between them. They need root.

#![allow(clippy::print_stdout, reason = "a test that is left out says why")]

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A namespace; it ends with this value.
pub(crate) struct Netns(String);

impl Netns {
    /// A new one with its loopback up. None: this machine may not make one; says so.
    pub(crate) fn new(label: &str) -> Option<Self> {
        static TAKEN: AtomicU32 = AtomicU32::new(0);
        let number = TAKEN.fetch_add(1, Ordering::Relaxed);
        let netns = Self(format!("hearth-{}-{number}-{label}", std::process::id()));
        let made = Command::new("ip").args(["netns", "add", &netns.0]).output();
        if !made.is_ok_and(|made| made.status.success()) {
            println!("left out: this machine makes no network namespaces without root");
            return None;
        }
        // Entering one mounts /sys anew, which cannot be done where / itself is no mount point: in a plain chroot.
        let entered = Command::new("ip").args(["netns", "exec", &netns.0, "true"]).output().unwrap();
        if !entered.status.success() {
            let said = String::from_utf8_lossy(&entered.stderr).into_owned();
            println!("left out: a network namespace cannot be entered here: {said}");
            return None;
        }
        netns.ip("link set lo up");
        Some(netns)
    }

    /// A cable: the interface `here` in this one, `there` in the other, both up.
    #[track_caller]
    pub(crate) fn cable(&self, here: &str, other: &Netns, there: &str) {
        self.ip(&format!("link add {here} type veth peer name {there} netns {}", other.0));
        self.ip(&format!("link set {here} up"));
        other.ip(&format!("link set {there} up"));
    }

    /// `ip …` in this namespace.
    #[track_caller]
    pub(crate) fn ip(&self, words: &str) {
        self.run("ip", words);
    }

    /// Runs a command in this namespace, which must succeed.
    #[track_caller]
    pub(crate) fn run(&self, program: &str, words: &str) {
        let _ = self.output(program, words);
    }

    /// The same; what it printed.
    #[track_caller]
    pub(crate) fn output(&self, program: &str, words: &str) -> String {
        let output = Command::new("ip")
            .args(["netns", "exec", &self.0, program])
            .args(words.split(' '))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {words}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Makes this one a router that hides what is behind it when it leaves by `out`.
    #[track_caller]
    pub(crate) fn hide_behind(&self, out: &str) {
        self.run("sysctl", "-qw net.ipv4.ip_forward=1");
        self.run("nft", "add table ip nat");
        self.run("nft", "add chain ip nat out { type nat hook postrouting priority 100 ; }");
        self.run("nft", &format!("add rule ip nat out oifname {out} masquerade"));
    }

    /// Does something on a thread that lives in this namespace, with every thread and process that it starts.
    #[track_caller]
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let place = PathBuf::from("/run/netns").join(&self.0);
        let inside = move || {
            let namespace = File::open(place).unwrap();
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        };
        let done = std::thread::scope(|scope| scope.spawn(inside).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // What still runs in it keeps it alive without a name.
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}
