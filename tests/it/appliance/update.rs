//! Updates of the program: real signatures, and the plug pulled before every write.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hearth::appliance::update::programs::Programs;
use hearth::appliance::update::{Older, Standing, Verdict, Version};

use super::{EDITED, Pi, hearth, io};
use crate::support::name_server::left_out;

const OWN: &str = "0.1.0";

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// A persistent partition, on which the plug is pulled before the step of a number.
struct Partition {
    directory: tempfile::TempDir,
    steps: usize,
}

impl Partition {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), steps: 0 }
    }

    /// Does something until the plug is pulled before step `cut` of all that was done.
    fn until<T>(&mut self, cut: usize, act: impl FnOnce(&mut Programs<'_>) -> T) -> T {
        let steps = &mut self.steps;
        let mut before = |_| {
            *steps += 1;
            if *steps > cut { Err(io::Error::other("the plug was pulled")) } else { Ok(()) }
        };
        act(&mut Programs::new(self.directory.path(), version(OWN), &mut before))
    }

    fn whole<T>(&mut self, act: impl FnOnce(&mut Programs<'_>) -> T) -> T {
        self.until(usize::MAX, act)
    }

    fn committed(&mut self, text: &str) {
        self.whole(|programs| {
            programs.take(version(text), text.as_bytes(), 1, Older::Refused).unwrap();
            let standing = programs.start().unwrap();
            programs.settle(standing, Verdict::Commit).unwrap();
        });
    }

    /// What the program that is started says.
    fn runs(&self, standing: &Standing) -> String {
        let file = standing.runs(version(OWN)).map(|program| self.directory.path().join(program.file()));
        file.map_or_else(|| OWN.to_owned(), |file| fs::read_to_string(file).unwrap())
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn wherever_the_plug_is_pulled_the_old_program_or_the_whole_new_one_is_started() {
    let mut cuts = 0;
    let mut seen = Vec::new();
    loop {
        let mut pi = Partition::new();
        pi.committed("0.2.0");
        pi.steps = 0;
        let finished = pi.until(cuts, |programs| -> Result<(), Box<dyn std::error::Error>> {
            programs.take(version("0.3.0"), b"0.3.0", 1, Older::Refused)?;
            let standing = programs.start()?;
            programs.settle(standing, Verdict::Commit)?;
            programs.start()?;
            Ok(())
        });
        fs::write(pi.directory.path().join("hearth-0.3.new"), "a write that was cut").unwrap();
        let standing = pi.whole(|programs| programs.start().unwrap());
        let runs = pi.runs(&standing);
        assert!(["0.2.0", "0.3.0"].contains(&runs.as_str()), "cut {cuts}: {runs}");
        let needed = standing.needs().count();
        assert_eq!(pi.files().len(), needed + 1, "cut {cuts}: nothing is left over: {:?}", pi.files());
        seen.push(runs);
        if finished.is_ok() {
            break;
        }
        cuts += 1;
    }
    assert_eq!(seen, ["0.2.0", "0.2.0", "0.3.0", "0.3.0", "0.3.0", "0.3.0"]);
}

#[test]
fn a_trial_that_is_turned_down_leaves_the_one_before_it() {
    let mut pi = Partition::new();
    pi.committed("0.2.0");
    let standing = pi.whole(|programs| {
        programs.take(version("0.3.0"), b"0.3.0", 1, Older::Refused).unwrap();
        let standing = programs.start().unwrap();
        programs.settle(standing, Verdict::TurnDown("0.3.0 does not answer".to_owned())).unwrap()
    });
    assert_eq!(pi.runs(&standing), "0.2.0");
    assert_eq!(standing.describe(version(OWN)), "0.2.0; an update was turned down: 0.3.0 does not answer");
    pi.whole(|programs| programs.start().unwrap());
    assert_eq!(pi.files(), ["hearth-0.2.0", "standing.json"]);
}

#[test]
fn a_program_that_rotted_on_the_card_is_not_started() {
    let mut pi = Partition::new();
    pi.committed("0.2.0");
    fs::write(pi.directory.path().join("hearth-0.2.0"), "0.2.x").unwrap();
    let standing = pi.whole(|programs| programs.start().unwrap());
    assert_eq!(pi.runs(&standing), OWN);
    assert!(standing.turned_down.unwrap().contains("damaged"));
}

#[test]
fn a_damaged_state_is_told_and_the_images_own_program_runs() {
    let mut pi = Partition::new();
    pi.committed("0.2.0");
    fs::write(pi.directory.path().join("standing.json"), "{").unwrap();
    let standing = pi.whole(|programs| programs.start().unwrap());
    assert_eq!((pi.runs(&standing).as_str(), standing.turned_down.is_some()), (OWN, true));
}

#[test]
fn two_programs_of_one_version_are_not_taken() {
    let mut pi = Partition::new();
    pi.committed("0.2.0");
    let taken = pi.whole(|programs| programs.take(version("0.2.0"), b"other", 1, Older::Meant));
    assert!(taken.unwrap_err().to_string().contains("a version of its own"));
}

/// A maker's key pair of minisign, and programs signed with it.
pub(super) struct Maker(tempfile::TempDir);

impl Maker {
    pub(super) fn new() -> Self {
        let maker = Self(tempfile::tempdir().unwrap());
        maker.minisign(&["-G", "-W", "-p", "key.pub", "-s", "key"]);
        maker
    }

    fn minisign(&self, words: &[&str]) {
        let output = Command::new("minisign").args(words).current_dir(self.0.path()).output();
        let output = output.expect("minisign, a package of tests/run");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub(super) fn public(&self) -> String {
        let text = fs::read_to_string(self.0.path().join("key.pub")).unwrap();
        text.lines().nth(1).unwrap().to_owned()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn program(&self, name: &str, content: &str, form: &[&str], comment: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        self.sign(&path, form, comment);
        path
    }

    pub(super) fn sign(&self, file: &Path, form: &[&str], comment: &str) {
        let file = file.to_str().unwrap();
        self.minisign(&[&["-S", "-s", "key", "-m", file, "-t", comment], form].concat());
    }
}

pub(super) fn command(pi: &Pi, words: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hearth"))
        .arg("appliance")
        .args(words)
        .args([Path::new("--card"), &pi.places.card, Path::new("--keep"), &pi.places.keep])
        .args([Path::new("--root"), &pi.places.root])
        .output()
        .unwrap()
}

fn refused(pi: &Pi, words: &[&Path]) -> String {
    let output = command(pi, words);
    assert!(!output.status.success(), "{words:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_program_signed_by_minisign_is_put_on_trial_and_others_are_not_kept() {
    if left_out("minisign") {
        return;
    }
    let (maker, stranger) = (Maker::new(), Maker::new());
    let pi = Pi::with(&format!("[pi]\r\nupdate-keys = [\"{}\"]\r\n{EDITED}", maker.public()));
    let programs = || pi.places.keep.with_file_name("programs");
    let link = || fs::read_link(pi.places.root.join("run/hearth-appliance/program")).unwrap();
    let said = |version: &str| format!("hearth {version} {}", std::env::consts::ARCH);
    let update = Path::new("update");
    hearth(&pi, "import");
    assert!(command(&pi, &[Path::new("start")]).status.success());
    assert_eq!(link(), Path::new("/usr/lib/hearth/hearth"), "nothing is kept yet");

    let strange = stranger.program("strange", "9", &["-l"], &said("9.0.0"));
    let other = maker.program("other", "9", &["-l"], "hearth 9.0.0 z80");
    let old = maker.program("old", "0", &["-l"], &said("0.0.1"));
    let bare = maker.0.path().join("bare");
    fs::write(&bare, "9").unwrap();
    for (program, why) in [
        (&strange, "not in `update-keys`"),
        (&other, "is for z80"),
        (&old, "is not newer than 0.1.0"),
        (&bare, "bare.minisig"),
    ] {
        let said = refused(&pi, &[update, program]);
        assert!(said.contains(why), "{why}: {said}");
        assert!(!programs().exists(), "{why}: nothing is kept");
    }

    let new = maker.program("new", "9", &[], &said("9.0.0"));
    let output = command(&pi, &[update, &new]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("9.0.0 is on trial"), "{output:?}");
    assert_eq!(link(), programs().join("hearth-9.0.0"), "only root may go through what is kept of the card");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&programs()), mode(&link())), (0o755, 0o755), "the agent is another user");
    assert!(hearth(&pi, "report").contains("version     9.0.0, on trial"));

    // No agent of this version answers here.
    for _ in 0..10 {
        assert_ne!(link(), Path::new("/usr/lib/hearth/hearth"));
        assert!(command(&pi, &[Path::new("judge")]).status.success());
    }
    assert_eq!(link(), Path::new("/usr/lib/hearth/hearth"));
    assert!(hearth(&pi, "report").contains("an update was turned down: 9.0.0 does not answer"));

    fs::write(&new, "10").unwrap();
    assert!(refused(&pi, &[update, &new]).contains("damaged or changed"));
}
