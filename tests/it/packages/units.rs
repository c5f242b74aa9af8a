//! The units that are shipped, in the eyes of systemd-analyze and of their own rules.

use std::fs;
use std::path::Path;
use std::process::Command;

use hearth::host::message;

use super::{at, quick, run, said, text};

/// Each with how much of the machine it may at most be exposed to, from 0 to 10 (systemd-analyze(1)).
const SERVICES: [(&str, f64); 2] = [("hearth.service", 1.5), ("hearth-watcher.service", 1.3)];

/// What systemd understands from version 254 on, and skips before with a remark.
const NEWER: [&str; 3] = ["RestartSteps", "RestartMaxDelaySec", "ImportCredential"];

/// The shipped units with the program that was built in place of the one that a package installs.
fn copies() -> (tempfile::TempDir, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(at("systemd")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let unit =
            fs::read_to_string(&path).unwrap().replace("/usr/bin/hearth", env!("CARGO_BIN_EXE_hearth"));
        fs::write(directory.path().join(&name), unit).unwrap();
        names.push(name);
    }
    names.sort();
    assert_eq!(names, ["hearth-tls.socket", "hearth-watcher.service", "hearth.service", "hearth.socket"]);
    (directory, names)
}

fn analyze(directory: &Path, words: &[&str], units: &[String]) -> Command {
    let mut command = Command::new("systemd-analyze");
    command.args(words).args(units.iter().map(|unit| directory.join(unit)));
    command.env("SYSTEMD_UNIT_PATH", format!("{}:", directory.display()));
    command
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if quick("a test with systemd-analyze") {
        return;
    }
    let (directory, names) = copies();
    let output = run(&mut analyze(directory.path(), &["verify", "--man=no"], &names));
    let remarks = text(&output.stderr);
    let ours = |line: &&str| line.contains("hearth") && !NEWER.iter().any(|key| line.contains(key));
    assert_eq!(remarks.lines().filter(ours).collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(output.status.success(), "{remarks}");
}

#[test]
fn the_services_are_exposed_to_little_of_the_machine() {
    if quick("a test with systemd-analyze") {
        return;
    }
    let (directory, _) = copies();
    for (service, most) in SERVICES {
        let told =
            said(&mut analyze(directory.path(), &["security", "--offline=true"], &[service.to_owned()]));
        let line = told.lines().find(|line| line.contains("Overall exposure level")).expect(&told);
        let level = line.split(": ").nth(1).and_then(|rest| rest.split(' ').next()).expect(line);
        assert!(level.parse::<f64>().unwrap() <= most, "{line}, and it may be {most} at most");
    }
}

/// The journal says more about every message that tells of a change, and about nothing else.
#[test]
fn the_catalogue_of_the_journal_knows_every_number() {
    let catalogue = fs::read_to_string(at("packages/config/hearth.catalog")).unwrap();
    let mut there: Vec<_> = catalogue.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
    let mut numbers = message::ALL.to_vec();
    there.sort_unstable();
    numbers.sort_unstable();
    assert_eq!(there, numbers);
    if quick("a test with journalctl") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("usr/lib/systemd/catalog");
    fs::create_dir_all(&place).unwrap();
    fs::create_dir_all(root.path().join("var/lib/systemd/catalog")).unwrap();
    fs::write(place.join("hearth.catalog"), &catalogue).unwrap();
    let journalctl = || {
        let mut command = Command::new("journalctl");
        command.arg("--root").arg(root.path());
        command
    };
    said(journalctl().arg("--update-catalog"));
    for number in numbers {
        let told = said(journalctl().arg("--dump-catalog").arg(number));
        assert!(told.contains("Subject: ") && told.contains("Defined-By: hearth"), "{told}");
    }
}

#[test]
fn nothing_waits_for_the_clock_or_for_the_internet() {
    for (service, _) in SERVICES {
        let unit = fs::read_to_string(at("systemd").join(service)).unwrap();
        let orders: Vec<_> =
            unit.lines().filter(|line| line.starts_with("After=") || line.starts_with("Requires=")).collect();
        assert!(!orders.is_empty(), "{service}");
        for late in ["time-sync", "time-set", "network-online", "remote-fs"] {
            assert!(!orders.iter().any(|order| order.contains(late)), "{service} waits for {late}");
        }
    }
}

#[test]
fn a_service_that_is_wrong_stays_down_and_any_other_comes_back() {
    for (service, _) in SERVICES {
        let unit = fs::read_to_string(at("systemd").join(service)).unwrap();
        for line in ["Restart=always", "RestartPreventExitStatus=2", "StartLimitIntervalSec=0", "Type=notify"]
        {
            assert!(unit.lines().any(|l| l == line), "{service} has no {line}");
        }
    }
}
