//! Errors of a real file system, provoked one by one: what says nothing about a file never counts as its absence.

use hearth::heartbeat::SourceState;

use super::rig::{self, Plan, Site};
use crate::support::faulty::Faulty;

/// A site on a mount that works.
fn mounted() -> Option<(Faulty, Site)> {
    let mount = Faulty::mount()?;
    for (name, text) in [("index.html", "home"), ("a.html", "a"), ("404.html", "own 404")] {
        std::fs::write(mount.below.join(name), text).unwrap();
    }
    std::fs::create_dir(mount.below.join("dir")).unwrap();
    std::fs::write(mount.below.join("dir/b.html"), "b").unwrap();
    let site = serve(&mount);
    site.wait_for("the site", |status| status.files == 4);
    Some((mount, site))
}

fn serve(mount: &Faulty) -> Site {
    rig::start(Plan { root: Some(mount.mount.clone()), ..Plan::default() }, |_| {})
}

/// The site is served as it was.
#[track_caller]
fn is_whole(site: &Site) {
    for (target, text) in [("/", "home"), ("/a", "a"), ("/dir/b", "b"), ("/missing", "own 404")] {
        assert_eq!(site.get(target).text(), text, "{target}");
    }
}

/// Faults that say nothing about what is there, in each step of a look and of reading.
const UNREACHABLE: [&str; 9] = [
    "getattr / EIO *",
    "getattr /a.html EIO *",
    "getattr /dir ENOTCONN *",
    "getattr * ESTALE *",
    "readdir / EIO *",
    "readdir /dir ENOTCONN *",
    "statfs / EIO *",
    "getattr /dir/b.html EREMOTEIO *",
    "getattr /a.html ETIMEDOUT *",
];

#[test]
fn an_error_of_the_mount_is_unreachable_and_never_missing() {
    let Some((mount, site)) = mounted() else { return };
    for fault in UNREACHABLE {
        mount.fail(&[fault]);
        let status = site.wait_for_source(SourceState::Gone);
        assert!(status.why.contains("check the mount"), "{fault}: {status:?}");
        assert_eq!(status.files, 4, "{fault}");
        is_whole(&site);
        mount.fail(&[]);
        site.wait_for_source(SourceState::Ok);
        is_whole(&site);
    }
}

#[test]
fn a_file_that_cannot_be_read_keeps_the_site_as_it_was() {
    let Some((mount, site)) = mounted() else { return };
    for (number, fault) in
        ["open /a.html EIO *", "read /a.html EIO *", "read /a.html ENOTCONN *", "open /a.html ESTALE *"]
            .into_iter()
            .enumerate()
    {
        let before = site.get("/a").text();
        mount.fail(&[fault]);
        let after = format!("new {number}");
        std::fs::write(mount.below.join("a.html"), &after).unwrap();
        let status = site.wait_for_source(SourceState::Gone);
        assert!(status.why.contains("a.html"), "{fault}: {status:?}");
        assert_eq!((status.files, site.get("/a").text()), (4, before), "{fault}");
        mount.fail(&[]);
        site.wait_for_text("/a", &after);
    }
}

#[test]
fn a_stale_handle_is_asked_for_again_once_and_nobody_notices() {
    let Some((mount, site)) = mounted() else { return };
    let sources = site.follow_source();
    // The kernel asks a second time by itself (open(2) on a stale path); so do we, and then the file is there.
    for (number, fault) in
        ["open /a.html ESTALE 2", "read /a.html ESTALE 1", "getattr /dir ESTALE 2"].into_iter().enumerate()
    {
        mount.fail(&[fault]);
        let text = format!("replaced {number}");
        std::fs::write(mount.below.join("a.html"), &text).unwrap();
        site.wait_for_text("/a", &text);
        let (what, count) = fault.rsplit_once(' ').unwrap();
        let failed = mount.failed().iter().filter(|line| *line == what).count();
        assert_eq!(failed, count.parse::<usize>().unwrap(), "{fault}: {:?}", mount.failed());
        mount.fail(&[]);
    }
    let sources = sources.lock().unwrap();
    assert!(sources.len() >= 3 && sources.iter().all(|source| *source == SourceState::Ok), "{sources:?}");
}

#[test]
fn a_mount_that_fails_from_the_start_is_no_empty_site() {
    let Some(mount) = Faulty::mount() else { return };
    std::fs::write(mount.below.join("index.html"), "home").unwrap();
    mount.fail(&["readdir / EIO *"]);
    let site = serve(&mount);
    site.wait_for_source(SourceState::Gone);
    assert_eq!((site.get("/").status, site.get("/missing").status), (503, 503));
    mount.fail(&["open * EIO *"]);
    site.wait_for("the files to be found unreadable", |status| status.why.contains("index.html"));
    assert_eq!((site.get("/").status, site.status().generation), (503, None));
    mount.fail(&[]);
    site.wait_for_text("/", "home");
}

#[test]
fn a_mount_whose_process_crashed_leaves_the_site() {
    let Some((mut mount, site)) = mounted() else { return };
    mount.crash();
    let status = site.wait_for_source(SourceState::Gone);
    assert!(status.why.contains("check the mount"), "{status:?}");
    is_whole(&site);
}

#[test]
fn an_unmounted_root_is_not_an_empty_site() {
    let Some((mount, site)) = mounted() else { return };
    mount.unmount();
    let status = site.wait_for_source(SourceState::Wrong);
    assert!(status.why.contains("check the mount"), "{status:?}");
    // Not even when something else lies below it.
    std::fs::write(mount.mount.join("index.html"), "what lay below").unwrap();
    site.wait_for("the other file system to be noticed", |s| s.why.contains("another file system"));
    is_whole(&site);
}

#[test]
fn a_mount_that_hangs_in_the_middle_of_a_look_or_of_a_file_is_abandoned() {
    let Some((mount, site)) = mounted() else { return };
    for (number, fault) in
        ["readdir /dir HANG *", "open /a.html HANG *", "read /a.html HANG *", "statfs / HANG *"]
            .into_iter()
            .enumerate()
    {
        let before = site.get("/a").text();
        mount.fail(&[fault]);
        let after = format!("after {number}");
        std::fs::write(mount.below.join("a.html"), &after).unwrap();
        site.wait_for_source(SourceState::Hung);
        assert_eq!(site.get("/a").text(), before, "{fault}");
        mount.fail(&[]);
        site.wait_for_text("/a", &after);
    }
}
