//! From what is wanted and what is there to the commands that are missing.
//!
//! PURE. A plan only adds: what is there and is not as wanted is an obstacle for a person, never undone.

use std::fmt;

use super::answer::{Link, Peer, Started, Volume};
use super::options::wanted;
use super::units::{Unit, automount_name, mount_options, mount_source, units};
use super::{GlusterSettings, Host, Place};

/// What is there, as one machine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The other machines of its pool.
    pub peers: Vec<Peer>,
    /// The volume, if there is one of the name.
    pub volume: Option<Volume>,
    /// Whether the directory above the brick is there on this machine.
    pub brick_parent: Presence,
    /// Whether the volume is mounted here, or is as soon as somebody looks.
    pub mounted: Presence,
    /// Whether there is a directory to mount it on.
    pub mount_point: Presence,
    /// Who mounts here.
    pub mounter: Mounter,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// It is not.
    Missing,
}

/// Who mounts on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounter {
    /// systemd; whether it has the units as they should be.
    Systemd(Presence),
    /// Nobody does it by itself: mount(8) is run.
    Command,
}

/// Something to do, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub deed: Deed,
    /// Why.
    pub why: String,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Run a command, without a shell.
    Run(Vec<String>),
    /// Write units of systemd to [`UNITS`].
    Write(Box<[Unit; 2]>),
}

/// Where a person's units of systemd are (systemd.unit(5)).
pub const UNITS: &str = "/etc/systemd/system";

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(words) => f.write_str(&words.join(" ").replace('\\', "\\\\")),
            Self::Write(_) => write!(f, "hearth gluster units --out {UNITS}"),
        }
    }
}

/// What is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to do, in this order.
    pub steps: Vec<Step>,
    /// What must come about by itself before the first step can be done.
    pub waits_for: Vec<String>,
    /// What a person must see to before anything else is done.
    pub obstacles: Vec<String>,
}

impl Plan {
    /// Whether everything is as wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.waits_for.is_empty() && self.obstacles.is_empty()
    }

    fn run<'a>(&mut self, why: impl Into<String>, words: impl IntoIterator<Item = &'a str>) {
        let words = words.into_iter().map(str::to_owned).collect();
        self.steps.push(Step { deed: Deed::Run(words), why: why.into() });
    }

    /// A command of gluster's that asks nothing.
    fn gluster<'a>(&mut self, why: impl Into<String>, words: impl IntoIterator<Item = &'a str>) {
        self.run(why, ["gluster", "--mode=script"].into_iter().chain(words));
    }
}

/// What the machine `here` must do so that the volume is as wanted.
#[must_use]
pub fn plan(settings: &GlusterSettings, here: &Host, seen: &Seen) -> Plan {
    let mut plan = Plan::default();
    pool(&mut plan, settings, here, &seen.peers);
    match &seen.volume {
        None => create(&mut plan, settings, seen),
        Some(volume) => obstacles(&mut plan, settings, volume),
    }
    set_options(&mut plan, settings, seen.volume.as_ref());
    if seen.volume.as_ref().is_none_or(|volume| volume.started == Started::Stopped) {
        plan.gluster("the bricks run from now on", ["volume", "start", settings.volume.as_str()]);
    }
    if settings.mounts(here) {
        mount(&mut plan, settings, here, seen);
    }
    plan
}

fn pool(plan: &mut Plan, settings: &GlusterSettings, here: &Host, peers: &[Peer]) {
    for host in settings.machines().filter(|host| *host != here) {
        match find(peers, host).map(|peer| &peer.link) {
            Some(Link::Connected) => {}
            Some(Link::Away) => plan.waits_for.push(format!(
                "{host} belongs to the pool and does not answer: is it on, and does glusterd run there?"
            )),
            Some(Link::Unsettled(words)) => {
                plan.waits_for.push(format!("{host} is not of the pool yet: {words}"))
            }
            None => plan.gluster(format!("{host} joins the pool"), ["peer", "probe", host.as_str()]),
        }
    }
}

/// The peer of this name.
#[must_use]
pub fn find<'a>(peers: &'a [Peer], host: &Host) -> Option<&'a Peer> {
    peers.iter().find(|peer| peer.names.iter().any(|name| name == host.as_str()))
}

fn create(plan: &mut Plan, settings: &GlusterSettings, seen: &Seen) {
    if let Some(parent) = settings.brick.parent().filter(|_| seen.brick_parent == Presence::Missing) {
        plan.run("a place for the brick; on the other machines too", ["mkdir", "-p", parent.as_str()]);
    }
    let bricks = bricks(settings);
    let why = "each file on both; `force`, because gluster warns of two copies without an arbiter and of a brick on \
               the system's own disk, both of which are meant";
    let (why, shape): (_, &[&str]) = match settings.arbiter {
        None => (why, &["replica", "2"]),
        Some(_) => (
            "each file on both nodes, its name and attributes on the arbiter too; `force` allows a brick on the \
             system's own disk",
            &["replica", "3", "arbiter", "1"],
        ),
    };
    let words = ["volume", "create", settings.volume.as_str()].into_iter().chain(shape.iter().copied());
    plan.gluster(why, words.chain(bricks.iter().map(String::as_str)).chain(["force"]));
}

/// The bricks as they should be, as `host:/directory`.
#[must_use]
pub fn bricks(settings: &GlusterSettings) -> Vec<String> {
    settings.machines().map(|host| format!("{host}:{}", settings.brick)).collect()
}

/// What was made otherwise than it is wanted now.
fn obstacles(plan: &mut Plan, settings: &GlusterSettings, volume: &Volume) {
    let (wanted, found) = (bricks(settings), &volume.bricks);
    let sorted = |bricks: &[String]| {
        let mut bricks = bricks.to_vec();
        bricks.sort();
        bricks
    };
    if sorted(&wanted) != sorted(found) {
        plan.obstacles.push(format!(
            "the volume {} has the bricks {}, and {} are wanted: correct [gluster], or change the volume by hand",
            settings.volume,
            found.join(" "),
            wanted.join(" ")
        ));
    }
    let arbiters = u32::from(settings.arbiter.is_some());
    if volume.replicas != 2 + arbiters || volume.arbiters != arbiters {
        plan.obstacles.push(format!(
            "the volume {} is of {} bricks for each file, {} of them arbiters: it was not made for this configuration",
            settings.volume, volume.replicas, volume.arbiters
        ));
    }
}

fn set_options(plan: &mut Plan, settings: &GlusterSettings, volume: Option<&Volume>) {
    for option in wanted(settings) {
        let value = volume.and_then(|volume| volume.options.get(option.name));
        if value.map(String::as_str) != Some(option.value) {
            let words = ["volume", "set", settings.volume.as_str(), option.name, option.value];
            plan.gluster(option.why, words);
        }
    }
}

fn mount(plan: &mut Plan, settings: &GlusterSettings, here: &Host, seen: &Seen) {
    let place: &Place = &settings.mount;
    match (seen.mounter, seen.mounted) {
        (Mounter::Systemd(Presence::There), Presence::There) | (Mounter::Command, Presence::There) => {}
        (Mounter::Systemd(units_there), _) => {
            if units_there == Presence::Missing {
                plan.steps.push(Step {
                    deed: Deed::Write(Box::new(units(settings, here))),
                    why: "mounted at the first look, tried again at the next; nothing requires it".to_owned(),
                });
                plan.run("systemd reads them", ["systemctl", "daemon-reload"]);
            }
            let name = automount_name(settings);
            if seen.mounted == Presence::There {
                plan.run("at every boot; it is mounted already", ["systemctl", "enable", name.as_str()]);
            } else {
                plan.run("now, and at every boot", ["systemctl", "enable", "--now", name.as_str()]);
            }
        }
        (Mounter::Command, Presence::Missing) => {
            if seen.mount_point == Presence::Missing {
                plan.run("where it is mounted", ["mkdir", "-p", place.as_str()]);
            }
            let (source, options) = (mount_source(settings, here), mount_options(settings, here));
            let why = "this node's server first, the other's when it is not up";
            plan.run(why, ["mount", "-t", "glusterfs", "-o", &options, &source, place.as_str()]);
        }
    }
}

#[cfg(test)]
mod tests;
