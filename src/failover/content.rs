//! Which node serves what, and which of it is current: so that a return does not bring old pages back.
//!
//! The rule, and its reason: a node that was away comes back with what it had (its kept copy, a brick that has not
//! healed), and visitors who are led there see the site jump back in time. So while another node serves what was
//! published last, a node with something else stays out. What was published last is not written anywhere; it is taken
//! from what nodes were seen to do: content that a node **came to** within one run of its agent is a publish that has
//! reached it, content that it **woke up with** is not, and content that was superseded before counts again only when a
//! node that visitors are led to comes to it (a publish that was taken back).
//!
//! The rule only ever keeps a node from returning. It takes nobody out, it keeps nobody out when no current node is
//! there to serve instead, and it ends by itself after [`STALE_HOLD`]: old pages are better than none, and a
//! disagreement that nobody resolves must not cost the redundancy for good. Never compares times of nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::heartbeat::{BootId, NodeName};

/// After this time a node that could return but for its content may return all the same.
pub const STALE_HOLD: Duration = Duration::from_secs(60 * 60);

/// How many different contents are remembered, the newest.
const REMEMBERED: usize = 32;

/// Whether visitors are led to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// They are.
    Member,
    /// They are not.
    Outside,
}

/// How a node's content compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freshness {
    /// It has not said what it serves, or nobody has.
    #[default]
    Unknown,
    /// It serves what was published last.
    Current,
    /// It serves something else.
    Stale,
}

/// What the nodes of one site serve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The digests in the order in which they were published, the newest last.
    published: Vec<String>,
    held: BTreeMap<NodeName, Held>,
}

/// What one node serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    boot: BootId,
    digest: String,
}

impl Contents {
    /// A node's beat has named the digest of what it serves. None: it serves nothing.
    pub fn record(&mut self, node: &NodeName, boot: BootId, digest: Option<&str>, place: Place) {
        let Some(digest) = digest else {
            self.held.remove(node);
            return;
        };
        let before = self.held.insert(node.clone(), Held { boot, digest: digest.to_owned() });
        let came_to = before.is_some_and(|before| before.boot == boot && before.digest != digest);
        let known = self.published.iter().any(|seen| seen == digest);
        let counts = match (place, known) {
            (Place::Member, known) => came_to || !known,
            (Place::Outside, true) => false,
            (Place::Outside, false) => came_to || self.published.is_empty(),
        };
        if counts {
            self.published.retain(|seen| seen != digest);
            self.published.push(digest.to_owned());
            let superfluous = self.published.len().saturating_sub(REMEMBERED);
            self.published.drain(..superfluous);
        }
    }

    /// What was published last, of what the nodes serve that `counts` says yes to.
    #[must_use]
    pub fn current(&self, counts: impl Fn(&NodeName) -> bool) -> Option<&str> {
        let serves =
            |digest: &&String| self.held.iter().any(|(n, held)| held.digest == **digest && counts(n));
        self.published.iter().rev().find(serves).map(String::as_str)
    }

    /// What `node` serves.
    #[must_use]
    pub fn of(&self, node: &NodeName) -> Option<&str> {
        self.held.get(node).map(|held| held.digest.as_str())
    }

    /// How `node`'s content compares to what is `current`.
    #[must_use]
    pub fn freshness(&self, node: &NodeName, current: Option<&str>) -> Freshness {
        match (self.of(node), current) {
            (None, _) | (_, None) => Freshness::Unknown,
            (Some(own), Some(current)) if own == current => Freshness::Current,
            (Some(_), Some(_)) => Freshness::Stale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Place::{Member, Outside};

    /// A beat: who, in which run, what it serves, where it stands.
    fn beat(contents: &mut Contents, (node, run): (&str, u8), digest: &str, place: Place) {
        let digest = Some(digest).filter(|digest| !digest.is_empty());
        contents.record(&node.parse().unwrap(), BootId::new([run; 16]), digest, place);
    }

    fn after(beats: &[((&str, u8), &str, Place)]) -> Contents {
        let mut contents = Contents::default();
        beats.iter().for_each(|(who, digest, place)| beat(&mut contents, *who, digest, *place));
        contents
    }

    fn current(contents: &Contents) -> Option<&str> {
        contents.current(|_| true)
    }

    #[test]
    fn what_a_member_comes_to_is_current_and_who_has_something_else_is_stale() {
        let contents =
            after(&[(("pi1", 1), "a", Member), (("pi2", 1), "a", Outside), (("pi1", 1), "b", Member)]);
        assert_eq!(current(&contents), Some("b"));
        assert_eq!(contents.freshness(&"pi1".parse().unwrap(), Some("b")), Freshness::Current);
        assert_eq!(contents.freshness(&"pi2".parse().unwrap(), Some("b")), Freshness::Stale);
        assert_eq!(contents.freshness(&"pi3".parse().unwrap(), Some("b")), Freshness::Unknown);
        assert_eq!(contents.freshness(&"pi1".parse().unwrap(), None), Freshness::Unknown);
    }

    #[test]
    fn what_a_node_wakes_up_with_is_no_publish() {
        let published = [(("pi1", 1), "a", Member), (("pi1", 1), "b", Member)];
        for woken in ["a", "never-seen"] {
            let contents = after(&[&published[..], &[(("pi2", 9), woken, Outside)]].concat());
            assert_eq!(current(&contents), Some("b"), "{woken}");
        }
    }

    #[test]
    fn a_publish_that_reaches_a_node_outside_first_counts() {
        let contents =
            after(&[(("pi1", 1), "a", Member), (("pi2", 1), "a", Outside), (("pi2", 1), "b", Outside)]);
        assert_eq!(current(&contents), Some("b"));
    }

    #[test]
    fn a_node_outside_that_falls_back_to_what_was_superseded_is_not_believed_and_a_member_is() {
        let start = [(("pi1", 1), "a", Member), (("pi1", 1), "b", Member), (("pi2", 1), "b", Outside)];
        let unhealed = after(&[&start[..], &[(("pi2", 1), "a", Outside)]].concat());
        assert_eq!(current(&unhealed), Some("b"));
        let taken_back = after(&[&start[..], &[(("pi1", 1), "a", Member)]].concat());
        assert_eq!(current(&taken_back), Some("a"));
    }

    #[test]
    fn only_what_somebody_serves_is_current() {
        let contents =
            after(&[(("pi1", 1), "a", Member), (("pi2", 1), "a", Member), (("pi1", 1), "b", Member)]);
        let without_pi1 = |node: &NodeName| node.as_str() != "pi1";
        assert_eq!(contents.current(without_pi1), Some("a"));
        assert_eq!(contents.current(|_| false), None);
        let mut empty = contents;
        beat(&mut empty, ("pi1", 1), "", Member);
        assert_eq!(current(&empty), Some("a"), "a node that serves nothing names nothing current");
    }

    #[test]
    fn the_first_content_that_is_heard_of_is_current() {
        assert_eq!(current(&after(&[(("pi1", 1), "a", Outside)])), Some("a"));
        assert_eq!(current(&Contents::default()), None);
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_the_newest() {
        let mut contents = Contents::default();
        for number in 0..1_000 {
            beat(&mut contents, ("pi1", 1), &number.to_string(), Member);
        }
        assert_eq!((contents.published.len(), current(&contents)), (REMEMBERED, Some("999")));
    }
}
