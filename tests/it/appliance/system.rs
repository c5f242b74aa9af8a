//! A signed system as a person hands it over: `hearth appliance system`, with real signatures and a real squashfs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::slots::{Card, NEWER};
use super::update::{Maker, command};
use super::{EDITED, Pi, hearth};
use crate::support::name_server::left_out;

/// The version that runs.
const FIRST: &str = "0.1.0-20260131235959";

fn os_release(version: &str) -> String {
    format!("ID=debian\nIMAGE_ID=hearth-pi-arm64\nIMAGE_VERSION={version}\n")
}

/// The root of a system as a squashfs, which says this of itself.
fn squashfs(maker: &Maker, name: &str, version: &str, left: &str) -> PathBuf {
    let root = tempfile::tempdir().unwrap();
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let files = [
        ("usr/lib/os-release".to_owned(), os_release(version)),
        ("sbin/init".to_owned(), "#!/bin/sh\n".to_owned()),
        (format!("usr/lib/modules/{kernel}/modules.dep"), String::new()),
    ];
    for (path, content) in files.iter().filter(|(path, _)| left.is_empty() || !path.contains(left)) {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let file = maker.path(name);
    let made = Command::new("mksquashfs")
        .args([root.path(), &file])
        .args(["-quiet", "-no-progress", "-noappend"])
        .output();
    let made = made.expect("mksquashfs, of squashfs-tools");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    file
}

/// Whether a squashfs cannot be made and mounted here: that takes root, squashfs-tools and a kernel that knows it.
fn cannot_mount() -> bool {
    let root = rustix::process::geteuid().is_root();
    let known = fs::read_to_string("/proc/filesystems").is_ok_and(|kinds| kinds.contains("squashfs"));
    let tool = Command::new("mksquashfs").arg("-version").output().is_ok();
    !(root && known && tool && Path::new("/dev/loop-control").exists())
}

/// A Pi that runs from a card with two slots, and whose systems one maker signs.
struct House {
    pi: Pi,
    maker: Maker,
}

impl House {
    /// None where its tests cannot run, which is said.
    #[expect(clippy::print_stdout, reason = "whoever reads the tests is to know what was not tried")]
    fn new() -> Option<Self> {
        if left_out("minisign") {
            return None;
        }
        if cannot_mount() {
            println!("left out: a squashfs cannot be made and mounted here");
            return None;
        }
        let maker = Maker::new();
        let pi = Pi::with(&format!("[pi]\r\nupdate-keys = [\"{}\"]\r\n{EDITED}", maker.public()));
        hearth(&pi, "import");
        fs::rename(Card::new().at(""), pi.places.root.join("run/hearth-slots")).unwrap();
        let house = Self { pi, maker };
        house.starts("a", FIRST);
        Some(house)
    }

    /// As after a start of the system of this version in this slot.
    fn starts(&self, slot: &str, version: &str) {
        let lib = self.pi.places.root.join("usr/lib");
        fs::create_dir_all(&lib).unwrap();
        fs::write(lib.join("os-release"), os_release(version)).unwrap();
        fs::write(self.at("running"), format!("{slot}\n")).unwrap();
        self.done(&["start"]);
    }

    fn at(&self, name: &str) -> PathBuf {
        self.pi.places.root.join("run/hearth-slots").join(name)
    }

    /// What is on the card.
    fn card(&self) -> [Vec<u8>; 2] {
        ["disk", "b"].map(|name| fs::read(self.at(name)).unwrap())
    }

    fn done(&self, words: &[&str]) {
        let words: Vec<&Path> = words.iter().map(Path::new).collect();
        let output = command(&self.pi, &words);
        assert!(output.status.success(), "{words:?}: {output:?}");
    }

    fn refused(&self, what: &str, file: &Path, why: &str) {
        let output = command(&self.pi, &[Path::new(what), file]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{why}: {said}");
    }

    fn told(&self, wanted: &str) {
        let told = hearth(&self.pi, "report");
        assert!(told.contains(wanted), "{wanted}: {told}");
    }

    /// A system that says that it is of this version, without the files below `left`, and signed.
    fn system(&self, name: &str, version: &str, left: &str, form: &[&str], comment: &str) -> PathBuf {
        let file = squashfs(&self.maker, name, version, left);
        self.maker.sign(&file, form, comment);
        file
    }

    fn newer(&self) -> PathBuf {
        self.system("newer", NEWER, "", &[], &said(NEWER))
    }
}

/// The trusted comment of a system for this machine.
fn said(version: &str) -> String {
    format!("hearth-system {version} {}", std::env::consts::ARCH)
}

#[test]
fn a_system_that_is_not_taken_changes_nothing_and_the_message_says_why() {
    let Some(house) = House::new() else { return };
    let before = house.card();
    let program = format!("hearth 9.0.0 {}", std::env::consts::ARCH);
    let old = "0.0.9-20990101000000";
    for (name, version, left, form, comment, why) in [
        ("legacy", NEWER, "", &["-l"][..], said(NEWER), "without -l"),
        ("program", NEWER, "", &[], program, "hearth-system VERSION MACHINE"),
        ("machine", NEWER, "", &[], format!("hearth-system {NEWER} z80"), "is for z80"),
        ("old", old, "", &[], said(old), "is not newer than 0.1.0-20260131235959"),
        ("liar", FIRST, "", &[], said(NEWER), "sign what was built"),
        ("kernel", NEWER, "modules", &[], said(NEWER), "write the card anew with the whole image"),
        ("init", NEWER, "sbin", &[], said(NEWER), "it has no /sbin/init"),
    ] {
        house.refused("system", &house.system(name, version, left, form, &comment), why);
    }
    let bare = squashfs(&house.maker, "bare", NEWER, "");
    house.refused("system", &bare, "bare.minisig");
    Maker::new().sign(&bare, &[], &said(NEWER));
    house.refused("system", &bare, "not in `update-keys`");
    fs::write(&bare, "no system").unwrap();
    house.maker.sign(&bare, &["-f"], &said(NEWER));
    house.refused("system", &bare, "is no system");
    house.refused("update", &house.newer(), "hearth VERSION MACHINE");
    assert!(house.card() == before, "a refused one changes nothing");
    house.told("system      0.1.0-20260131235959 in slot a\n");

    fs::remove_file(house.at("running")).unwrap();
    house.refused("system", &house.newer(), "does not run from a card with two slots");
}

#[test]
fn a_signed_system_goes_beside_the_one_that_runs_and_is_given_up_when_it_is_not_well() {
    let Some(house) = House::new() else { return };
    let newer = house.newer();
    house.done(&["system", newer.to_str().unwrap()]);
    assert!(fs::read(house.at("b")).unwrap().starts_with(&fs::read(&newer).unwrap()), "all of it");
    house.told(&format!("system      {FIRST} in slot a; {NEWER} is on trial from the next start on\n"));

    house.starts("b", NEWER);
    // No agent answers here.
    for _ in 0..10 {
        house.told(&format!("system      {NEWER} in slot b, on trial\n"));
        house.refused("system", &newer, "something is on trial");
        house.done(&["judge"]);
    }
    house.told("in slot b, which was turned down: 0.1.0 does not answer");
    house.starts("a", FIRST);
    house.told(&format!("{FIRST} in slot a; another one was turned down: {NEWER}: 0.1.0 does not answer\n"));
    let mounted = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounted.contains("squashfs"), "nothing stays mounted: {mounted}");
}

#[test]
fn a_program_and_a_system_are_not_on_trial_at_a_time() {
    let Some(house) = House::new() else { return };
    let comment = format!("hearth 9.0.0 {}", std::env::consts::ARCH);
    let (newer, program) = (house.newer(), house.maker.program("program", "9", &[], &comment));
    house.done(&["update", program.to_str().unwrap()]);
    house.refused("system", &newer, "something is on trial");
    (0..10).for_each(|_| house.done(&["judge"]));
    house.done(&["system", newer.to_str().unwrap()]);
    house.refused("update", &program, "a system is on trial");
}
