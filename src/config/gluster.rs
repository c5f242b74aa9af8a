//! What `[gluster]` means.

use super::file::gluster::Gluster;
use super::reading::Reading;
use crate::gluster::{GlusterSettings, Host, Place, VolumeName};

/// The volume; None when what is wrong was reported.
pub(super) fn gluster(reading: &mut Reading<'_>, written: Gluster) -> Option<GlusterSettings> {
    let machines = written.nodes.get_ref().iter().chain(&written.arbiter);
    reading.unique("the machine", machines.map(|at| (&at.value, at.span.clone())));
    let span = written.nodes.span();
    let hosts: Vec<Host> = written.nodes.into_inner().into_iter().map(|at| at.value).collect();
    let nodes = <[Host; 2]>::try_from(hosts);
    if nodes.is_err() {
        let hint = "write nodes = [\"pi1\", \"pi2\"]; a third machine is the `arbiter`";
        reading.error(&span, "a volume has two nodes", hint);
    }
    let mount = written.mount.as_ref().map_or_else(default_mount, |at| at.value.clone());
    if written.brick.value.is_within(&mount) || mount.is_within(&written.brick.value) {
        let hint = "what is written to a brick past the mount is not replicated; choose a place such as /srv/brick1/gv0";
        reading.error(&written.brick.span, "the brick and the mount lie within each other", hint);
    }
    Some(GlusterSettings {
        volume: written.volume.map_or_else(default_volume, |at| at.value),
        brick: written.brick.value,
        mount,
        nodes: nodes.ok()?,
        arbiter: written.arbiter.map(|at| at.value),
    })
}

/// `gv0`
#[must_use]
pub fn default_volume() -> VolumeName {
    "gv0".parse().expect("it is one")
}

/// `/mnt/gluster1`
#[must_use]
pub fn default_mount() -> Place {
    "/mnt/gluster1".parse().expect("it is one")
}
