//! A virtual machine with a real kernel, simulated GPIO chips and LEDs, in which the tests of [`super::guest`] run.
//!
//! It is emulated, and its clock counts its instructions (`-icount`): a busy host makes it slow and not unpunctual, and
//! what it would wait for is skipped. `/dev/kvm` is left alone: it has no such clock, and a guest in a guest often dies.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::name_server::left_out;
use crate::support::wait_until;

/// The whole stay in the machine, boot included: about one minute where nothing else runs, three on a busy host.
const PATIENCE: Duration = Duration::from_secs(400);

/// What must run in the machine; each line of its report is looked for.
const TESTS: [&str; 7] = [
    "a_button_acknowledges_identifies_opens_the_set_up_window_and_switches_off",
    "a_clean_stop_blinks_once_more_and_is_dark",
    "a_line_that_somebody_else_holds_is_named_with_its_holder",
    "a_lamp_process_that_hangs_is_started_again",
    "an_agent_that_hangs_is_dark_within_ten_seconds_and_one_that_is_killed_at_once",
    "every_state_has_its_rhythm_on_real_lines",
    "leds_of_the_kernel_play_by_leases_that_end_and_get_their_trigger_back",
];

/// Says what the machine does first. Everything is in memory.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
# Nothing is mounted there: a checkout may lie below it, and its program with it.
mkdir -p /tmp
ifconfig lo up
for module in configfs dev-sync-probe gpio-sim ledtrig-pattern; do
    [ ! -e /modules/$module.ko ] || insmod /modules/$module.ko
done
mount -t configfs configfs /sys/kernel/config
date -s '2026-07-01 12:00:00' >/dev/null
echo "the machine is up after $(cut -d ' ' -f 1 /proc/uptime) s"
export RUST_BACKTRACE=0
# Alone, because it looks at every state at the same time.
/it leds::guest::every_state --ignored
echo "every state was looked at after $(cut -d ' ' -f 1 /proc/uptime) s"
/it leds::guest:: --ignored --skip leds::guest::every_state --test-threads=6
echo "the machine is done after $(cut -d ' ' -f 1 /proc/uptime) s"
poweroff -f
"#;

#[test]
fn lamps_and_a_button_on_a_real_kernel_do_what_they_should() {
    if left_out("kernel in a virtual machine") {
        return;
    }
    if !cfg!(target_arch = "x86_64") {
        return println!("left out: the virtual machine runs what was built for x86-64");
    }
    let began = Instant::now();
    let directory = tempfile::tempdir().unwrap();
    let initramfs = directory.path().join("initramfs");
    fs::write(&initramfs, archive(&content(directory.path()))).unwrap();
    let report = boot(&kernel().join("vmlinuz"), &initramfs);
    println!("{report}\nthe whole took {:?}", began.elapsed());
    for test in TESTS {
        assert!(report.contains(&format!("test leds::guest::{test} ... ok")), "{test} is not ok:\n{report}");
    }
}

/// What tests/run has fetched of a Debian kernel.
pub(super) fn kernel() -> PathBuf {
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/vm-kernel");
    assert!(kernel.join("complete").exists(), "the kernel of the LED tests is missing: tests/run fetches it");
    kernel
}

/// Runs the machine to its end; what it printed.
fn boot(kernel: &Path, initramfs: &Path) -> String {
    let mut machine = Command::new("qemu-system-x86_64")
        .args(["-accel", "tcg", "-cpu", "Nehalem", "-icount", "shift=0,sleep=off", "-rtc", "clock=vm"])
        .args(["-M", "q35", "-m", "768", "-nodefaults"])
        .args(["-display", "none", "-serial", "stdio", "-no-reboot"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("qemu-system-x86_64 is not installed: tests/run installs it");
    let mut out = machine.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        out.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).replace('\r', ""))
    });
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("the machine switches itself off", PATIENCE, || machine.try_wait().unwrap())
    }));
    if ended.is_err() {
        machine.kill().unwrap();
    }
    let report = reader.join().unwrap().unwrap();
    assert!(ended.is_ok(), "the machine did not end:\n{report}");
    report
}

/// A file of the machine: its path, its mode, its bytes.
type File = (PathBuf, u32, Vec<u8>);

/// Everything in the machine: busybox, the modules, this test program and hearth, with the libraries of all.
fn content(scratch: &Path) -> Vec<File> {
    let busybox = on_path("busybox");
    let (tests, hearth) = (std::env::current_exe().unwrap(), PathBuf::from(env!("CARGO_BIN_EXE_hearth")));
    let mut files = vec![
        (PathBuf::from("/init"), 0o755, INIT.as_bytes().to_vec()),
        (PathBuf::from("/bin/busybox"), 0o755, fs::read(&busybox).unwrap()),
        (PathBuf::from("/it"), 0o755, stripped(&tests, scratch)),
        // Where the tests look for it.
        (hearth.clone(), 0o755, stripped(&hearth, scratch)),
    ];
    for module in fs::read_dir(kernel()).unwrap().map(|entry| entry.unwrap().path()) {
        if module.extension().is_some_and(|extension| extension == "ko") {
            let place = Path::new("/modules").join(module.file_name().unwrap());
            files.push((place, 0o644, fs::read(&module).unwrap()));
        }
    }
    let mut libraries: Vec<_> =
        [busybox, tests, hearth].iter().flat_map(|program| libraries(program)).collect();
    libraries.sort();
    libraries.dedup();
    files.extend(libraries.into_iter().map(|path| (path.clone(), 0o755, fs::read(path).unwrap())));
    files
}

fn on_path(program: &str) -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap();
    let found =
        std::env::split_paths(&paths).map(|directory| directory.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{program} is not installed: tests/run installs it"))
}

fn stripped(program: &Path, scratch: &Path) -> Vec<u8> {
    let small = scratch.join("stripped");
    let done = Command::new("strip").arg("-o").arg(&small).arg(program).status().unwrap();
    assert!(done.success(), "{}", program.display());
    fs::read(small).unwrap()
}

/// The shared libraries of a program, its loader included; none for one that is linked statically.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':'));
    words.map(PathBuf::from).collect()
}

/// An archive as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format.rst, "newc").
fn archive(files: &[File]) -> Vec<u8> {
    let mut archive = Vec::new();
    let fixed = ["proc", "sys", "dev", "tmp", "bin"].map(PathBuf::from);
    let mut directories: Vec<PathBuf> =
        files.iter().flat_map(|(path, ..)| parents(path)).chain(fixed).collect();
    directories.sort();
    directories.dedup();
    for directory in &directories {
        entry(&mut archive, directory, 0o040_755, &[]);
    }
    for (path, mode, bytes) in files {
        entry(&mut archive, path.strip_prefix("/").unwrap(), 0o100_000 | mode, bytes);
    }
    entry(&mut archive, Path::new("TRAILER!!!"), 0, &[]);
    archive
}

fn parents(path: &Path) -> Vec<PathBuf> {
    let relative = path.strip_prefix("/").unwrap();
    relative.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).map(Path::to_owned).collect()
}

fn entry(archive: &mut Vec<u8>, path: &Path, mode: u32, bytes: &[u8]) {
    let name = path.to_str().unwrap();
    let mut head = String::from("070701");
    let size = u32::try_from(bytes.len()).unwrap();
    let length = u32::try_from(name.len() + 1).unwrap();
    for field in [0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0] {
        write!(head, "{field:08x}").unwrap();
    }
    archive.extend(head.bytes().chain(name.bytes()).chain([0]));
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(bytes);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[test]
fn what_the_machine_runs_is_a_list_that_exists() {
    let text = include_str!("guest.rs");
    for test in TESTS {
        assert!(text.contains(&format!("fn {test}()")), "{test}");
    }
    assert_eq!(text.matches("#[ignore = ").count(), TESTS.len());
    assert!(
        fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/leds/kernel"))
            .unwrap()
            .permissions()
            .mode()
            & 0o111
            != 0
    );
}
