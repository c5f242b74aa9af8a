//! Machines made of namespaces: each has its own network, mounts, processes and name; all end with the test.
//!
//! The first process of a [`House`] lives as long as its standard input is open, and every other process is below it
//! in its PID namespace. So everything ends when the test ends, however it ends: the kernel kills what is left.

use std::io::{BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What the first process of a house runs: it says its PID as the world outside sees it, and waits for the end.
const HOUSE: &str = "read -r pid rest </proc/self/stat; echo $pid; ip link set lo up; \
     ip link add bridge type bridge && ip link set bridge up && ip address add 10.77.0.254/24 dev bridge; \
     echo ready; cat >/dev/null";

/// What the first process of a machine runs; `$1` is its directory, `$2` its name. It reaps what is left to it.
const MACHINE: &str = "set -e; read -r pid rest </proc/self/stat; \
     mount --make-rprivate /; mount -t proc proc /proc; hostname $2; ip link set lo up; \
     mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /mnt; mkdir -p /var/lib/glusterd /var/log/glusterfs /mnt/brick1 /mnt/gluster1; \
     for pair in state:/var/lib/glusterd log:/var/log/glusterfs brick:/mnt/brick1; do \
       mkdir -p $1/${pair%%:*}; mount --bind $1/${pair%%:*} ${pair##*:}; done; \
     mount --bind $1/../hosts /etc/hosts; echo $pid; while :; do sleep 1000 & wait; done";

/// Why this machine cannot have such a house; None when it can. Says so.
pub(super) fn left_out() -> bool {
    let quick = std::env::var_os("HEARTH_QUICK").is_some_and(|value| value == "1");
    let why = if quick {
        "HEARTH_QUICK=1".to_owned()
    } else if !rustix::process::geteuid().is_root() {
        "namespaces and FUSE mounts need root".to_owned()
    } else if !Path::new("/dev/fuse").exists() {
        "this kernel has no /dev/fuse".to_owned()
    } else {
        let tried = Command::new("unshare").args(["-n", "-m", "-p", "-u", "-f", "true"]).output();
        match tried {
            Ok(output) if output.status.success() => return false,
            other => format!("namespaces cannot be made here: {other:?}"),
        }
    };
    println!("left out, {why}: a test with two real GlusterFS nodes");
    true
}

/// A network with machines on it.
pub(super) struct House {
    pid: String,
    directory: tempfile::TempDir,
    child: Child,
    /// Closed when the house is dropped; its first process then ends.
    input: Option<ChildStdin>,
}

impl House {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "bash", "-c", HOUSE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is part of util-linux");
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let pid = said.next().expect("the house says its PID");
        assert_eq!(said.next().as_deref(), Some("ready"));
        let input = child.stdin.take();
        let hosts = (1..=3).map(|n| format!("10.77.0.{n} pi{n}\n")).collect::<String>();
        std::fs::write(directory.path().join("hosts"), format!("127.0.0.1 localhost\n{hosts}")).unwrap();
        Self { pid, directory, child, input }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A machine `pi1`, `pi2` or `pi3` on the network.
    pub(super) fn machine(&self, number: u8) -> Machine {
        let name = format!("pi{number}");
        let directory = self.path(&name);
        std::fs::create_dir(&directory).unwrap();
        let mut child = Command::new("nsenter")
            .args(["--target", &self.pid, "--net", "--pid"])
            .args(["unshare", "--net", "--mount", "--pid", "--uts", "--fork"])
            .args(["bash", "-c", MACHINE, "bash"])
            .arg(&directory)
            .arg(&name)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let pid = said.next().expect("the machine says its PID");
        let machine = Machine { pid, number, name, directory, child };
        let cable = format!("cable{number}");
        self.run(&format!(
            "ip link add {cable} type veth peer name eth0 netns {pid}; ip link set {cable} master bridge up",
            pid = machine.pid
        ));
        machine.run(&format!("ip address add 10.77.0.{number}/24 dev eth0; ip link set eth0 up"));
        machine
    }

    /// Runs a shell line on the network between the machines.
    #[track_caller]
    pub(super) fn run(&self, line: &str) {
        let mut command = Command::new("nsenter");
        succeed(command.args(["--target", &self.pid, "--net", "sh", "-e", "-c", line]));
    }

    /// A command on the network between the machines.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--net", "--pid", program]).stdin(Stdio::null());
        command
    }

    /// Does something on the network between the machines.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        inside(&self.pid, work)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.input = None;
        // Killed with everything below it; a test that fails already must not fail here a second time.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(20) && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A machine. It ends with its house, which is to be dropped first.
pub(super) struct Machine {
    pid: String,
    number: u8,
    name: String,
    directory: PathBuf,
    child: Child,
}

impl Machine {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn number(&self) -> u8 {
        self.number
    }

    /// A directory of the world outside that only this machine uses.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A command on the machine.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--net", "--mount", "--pid", "--uts", program]);
        command.stdin(Stdio::null());
        command
    }

    /// Runs a shell line, which must succeed; what it printed.
    #[track_caller]
    pub(super) fn run(&self, line: &str) -> String {
        succeed(self.command("sh").args(["-e", "-c", line]))
    }

    /// Runs a shell line, which may fail.
    pub(super) fn attempt(&self, line: &str) -> Output {
        self.command("sh").args(["-e", "-c", line]).output().unwrap()
    }

    /// Begins to do something in the network of the machine.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        inside(&self.pid, work)
    }

    /// Sends a signal to the processes of the machine whose command line matches; how many there were.
    pub(super) fn signal(&self, pattern: &str, signal: &str) -> usize {
        let found = self.attempt(&format!("pgrep -f -- '{pattern}'"));
        let found = String::from_utf8(found.stdout).unwrap();
        // The shell that looked matches its own pattern.
        let alive = |pid: &&str| self.attempt(&format!("kill -{signal} {pid}")).status.success();
        found.lines().filter(alive).count()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The kernel has ended it with the house.
        let _ = self.child.wait();
    }
}

fn inside<T: Send + 'static>(
    pid: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    let network = std::fs::File::open(format!("/proc/{pid}/ns/net")).unwrap();
    std::thread::spawn(move || {
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        work()
    })
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{complained}");
    said
}
