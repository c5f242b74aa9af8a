//! The remark of a record, where the provider keeps one beside each: whose the record is, as one line of text.
//!
//! `hearth=1 owner=pi1 owner=pi2` names the writers of a member that they share, `hearth=1 holder=watcher epoch=12` the
//! writer of the whole set. Never takes a person's remark for one of these, so that it is never written over.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::Owner;
use super::mark::{MarkError, VERSION};

/// What a remark says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remark {
    /// The writers of the record as a member of a shared set.
    pub owners: BTreeSet<Owner>,
    /// The writer of the whole set.
    pub holder: Option<Owner>,
    /// The number of the decision with which the record was written last.
    pub epoch: Option<u64>,
}

impl Remark {
    /// What a remark with this text leaves to us: None for a person's text, which stays; an empty mark where there is
    /// none yet.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        if text.trim().is_empty() { Some(Self::default()) } else { text.parse().ok() }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        self.owners.iter().try_for_each(|owner| write!(f, " owner={owner}"))?;
        self.holder.iter().try_for_each(|holder| write!(f, " holder={holder}"))?;
        self.epoch.iter().try_for_each(|epoch| write!(f, " epoch={epoch}"))
    }
}

impl FromStr for Remark {
    type Err = MarkError;

    /// Words that are not known are passed over, so that a later version may add some.
    fn from_str(text: &str) -> Result<Self, MarkError> {
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some(VERSION) {
            return Err(MarkError::Foreign);
        }
        let mut remark = Self::default();
        for (key, value) in words.filter_map(|word| word.split_once('=')).filter(|(_, v)| !v.is_empty()) {
            match key {
                "owner" => _ = remark.owners.insert(Owner::new(value)),
                "holder" => remark.holder = Some(Owner::new(value)),
                "epoch" => remark.epoch = value.parse().ok(),
                _ => {}
            }
        }
        Ok(remark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_round_trips_through_its_text() {
        for text in ["hearth=1", "hearth=1 owner=pi1 owner=pi2", "hearth=1 holder=watcher epoch=12"] {
            assert_eq!(text.parse::<Remark>().unwrap().to_string(), text);
        }
        assert_eq!("hearth=1 colour=red owner=pi1".parse::<Remark>().unwrap().owners.len(), 1);
    }

    #[test]
    fn a_persons_remark_is_not_ours() {
        assert_eq!("the old server".parse::<Remark>(), Err(MarkError::Foreign));
        assert_eq!(Remark::of("the old server"), None);
        assert_eq!(Remark::of(" "), Some(Remark::default()));
    }
}
