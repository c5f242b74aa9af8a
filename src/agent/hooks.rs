//! What hooks are told: the facts of a record that changed, of an address that did, and of a watcher that is lost.
//!
//! Never tells of a round in which nothing changed, nor of a TTL or a mark: what visitors are led to is the same.

use std::collections::{BTreeMap, BTreeSet};

use super::faults::is_lost;
use super::upkeep::is_ours;
use crate::address::Family;
use crate::dns::change::Outcome;
use crate::dns::plan::Desired;
use crate::dns::snapshot::Snapshot;
use crate::dns::{Rdata, RecordType};
use crate::heartbeat::NodeName;
use crate::hook::{Change, Subject};
use crate::status::{AddressStatus, AgentStatus, WatcherLink};

/// What changed of a name, type by type: what is this node's there, before and after.
pub(super) fn landed(node: &NodeName, desired: &Desired, outcome: &Outcome) -> Vec<Change> {
    let Outcome::Landed { written, seen, .. } = outcome else { return Vec::new() };
    let (before, after) = (ours(desired, written.seen()), ours(desired, seen));
    let operations: Vec<String> = written.operations().iter().map(ToString::to_string).collect();
    let types: BTreeSet<RecordType> = before.union(&after).map(Rdata::record_type).collect();
    let change = |kind: RecordType| Change {
        event: Subject::Record,
        node: node.to_string(),
        name: desired.name.to_string(),
        kind: kind.to_string(),
        old: values(&before, kind),
        new: values(&after, kind),
        reason: format!("written and read back: {}", operations.join(", ")),
    };
    types.into_iter().map(change).filter(|change| change.old != change.new).collect()
}

fn ours(desired: &Desired, seen: &Snapshot) -> BTreeSet<Rdata> {
    let ours = seen.on_lines(&desired.lines).filter(|record| is_ours(desired, record));
    ours.map(|record| record.rdata.clone()).collect()
}

fn values(data: &BTreeSet<Rdata>, kind: RecordType) -> Vec<String> {
    data.iter().filter(|rdata| rdata.record_type() == kind).map(Rdata::value).collect()
}

/// The families whose address is another one now.
pub(super) fn moved(
    node: &NodeName,
    before: &BTreeMap<Family, AddressStatus>,
    after: &BTreeMap<Family, AddressStatus>,
) -> Vec<Change> {
    let change = |(family, status): (&Family, &AddressStatus)| Change {
        event: Subject::Address,
        node: node.to_string(),
        name: node.to_string(),
        kind: family.to_string(),
        old: agreed(before, *family),
        new: agreed(after, *family),
        reason: status.why.clone(),
    };
    after.iter().map(change).filter(|change| change.old != change.new).collect()
}

/// The watchers that are lost or found now.
pub(super) fn lost_and_found(before: &AgentStatus, after: &AgentStatus) -> Vec<Change> {
    let pairs = before.watchers.iter().zip(&after.watchers);
    let stood = pairs.map(|(was, is)| (is, is_lost(before, was), is_lost(after, is)));
    let word = |lost: bool| vec![if lost { "lost" } else { "answers" }.to_owned()];
    let change = |(link, was, is): (&WatcherLink, bool, bool)| Change {
        event: Subject::Watcher,
        node: after.node.to_string(),
        name: link.url.clone(),
        kind: Subject::Watcher.to_string(),
        old: word(was),
        new: word(is),
        reason: link.why.clone(),
    };
    stood.filter(|(_, was, is)| was != is).map(change).collect()
}

fn agreed(of: &BTreeMap<Family, AddressStatus>, family: Family) -> Vec<String> {
    of.get(&family).and_then(|status| status.agreed).iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Verdict;

    fn addresses(four: Option<&str>) -> BTreeMap<Family, AddressStatus> {
        let status = |agreed: Option<&str>| AddressStatus {
            agreed: agreed.map(|text| text.parse().unwrap()),
            verdict: Verdict::Unknown,
            why: "two agree".to_owned(),
        };
        BTreeMap::from([(Family::Ipv4, status(four)), (Family::Ipv6, status(Some("2001:db8::1")))])
    }

    #[test]
    fn only_the_family_whose_address_is_another_one_is_told() {
        let node = "pi1".parse().unwrap();
        let moved = moved(&node, &addresses(Some("192.0.2.1")), &addresses(Some("192.0.2.2")));
        let told: Vec<String> = moved.iter().map(Change::to_json).collect();
        assert_eq!(
            told,
            [
                r#"{"event":"address","node":"pi1","name":"pi1","type":"ipv4","old":["192.0.2.1"],"new":["192.0.2.2"],"reason":"two agree"}"#
            ]
        );
        assert_eq!(super::moved(&node, &addresses(None), &addresses(None)), []);
        assert_eq!(super::moved(&node, &addresses(None), &addresses(Some("192.0.2.1"))).len(), 1);
    }
}
