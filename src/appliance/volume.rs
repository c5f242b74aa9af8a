//! What an image does for the volume of `[gluster]`: GlusterFS runs, the first machine makes the volume, both mount it.
//!
//! PURE. Never starts anything: it says which units and directories there are to be.

use std::path::Path;

use crate::gluster::units::{Unit, automount_name, units};
use crate::gluster::{GlusterSettings, Host};

/// Where the image keeps what is written: a brick elsewhere would lie in memory and be gone at the next start.
const LASTING: [&str; 2] = ["/srv/", "/persist/"];

/// This machine's part of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    settings: GlusterSettings,
    here: Host,
}

impl Volume {
    /// The part of the machine called `hostname`; the error is for its owner and names the remedy.
    ///
    /// # Errors
    /// When the machine is not one of the volume's, or its copy would not outlive the next start.
    pub fn of(settings: &GlusterSettings, hostname: &str) -> Result<Self, String> {
        let named: Vec<&str> = settings.machines().map(Host::as_str).collect();
        let Some(here) = settings.machine(hostname) else {
            return Err(format!(
                "[gluster] is of {} and this Pi is called {hostname}: GlusterFS is not started. Name it in `nodes`.",
                named.join(" and ")
            ));
        };
        if !LASTING.iter().any(|place| settings.brick.as_str().starts_with(place)) {
            return Err(format!(
                "The brick {} would lie in memory and be gone at the next start: GlusterFS is not started. Write \
                 brick = \"/srv/brick1/{}\".",
                settings.brick, settings.volume
            ));
        }
        Ok(Self { settings: settings.clone(), here: here.clone() })
    }

    /// The units that mount it; none on a machine that only breaks ties.
    #[must_use]
    pub fn units(&self) -> Vec<Unit> {
        if self.settings.mounts(&self.here) { units(&self.settings, &self.here).into() } else { Vec::new() }
    }

    /// The unit to start, so that the first look at the mount mounts it; empty on a machine that only breaks ties.
    #[must_use]
    pub fn automount(&self) -> String {
        if self.settings.mounts(&self.here) { automount_name(&self.settings) } else { String::new() }
    }

    /// Whether this machine makes the volume. One does: two that invite each other at once get into each other's way.
    #[must_use]
    pub fn is_made_here(&self) -> bool {
        self.settings.nodes[0] == self.here
    }

    /// The directory above the brick, from the root of the system without its slash. GlusterFS makes the last one only.
    #[must_use]
    pub fn brick_parent(&self) -> &Path {
        let brick = Path::new(self.settings.brick.as_str().trim_start_matches('/'));
        brick.parent().unwrap_or(Path::new(""))
    }

    /// Where it is mounted.
    #[must_use]
    pub fn mount(&self) -> &str {
        self.settings.mount.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(brick: &str) -> GlusterSettings {
        GlusterSettings {
            volume: "gv0".parse().unwrap(),
            brick: brick.parse().unwrap(),
            mount: "/mnt/gluster1".parse().unwrap(),
            nodes: ["pi1.local".parse().unwrap(), "pi2.local".parse().unwrap()],
            arbiter: Some("pi3".parse().unwrap()),
        }
    }

    #[test]
    fn every_machine_has_its_part() {
        let parts = ["pi1", "pi2", "pi3"].map(|name| {
            let part = Volume::of(&settings("/srv/brick1/gv0"), name).unwrap();
            (part.is_made_here(), part.units().len(), part.automount())
        });
        let automount = || "mnt-gluster1.automount".to_owned();
        assert_eq!(parts, [(true, 2, automount()), (false, 2, automount()), (false, 0, String::new())]);
    }

    #[test]
    fn a_stranger_and_a_brick_in_memory_are_told_what_to_do() {
        let stranger = Volume::of(&settings("/srv/brick1/gv0"), "attic").unwrap_err();
        assert!(stranger.contains("this Pi is called attic") && stranger.contains("pi1.local"), "{stranger}");
        let lost = Volume::of(&settings("/mnt/brick1/gv0"), "pi1").unwrap_err();
        assert!(lost.contains("brick = \"/srv/brick1/gv0\""), "{lost}");
    }
}
