//! A Debian that boots in a container with its own systemd (systemd-nspawn), for the tests of the packages. Needs root.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use super::{at, run, said, text};
use crate::support::wait_until;

/// What a Debian holds beside the essential packages.
const INCLUDED: &str = "systemd,systemd-sysv,udev,dbus,libgcc-s1,passwd,curl";
/// A machine under load takes its time to boot.
const BOOTED: Duration = Duration::from_secs(120);

/// A running container; it ends with this value.
pub(super) struct Machine {
    root: tempfile::TempDir,
    groups: Groups,
    nspawn: Child,
    /// Its process 1, as this machine numbers it.
    leader: u32,
}

impl Machine {
    /// Boots a Debian of this release with `package` as /hearth.deb. None: this machine cannot; says so.
    pub(super) fn boot(suite: &str, package: &Path) -> Option<Self> {
        let archive = archive(suite, &native())?;
        let root = tempfile::Builder::new().prefix("machine-").tempdir_in(at("target/roots")).unwrap();
        said(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(root.path()));
        fs::copy(package, root.path().join("hearth.deb")).unwrap();
        let log = File::create(root.path().join("console")).unwrap();
        let groups = Groups::named(root.path().file_name().unwrap().to_str().unwrap());
        let nspawn = groups
            .command("systemd-nspawn")
            .args(["--quiet", "--register=no", "--keep-unit", "--private-network", "--boot", "-D"])
            .arg(root.path())
            .env("UNIFIED_CGROUP_HIERARCHY", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let leader = wait_until("process 1 of the container", BOOTED, || leader(nspawn.id()));
        let machine = Self { root, groups, nspawn, leader };
        wait_until("the container to have booted", BOOTED, || {
            let output = machine.run("systemctl is-system-running");
            matches!(text(&output.stdout).trim(), "running" | "degraded").then_some(())
        });
        Some(machine)
    }

    /// A path in its file system.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    /// Runs a line of shell in it.
    pub(super) fn run(&self, line: &str) -> Output {
        run(&mut self.shell(line))
    }

    /// The same; what it printed. It must succeed.
    #[track_caller]
    pub(super) fn said(&self, line: &str) -> String {
        said(&mut self.shell(line))
    }

    /// Starts a line of shell in it, which ends by itself.
    pub(super) fn start(&self, line: &str) -> Child {
        self.shell(line).stdout(Stdio::piped()).spawn().unwrap()
    }

    fn shell(&self, line: &str) -> Command {
        // In a session of its own: a signal to "this process group" must never be one to the test.
        let mut command = Command::new("setsid");
        command.args(["--wait", "nsenter"]);
        command.args(["--target", &self.leader.to_string(), "--mount", "--uts", "--ipc", "--net", "--pid"]);
        command.args(["--", "/bin/sh", "-c", line]).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        command
    }

    /// Waits until a line of shell succeeds.
    #[track_caller]
    pub(super) fn wait_for(&self, line: &str, within: Duration) {
        wait_until(line, within, || self.run(line).status.success().then_some(()));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = "systemctl --no-pager list-jobs; systemctl --no-pager status hearth hearth.socket; \
                journalctl --no-pager --boot --output short-precise --lines 100";
            println!("the machine at its end:\n{}", text(&self.run(lines).stdout));
        }
        // Everything in it ends with its process 1.
        let _ = Command::new("kill").args(["-9", &self.leader.to_string()]).status();
        let _ = self.nspawn.wait();
        self.groups.remove();
    }
}

/// The control groups of one container, in every hierarchy that a service manager sorts its services into. In the groups
/// of the test two containers would be one: the second one's manager removes those of the first one's services.
struct Groups(Vec<PathBuf>);

impl Groups {
    /// Makes them within those of this process (cgroups(7): the lines of /proc/self/cgroup).
    fn named(name: &str) -> Self {
        let mounted = Path::new("/sys/fs/cgroup");
        let unified =
            if mounted.join("unified").is_dir() { mounted.join("unified") } else { mounted.to_owned() };
        let lines = fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = lines.lines().filter_map(|line| {
            let (hierarchy, group) = line.split_once(":/")?;
            let mounted = match hierarchy.split_once(':')? {
                ("0", "") => unified.clone(),
                (_, "name=systemd") => mounted.join("systemd"),
                _ => return None,
            };
            Some(mounted.join(group).join(name))
        });
        let groups: Vec<_> = own.collect();
        for group in &groups {
            fs::create_dir(group).unwrap_or_else(|error| panic!("{}: {error}", group.display()));
        }
        Self(groups)
    }

    /// A program that runs in them.
    fn command(&self, program: &str) -> Command {
        let enter = "while [ \"$1\" != -- ]; do echo $$ >\"$1/cgroup.procs\" || exit; shift; done; shift; exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", enter, "sh"]).args(&self.0).args(["--", program]);
        command
    }

    fn remove(&self) {
        let _ = Command::new("find").args(&self.0).args(["-depth", "-type", "d", "-delete"]).status();
    }
}

/// The child of systemd-nspawn that became process 1.
fn leader(nspawn: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
    let is_init = |pid: &&str| {
        fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| {
            status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
        })
    };
    children.split(' ').find(is_init)?.parse().ok()
}

/// Debian's name for this machine's architecture.
fn native() -> String {
    said(Command::new("dpkg").arg("--print-architecture")).trim().to_owned()
}

/// A Debian of an architecture, packed; fetched once. None: this machine cannot; says so.
pub(super) fn archive(suite: &str, architecture: &str) -> Option<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        println!("left out: a Debian in a container needs root");
        return None;
    }
    fs::create_dir_all(at("target/roots")).unwrap();
    let name = if architecture == native() { suite.to_owned() } else { format!("{suite}-{architecture}") };
    let (archive, lock) =
        (at("target/roots").join(format!("{name}.tar")), at("target/roots").join(format!("{name}.lock")));
    let partial = archive.with_extension("part");
    let script = "test -e \"$1\" || { mmdebstrap --quiet --variant=minbase --include=\"$3\" --arch=\"$5\" \"$4\" - >\"$2\" && mv \"$2\" \"$1\"; }";
    let output = run(Command::new("flock")
        .arg(lock)
        .args(["sh", "-c", script, "sh"])
        .args([&archive, &partial])
        .args([INCLUDED, suite, architecture]));
    assert!(output.status.success(), "no {suite} could be fetched: {}", text(&output.stderr));
    Some(archive)
}
