//! What is really the case, and since when: the engine does not know it, and is judged by it.

use std::time::Duration;

use hearth::moment::Moment;

use super::world::Node;

/// Since when something has been so. None: it is not.
pub(crate) type Since = Option<Moment>;

/// What is really the case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    /// Since when each node has served, has beaten in time, and has been reached without losses worth a word.
    pub(crate) well: Vec<Since>,
    /// Since when no visitor has got the site from each node.
    pub(crate) dead: Vec<Since>,
    /// Since when each node has neither served nor been heard: a late beat speaks for one that is gone.
    pub(crate) gone: Vec<Since>,
    /// Since when visitors have got the site from each node, whatever this watcher sees.
    pub(crate) serves: Vec<Since>,
    /// Since when this watcher alone has not got through to each node.
    pub(crate) unseen: Vec<Since>,
    /// Since when an honest witness has been heard.
    pub(crate) witnessed: Since,
    /// A node has said that it leaves, which is believed until then.
    pub(crate) announced_until: Moment,
    /// Since when the watcher has run, seen everything, and been able to write.
    pub(crate) clear: Since,
    /// Since when the watcher has reached nothing.
    pub(crate) cut: Since,
    /// Since when the fallback has not worked.
    pub(crate) fallback_bad: Since,
    /// Since when it has.
    pub(crate) fallback_good: Since,
    /// A person or somebody else has had a hand in it: the engine is not alone until then.
    pub(crate) meddled_until: Moment,
    /// When the watcher started, or started to see again.
    pub(crate) sees_since: Moment,
}

/// How the watcher stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// It runs, and all its references answer.
    pub(crate) sees: bool,
    /// It can write, and hears how it went.
    pub(crate) writes: bool,
    /// It reaches nothing.
    pub(crate) cut: bool,
    /// The fallback does not work.
    pub(crate) fallback_bad: bool,
    /// An honest witness is heard.
    pub(crate) witnessed: bool,
}

impl Truth {
    /// Takes note of how things stand now.
    pub(crate) fn note(&mut self, now: Moment, nodes: &[Node], standing: Standing) {
        self.well.resize(nodes.len(), None);
        self.dead.resize(nodes.len(), None);
        self.gone.resize(nodes.len(), None);
        self.serves.resize(nodes.len(), None);
        self.unseen.resize(nodes.len(), None);
        for (i, node) in nodes.iter().enumerate() {
            keep(&mut self.well[i], now, node.is_well());
            keep(&mut self.dead[i], now, !node.serves());
            keep(&mut self.gone[i], now.max(node.heard_until), node.down > 0);
            keep(&mut self.serves[i], now, node.serves() && node.lossy.is_empty() && node.lie.is_none());
            keep(&mut self.unseen[i], now, node.path_cut > 0);
        }
        keep(&mut self.clear, now, standing.sees && standing.writes);
        keep(&mut self.cut, now, standing.cut);
        keep(&mut self.witnessed, now, standing.witnessed);
        keep(&mut self.fallback_bad, now, standing.fallback_bad);
        keep(&mut self.fallback_good, now, !standing.fallback_bad);
    }

    /// A node has another address: what was known of it does not hold there.
    pub(crate) fn moved(&mut self, i: usize) {
        self.well[i] = None;
        self.dead[i] = None;
        self.serves[i] = None;
    }

    /// The watcher has been clear for at least `span`, and nobody else has had a hand in it.
    pub(crate) fn is_clear_for(&self, now: Moment, span: Duration) -> bool {
        held(self.clear, now, span) && self.meddled_until + span <= now && self.sees_since + span <= now
    }

    /// A node has said that it leaves.
    pub(crate) fn announced(&mut self, until: Moment) {
        self.announced_until = self.announced_until.max(until);
    }

    /// Somebody else than the engine has decided something.
    pub(crate) fn meddled(&mut self, until: Moment) {
        self.meddled_until = self.meddled_until.max(until);
    }
}

fn keep(since: &mut Since, now: Moment, is_so: bool) {
    if is_so {
        since.get_or_insert(now);
    } else {
        *since = None;
    }
}

/// Whether something has been so for at least `span`.
pub(crate) fn held(since: Since, now: Moment, span: Duration) -> bool {
    since.is_some_and(|since| now - since >= span)
}
