//! One node's part in why a record is what it is: what was seen of it, and what would let it leave or come back.

use std::time::Duration;

use crate::address::Family;
use crate::dns::RecordType;
use crate::failover::lane::{Lane, words};
use crate::failover::site::{Site, Watched};
use crate::heartbeat::NodeName;
use crate::liveness::{Accord, Beats, Grounds, Health, Stakes};
use crate::moment::Moment;
use crate::policy::Policy;

/// A node as it matters for one RRset.
pub(super) struct Target<'a> {
    node: &'a NodeName,
    /// None: it has not said where it is.
    seen: Option<(Family, &'a Watched)>,
    beats: Beats,
}

/// The nodes of a site as they matter for RRsets of this type, one for each address family.
pub(super) fn targets(site: &Site, record_type: RecordType) -> impl Iterator<Item = Target<'_>> {
    site.setup.nodes.iter().flat_map(move |node| {
        let beats = site.beats.get(node).cloned().unwrap_or_default();
        let families = site.targets.get(node).into_iter().flatten();
        let mut seen: Vec<Target<'_>> = families
            .filter(|(family, _)| site.type_for(**family) == record_type)
            .map(|(family, watched)| Target { node, seen: Some((*family, watched)), beats: beats.clone() })
            .collect();
        if seen.is_empty() {
            seen.push(Target { node, seen: None, beats });
        }
        seen
    })
}

/// What was seen of it.
pub(super) fn evidence(target: &Target<'_>, now: Moment) -> String {
    let ago =
        |at: Option<Moment>| at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", words(now - at)));
    let beat = ago(target.beats.last());
    let Some((_, watched)) = target.seen else {
        return format!("{}: has not said where it is; last beat {beat}", target.node);
    };
    let live = &watched.liveness;
    let failure = live.failure().map_or_else(String::new, |failure| format!(" ({failure})"));
    let proven = if live.proven().is_some() { "" } else { "; has not proved yet that it is there" };
    format!(
        "{} at {}: {}{failure}, since {}; last look {}, last success {}, last beat {beat}{proven}",
        target.node,
        live.address(),
        watched.health.describe(),
        words(now - watched.since),
        ago(live.last_look()),
        ago(live.last_success()),
    )
}

/// What would let it leave the record, or come back to it.
pub(super) fn change(site: &Site, lane: &Lane, target: &Target<'_>, patience: u32, now: Moment) -> String {
    let node = target.node;
    let Some((family, watched)) = target.seen else {
        return format!("{node} comes in once it has said where it is, and has proved it");
    };
    let leaving = watched.health == Health::Draining;
    match () {
        () if leaving => format!(
            "{node} said that it is leaving: it comes back when it beats without that, or when that is forgotten"
        ),
        () if lane.has(node) => {
            let grounds = site.grounds_of(node, family, patience, now);
            leave(target, watched, &Rule { grounds, policy: &site.setup.policy }, now)
        }
        () => {
            let hold = lane.hold(now, &site.setup.policy).max(site.setup.policy.rise_span);
            let stale = site.held_back.contains_key(node);
            let back = come_back(target, watched, hold, &site.setup.policy, now);
            let full = lane.returns_left(now, &site.setup.policy) == 0;
            let waits =
                [(stale, "it must serve what was published last"), (full, "no return is left in the budget")];
            waits
                .iter()
                .filter(|(applies, _)| *applies)
                .fold(back, |text, (_, why)| format!("{text}; and {why}"))
        }
    }
}

/// What a verdict of down needs.
struct Rule<'a> {
    grounds: Grounds,
    policy: &'a Policy,
}

fn leave(target: &Target<'_>, watched: &Watched, rule: &Rule<'_>, now: Moment) -> String {
    let (node, live) = (target.node, &watched.liveness);
    let (hard, gray, silence) =
        (rule.grounds.hard(rule.policy), rule.grounds.gray(rule.policy), rule.policy.beat_stale);
    let least = rule.policy.hard_failures;
    let because = match (rule.grounds.stakes, rule.grounds.accord) {
        (Stakes::HasSibling, _) => "another is up",
        (Stakes::LastOne, Accord::Alone) => "nobody else is up",
        (Stakes::LastOne, Accord::Agreed) => "nobody else is up, and witnesses agree",
        (Stakes::LastOne, Accord::Disputed) => "nobody else is up, and witnesses get through",
    };
    if live.failures() == 0 {
        return format!(
            "{node} leaves when nobody got through for {} ({because}), {least} looks failed and no beat came for {}; \
             for {}, when its beats go on",
            words(hard),
            words(silence),
            words(gray),
        );
    }
    let unreached = live.unreached(now);
    let more = least.saturating_sub(live.failures());
    let more = if more > 0 { format!(" and {more} more failed looks") } else { String::new() };
    let silent = if target.beats.silent(now, rule.policy) { "as it is silent" } else { "if it falls silent" };
    format!(
        "{node} leaves after {} more without a success{more}, {silent} ({because}); after {}, if its beats go on",
        words(hard.saturating_sub(unreached)),
        words(gray.saturating_sub(unreached)),
    )
}

fn come_back(target: &Target<'_>, watched: &Watched, hold: Duration, policy: &Policy, now: Moment) -> String {
    let (node, (successes, steady)) = (target.node, watched.liveness.steadiness(now));
    let beats = policy.rise_beats.saturating_sub(target.beats.in_row());
    let looks = policy.rise.saturating_sub(successes);
    if successes == 0 {
        return format!(
            "{node} comes back after {} of unbroken success, {} looks and {} beats in a row",
            words(hold),
            policy.rise,
            policy.rise_beats
        );
    }
    let span = hold.saturating_sub(steady);
    let missing = [
        (!span.is_zero()).then(|| {
            format!("{} more of unbroken success (it has {} of {})", words(span), words(steady), words(hold))
        }),
        (looks > 0).then(|| format!("{looks} more successful looks")),
        (beats > 0).then(|| format!("{beats} more beats")),
        target.beats.silent(now, policy).then(|| "that its beats go on".to_owned()),
    ];
    let missing: Vec<String> = missing.into_iter().flatten().collect();
    if missing.is_empty() {
        format!("{node} has been steady for long enough to come back")
    } else {
        format!("{node} comes back after {}", missing.join(", "))
    }
}
