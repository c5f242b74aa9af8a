//! The mount that a site is on, in every mood: a real FUSE file system that stalls, is slow, fails, dies and comes back.

#![expect(clippy::print_stdout, reason = "what is left out and what was measured is said")]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hearth::heartbeat::SourceState;
use hearth::status::{AgentStatus, MountStatus};

use super::rig::{HOST, PATIENCE, Rig, text};
use crate::support::name_server::left_out;
use crate::support::{http, wait_until};

/// A FUSE file system over a directory; unmounted when it is dropped, whatever hangs in it.
pub(super) struct Volume {
    below: PathBuf,
    at: PathBuf,
    daemon: Mutex<Option<Child>>,
}

impl Volume {
    /// Not mounted yet; both are directories of `rig`, made when they are missing.
    pub(super) fn new(rig: &Rig, below: &str, at: &str) -> Self {
        let [below, at] = [below, at].map(|name| rig.path(name));
        for made in [&below, &at] {
            std::fs::create_dir_all(made).unwrap();
        }
        Self { below, at, daemon: Mutex::new(None) }
    }

    pub(super) fn mount(&self) {
        let child = Command::new(program())
            .args([&self.below, &self.at])
            .stdin(Stdio::null())
            .spawn()
            .expect("python3-fusepy is installed; tests/run installs it");
        *self.daemon.lock().unwrap() = Some(child);
        let at = self.at.display().to_string();
        wait_until("the file system is mounted", PATIENCE, || {
            std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&at).then_some(())
        });
    }

    /// `well`, `slow`, `stall` or `error`.
    pub(super) fn mood(&self, mood: &str) {
        std::fs::write(self.below.with_extension("mood"), mood).unwrap();
    }

    fn kill_the_daemon(&self) {
        if let Some(mut daemon) = self.daemon.lock().unwrap().take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    fn unmount(&self) -> Output {
        Command::new("umount").arg("-l").arg(&self.at).output().unwrap()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        self.mood("well");
        self.kill_the_daemon();
        // An error: it is not mounted any more.
        self.unmount();
    }
}

/// A site on a volume, and the agent that looks after it. What is mounted goes first.
struct Mounted {
    volume: Volume,
    rig: Rig,
}

/// Why these tests cannot run here.
pub(super) fn cannot_run() -> bool {
    if left_out("FUSE file system") {
        return true;
    }
    let root = rustix::process::geteuid().is_root();
    let fuse = std::path::Path::new("/dev/fuse").exists();
    if !root || !fuse {
        println!("left out: mounting needs root and /dev/fuse (root: {root}, /dev/fuse: {fuse})");
    }
    !root || !fuse
}

fn program() -> String {
    format!("{}/tests/it/support/moody.py", env!("CARGO_MANIFEST_DIR"))
}

impl Mounted {
    /// Nothing is mounted yet; the directory below the mount holds a page that must never be served.
    fn nothing(more: &str) -> Self {
        let rig = Rig::new("");
        std::fs::write(rig.path("www/index.html"), "the disk below").unwrap();
        let volume = Volume::new(&rig, "volume", "www");
        std::fs::write(rig.path("volume/index.html"), "home").unwrap();
        let path = rig.path("www");
        rig.also(&format!(
            "[[mount]]\npath = \"{}\"\ntype = \"fuse.moody\"\nevery = \"200ms\"\n{more}",
            path.display()
        ));
        Self { volume, rig }
    }

    /// It is mounted, and the agent serves it.
    fn serving(more: &str) -> Self {
        let mut site = Self::nothing(more);
        site.mount();
        site.start();
        site
    }

    fn start(&mut self) {
        self.rig.start();
        self.until(SourceState::Ok);
        self.rig.wait_for("the site", |status| status.sites[0].generation.is_some());
    }

    fn mount(&self) {
        self.volume.mount();
    }

    fn mood(&self, mood: &str) {
        self.volume.mood(mood);
    }

    fn unmount(&self) {
        let done = self.volume.unmount();
        assert!(done.status.success(), "{}", text(&done));
    }

    /// Waits until the mount stands so; how it stands then.
    #[track_caller]
    fn until(&self, state: SourceState) -> MountStatus {
        let is = |status: &AgentStatus| {
            status.mounts[0].state == state && status.mounts[0].why != "not looked at yet"
        };
        self.rig.wait_for(&format!("the mount to be {}", state.word()), is).mounts.remove(0)
    }

    fn told(&self) -> usize {
        self.rig.log().matches("the mount ").count()
    }
}

/// Asks for the page again and again until it is told to end.
struct Visitors {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Duration)>,
}

impl Visitors {
    fn of(rig: &Rig) -> Self {
        let (site, ended) = (rig.site, Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let (mut answered, mut slowest) = (0, Duration::ZERO);
            while !until.load(Ordering::SeqCst) {
                let began = Instant::now();
                let answer = http::ask(site, "GET", "/", HOST, &[]);
                assert_eq!((answer.status, answer.text()), (200, "home".to_owned()));
                (answered, slowest) = (answered + 1, slowest.max(began.elapsed()));
                std::thread::sleep(Duration::from_millis(10));
            }
            (answered, slowest)
        });
        Self { ended, thread }
    }

    /// Every one of them got the page, and none waited.
    #[track_caller]
    fn were_all_answered(self) {
        self.ended.store(true, Ordering::SeqCst);
        let (answered, slowest) = self.thread.join().expect("a visitor got no page");
        println!("{answered} asked and answered, the slowest in {slowest:?}");
        assert!(answered > 50 && slowest < Duration::from_secs(1), "{answered}, {slowest:?}");
    }
}

#[test]
fn a_mount_that_answers_is_told_with_what_it_is_and_how_full() {
    if cannot_run() {
        return;
    }
    let site = Mounted::serving("");
    let mount = site.until(SourceState::Ok);
    assert_eq!((mount.what.as_str(), mount.why.as_str()), ("fuse.moody from moody", ""));
    assert!(mount.room.is_some_and(|room| room.total > 0 && room.free <= room.total), "{mount:?}");
    let shown = text(&site.rig.hearth(&["status"]));
    for part in ["www: ok, fuse.moody from moody, ", "% of", "healthy: all is well"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_mount_that_hangs_is_told_and_costs_nobody_an_answer() {
    if cannot_run() {
        return;
    }
    let site = Mounted::serving("");
    let visitors = Visitors::of(&site.rig);
    site.mood("stall");
    let hung = site.until(SourceState::Hung);
    assert!(hung.why.contains("has not answered for 3 s"), "{hung:?}");
    let shown = text(&site.rig.hearth(&["status"]));
    assert!(shown.contains("degraded") && shown.contains("www: hung"), "{shown}");
    site.mood("well");
    site.until(SourceState::Ok);
    visitors.were_all_answered();
}

#[test]
fn a_blip_is_not_told() {
    if cannot_run() {
        return;
    }
    let site = Mounted::serving("");
    let told = site.told();
    for _ in 0..4 {
        site.mood("stall");
        std::thread::sleep(Duration::from_millis(900));
        site.mood("well");
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(site.told(), told, "{}", site.rig.log());
    site.mood("error");
    let gone = site.until(SourceState::Gone);
    assert!(gone.why.contains("Input/output error"), "what lasts is told: {gone:?}");
    assert!(site.told() > told);
}

#[test]
fn a_mount_that_answers_late_is_slow() {
    if cannot_run() {
        return;
    }
    let site = Mounted::serving("");
    let visitors = Visitors::of(&site.rig);
    site.mood("slow");
    let slow = site.until(SourceState::Slow);
    assert!(slow.why.starts_with("a look took "), "{slow:?}");
    visitors.were_all_answered();
}

#[test]
fn a_dead_file_system_and_an_empty_mount_point_are_told_and_never_served() {
    if cannot_run() {
        return;
    }
    let site = Mounted::serving("");
    let visitors = Visitors::of(&site.rig);
    site.volume.kill_the_daemon();
    let gone = site.until(SourceState::Gone);
    assert!(gone.why.contains("not connected"), "{gone:?}");
    site.unmount();
    let wrong = site.until(SourceState::Wrong);
    assert!(wrong.why.contains("nothing is mounted") && wrong.what.is_empty(), "{wrong:?}");
    let status =
        site.rig.wait_for("the site's own word", |status| status.sites[0].source == SourceState::Wrong);
    assert!(
        status.sites[0].why.contains("and not on fuse.moody: check the mount"),
        "{}",
        status.sites[0].why
    );
    site.mount();
    site.until(SourceState::Ok);
    visitors.were_all_answered();
}

#[test]
fn what_lies_below_the_mount_is_not_served_before_the_volume_is_there() {
    if cannot_run() {
        return;
    }
    let mut site = Mounted::nothing("");
    site.rig.start();
    site.until(SourceState::Wrong);
    site.rig.wait_for("the site's own word", |status| status.sites[0].source == SourceState::Wrong);
    assert_eq!(http::ask(site.rig.site, "GET", "/", HOST, &[]).status, 503);
    site.mount();
    site.rig.wait_for("the site", |status| status.sites[0].generation.is_some());
    assert_eq!(http::ask(site.rig.site, "GET", "/", HOST, &[]).text(), "home");
}

#[test]
fn a_mount_that_is_to_be_written_and_cannot_be_is_wrong() {
    if cannot_run() {
        return;
    }
    let mut site = Mounted::nothing("access = \"write\"\n");
    let path = site.rig.path("www").display().to_string();
    let config = std::fs::read_to_string(site.rig.path("hearth.toml")).unwrap();
    std::fs::write(site.rig.path("hearth.toml"), config.replace("fuse.moody", "tmpfs")).unwrap();
    let mount = |options: &str| {
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "none", &path]).output().unwrap();
        assert!(done.status.success(), "{}", text(&done));
    };
    mount("size=4m");
    std::fs::write(site.rig.path("www/index.html"), "home").unwrap();
    site.start();
    assert_eq!(std::fs::read_dir(site.rig.path("www")).unwrap().count(), 1, "nothing is left behind");
    let config = std::fs::read_to_string(site.rig.path("hearth.toml")).unwrap();
    site.rig.stop();
    mount("remount,ro");
    std::fs::write(site.rig.path("hearth.toml"), config).unwrap();
    site.rig.start();
    let wrong = site.until(SourceState::Wrong);
    assert!(wrong.why.contains("can be read and not written: Read-only file system"), "{wrong:?}");
}

#[test]
fn what_hangs_for_too_long_is_given_up_and_mounted_again() {
    if cannot_run() {
        return;
    }
    let mut site = Mounted::nothing("remount = \"auto\"\nrelease-after = \"1s\"\n");
    let (volume, path) = (site.rig.path("volume"), site.rig.path("www"));
    let line = format!("{}#{} {} fuse defaults 0 0\n", program(), volume.display(), path.display());
    let fstab: PathBuf = site.rig.path("fstab");
    std::fs::write(&fstab, line).unwrap();
    site.rig.in_a_namespace(&format!(
        "mount --bind {} /etc/fstab; mount -t fusectl none /sys/fs/fuse/connections",
        fstab.display()
    ));
    // Nothing is mounted: the agent does it.
    site.start();
    let visitors = Visitors::of(&site.rig);
    site.mood("stall");
    let given_up = |status: &AgentStatus| status.mounts[0].why.contains("was given up");
    site.rig.wait_for("the release", given_up);
    site.until(SourceState::Gone);
    site.mood("well");
    // What answers nothing but errors is left alone for half a minute first.
    wait_until("the mount to be well again", Duration::from_secs(60), || {
        site.rig.ask().filter(|status| status.mounts[0].state == SourceState::Ok)
    });
    visitors.were_all_answered();
    assert!(site.rig.log().contains("`umount -l "), "{}", site.rig.log());
    assert!(site.rig.log().contains("was given up"), "{}", site.rig.log());
}
