//! What can lie below a root: more than any site has, loops, what changes under the reader, and links that change sides.

#![expect(clippy::print_stdout, reason = "what is left out is said, and what was measured")]

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hearth::heartbeat::SourceState;

use super::rig::{self, Plan};
use crate::support::wait_until;

#[test]
fn a_hundred_thousand_files_are_served_within_the_budget_and_a_bound() {
    const FILES: usize = 100_000;
    let memory = 1 << 20;
    let site = rig::start(Plan { memory, ..Plan::default() }, |root| {
        for folder in 0..FILES / 1000 {
            let folder = root.join(format!("folder-{folder}"));
            std::fs::create_dir(&folder).unwrap();
            for file in 0..1000 {
                std::fs::write(folder.join(format!("{file}.txt")), format!("{file:020}")).unwrap();
            }
        }
    });
    let start = Instant::now();
    let status = wait_until("all files", Duration::from_secs(100), || {
        Some(site.status()).filter(|status| status.files == FILES as u64)
    });
    println!("{FILES} files were there after {:?}", start.elapsed());
    assert_eq!(status.bytes, 20 * FILES as u64);
    // Half of them are held; the others come from the root, and nobody can tell.
    for target in ["/folder-0/0.txt", "/folder-99/999.txt", "/folder-50/7.txt", "/folder-7/500.txt"] {
        let number: usize = target.split(['/', '.']).nth(2).unwrap().parse().unwrap();
        assert_eq!(site.get(target).text(), format!("{number:020}"), "{target}");
    }
    assert_eq!(site.get("/folder-100/0.txt").status, 404);
    // On a machine that is busy with something else a look at so many takes longer than a second, and says so.
    let source = site.status().source;
    assert!(matches!(source, SourceState::Ok | SourceState::Slow), "{source:?}");
}

#[test]
fn a_tree_deeper_than_any_site_ends() {
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        let mut folder = root.to_owned();
        for _ in 0..200 {
            folder.push("d");
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("f.txt"), "deep").unwrap();
        }
    });
    site.wait_for("the site", |status| status.generation.is_some());
    let at = |depth: usize| site.get(&format!("/{}f.txt", "d/".repeat(depth))).status;
    assert_eq!((site.get("/").text().as_str(), at(10), at(150)), ("home", 200, 404));
    assert_eq!(site.status().source, SourceState::Ok);
}

/// A bind mount of a directory below itself; None where this user may mount nothing.
struct Bound(std::path::PathBuf);

impl Bound {
    fn mount(from: &Path, to: &Path) -> Option<Self> {
        let mounted = Command::new("mount").arg("--bind").args([from, to]).output().unwrap();
        if !mounted.status.success() {
            let why = String::from_utf8_lossy(&mounted.stderr);
            println!("left out: this user may mount nothing ({})", why.trim());
            return None;
        }
        Some(Self(to.to_owned()))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_directory_that_is_mounted_below_itself_is_listed_once() {
    let mut bound = None;
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        std::fs::create_dir(root.join("loop")).unwrap();
        bound = Bound::mount(root, &root.join("loop"));
    });
    // Goes before the site's directory does.
    let Some(_bound) = bound else { return };
    site.wait_for("the site", |status| status.generation.is_some());
    assert_eq!((site.status().files, site.get("/").text().as_str()), (1, "home"));
    assert_eq!(site.get("/loop/index.html").status, 404);
}

#[test]
fn a_device_is_no_file() {
    let device = |root: &Path| {
        let made = Command::new("mknod").arg(root.join("zero.html")).args(["c", "1", "5"]).status().unwrap();
        made.success()
    };
    let mut made = false;
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        made = device(root);
    });
    if !made {
        println!("left out: this user may make no devices");
        return;
    }
    site.wait_for("the site", |status| status.generation.is_some());
    assert_eq!((site.get("/zero").status, site.status().files), (404, 1));
}

#[test]
fn names_in_any_bytes_are_served_or_passed_over_and_harm_nobody() {
    // Every byte but the two that no name can have, in names of three lengths.
    let names: Vec<Vec<u8>> = (1..=255_u8)
        .filter(|byte| *byte != b'/')
        .flat_map(|byte| [vec![byte], [b"x", &[byte][..]].concat(), [&[byte; 100][..], b".html"].concat()])
        .filter(|name| name != b".")
        .collect();
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        for name in &names {
            std::fs::write(root.join(std::ffi::OsStr::from_bytes(name)), "odd").unwrap();
        }
    });
    site.wait_for("the site", |status| status.generation.is_some());
    let mut served = 0;
    for name in &names {
        let escaped: String = name.iter().map(|byte| format!("%{byte:02x}")).collect();
        let answer = site.get(&format!("/{escaped}"));
        let is_odd = name.starts_with(b".")
            || std::str::from_utf8(name).is_err()
            || name.iter().any(|byte| *byte < b' ' || *byte == 0x7f || *byte == b'\\');
        let wanted = if is_odd { [400, 404] } else { [200, 200] };
        assert!(wanted.contains(&answer.status), "{escaped}: {}", answer.status);
        served += u64::from(answer.status == 200);
    }
    assert_eq!((site.status().files, served > 250), (served + 1, true));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_taken_when_it_is_whole() {
    const SIZE: usize = 300_000;
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        std::fs::write(root.join("a.txt"), "a".repeat(SIZE)).unwrap();
    });
    site.wait_for("the site", |status| status.files == 2);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // In place, piece by piece, without ever holding still for as long as two looks are apart.
        scope.spawn(|| {
            let path = site.root.join("a.txt");
            for letter in ["b", "c", "d"].into_iter().cycle() {
                let mut file = std::fs::File::create(&path).unwrap();
                for _ in 0..30 {
                    std::io::Write::write_all(&mut file, letter.repeat(SIZE / 30).as_bytes()).unwrap();
                    std::thread::sleep(rig::POLL / 20);
                }
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let until = Instant::now() + rig::POLL * 20;
        let mut looked = 0;
        while Instant::now() < until {
            let text = site.get("/a.txt").text();
            assert!(text.len() == SIZE && text.bytes().all(|byte| byte == b'a'), "{}", text.len());
            looked += 1;
        }
        assert!(looked > 20, "{looked}");
        // Others are not kept back for it.
        std::fs::write(site.root.join("index.html"), "new").unwrap();
        site.wait_for_text("/", "new");
        stop.store(true, Ordering::Relaxed);
    });
    wait_until("the last state to be served", rig::PATIENCE, || {
        let text = site.get("/a.txt").text();
        (text == std::fs::read_to_string(site.root.join("a.txt")).unwrap()).then_some(())
    });
}

/// Replaces a name by a link, atomically, and a file again.
fn swap(at: &Path, into: impl FnOnce(&Path)) {
    let next = at.with_file_name(".next");
    into(&next);
    std::fs::rename(&next, at).unwrap();
}

#[test]
fn a_name_that_is_a_file_when_it_is_listed_and_a_link_when_it_is_read_leads_nowhere() {
    // With so little memory, one of the two is read when it is asked for.
    let site = rig::start(Plan { memory: 1000, ..Plan::default() }, |root| {
        std::fs::write(root.parent().unwrap().join("secret.txt"), "secret").unwrap();
        std::fs::create_dir(root.parent().unwrap().join("outside")).unwrap();
        std::fs::write(root.parent().unwrap().join("outside/page.txt"), "secret").unwrap();
        std::fs::write(root.join("index.html"), "home").unwrap();
        std::fs::write(root.join("small.txt"), "public").unwrap();
        std::fs::write(root.join("large.txt"), "public".repeat(1000)).unwrap();
        std::fs::create_dir(root.join("folder")).unwrap();
        std::fs::write(root.join("folder/page.txt"), "public").unwrap();
    });
    site.wait_for("the site", |status| status.files == 4);
    let stop = AtomicBool::new(false);
    let (mut swaps, mut answers) = (0, 0);
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| {
            let mut swaps = 0;
            while !stop.load(Ordering::Relaxed) {
                for (name, text) in [("small.txt", "public".to_owned()), ("large.txt", "public".repeat(1000))]
                {
                    let at = site.root.join(name);
                    swap(&at, |next| symlink("../secret.txt", next).unwrap());
                    std::thread::sleep(Duration::from_millis(2));
                    swap(&at, |next| std::fs::write(next, &text).unwrap());
                }
                let (folder, aside) = (site.root.join("folder"), site.root.join(".aside"));
                std::fs::rename(&folder, &aside).unwrap();
                symlink("../outside", &folder).unwrap();
                std::thread::sleep(Duration::from_millis(2));
                std::fs::remove_file(&folder).unwrap();
                std::fs::rename(&aside, &folder).unwrap();
                std::thread::sleep(Duration::from_millis(2));
                swaps += 1;
            }
            swaps
        });
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            for target in ["/small.txt", "/large.txt", "/folder/page.txt"] {
                let text = site.get(target).text();
                assert!(!text.contains("secret"), "{target}: {text}");
                answers += 1;
            }
        }
        stop.store(true, Ordering::Relaxed);
        swaps = swapping.join().unwrap();
    });
    assert!(swaps > 50 && answers > 100, "{swaps} swaps, {answers} answers");
}
