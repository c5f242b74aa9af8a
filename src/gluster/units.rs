//! The units with which systemd mounts the volume, and the line of fstab(5) that does the same.
//!
//! PURE. They survive a boot in any order: the automount point is there at once, the first look mounts, and a mount
//! that failed is tried again at the next look, however often. Nothing requires them: an agent starts without.

use super::{GlusterSettings, Host, Place};

/// A unit: the name of its file, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The name of its file.
    pub name: String,
    /// The text.
    pub text: String,
}

/// The mount unit and the automount unit for the node `here`.
#[must_use]
pub fn units(settings: &GlusterSettings, here: &Host) -> [Unit; 2] {
    let stem = escaped(&settings.mount);
    [
        Unit { name: format!("{stem}.mount"), text: mount(settings, here) },
        Unit { name: format!("{stem}.automount"), text: automount(settings) },
    ]
}

/// The name of the unit that is enabled.
#[must_use]
pub fn automount_name(settings: &GlusterSettings) -> String {
    format!("{}.automount", escaped(&settings.mount))
}

/// The options of mount(8): the other server is asked for the volume when this one is not up yet.
#[must_use]
pub fn mount_options(settings: &GlusterSettings, here: &Host) -> String {
    format!("backup-volfile-servers={},log-level=WARNING", settings.other(here))
}

/// What is mounted: this node's own server is asked first.
#[must_use]
pub fn mount_source(settings: &GlusterSettings, here: &Host) -> String {
    format!("{here}:/{}", settings.volume)
}

/// The line of fstab(5) for a node `here` that is to do without the units.
#[must_use]
pub fn fstab(settings: &GlusterSettings, here: &Host) -> String {
    format!(
        "{} {} glusterfs _netdev,nofail,x-systemd.automount,x-systemd.mount-timeout=60s,{} 0 0",
        mount_source(settings, here),
        settings.mount,
        mount_options(settings, here)
    )
}

fn mount(settings: &GlusterSettings, here: &Host) -> String {
    format!(
        "[Unit]\n\
         Description=GlusterFS volume {volume}\n\
         Documentation=man:mount.glusterfs(8)\n\
         # Wanted and waited for, not required: the other node's server is as good.\n\
         Wants=glusterd.service network-online.target\n\
         After=glusterd.service network-online.target\n\
         # Tried again as often as it takes: a node that boots before its network must not stay without its mount.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Mount]\n\
         What={source}\n\
         Where={mount}\n\
         Type=glusterfs\n\
         Options=_netdev,{options}\n\
         # With the other node away, a mount takes 10 s.\n\
         TimeoutSec=60\n",
        volume = settings.volume,
        source = mount_source(settings, here),
        mount = settings.mount,
        options = mount_options(settings, here),
    )
}

fn automount(settings: &GlusterSettings) -> String {
    format!(
        "[Unit]\n\
         Description=GlusterFS volume {volume}, mounted when it is looked at\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Automount]\n\
         Where={mount}\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        volume = settings.volume,
        mount = settings.mount,
    )
}

/// The name of a mount unit follows from its path (systemd.unit(5), "String escaping for inclusion in unit names").
fn escaped(place: &Place) -> String {
    let mut name = String::new();
    for (i, byte) in place.as_str().trim_start_matches('/').bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if i == 0 => name.push_str("\\x2e"),
            b if b.is_ascii_alphanumeric() || b":_.".contains(&b) => name.push(char::from(b)),
            b => name.push_str(&format!("\\x{b:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_names_follow_from_paths() {
        let cases = [
            ("/mnt/gluster1", "mnt-gluster1"),
            ("/srv/my-site", "srv-my\\x2dsite"),
            ("/.hidden/a.b", "\\x2ehidden-a.b"),
        ];
        for (path, name) in cases {
            assert_eq!(escaped(&path.parse().unwrap()), name);
        }
    }
}
