//! The programs for the Pi, emulated: what `packages/build` made for arm64 and armhf, in a root of nothing but their
//! libraries, and the package for arm64 in a Debian of its own. Left out but under `packages/check arm` and `arm-quick`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::life::{LEFT, add_a_later_one};
use super::machine::archive;
use super::{quick, run, said, text};
use crate::support::wait_until;

/// An emulator on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// A root directory with the program and its libraries; what runs in it ends with this value.
struct Board {
    root: tempfile::TempDir,
    emulator: &'static str,
    running: Vec<Child>,
}

impl Board {
    /// For Debian's name of an architecture. None: there is nothing to run, or nothing to run it with; says so.
    fn new(architecture: &str, libraries: &str, emulator: &'static str) -> Option<Self> {
        let package = emulated(architecture, emulator)?;
        if !Path::new(libraries).is_dir() {
            println!("left out: {libraries} is not there");
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        said(Command::new("dpkg-deb").arg("-x").arg(package).arg(root.path()));
        said(Command::new("cp").args(["-r", "--dereference", libraries]).arg(root.path().join("lib")));
        for directory in ["proc", "dev", "tmp", "etc", "srv/www"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        fs::write(root.path().join("srv/www/index.html"), "hello").unwrap();
        Some(Self { root, emulator, running: Vec::new() })
    }

    fn hearth(&self, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child"]);
        command.args([
            "sh",
            "-c",
            "mount -t proc proc \"$1/proc\" && mount --rbind /dev \"$1/dev\" && exec chroot \"$@\"",
            "sh",
        ]);
        command.arg(self.root.path()).arg("/usr/bin/hearth").args(words).stdin(Stdio::null());
        command
    }

    fn start(&mut self, words: &[&str]) {
        let child = self.hearth(words).stdout(Stdio::null()).spawn().unwrap();
        self.running.push(child);
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        for child in &mut self.running {
            // What it started ends with it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The package for an architecture that can be emulated here. None: there is none, or nothing to run it with; says so.
fn emulated(architecture: &str, emulator: &str) -> Option<PathBuf> {
    if quick("a test with an emulated Pi") || !rustix::process::geteuid().is_root() {
        println!("left out: a root directory of another architecture needs root");
        return None;
    }
    let Some(packages) = std::env::var_os("HEARTH_ARM_PACKAGES") else {
        println!("left out: packages/check arm and arm-quick say where the packages are");
        return None;
    };
    let package = package(Path::new(&packages), architecture);
    if interpreter(emulator).is_none() {
        println!("left out: the kernel knows no {emulator}");
        return None;
    }
    Some(package)
}

/// What the kernel runs a program of another architecture with (binfmt_misc).
fn interpreter(emulator: &str) -> Option<PathBuf> {
    let rule = fs::read_to_string(Path::new("/proc/sys/fs/binfmt_misc").join(emulator)).ok()?;
    let path = rule.lines().find_map(|line| line.strip_prefix("interpreter ")).expect(&rule);
    // Under the name that is written there Debian's takes its arguments otherwise.
    Some(fs::canonicalize(path).unwrap())
}

fn package(packages: &Path, architecture: &str) -> PathBuf {
    let ending = format!("_{architecture}.deb");
    let found = fs::read_dir(packages).unwrap().map(|entry| entry.unwrap().path());
    let mut found = found.filter(|path| path.to_str().is_some_and(|path| path.ends_with(&ending)));
    found
        .next()
        .unwrap_or_else(|| panic!("packages/build has made no package for {architecture} in {packages:?}"))
}

/// A watcher of this machine's own architecture.
struct Watcher {
    directory: tempfile::TempDir,
    child: Child,
}

impl Watcher {
    fn start(port: u16, peer: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        said(
            Command::new(env!("CARGO_BIN_EXE_hearth")).args(["key", "new", "--out"]).arg(path("watcher.key")),
        );
        let file = format!(
            "[watcher]\nlisten = [\"127.0.0.1:{port}\"]\nstate = \"state\"\ncontrol = \"watcher.sock\"\n\
             key = {{ file = \"watcher.key\" }}\n{peer}"
        );
        fs::write(path("hearth.toml"), file).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_hearth"))
            .args(["watcher", "--config"])
            .arg(path("hearth.toml"))
            .spawn()
            .unwrap();
        Self { directory, child }
    }

    fn key(&self) -> String {
        let key = self.directory.path().join("watcher.key");
        said(Command::new(env!("CARGO_BIN_EXE_hearth")).args(["key", "show"]).arg(key)).trim().to_owned()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether an emulator has the system call that a site is read with. Debian 12's has not.
fn emulates_openat2(emulator: &str) -> bool {
    let emulator = interpreter(emulator).expect("what a program was just run with");
    let told = said(Command::new(emulator).arg("--version"));
    let version = told.split("version ").nth(1).and_then(|rest| rest.split('.').next()).expect(&told);
    version.parse::<u32>().unwrap() >= 10
}

fn serves_beats_and_demonstrates(mut board: Board) {
    let told = said(&mut board.hearth(&["init", "--name", "pi1", "--site", "www.example.com"]));
    let peer = &told[told.find("[[peer]]").expect(&told)..told.find("\nStart it").expect(&told)];
    let (beats, site) = (free_port(), free_port());
    let watcher = Watcher::start(beats, peer);
    let file = board.root.path().join("etc/hearth/hearth.toml");
    let written = fs::read_to_string(&file).unwrap();
    let listening = written.replace("rules =", &format!("listen = [\"127.0.0.1:{site}\"]\nrules ="));
    let whole = format!(
        "{listening}\n[heartbeat]\nwatchers = [{{ url = \"http://127.0.0.1:{beats}\", public-key = \"{}\" }}]\n",
        watcher.key()
    );
    fs::write(&file, whole).unwrap();
    said(&mut board.hearth(&["check-config"]));

    board.start(&["agent"]);
    let reads = emulates_openat2(board.emulator);
    let wanted = if reads { "200" } else { "503" };
    wait_until("an answer of an emulated Pi", PATIENCE, || {
        let url = format!("http://127.0.0.1:{site}/");
        let form = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"];
        let visit = run(Command::new("curl").args(form).args(["--header", "Host: www.example.com", &url]));
        (text(&visit.stdout) == wanted).then_some(())
    });
    wait_until("a beat of an emulated Pi", PATIENCE, || {
        let status = said(&mut board.hearth(&["status", "--json"]));
        status.contains("\"answered\"").then_some(())
    });
    if reads {
        said(&mut board.hearth(&["demo", "--script", "outage", "--speed", "1"]));
    } else {
        println!("left out: this emulator has no openat2(2), so no site can be read; QEMU 10 has");
    }
}

#[test]
fn the_program_for_arm64_serves_beats_and_demonstrates() {
    if let Some(board) = Board::new("arm64", "/usr/aarch64-linux-gnu/lib", "qemu-aarch64") {
        serves_beats_and_demonstrates(board);
    }
}

#[test]
fn the_program_for_armhf_serves_beats_and_demonstrates() {
    if let Some(board) = Board::new("armhf", "/usr/arm-linux-gnueabihf/lib", "qemu-arm") {
        serves_beats_and_demonstrates(board);
    }
}

/// A Debian of another architecture; nothing runs in it but what is called.
struct Debian(tempfile::TempDir);

impl Debian {
    /// With what is in `packages` at its root.
    fn with(archive: &Path, packages: &Path) -> Self {
        let root = tempfile::tempdir().unwrap();
        // This machine's devices are shown there, and root of a namespace could not make any.
        said(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(root.path()).arg("--exclude=./dev/*"));
        said(Command::new("cp").arg("-rT").arg(packages).arg(root.path()));
        Self(root)
    }

    /// Runs a line of shell in it; what it printed. It must succeed.
    #[track_caller]
    fn said(&self, line: &str) -> String {
        let enter = "mount -t proc proc \"$1/proc\" && mount --rbind /dev \"$1/dev\" && exec chroot \"$1\" /bin/sh -c \"$2\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, "sh"]);
        command.arg(self.0.path()).arg(line).env_clear().stdin(Stdio::null());
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive");
        said(&mut command)
    }
}

/// As README has it, but for the start: no service manager runs in it.
#[test]
fn the_package_for_arm64_is_installed_set_up_upgraded_removed_and_purged() {
    let Some(package) = emulated("arm64", "qemu-aarch64") else { return };
    let Some(archive) = archive("trixie", "arm64") else { return };
    let packages = tempfile::tempdir().unwrap();
    fs::copy(package, packages.path().join("hearth.deb")).unwrap();
    add_a_later_one(packages.path());
    let debian = Debian::with(&archive, packages.path());
    debian.said("apt-get install -qq ./hearth.deb");
    assert!(debian.said("id hearth").contains("gpio"));
    let told = debian.said("hearth init --name pi1 --site www.example.com");
    assert!(told.contains("[[peer]]"), "{told}");
    debian.said("hearth check-config && systemctl enable hearth");
    debian.said("test -e /etc/systemd/system/sockets.target.wants/hearth.socket");
    debian.said("apt-get install -qq ./later.deb && test -s /etc/hearth/node.key");
    assert_eq!(debian.said("dpkg-query -W -f '${Version}' hearth"), "99.0-1");
    debian.said("apt-get remove -qq hearth && test -s /etc/hearth/hearth.toml && ! test -e /usr/bin/hearth");
    debian.said("apt-get purge -qq hearth && rm /hearth.deb /later.deb");
    assert_eq!(debian.said(LEFT), "", "left behind");
}
