//! Two slots for the system: the first file system's own script beside what hearth writes, and the plug pulled before every write.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hearth::appliance::slots::content::Measure;
use hearth::appliance::slots::disk::{Slots, SlotsError};
use hearth::appliance::slots::sector::{self, SIZE, decode, encode};
use hearth::appliance::slots::{Other, Slot, Standing};
use hearth::appliance::update::MOST_STARTS;
use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use ring::digest::{SHA256, digest};

use crate::support::name_server::left_out;

pub(super) const NEWER: &str = "0.9.0-20990101000000";

/// So long is the room of a slot, in bytes.
const ROOM: usize = 3 << 20;

/// A card: a whole disk and its two slots, as files in the places that the first file system names.
pub(super) struct Card {
    root: tempfile::TempDir,
}

impl Card {
    pub(super) fn new() -> Self {
        let card = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir_all(card.at("")).unwrap();
        File::create(card.at("disk")).unwrap().set_len(4 << 20).unwrap();
        for slot in ["a", "b"] {
            File::create(card.at(slot)).unwrap().set_len(ROOM as u64).unwrap();
        }
        card.put("a", &system("first"));
        fs::write(card.at("running"), "a\n").unwrap();
        card
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.root.path().join("run/hearth-slots").join(name)
    }

    fn put(&self, slot: &str, bytes: &[u8]) {
        File::options().write(true).open(self.at(slot)).unwrap().write_all_at(bytes, 0).unwrap();
    }

    fn write_sector(&self, bytes: &[u8; SIZE]) {
        let disk = File::options().write(true).open(self.at("disk")).unwrap();
        disk.write_all_at(bytes, sector::AT).unwrap();
    }

    fn sector(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        File::open(self.at("disk")).unwrap().read_exact_at(&mut bytes, sector::AT).unwrap();
        bytes
    }

    fn standing(&self) -> Standing {
        decode(&self.sector()).unwrap_or_default()
    }

    /// Installs a system, with the plug pulled before the write of this number.
    fn install(&self, bytes: &[u8], cut: usize) -> Result<(), SlotsError> {
        let mut steps = 0;
        let mut before = |_| {
            steps += 1;
            if steps > cut { Err(io::Error::other("the plug was pulled")) } else { Ok(()) }
        };
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, bytes).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let measure = Measure::of(&file).unwrap();
        Slots::below(self.root.path(), &mut before)?.install(&file, &measure, NEWER.parse().unwrap(), 1)
    }

    /// Starts as the first file system does; what runs then, and in which slot. A system is known by its first bytes, as
    /// the kernel knows a squashfs, and is whole when its last ones are there.
    fn start(&self) -> (String, String) {
        let script = r#"
slots_open() {
    [ "$(head -c 4 "$1")" = hsqs ] || return
    what=$(tr -d '\0x' <"$1")
    case $what in *dead*) return 1 ;; esac
}
slots_start disk || exit 3
echo "$running" >running
echo "$running $what""#;
        let said = self.shell(script);
        let (slot, what) = said.trim_end().split_once(' ').unwrap_or_else(|| panic!("{said}"));
        let whole = what.strip_prefix("hsqs").and_then(|what| what.strip_suffix("end"));
        (slot.to_owned(), whole.unwrap_or_else(|| panic!("a system that is not whole: {what}")).to_owned())
    }

    /// What a script says that knows the functions of the first file system.
    fn shell(&self, script: &str) -> String {
        let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("pi-image/initramfs/slots");
        let output = Command::new("busybox")
            .args(["sh", "-euc", &format!(". '{}'\n{script}", functions.display())])
            .env("LC_ALL", "C")
            .current_dir(self.at(""))
            .output()
            .expect("busybox, a package of tests/run");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// What stands for a system: larger than what is written at once.
fn system(name: &str) -> Vec<u8> {
    [b"hsqs", name.as_bytes(), &vec![b'x'; 2 << 20], b"end"].concat()
}

fn runs(slot: &str, name: &str) -> (String, String) {
    (slot.to_owned(), name.to_owned())
}

fn standing(in_force: Slot, line: &str) -> Standing {
    sector_of(&format!("hearth-slots 1 {in_force} {line}")).1.unwrap()
}

/// A sector of this line with the sum that belongs to it, and what hearth reads in it.
fn sector_of(line: &str) -> ([u8; SIZE], Option<Standing>) {
    let sum = data_encoding::HEXLOWER.encode(digest(&SHA256, format!("{line}\n").as_bytes()).as_ref());
    let mut bytes = format!("{line}\n{sum}\n").into_bytes();
    bytes.resize(SIZE, 0);
    let sector = bytes.try_into().unwrap();
    (sector, decode(&sector))
}

#[test]
fn the_first_file_system_and_hearth_read_the_same_in_every_sector() {
    if left_out("busybox") {
        return;
    }
    let mut lines: Vec<String> = [
        "a free 0 - -",
        "b free 0 - -",
        "c free 0 - -",
        "a free 1 - -",
        "a free 0 - - ",
        "a  free 0 - -",
        "a free 0 -",
        "a on-trial 0 1 0",
        "a on-trial 3 0.1.0-20260131235959 999",
        "b on-trial 9 v 10",
        "a on-trial 10 v 1",
        "a on-trial 1 v 1000",
        "a on-trial +1 v 1",
        "a on-trial 1 v 01",
        "a on-trial 1 V 1",
        "a on-trial 1 v -",
        "a on-trial 1 v 1 1",
        "a on-trial 1 v\t1",
        "b turned-down 3 v it was",
        "b turned-down 3 v it  was\\n $(x) `x` %s",
        "b turned-down 3 v ",
        "b turned-down 3 v  it",
        "b turned-down 3 v é",
        "a committed 0 - -",
        "",
        "a",
    ]
    .map(|line| format!("hearth-slots 1 {line}"))
    .to_vec();
    lines.push("hearth-slots 2 a free 0 - -".to_owned());
    lines.push(format!("hearth-slots 1 a turned-down 1 v {}", "x".repeat(200)));
    lines.push(format!("hearth-slots 1 a turned-down 1 v {}", "x".repeat(201)));
    lines.push(format!("hearth-slots 1 a on-trial 1 {} 1", "v".repeat(65)));
    let mut sectors: Vec<[u8; SIZE]> = lines.iter().map(|line| sector_of(line).0).collect();
    // What was damaged, and what never was one.
    let whole = sectors[8];
    for at in [0, 15, 50, 60, 120, 300, 511] {
        let mut changed = whole;
        changed[at] ^= 1;
        sectors.push(changed);
        let mut cut = whole;
        cut[at..].fill(0);
        sectors.push(cut);
    }
    sectors.push([0xff; SIZE]);
    let mut chance = TestRunner::deterministic();
    for _ in 0..20 {
        let bytes = proptest::collection::vec(any::<u8>(), SIZE).new_tree(&mut chance).unwrap().current();
        sectors.push(bytes.try_into().unwrap());
    }
    let card = Card::new();
    let (mut legible, mut known) = (0, 0);
    for sector in &sectors {
        card.write_sector(sector);
        let said = card.shell("slots_read disk; printf '%s\\n' \"$slots_line\"; slots_write disk");
        let read = decode(sector);
        let text = String::from_utf8_lossy(sector).into_owned();
        let wanted = encode(&read.clone().unwrap_or_default());
        assert_eq!(card.sector(), wanted, "what it writes of {text}");
        assert!(wanted.starts_with(said.as_bytes()), "{said} and not {text}");
        legible += usize::from(read.is_some());
        known += 1;
    }
    // Eight of the lines, and three that were cut behind their end.
    assert_eq!((legible, known), (11, sectors.len()));
}

#[test]
fn a_system_on_trial_has_three_starts_and_then_the_one_before_it_is_back() {
    if left_out("busybox") {
        return;
    }
    let card = Card::new();
    assert_eq!(card.start(), runs("a", "first"), "as it was flashed");
    assert_eq!(card.sector(), [0; SIZE], "a start without a trial writes nothing");
    card.install(&system("second"), usize::MAX).unwrap();
    for _ in 0..MOST_STARTS {
        assert_eq!(card.start(), runs("b", "second"));
    }
    assert_eq!(card.start(), runs("a", "first"));
    let why = format!("turned-down 3 {NEWER} it was not well in any of 3 starts");
    assert_eq!(card.standing(), standing(Slot::A, &why));
    assert_eq!(card.start(), runs("a", "first"), "and no loop");
}

#[test]
fn a_committed_system_stays_and_the_next_one_goes_where_the_first_was() {
    if left_out("busybox") {
        return;
    }
    let card = Card::new();
    card.install(&system("second"), usize::MAX).unwrap();
    card.start();
    card.write_sector(&encode(&card.standing().commit()));
    for _ in 0..=MOST_STARTS {
        assert_eq!(card.start(), runs("b", "second"));
    }
    card.install(&system("third"), usize::MAX).unwrap();
    assert_eq!(card.start(), runs("a", "third"));
    card.write_sector(&encode(&card.standing().turn_down("it does not answer")));
    assert_eq!(card.start(), runs("b", "second"));
}

#[test]
fn one_that_cannot_be_started_is_given_up_at_once_and_told() {
    if left_out("busybox") {
        return;
    }
    let card = Card::new();
    card.install(&system("dead"), usize::MAX).unwrap();
    assert_eq!(card.start(), runs("a", "first"));
    let why = format!("turned-down 1 {NEWER} it cannot be mounted, or has no /sbin/init");
    assert_eq!(card.standing(), standing(Slot::A, &why));
}

#[test]
fn any_system_is_better_than_none() {
    if left_out("busybox") {
        return;
    }
    let card = Card::new();
    card.put("b", &system("second"));
    card.put("a", b"rot ");
    for (state, told) in [
        (Standing::default(), "the one in slot a cannot be started any more"),
        (standing(Slot::A, "turned-down 3 v it was not well"), "which was turned down: it was not well"),
    ] {
        card.write_sector(&encode(&state));
        assert_eq!(card.start(), runs("b", "second"));
        assert!(state.describe(Slot::B, "x").contains(told));
    }
    card.write_sector(&encode(&standing(Slot::A, "on-trial 3 v 1")));
    assert_eq!(card.start(), runs("b", "second"), "even one that was just given up");
}

#[test]
fn wherever_the_plug_is_pulled_a_whole_system_is_started_even_when_the_sector_is_lost() {
    if left_out("busybox") {
        return;
    }
    let mut seen = Vec::new();
    for cut in 0.. {
        let card = Card::new();
        // One that was turned down lies in the slot, whole.
        card.put("b", &system("older"));
        card.write_sector(&encode(&standing(Slot::A, "turned-down 1 v it does not answer")));
        let finished = card.install(&system("second"), cut).is_ok();
        let after = card.sector();
        let (_, runs) = card.start();
        seen.push(runs);
        // The sector may be lost, and the first slot with it.
        card.write_sector(&[0xff; SIZE]);
        assert_eq!(card.start(), ("a".to_owned(), "first".to_owned()), "cut {cut}");
        card.write_sector(&after);
        if finished {
            break;
        }
    }
    // Before: the sector, the old system's head, the body, the head, the sector.
    assert_eq!(seen, ["first", "first", "first", "first", "first", "second"]);
}

#[test]
fn a_slot_that_was_half_written_is_never_taken_for_a_system() {
    if left_out("busybox") {
        return;
    }
    for cut in 1..5 {
        let card = Card::new();
        card.put("b", &system("older"));
        let second = system("second");
        assert!(card.install(&second, cut).is_err() || cut == 4, "{cut}");
        let slot = fs::read(card.at("b")).unwrap();
        let whole = slot.starts_with(&second) || slot.starts_with(&system("older"));
        assert_eq!(slot.starts_with(b"hsqs"), whole, "cut {cut}: what can be mounted is whole");
    }
}

#[test]
fn two_systems_are_not_written_at_a_time() {
    let card = Card::new();
    let slot = File::open(card.at("b")).unwrap();
    rustix::fs::flock(&slot, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let error = card.install(&system("second"), usize::MAX).unwrap_err().to_string();
    assert!(error.contains("is being written to slot b"), "{error}");
    assert_eq!(card.sector(), [0; SIZE]);
    drop(slot);
    card.install(&system("second"), usize::MAX).unwrap();
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let card = Card::new();
    let large = [system("large"), vec![0; ROOM]].concat();
    let error = card.install(&large, usize::MAX).unwrap_err().to_string();
    assert!(error.contains("slot b room for 3145728") && error.contains("write the card anew"), "{error}");
    assert_eq!((card.sector(), fs::read(card.at("b")).unwrap()), ([0; SIZE], vec![0; ROOM]));
    fs::remove_file(card.at("running")).unwrap();
    let error = card.install(b"", usize::MAX).unwrap_err().to_string();
    assert!(error.contains("does not run from a card with two slots"), "{error}");
}

#[test]
fn the_sector_holds_no_state_that_names_the_wrong_slot() {
    let trial = standing(Slot::B, "on-trial 1 v 7");
    assert!(trial.is_on_trial(Slot::A) && !trial.is_on_trial(Slot::B));
    assert_eq!(trial.commit(), Standing { in_force: Slot::A, other: Other::Free });
}
