//! What `[[mount]]` means.

use std::path::Path;
use std::time::Duration;

use toml::Spanned;

use super::file::mount::Mount;
use super::reading::Reading;
use crate::mount::MountSettings;
use crate::mount::info::plain;

/// What is mounted unless the file says otherwise.
const GLUSTERFS: &str = "fuse.glusterfs";

/// The mounts that are written.
pub(super) fn mounts(reading: &mut Reading<'_>, written: Vec<Spanned<Mount>>) -> Vec<MountSettings> {
    let mounts: Vec<_> = written.into_iter().map(|mount| self::mount(reading, mount.into_inner())).collect();
    let paths: Vec<_> =
        mounts.iter().map(|(span, mount)| (mount.path.display().to_string(), span.clone())).collect();
    reading.unique("the mount", paths.iter().map(|(path, span)| (path, span.clone())));
    mounts.into_iter().map(|(_, mount)| mount).collect()
}

fn mount(reading: &mut Reading<'_>, written: Mount) -> (std::ops::Range<usize>, MountSettings) {
    let span = written.path.span();
    let path = plain(written.path.get_ref());
    if !path.is_absolute() || path.parent().is_none() {
        let message = format!("`{}` cannot be looked after: it is no mount point of its own", path.display());
        reading.error(&span, message, "write the whole path, such as \"/mnt/gluster1\"");
    }
    let settings = MountSettings {
        path,
        kind: written.kind.unwrap_or_else(|| GLUSTERFS.to_owned()),
        access: written.access.unwrap_or_default(),
        every: written.every.map_or(Duration::from_secs(2), |at| at.value),
        remount: written.remount.unwrap_or_default(),
        release_after: written.release_after.map(|at| at.value),
    };
    (span, settings)
}

/// The type of file system that `root` must be on: that of the mount that it lies below.
pub(super) fn kind_below(mounts: &[MountSettings], root: &Path) -> Option<String> {
    let root = plain(root);
    let above = mounts.iter().filter(|mount| root.starts_with(&mount.path));
    above.max_by_key(|mount| mount.path.components().count()).map(|mount| mount.kind.clone())
}
