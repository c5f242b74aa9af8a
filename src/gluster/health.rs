//! Whether the volume is healthy, healing, in part away, in split brain or down; in words, with what to do.
//!
//! PURE. Never says "healthy" of what it could not look at.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::answer::{Healing, Link, Peer, Process, Started, Volume};
use super::options::wanted;
use super::plan::{Presence, bricks, find};
use super::{GlusterSettings, Host};

/// How the volume stands. The worst finding decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Both copies are whole and served.
    Healthy,
    /// Both are served, and one is catching up.
    Healing,
    /// Served, with a part missing: the next failure may cost more.
    Degraded,
    /// Of some file there are two contents, and it is read by nobody until a person says which is right.
    Split,
    /// It is not served.
    Down,
}

impl Verdict {
    /// In a few words.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Healthy => "healthy: both copies are whole and served",
            Self::Healing => "healing: one copy is catching up; it needs no help",
            Self::Degraded => "degraded: it is served, with a part missing",
            Self::Split => "split brain: the nodes hold different contents of the same file",
            Self::Down => "down: the volume is not served",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// What, of which thing.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// How the volume stands, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The worst of the findings.
    pub verdict: Verdict,
    /// The worst first.
    pub findings: Vec<Finding>,
}

/// The answer to one question, or why there is none, in words.
pub type Asked<T> = Result<T, String>;

/// What one machine sees of the volume.
#[derive(Clone, Debug)]
pub struct Look {
    /// The other machines of the pool.
    pub peers: Asked<Vec<Peer>>,
    /// The volume, if there is one.
    pub volume: Asked<Option<Volume>>,
    /// What waits to be healed. None: not asked, there is no volume that runs.
    pub heal: Option<Asked<Vec<Healing>>>,
    /// What is in split brain. None: as `heal`.
    pub split: Option<Asked<Vec<Healing>>>,
    /// The bricks' processes. None: not asked, because a machine is away and the question would hang.
    pub processes: Option<Asked<BTreeMap<String, Process>>>,
    /// Whether the volume is mounted here.
    pub mounted: Presence,
}

/// Judges what `here` sees.
#[must_use]
pub fn judge(settings: &GlusterSettings, here: &Host, look: &Look) -> Health {
    let mut findings = Findings(Vec::new());
    findings.pool(settings, here, &look.peers);
    findings.volume(settings, &look.volume);
    findings.processes(settings, look);
    findings.contents(settings, look);
    findings.mount(settings, here, look.mounted);
    let mut findings = findings.0;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    Health { verdict: findings.first().map_or(Verdict::Healthy, |worst| worst.verdict), findings }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, verdict: Verdict, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { verdict, what: what.into(), remedy: remedy.into() });
    }

    fn unanswered(&mut self, what: &str, why: &str) {
        self.add(
            Verdict::Degraded,
            format!("{what}: {why}"),
            "look at `systemctl status glusterd` on this machine",
        );
    }

    fn pool(&mut self, settings: &GlusterSettings, here: &Host, peers: &Asked<Vec<Peer>>) {
        let peers = match peers {
            Ok(peers) => peers,
            Err(why) => return self.unanswered("the pool is not known", why),
        };
        for host in settings.machines().filter(|host| *host != here) {
            match find(peers, host).map(|peer| &peer.link) {
                Some(Link::Connected) => {}
                Some(Link::Away) => self.add(
                    Verdict::Degraded,
                    format!("{host} is not connected to {here}"),
                    format!("is {host} on, does `ping {host}` answer, and does glusterd run there?"),
                ),
                Some(Link::Unsettled(words)) => self.add(
                    Verdict::Degraded,
                    format!("{host} is not of the pool: {words}"),
                    format!(
                        "`gluster peer detach {host}` and `hearth gluster apply`, or wait if this is new"
                    ),
                ),
                None => self.add(
                    Verdict::Degraded,
                    format!("{host} is not of the pool"),
                    "`hearth gluster apply`",
                ),
            }
        }
    }

    fn volume(&mut self, settings: &GlusterSettings, volume: &Asked<Option<Volume>>) {
        let name = &settings.volume;
        match volume {
            Err(why) => self.unanswered("the volume is not known", why),
            Ok(None) => self.add(
                Verdict::Down,
                format!("there is no volume {name}"),
                "`hearth gluster plan` shows how to make it",
            ),
            Ok(Some(volume)) if volume.started == Started::Stopped => self.add(
                Verdict::Down,
                format!("the volume {name} is not started"),
                format!("`gluster volume start {name}`"),
            ),
            Ok(Some(volume)) => self.options(settings, volume),
        }
    }

    /// An option that differs is advice: the volume works without it, and worse.
    fn options(&mut self, settings: &GlusterSettings, volume: &Volume) {
        let differ = |option: &super::options::VolumeOption| {
            volume.options.get(option.name).map(String::as_str) != Some(option.value)
        };
        let differing: Vec<&str> =
            wanted(settings).into_iter().filter(differ).map(|option| option.name).collect();
        if !differing.is_empty() {
            let what = format!("not set as advised: {}", differing.join(", "));
            self.add(
                Verdict::Healthy,
                what,
                "`hearth gluster plan` says why, `hearth gluster apply` sets them",
            );
        }
    }

    fn processes(&mut self, settings: &GlusterSettings, look: &Look) {
        let away: BTreeSet<String> = match (&look.processes, &look.heal) {
            (Some(Ok(processes)), _) => bricks(settings)
                .into_iter()
                .filter(|brick| processes.get(brick) != Some(&Process::Runs))
                .collect(),
            (Some(Err(why)), _) => return self.unanswered("it is not known which bricks run", why),
            (None, Some(Ok(healing))) => {
                healing.iter().filter(|b| b.unreachable.is_some()).map(|b| b.brick.clone()).collect()
            }
            (None, _) => return,
        };
        let of_nodes = settings.nodes.iter().map(|host| format!("{host}:{}", settings.brick));
        let verdict = if of_nodes.into_iter().all(|brick| away.contains(&brick)) {
            Verdict::Down
        } else {
            Verdict::Degraded
        };
        for brick in away {
            let volume = &settings.volume;
            self.add(
                verdict,
                format!("the brick {brick} is not reached"),
                format!(
                    "when its machine is on and connected: `gluster volume start {volume} force` starts what does not \
                     run; why it ended is in /var/log/glusterfs/bricks/ there"
                ),
            );
        }
    }

    fn contents(&mut self, settings: &GlusterSettings, look: &Look) {
        let split = match &look.split {
            None => BTreeSet::new(),
            Some(Ok(bricks)) => entries(bricks),
            Some(Err(why)) => {
                self.unanswered("it is not known whether there is a split brain", why);
                BTreeSet::new()
            }
        };
        for path in &split {
            let what = format!("{path} was changed on both nodes while they were apart; reading it fails");
            self.add(Verdict::Split, what, choose(settings, path));
        }
        match &look.heal {
            None => {}
            Some(Err(why)) => self.unanswered("it is not known whether it heals", why),
            Some(Ok(bricks)) => self.healing(settings, bricks, &split),
        }
    }

    fn healing(&mut self, settings: &GlusterSettings, bricks: &[Healing], split: &BTreeSet<&str>) {
        let waiting = entries(bricks).difference(split).count();
        if waiting == 0 {
            return;
        }
        if bricks.iter().any(|brick| brick.unreachable.is_some()) {
            let what =
                format!("{waiting} files or directories changed meanwhile and wait for the missing brick");
            self.add(Verdict::Degraded, what, "nothing: they are healed when it is back");
        } else {
            let what = format!("{waiting} files or directories are being healed");
            let remedy = format!(
                "nothing; if the number does not fall within some minutes, `gluster volume heal {}`",
                settings.volume
            );
            self.add(Verdict::Healing, what, remedy);
        }
    }

    fn mount(&mut self, settings: &GlusterSettings, here: &Host, mounted: Presence) {
        if mounted == Presence::Missing && settings.mounts(here) {
            let what = format!("the volume is not mounted at {}", settings.mount);
            self.add(
                Verdict::Degraded,
                what,
                "`hearth gluster apply`; why it failed is in /var/log/glusterfs/",
            );
        }
    }
}

/// How a person says which content is right. Not by `latest-mtime`: GlusterFS makes the times of both equal before
/// anybody can ask for the later one, and then refuses ("No difference in mtime").
fn choose(settings: &GlusterSettings, path: &str) -> String {
    let (volume, brick, [first, second]) = (&settings.volume, &settings.brick, &settings.nodes);
    let path = quoted(path);
    let keep =
        |node| format!("`gluster volume heal {volume} split-brain source-brick {node}:{brick} {path}`");
    format!(
        "compare both contents below {brick} on {first} and {second}; to keep {first}'s: {}; to keep {second}'s: {}",
        keep(first),
        keep(second)
    )
}

/// A path as one word for a shell.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/-_.".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// What any brick names, once.
fn entries(bricks: &[Healing]) -> BTreeSet<&str> {
    bricks.iter().flat_map(|brick| brick.entries.iter().map(String::as_str)).collect()
}

#[cfg(test)]
mod tests;
