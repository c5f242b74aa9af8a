//! The kept copy: what is served when the mount is missing or hung at the start.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hearth::heartbeat::SourceState;
use hearth::site::generation::{Content, Digest, File, Files, Stamp};
use hearth::site::keep::{Copy, KeepError, Keeper, Origin};

use super::rig::{self, Moody, Plan};
use crate::support::wait_until;

/// Serves a site once, so that there is a kept copy of it, and gives its ETag.
fn keep_a_site(keep: &Path) -> String {
    let plan = Plan { keep: Some(keep.to_owned()), ..Plan::default() };
    let mut site = rig::start(plan, |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        std::fs::write(root.join("other.html"), "other").unwrap();
    });
    site.wait_for("the site", |s| s.generation.is_some());
    wait_until("the kept copy", rig::PATIENCE, || keep.join("copy/manifest").exists().then_some(()));
    let etag = site.get("/").header("etag").unwrap().to_owned();
    site.tell_to_stop();
    site.join();
    etag
}

#[test]
fn a_mount_that_hangs_at_the_start_costs_no_visitor_an_answer() {
    let kept = tempfile::tempdir().unwrap();
    let etag = keep_a_site(kept.path());
    let moody = Moody::new();
    moody.hang();
    let start = Instant::now();
    let plan = Plan { keep: Some(kept.path().into()), loader: moody.program.clone(), ..Plan::default() };
    let site = rig::start(plan, |_| ());
    wait_until("the first 200", rig::PATIENCE, || (site.get("/").status == 200).then_some(()));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let answer = site.get("/");
    assert_eq!((answer.text().as_str(), answer.header("etag")), ("home", Some(etag.as_str())));
    assert_eq!(site.get("/missing").status, 404);
    site.wait_for_source(SourceState::Hung);
    assert_eq!(site.get("/other").text(), "other");
}

#[test]
fn a_stop_waits_for_the_copy_that_is_being_written() {
    let kept = tempfile::tempdir().unwrap();
    let plan = Plan { keep: Some(kept.path().to_owned()), ..Plan::default() };
    let mut site = rig::start(plan, |root| {
        for number in 0..300 {
            std::fs::write(root.join(format!("{number}.html")), number.to_string()).unwrap();
        }
    });
    // The first object: the manifest that names all of them comes last.
    let objects = kept.path().join("copy/objects");
    wait_until("a copy that is begun", rig::PATIENCE, || objects.read_dir().ok()?.next().map(drop));
    site.tell_to_stop();
    site.join();
    assert!(kept.path().join("copy/manifest").exists());
}

#[test]
fn a_mount_that_is_missing_at_the_start_is_not_an_empty_site_and_comes_back() {
    let kept = tempfile::tempdir().unwrap();
    keep_a_site(kept.path());
    let plan = Plan { keep: Some(kept.path().into()), ..Plan::default() };
    let site = rig::start(plan, |_| ());
    site.wait_for_source(SourceState::Wrong);
    assert_eq!(site.get("/").text(), "home");
    site.write("index.html", "back");
    site.wait_for_text("/", "back");
    wait_until("other.html to be gone", rig::PATIENCE, || (site.get("/other").status == 404).then_some(()));
}

#[test]
fn a_site_that_does_not_change_is_not_written_again() {
    let kept = tempfile::tempdir().unwrap();
    let plan = Plan { keep: Some(kept.path().into()), ..Plan::default() };
    let site = rig::start(plan, |root| std::fs::write(root.join("index.html"), "home").unwrap());
    let manifest = kept.path().join("copy/manifest");
    let stat = || {
        let meta = std::fs::metadata(&manifest).ok()?;
        Some((std::os::unix::fs::MetadataExt::ino(&meta), meta.modified().unwrap()))
    };
    let written = wait_until("the kept copy", rig::PATIENCE, stat);
    // Touched and written again with the same content: the stamps change, and are looked at.
    site.write("index.html", "home");
    let until = Instant::now() + rig::POLL * 10;
    wait_until("some looks to pass", rig::PATIENCE, || {
        assert_eq!(stat(), Some(written));
        (Instant::now() > until).then_some(())
    });
    site.write("index.html", "new");
    wait_until("the new copy", rig::PATIENCE, || (stat() != Some(written)).then_some(()));
}

#[test]
fn a_damaged_copy_is_refused_reported_and_replaced() {
    let kept = tempfile::tempdir().unwrap();
    keep_a_site(kept.path());
    let object = kept.path().join("copy/objects").join(Digest::of(b"home").to_string());
    std::fs::write(&object, "evil").unwrap();
    let moody = Moody::new();
    moody.hang();
    let plan = Plan { keep: Some(kept.path().into()), loader: moody.program.clone(), ..Plan::default() };
    let site = rig::start(plan, |root| std::fs::write(root.join("index.html"), "from the mount").unwrap());
    let status = site.wait_for("the report", |s| s.why.contains("damaged"));
    assert_eq!((status.generation, site.get("/").status), (None, 503));
    assert!(kept.path().join("damaged/manifest").exists());
    moody.work();
    site.wait_for_text("/", "from the mount");
    site.wait_for("the trouble to be over", |s| s.why.is_empty() && s.source == SourceState::Ok);
    assert_ne!(std::fs::read(&object).ok().as_deref(), Some(&b"evil"[..]));
}

/// Two sites that differ in every file, of some size, so that a kill finds the writer at all places.
fn one_of_two(number: usize) -> Copy {
    let text = |n: usize| Bytes::from(format!("{number} {n} ").repeat(5000));
    let stamp = |size: usize| Stamp { inode: 1, size: size as u64, mtime: 1, ctime: 1 };
    let file = |n| Arc::new(File::held(stamp(text(n).len()), text(n)));
    let files: Files = (0..20).map(|n| (format!("{n}.html").into(), file(n))).collect();
    let origin = Origin { root: "/".into(), file_system: 1, sentinel: None };
    Copy { generation: Digest::of(&[u8::try_from(number).unwrap()]), deployed: 1, origin, files }
}

/// Not a test: the writer that the next test kills. Works only where that test has put a mark.
#[test]
#[ignore = "the process that another test kills"]
fn a_writer_to_be_killed() {
    if !Path::new("to-be-killed").exists() {
        return;
    }
    let mut keeper = Keeper::at("keep".into());
    keeper.restore().unwrap();
    for number in 0..100_000 {
        keeper.keep(&one_of_two(number % 2)).unwrap();
    }
}

#[test]
fn a_writer_that_is_killed_at_any_moment_leaves_one_of_the_two_copies_whole() {
    let directory = tempfile::tempdir().unwrap();
    let keep = directory.path().join("keep");
    std::fs::write(directory.path().join("to-be-killed"), "").unwrap();
    Keeper::at(keep.clone()).keep(&one_of_two(0)).unwrap();
    let mut seen = [0, 0];
    for round in 0..40 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["site::keep::a_writer_to_be_killed", "--exact", "--ignored"])
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Another moment each time; the writer writes all the while.
        std::thread::sleep(Duration::from_micros(20_000 + round * 1_370));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let restored = match Keeper::at(keep.clone()).restore() {
            Ok(restored) => restored.expect("there has been a copy since the start"),
            Err(error @ (KeepError::Damaged { .. } | KeepError::Disk { .. } | KeepError::Manifest(_))) => {
                panic!("round {round}: {error}")
            }
        };
        let number =
            (0..2).find(|n| one_of_two(*n).generation == restored.generation).expect("one of the two");
        for (name, file) in one_of_two(number).files {
            assert_eq!(file.digest, restored.files[&name].digest, "round {round}: {name}");
            assert!(matches!(restored.files[&name].content, Content::Held { .. }));
        }
        seen[number] += 1;
    }
    assert!(seen.iter().all(|n| *n > 0), "the writer wrote both: {seen:?}");
}
