//! The options of the volume that matter to a small web server, each with its reason.
//!
//! PURE. The figures are those of GlusterFS 10.3 between two nodes; the options are described in
//! <https://docs.gluster.org/en/latest/Administrator-Guide/Tuning-Volume-Options/>.

use super::GlusterSettings;

/// An option of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeOption {
    /// What GlusterFS calls it.
    pub name: &'static str,
    /// What it should be.
    pub value: &'static str,
    /// Why.
    pub why: &'static str,
}

const fn option(name: &'static str, value: &'static str, why: &'static str) -> VolumeOption {
    VolumeOption { name, value, why }
}

const ALWAYS: &[VolumeOption] = &[
    option(
        "network.ping-timeout",
        "10",
        "a node that vanished hangs the mount for about this long, and not for the 42 s of the default",
    ),
    option(
        "client.tcp-user-timeout",
        "5",
        "the kernel gives up a connection on which nothing is confirmed: 5 s, whatever the retries",
    ),
    option(
        "server.tcp-user-timeout",
        "5",
        "the same for the bricks, which then free the locks of the lost one",
    ),
    option("features.cache-invalidation", "on", "a change on one node is pushed to the other at once"),
    option("features.cache-invalidation-timeout", "600", "for how long a brick remembers whom to tell"),
    option("performance.cache-invalidation", "on", "the mount listens to what is pushed"),
    option("performance.stat-prefetch", "on", "a look at a file that was listed asks nobody again"),
    option("performance.md-cache-timeout", "600", "with pushed changes, attributes may be held this long"),
    // Seen with GlusterFS 11.1: the other node lost its power, and a file written under a new name could be read, but not
    // renamed, until this was off. Nobody asks this mount for names that are missing: hearth answers from memory.
    option(
        "performance.nl-cache",
        "off",
        "a name that was missing when the other node vanished stays missing, and nothing can be published",
    ),
    option(
        "cluster.heal-timeout",
        "30",
        "what was not healed when a node came back is looked for twice a minute, and not every ten minutes",
    ),
];

const WITHOUT_ARBITER: VolumeOption = option(
    "cluster.favorite-child-policy",
    "mtime",
    "two copies cannot outvote each other: of a file that both nodes changed while apart, the newer is kept",
);

const WITH_ARBITER: VolumeOption = option(
    "cluster.quorum-type",
    "auto",
    "two of the three must be seen to write, so that no file can be changed on both sides",
);

/// The options that the volume should have.
#[must_use]
pub fn wanted(settings: &GlusterSettings) -> Vec<VolumeOption> {
    let last = if settings.arbiter.is_some() { WITH_ARBITER } else { WITHOUT_ARBITER };
    ALWAYS.iter().copied().chain([last]).collect()
}
