//! Whether what a look found may be taken into a generation, or is still being written, or is not the site at all.
//!
//! PURE. Never mistakes "unmounted" for "deleted".

use std::collections::BTreeMap;
use std::time::Duration;

use crate::site::generation::{Files, Stamp};

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The type of the root's file system.
    pub file_system: u64,
    /// The generation file, which a publisher touches last.
    pub sentinel: Option<Stamp>,
    /// The files by name.
    pub files: BTreeMap<Box<str>, Stamp>,
    /// Changes with every name and stamp.
    pub fingerprint: [u8; 32],
    /// Names that were passed over.
    pub skipped: u64,
}

/// What to do after a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is what is served.
    Keep,
    /// Something changes; the next look will tell.
    Wait,
    /// Take these files; those that are held and not named here are to be kept as they are.
    Take {
        /// The files to take, as they stand.
        files: BTreeMap<Box<str>, Stamp>,
        /// Still being written: what was held of them stays.
        unsettled: Vec<Box<str>>,
    },
    /// This is not the site.
    Wrong(&'static str),
}

/// How much of what a look found was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every file.
    Whole,
    /// Some are still being written.
    Part,
}

/// For how long a change on another node may stay unseen: GlusterFS caches attributes for a second.
pub const LAG: Duration = Duration::from_millis(1500);

/// After so many restless looks, what holds still is taken without the rest.
const PATIENCE: u32 = 8;

/// The memory between looks.
#[derive(Debug)]
pub struct Settle {
    taken: Option<Taken>,
    last: Option<Listing>,
    /// Looks in a row that found the same change.
    still: u32,
    /// Looks in a row that found something other than what is held.
    restless: u32,
    /// How many equal looks make a published site settled.
    enough: u32,
}

/// The place that the held files are from.
#[derive(Debug)]
struct Taken {
    file_system: u64,
    sentinel: Option<Stamp>,
}

impl Settle {
    /// Nothing taken yet; looks are at least three quarters of `poll` apart.
    #[must_use]
    pub fn new(poll: Duration) -> Self {
        let looks = LAG.as_millis().div_ceil((poll * 3 / 4).as_millis().max(1));
        let enough = u32::try_from(looks).unwrap_or(u32::MAX).saturating_add(1);
        Self { taken: None, last: None, still: 0, restless: 0, enough }
    }

    /// Goes on from files that were taken from a place like this before a restart.
    pub fn resume(&mut self, file_system: u64, sentinel: Option<Stamp>) {
        self.taken = Some(Taken { file_system, sentinel });
    }

    /// The type of the file system that the held files were taken from.
    #[must_use]
    pub fn file_system(&self) -> Option<u64> {
        self.taken.as_ref().map(|taken| taken.file_system)
    }

    /// The generation file as it was when the held files were taken.
    #[must_use]
    pub fn sentinel(&self) -> Option<Stamp> {
        self.taken.as_ref().and_then(|taken| taken.sentinel)
    }

    /// Judges what a look found, against what is held.
    pub fn judge(&mut self, listing: &Listing, held: &Files) -> Judgement {
        if let Some(wrong) = self.wrong(listing) {
            self.last = None;
            return Judgement::Wrong(wrong);
        }
        let published = listing.sentinel.is_some();
        let Some(taken) = &self.taken else { return self.settled(listing) };
        if is_held(listing, held) {
            self.same(listing.sentinel);
            return Judgement::Keep;
        }
        if published && taken.sentinel == listing.sentinel {
            // The publisher is not done.
            return Judgement::Wait;
        }
        self.settled(listing)
    }

    /// Takes what has held still: the very first look may come in the middle of a rewriting as well as any other.
    fn settled(&mut self, listing: &Listing) -> Judgement {
        let published = listing.sentinel.is_some();
        self.restless += 1;
        self.still = if self.last.as_ref() == Some(listing) { self.still + 1 } else { 1 };
        let before = self.last.replace(listing.clone());
        let enough = if published { self.enough } else { 2 };
        match before {
            _ if self.still >= enough => take_all(listing),
            Some(before) if !published && self.restless > PATIENCE => take_settled(listing, &before),
            _ => Judgement::Wait,
        }
    }

    /// The files of a look have been taken. While some are missing, the generation file is not taken as seen, so that
    /// the next look goes on.
    pub fn took(&mut self, listing: &Listing, extent: Extent) {
        let sentinel = match extent {
            Extent::Whole => listing.sentinel,
            Extent::Part => self.sentinel(),
        };
        self.taken = Some(Taken { file_system: listing.file_system, sentinel });
        self.restless = 0;
        self.last = Some(listing.clone());
    }

    /// The look found the files that are held, and the generation file like this.
    pub fn same(&mut self, sentinel: Option<Stamp>) {
        (self.restless, self.still) = (0, 0);
        self.last = None;
        if let Some(taken) = &mut self.taken {
            taken.sentinel = sentinel;
        }
    }

    fn wrong(&self, listing: &Listing) -> Option<&'static str> {
        let Some(taken) = &self.taken else {
            return listing
                .files
                .is_empty()
                .then_some("the directory is empty: publish the site, or check the mount");
        };
        if listing.files.is_empty() {
            Some("the directory is empty where a site was: check the mount")
        } else if listing.file_system != taken.file_system {
            Some(
                "the directory is on another file system than the site that is served: check the mount; if the site \
                 has moved for good, remove the kept copy and restart",
            )
        } else if taken.sentinel.is_some() && listing.sentinel.is_none() {
            Some(
                "the generation file is gone: publish again; to do without it, remove the kept copy and restart",
            )
        } else {
            None
        }
    }
}

fn is_held(listing: &Listing, held: &Files) -> bool {
    listing.files.len() == held.len()
        && listing
            .files
            .iter()
            .zip(held)
            .all(|((name, stamp), (held_name, file))| name == held_name && *stamp == file.stamp)
}

fn take_all(listing: &Listing) -> Judgement {
    Judgement::Take { files: listing.files.clone(), unsettled: Vec::new() }
}

/// Takes what is the same in two looks.
fn take_settled(listing: &Listing, before: &Listing) -> Judgement {
    let (files, restless): (BTreeMap<_, _>, BTreeMap<_, _>) =
        listing.files.clone().into_iter().partition(|(name, stamp)| before.files.get(name) == Some(stamp));
    Judgement::Take { files, unsettled: restless.into_keys().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::generation::File;
    use bytes::Bytes;
    use std::sync::Arc;

    const SECOND: Duration = Duration::from_secs(1);

    fn stamp(at: i64) -> Stamp {
        Stamp { inode: 1, size: 1, mtime: at, ctime: at }
    }

    fn listing(files: &[(&str, i64)]) -> Listing {
        let files = files.iter().map(|(name, at)| (Box::from(*name), stamp(*at))).collect();
        Listing { file_system: 1, files, ..Listing::default() }
    }

    fn hold(listing: &Listing) -> Files {
        let file = |stamp: &Stamp| Arc::new(File::held(*stamp, Bytes::from_static(b"x")));
        listing.files.iter().map(|(name, stamp)| (name.clone(), file(stamp))).collect()
    }

    fn settled(on: &Listing) -> (Settle, Files) {
        let mut settle = Settle::new(SECOND);
        while settle.judge(on, &Files::new()) == Judgement::Wait {}
        settle.took(on, Extent::Whole);
        (settle, hold(on))
    }

    #[test]
    fn a_change_is_taken_when_it_held_still_for_two_looks() {
        let (mut settle, held) = settled(&listing(&[("a", 1)]));
        assert_eq!(settle.judge(&listing(&[("a", 1)]), &held), Judgement::Keep);
        assert_eq!(settle.judge(&listing(&[("a", 2)]), &held), Judgement::Wait);
        assert_eq!(settle.judge(&listing(&[("a", 3)]), &held), Judgement::Wait);
        assert_eq!(settle.judge(&listing(&[("a", 3)]), &held), take_all(&listing(&[("a", 3)])));
    }

    #[test]
    fn a_first_look_in_the_middle_of_a_rewriting_is_not_taken() {
        let mut settle = Settle::new(SECOND);
        let none = Files::new();
        assert_eq!(settle.judge(&listing(&[("a", 1)]), &none), Judgement::Wait);
        assert_eq!(settle.judge(&listing(&[("a", 2)]), &none), Judgement::Wait);
        assert_eq!(settle.judge(&listing(&[("a", 2)]), &none), take_all(&listing(&[("a", 2)])));
    }

    #[test]
    fn an_empty_or_other_root_is_wrong_and_not_an_empty_site() {
        let (mut settle, held) = settled(&listing(&[("a", 1)]));
        for _ in 0..20 {
            assert!(matches!(settle.judge(&listing(&[]), &held), Judgement::Wrong(_)));
            let other = Listing { file_system: 2, ..listing(&[("readme", 1)]) };
            assert!(matches!(settle.judge(&other, &held), Judgement::Wrong(_)));
        }
        assert!(matches!(Settle::new(SECOND).judge(&listing(&[]), &Files::new()), Judgement::Wrong(_)));
    }

    #[test]
    fn a_file_that_never_holds_still_does_not_keep_the_others_back() {
        let (mut settle, held) = settled(&listing(&[("a", 1), ("log", 1)]));
        let judgements: Vec<_> = (2..30)
            .map(|at| settle.judge(&listing(&[("a", 2), ("log", at)]), &held))
            .take(PATIENCE as usize + 1)
            .collect();
        let Some(Judgement::Take { files, unsettled }) = judgements.last() else { panic!("{judgements:?}") };
        assert_eq!((files.contains_key("a"), unsettled.as_slice()), (true, &[Box::from("log")][..]));
        assert!(judgements[..PATIENCE as usize].iter().all(|j| *j == Judgement::Wait));
    }

    #[test]
    fn a_generation_file_that_is_touched_without_a_change_counts_as_seen() {
        let with = |files: &[(&str, i64)], at| Listing { sentinel: Some(stamp(at)), ..listing(files) };
        let (mut settle, held) = settled(&with(&[("a", 1)], 1));
        settle.same(Some(stamp(2)));
        assert_eq!(settle.sentinel(), Some(stamp(2)));
        for _ in 0..9 {
            assert_eq!(settle.judge(&with(&[("a", 3)], 2), &held), Judgement::Wait);
        }
    }

    #[test]
    fn with_a_generation_file_only_its_change_counts_and_only_when_the_other_nodes_lag_is_over() {
        let with = |files: &[(&str, i64)], at| Listing { sentinel: Some(stamp(at)), ..listing(files) };
        let (mut settle, held) = settled(&with(&[("a", 1)], 1));
        for at in 2..40 {
            assert_eq!(settle.judge(&with(&[("a", at)], 1), &held), Judgement::Wait);
        }
        assert_eq!(settle.judge(&with(&[("a", 40)], 2), &held), Judgement::Wait);
        assert_eq!(settle.judge(&with(&[("a", 40)], 2), &held), Judgement::Wait);
        assert!(matches!(settle.judge(&with(&[("a", 40)], 2), &held), Judgement::Take { .. }));
        assert!(matches!(settle.judge(&listing(&[("a", 40)]), &held), Judgement::Wrong(_)));
    }
}
