//! A site whose every body says which page it is, of which version, and where it ends.

use super::house::Machine;
use super::volume::MOUNT;

/// Pages of the site.
pub(super) const PAGES: usize = 40;

pub(super) fn name(page: usize) -> String {
    if page == 0 { "index.html".to_owned() } else { format!("page-{page}.html") }
}

/// What is asked for a page.
pub(super) fn target(page: usize) -> String {
    if page == 0 { "/".to_owned() } else { format!("/page-{page}.html") }
}

/// The body of a page: its first line and its last are the same words, and its length follows from them.
pub(super) fn body(page: usize, version: u64) -> String {
    let line = format!("page {page} version {version}\n");
    line.repeat(lines(page, version))
}

fn lines(page: usize, version: u64) -> usize {
    200 + (page * 37 + usize::try_from(version).unwrap() * 11) % 400
}

/// The version of a body; None when it is empty, torn, or another page's.
pub(super) fn version(page: usize, found: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(found).ok()?;
    let first = text.lines().next()?;
    let version = first.strip_prefix(&format!("page {page} version "))?.parse().ok()?;
    (text == body(page, version)).then_some(version)
}

/// Publishes a version as a careful publisher does: every file under another name first, which nobody has used before:
/// the other node may still remember a name that was used.
pub(super) fn publish(machine: &Machine, version: u64) {
    let draft = machine.path("draft");
    std::fs::create_dir_all(&draft).unwrap();
    for page in 0..PAGES {
        std::fs::write(draft.join(name(page)), body(page, version)).unwrap();
    }
    machine.run(&format!(
        "mkdir -p {MOUNT}/www; cd {draft}; for f in *; do t={MOUNT}/www/.{node}-{version}-$f; cp $f $t; mv $t {MOUNT}/www/$f; done",
        draft = draft.display(),
        node = machine.name(),
    ));
}

#[test]
fn a_body_that_is_cut_empty_or_mixed_is_not_taken_for_a_page() {
    let good = body(3, 7);
    assert_eq!(version(3, good.as_bytes()), Some(7));
    let mixed = format!("{}{}", &good[..40], &body(3, 8)[40..]);
    for wrong in ["", &good[..good.len() - 1], &mixed, &body(4, 7)] {
        assert_eq!(version(3, wrong.as_bytes()), None);
    }
}
