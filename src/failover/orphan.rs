//! What a node may do about a site's record when no watcher answers any more: send visitors back to itself, once.
//!
//! Never away: a record that leads anywhere else than to the fallback alone is left as it is. Never on one look: what
//! was seen has to stand after a pause of random length, so that of two nodes one comes first and the other sees it.
//! And never twice: after a write that landed, only a watcher's answer makes it possible again, whatever restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::address::Family;
use crate::dns::{Rdata, RdataSet, RecordType};
use crate::moment::Moment;

/// No watcher has answered for this long: people are told.
pub const ALARM: Duration = Duration::from_secs(5 * 60);

/// No watcher has answered for this long: a node may act, where that is configured.
pub const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Between two looks at the record, and the longest pause before the second look, for a [`PATIENCE`] of this length; both
/// are shorter for a shorter one.
const PACE: Duration = Duration::from_secs(60);

/// What stands at the site's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing but addresses of the fallback.
    OnFallback {
        /// The types that lead there.
        types: BTreeSet<RecordType>,
        /// The highest epoch that is marked there.
        epoch: Option<u64>,
    },
    /// Something else: somebody is led elsewhere already, or there is nothing.
    Elsewhere,
    /// It is not known, or not everybody says the same.
    Unknown(String),
}

impl Standing {
    /// What `sets` are, where the fallback has these addresses.
    #[must_use]
    pub fn of(sets: &[RdataSet], epoch: Option<u64>, fallback: &[IpAddr]) -> Self {
        let away = |rdata: &Rdata| rdata.address().is_some_and(|address| fallback.contains(&address));
        if sets.is_empty() || !sets.iter().flat_map(RdataSet::iter).all(away) {
            return Standing::Elsewhere;
        }
        Standing::OnFallback { types: sets.iter().map(RdataSet::record_type).collect(), epoch }
    }
}

/// What a node knows when it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What stands at the site's name, by the provider and by every name server.
    pub standing: Standing,
    /// Where this node can be reached, by family: agreed on now, public, and proved by its own key.
    pub addresses: BTreeMap<Family, IpAddr>,
    /// Why the node should not have visitors, beside having no such address. None: it serves the site.
    pub unfit: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before then.
    Rest(Moment),
    /// Look at everything.
    Look,
}

/// What a look leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is done, and why.
    Stay(String),
    /// The same has to be seen again then.
    LookAgain(Moment),
    /// Write this, if exactly what was seen still stands.
    FailBack {
        /// Where visitors are sent: one set for each type.
        sets: Vec<RdataSet>,
        /// The epoch that has to stand there still.
        over: Option<u64>,
        /// The epoch of the write.
        epoch: u64,
    },
}

/// What was heard of the watchers last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// One answered then.
    Answer(Moment),
    /// Nothing since the node started then.
    Nothing(Moment),
}

/// Visitors were sent back, or were about to be: nobody knows before the record is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    /// The epoch of the write.
    epoch: u64,
    /// When; after a restart, before everything.
    at: Moment,
}

/// One node's patience with the watchers of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    patience: Duration,
    stage: Stage,
    /// No watcher has answered since.
    sent: Option<Sent>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The next look is due then, if no watcher answers before.
    Watching { due: Moment },
    /// This was seen, and has to be seen again then.
    Poised { due: Moment, seen: Standing },
    /// Visitors were sent back.
    Done,
}

impl Orphan {
    /// A node that has just started: whatever was before, it waits its whole `patience`. `sent` is the epoch of a write
    /// that it tried before, with no answer of a watcher since.
    #[must_use]
    pub fn new(patience: Duration, sent: Option<u64>) -> Self {
        let sent = sent.map(|epoch| Sent { epoch, at: Moment::START });
        Self { patience, stage: Stage::Watching { due: Moment::START }, sent }
    }

    /// The epoch of the write that visitors were sent back with, or were about to be, to be remembered across a restart.
    /// None: there was none, or a watcher has answered since.
    #[must_use]
    pub fn sent(&self) -> Option<u64> {
        self.sent.map(|sent| sent.epoch)
    }

    /// Between two looks, and the longest pause before the second.
    #[must_use]
    pub fn pace(&self) -> Duration {
        PACE.min(self.patience / 4)
    }

    /// What is to be done, when this was heard last.
    pub fn step(&mut self, now: Moment, heard: Heard) -> Step {
        // An answer makes a later fail-back possible again; silence after a start does not.
        if let Heard::Answer(at) = heard
            && self.sent.take_if(|sent| sent.at < at).is_some()
            && self.stage == Stage::Done
        {
            self.stage = Stage::Watching { due: now };
        }
        let (Heard::Answer(since) | Heard::Nothing(since)) = heard;
        let patient_until = since + self.patience;
        if now < patient_until {
            self.stage = Stage::Watching { due: patient_until };
            return Step::Rest(patient_until);
        }
        match self.stage {
            Stage::Watching { due } | Stage::Poised { due, .. } if now < due => Step::Rest(due),
            Stage::Watching { .. } | Stage::Poised { .. } => Step::Look,
            Stage::Done => Step::Rest(now + PACE),
        }
    }

    /// Weighs what was seen at `now`. `pause` is a random time up to [`Orphan::pace`].
    pub fn judge(&mut self, now: Moment, evidence: &Evidence, pause: Duration) -> Verdict {
        let due = now + self.pace();
        let before = std::mem::replace(&mut self.stage, Stage::Watching { due });
        let (sets, over) = match wanted(evidence, self.sent()) {
            Ok(wanted) => wanted,
            Err(why) => return Verdict::Stay(why),
        };
        match before {
            Stage::Poised { seen, .. } if seen == evidence.standing => {
                Verdict::FailBack { sets, over, epoch: over.unwrap_or(0) + 1 }
            }
            Stage::Watching { .. } | Stage::Poised { .. } | Stage::Done => {
                let due = now + pause.min(self.pace());
                self.stage = Stage::Poised { due, seen: evidence.standing.clone() };
                Verdict::LookAgain(due)
            }
        }
    }

    /// The write of `epoch` is about to be tried.
    pub fn sending(&mut self, now: Moment, epoch: u64) {
        self.sent = Some(Sent { epoch, at: now });
    }

    /// The write has landed: visitors were sent back.
    pub fn landed(&mut self) {
        self.stage = Stage::Done;
    }
}

/// What should stand, and over which epoch; or why everything stays. `sent` is the epoch of what was tried before.
fn wanted(evidence: &Evidence, sent: Option<u64>) -> Result<(Vec<RdataSet>, Option<u64>), String> {
    let (types, over) = match &evidence.standing {
        Standing::OnFallback { types, epoch } => (types, *epoch),
        Standing::Elsewhere => return Err("visitors are not on the fallback".to_owned()),
        Standing::Unknown(why) => return Err(format!("it is not known where visitors are sent: {why}")),
    };
    // Below that epoch it never landed, and nobody else wrote either. Without a mark nobody can tell.
    if sent.is_some_and(|sent| over.is_none_or(|over| over >= sent)) {
        return Err("they were sent back before, and away again by somebody else: that is not undone before a watcher \
                    has answered".to_owned());
    }
    if let Some(why) = &evidence.unfit {
        return Err(format!("this node should not have them: {why}"));
    }
    let own = evidence.addresses.values().map(|address| RdataSet::of(Rdata::from(*address)));
    let sets: Vec<RdataSet> = own.filter(|set| types.contains(&set.record_type())).collect();
    if sets.is_empty() {
        return Err("this node has no public address of a type that is published".to_owned());
    }
    Ok((sets, over))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: &str = "185.199.108.153";
    const PAGES6: &str = "2606:50c0:8000::153";

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn set(members: &[&str]) -> RdataSet {
        RdataSet::new(members.iter().map(|text| Rdata::from(address(text)))).unwrap()
    }

    fn standing(sets: &[RdataSet], epoch: Option<u64>) -> Standing {
        Standing::of(sets, epoch, &[address(PAGES), address(PAGES6)])
    }

    /// A healthy node whose site is on the fallback under epoch 7.
    fn healthy() -> Evidence {
        Evidence {
            standing: standing(&[set(&[PAGES])], Some(7)),
            addresses: BTreeMap::from([(Family::Ipv4, address("203.0.113.1"))]),
            unfit: None,
        }
    }

    /// One whose patience has just ended.
    fn patient() -> (Orphan, Moment) {
        let (mut orphan, heard) = (Orphan::new(PATIENCE, None), at(1_000));
        let over = heard + PATIENCE;
        assert_eq!(orphan.step(heard + PATIENCE / 2, Heard::Answer(heard)), Step::Rest(over));
        assert_eq!(orphan.step(over, Heard::Answer(heard)), Step::Look);
        (orphan, over)
    }

    #[test]
    fn nothing_is_looked_at_while_a_watcher_answers() {
        let mut orphan = Orphan::new(PATIENCE, None);
        for minute in 0..600 {
            let now = at(60 * minute);
            assert_eq!(orphan.step(now, Heard::Answer(now)), Step::Rest(now + PATIENCE));
        }
    }

    #[test]
    fn what_is_seen_twice_is_written_with_the_next_epoch_once() {
        let (mut orphan, now) = patient();
        let due = now + Duration::from_secs(40);
        assert_eq!(orphan.judge(now, &healthy(), Duration::from_secs(40)), Verdict::LookAgain(due));
        assert_eq!(orphan.step(now + Duration::from_secs(39), Heard::Answer(at(1_000))), Step::Rest(due));
        assert_eq!(orphan.step(due, Heard::Answer(at(1_000))), Step::Look);
        let verdict = orphan.judge(due, &healthy(), Duration::ZERO);
        let sets = vec![set(&["203.0.113.1"])];
        assert_eq!(verdict, Verdict::FailBack { sets, over: Some(7), epoch: 8 });
        orphan.landed();
        for hour in 1..100 {
            let step = orphan.step(due + minutes(60 * hour), Heard::Answer(at(1_000)));
            assert!(matches!(step, Step::Rest(_)), "not a second time: {step:?}");
        }
    }

    #[test]
    fn a_watcher_that_answers_in_between_is_left_to_decide() {
        let (mut orphan, now) = patient();
        orphan.judge(now, &healthy(), Duration::from_secs(10));
        let later = now + Duration::from_secs(10);
        assert_eq!(orphan.step(later, Heard::Answer(later)), Step::Rest(later + PATIENCE));
        // The next silence begins from the start: one look is not enough.
        let silent = later + PATIENCE;
        assert_eq!(orphan.step(silent, Heard::Answer(later)), Step::Look);
        assert!(matches!(orphan.judge(silent, &healthy(), Duration::ZERO), Verdict::LookAgain(_)));
    }

    #[test]
    fn after_a_fail_back_only_a_watcher_s_answer_makes_another_possible() {
        let (mut orphan, now) = patient();
        orphan.judge(now, &healthy(), Duration::ZERO);
        orphan.landed();
        let heard = now + minutes(30);
        assert_eq!(orphan.step(heard, Heard::Answer(heard)), Step::Rest(heard + PATIENCE));
        assert_eq!(orphan.step(heard + PATIENCE, Heard::Answer(heard)), Step::Look);
    }

    /// One that has started again after it tried to send visitors back under epoch 8, and whose patience has ended.
    fn restarted() -> (Orphan, Moment) {
        let (mut orphan, start) = (Orphan::new(PATIENCE, Some(8)), at(5_000));
        assert_eq!(orphan.step(start, Heard::Nothing(start)), Step::Rest(start + PATIENCE));
        assert_eq!(orphan.step(start + PATIENCE, Heard::Nothing(start)), Step::Look);
        (orphan, start + PATIENCE)
    }

    #[test]
    fn a_restart_undoes_neither_a_fail_back_nor_what_somebody_else_did_after_it() {
        for (what, epoch) in [("their own", Some(8)), ("a later one", Some(9)), ("no mark", None)] {
            let (mut orphan, now) = restarted();
            let sent_away = Evidence { standing: standing(&[set(&[PAGES])], epoch), ..healthy() };
            for _ in 0..3 {
                let verdict = orphan.judge(now, &sent_away, Duration::ZERO);
                assert!(
                    matches!(&verdict, Verdict::Stay(why) if why.contains("before")),
                    "{what}: {verdict:?}"
                );
            }
            assert_eq!(orphan.sent(), Some(8));
        }
    }

    #[test]
    fn what_was_tried_before_a_restart_and_never_landed_is_tried_again() {
        let (mut orphan, now) = restarted();
        assert!(matches!(orphan.judge(now, &healthy(), Duration::ZERO), Verdict::LookAgain(_)));
        let verdict = orphan.judge(now, &healthy(), Duration::ZERO);
        assert!(matches!(verdict, Verdict::FailBack { epoch: 8, .. }), "{verdict:?}");
    }

    #[test]
    fn an_answer_after_a_restart_makes_another_fail_back_possible() {
        let (mut orphan, now) = restarted();
        orphan.step(now, Heard::Answer(now));
        assert_eq!(orphan.sent(), None);
    }

    #[test]
    fn an_answer_that_came_and_went_between_two_steps_counts() {
        let (mut orphan, now) = patient();
        orphan.judge(now, &healthy(), Duration::ZERO);
        orphan.sending(now, 8);
        orphan.landed();
        let heard = now + Duration::from_secs(1);
        assert_eq!(orphan.step(heard + PATIENCE * 2, Heard::Answer(heard)), Step::Look);
    }

    #[test]
    fn another_node_that_came_first_is_seen_in_the_record_or_in_the_epoch() {
        for (what, second) in [
            ("it leads to the other", standing(&[set(&["203.0.113.2"])], Some(8))),
            ("the epoch went on", standing(&[set(&[PAGES])], Some(8))),
            ("the mark is gone", standing(&[set(&[PAGES])], None)),
        ] {
            let (mut orphan, now) = patient();
            orphan.judge(now, &healthy(), Duration::ZERO);
            let verdict = orphan.judge(now, &Evidence { standing: second, ..healthy() }, Duration::ZERO);
            assert!(!matches!(verdict, Verdict::FailBack { .. }), "{what}: {verdict:?}");
        }
    }

    #[test]
    fn what_is_not_wholly_on_the_fallback_or_not_known_stays() {
        let stays = [
            ("a node is published", standing(&[set(&["203.0.113.9"])], Some(7))),
            ("a node beside the fallback", standing(&[set(&[PAGES, "203.0.113.9"])], Some(7))),
            ("one family at home", standing(&[set(&[PAGES]), set(&["2001:db8::1"])], Some(7))),
            ("nothing at all", standing(&[], Some(7))),
            ("an alias", standing(&[RdataSet::of("CNAME user.github.io".parse().unwrap())], Some(7))),
            ("servers differ", Standing::Unknown("two answers".to_owned())),
        ];
        for (what, standing) in stays {
            let (mut orphan, now) = patient();
            for _ in 0..3 {
                let verdict =
                    orphan.judge(now, &Evidence { standing: standing.clone(), ..healthy() }, minutes(0));
                assert!(matches!(verdict, Verdict::Stay(_)), "{what}: {verdict:?}");
            }
        }
    }

    #[test]
    fn a_node_that_is_not_well_or_not_public_takes_nobody() {
        let nowhere = Evidence { addresses: BTreeMap::new(), ..healthy() };
        let ill = Evidence { unfit: Some("it serves nothing".to_owned()), ..healthy() };
        let six = BTreeMap::from([(Family::Ipv6, address("2001:db8::1"))]);
        let other_family = Evidence { addresses: six, ..healthy() };
        for evidence in [nowhere, ill, other_family] {
            let (mut orphan, now) = patient();
            for _ in 0..3 {
                let verdict = orphan.judge(now, &evidence, Duration::ZERO);
                assert!(matches!(verdict, Verdict::Stay(_)), "{verdict:?} for {evidence:?}");
            }
        }
    }

    #[test]
    fn each_type_that_is_on_the_fallback_is_written_where_the_node_has_an_address_of_it() {
        let (mut orphan, now) = patient();
        let both =
            BTreeMap::from([(Family::Ipv4, address("203.0.113.1")), (Family::Ipv6, address("2001:db8::1"))]);
        let standing = standing(&[set(&[PAGES]), set(&[PAGES6])], None);
        let evidence = Evidence { standing, addresses: both, unfit: None };
        orphan.judge(now, &evidence, Duration::ZERO);
        let sets = vec![set(&["203.0.113.1"]), set(&["2001:db8::1"])];
        assert_eq!(
            orphan.judge(now, &evidence, Duration::ZERO),
            Verdict::FailBack { sets, over: None, epoch: 1 }
        );
    }

    #[test]
    fn the_pause_is_never_longer_than_the_pace() {
        let (mut orphan, now) = patient();
        assert_eq!(orphan.judge(now, &healthy(), minutes(60)), Verdict::LookAgain(now + PACE));
        assert_eq!(Orphan::new(Duration::from_secs(4), None).pace(), Duration::from_secs(1));
    }
}
