//! Ownership marks: what a writer notes beside a name about whose a record is, as text in a TXT record.
//!
//! The TXT records stand at `_hearth.<name>`, one for each writer: `hearth=1 owner=pi1 A=203.0.113.7` names the members
//! of a shared RRset that are pi1's, `hearth=1 owner=watcher epoch=12` says that the watcher writes the whole set.
//! Never asks a server; a TXT record that is not a mark is somebody else's and is carried along untouched.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{Name, NameError, Owner, Rdata};

/// The label below a name at which its marks stand.
pub const LABEL: &str = "_hearth";

/// The first word of a mark: it is one, and which version of this text it is.
pub(super) const VERSION: &str = "hearth=1";

/// What one character-string of a TXT record holds at most (RFC 1035 section 3.3).
const CHARACTER_STRING: usize = 255;

/// Where the marks of `name` stand.
///
/// # Errors
/// When `name` is so long that the label does not fit below it.
pub fn place(name: &Name) -> Result<Name, NameError> {
    name.child(LABEL)
}

/// What a writer says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The writer.
    pub owner: Owner,
    /// What is the writer's.
    pub holds: Holds,
    /// The number of the decision that was written last; a writer with a smaller one is out of date.
    pub epoch: Option<u64>,
}

/// What of a name is a writer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// All its addresses, or its CNAME.
    Whole,
    /// These members of RRsets that others share.
    Members(BTreeSet<Rdata>),
}

/// Why a text is not a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// It does not begin with the word that marks begin with.
    #[error("the text is not an ownership mark; one begins with `{VERSION}`")]
    Foreign,
    /// It names no owner.
    #[error("the ownership mark names no owner")]
    Ownerless,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION} owner={}", self.owner)?;
        if let Some(epoch) = self.epoch {
            write!(f, " epoch={epoch}")?;
        }
        match &self.holds {
            Holds::Whole => Ok(()),
            Holds::Members(members) if members.is_empty() => f.write_str(" members=none"),
            Holds::Members(members) => {
                members.iter().try_for_each(|m| write!(f, " {}={}", m.record_type(), m.value()))
            }
        }
    }
}

impl FromStr for Mark {
    type Err = MarkError;

    /// Words that are not known are passed over, so that a later version may add some. A member that cannot be read
    /// is not held, but it still says that the mark is about members: it must not grow into the whole set.
    fn from_str(text: &str) -> Result<Self, MarkError> {
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some(VERSION) {
            return Err(MarkError::Foreign);
        }
        let (mut owner, mut epoch, mut holds) = (None, None, Holds::Whole);
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            match key {
                "owner" if !value.is_empty() => owner = Some(Owner::new(value)),
                "epoch" => epoch = value.parse().ok(),
                "A" | "AAAA" | "CNAME" | "members" => holds.add(format!("{key} {value}").parse().ok()),
                _ => {}
            }
        }
        Ok(Mark { owner: owner.ok_or(MarkError::Ownerless)?, holds, epoch })
    }
}

impl Holds {
    fn add(&mut self, member: Option<Rdata>) {
        let mut members = match std::mem::replace(self, Holds::Whole) {
            Holds::Whole => BTreeSet::new(),
            Holds::Members(members) => members,
        };
        members.extend(member);
        *self = Holds::Members(members);
    }
}

/// The data of one TXT record: its character-strings, byte for byte (RFC 1035 section 3.3.14).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TxtData(Vec<Vec<u8>>);

impl TxtData {
    /// The data with these character-strings.
    pub fn new(strings: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(strings.into_iter().collect())
    }

    /// The character-strings.
    pub fn strings(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// The mark that the strings say together; None when they are somebody else's text.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        std::str::from_utf8(&self.0.concat()).ok()?.parse().ok()
    }
}

impl From<&Mark> for TxtData {
    /// A mark that is longer than a character-string goes on in the next one, to be read without a gap.
    fn from(mark: &Mark) -> Self {
        Self(mark.to_string().as_bytes().chunks(CHARACTER_STRING).map(<[u8]>::to_vec).collect())
    }
}

impl fmt::Display for TxtData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.concat().escape_ascii())
    }
}

impl fmt::Debug for TxtData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Mark, MarkError> {
        text.parse()
    }

    #[test]
    fn a_mark_round_trips_through_its_text() {
        for text in [
            "hearth=1 owner=pi1 A=203.0.113.7 AAAA=2001:db8::7",
            "hearth=1 owner=watcher epoch=12",
            "hearth=1 owner=pi1 members=none",
            "hearth=1 owner=pi1 epoch=3 CNAME=user.github.io",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_not_a_mark() {
        assert_eq!(parse("v=spf1 -all"), Err(MarkError::Foreign));
        assert_eq!(parse(""), Err(MarkError::Foreign));
        assert_eq!(parse("hearth=2 owner=pi1"), Err(MarkError::Foreign));
        assert_eq!(parse("hearth=1 epoch=4"), Err(MarkError::Ownerless));
        assert_eq!(TxtData::new([vec![0xff, 0xfe]]).mark(), None);
    }

    #[test]
    fn words_of_a_later_version_are_passed_over() {
        let mark = parse("hearth=1 owner=pi1 colour=red A=192.0.2.1 loose").unwrap();
        assert_eq!(mark.to_string(), "hearth=1 owner=pi1 A=192.0.2.1");
    }

    #[test]
    fn a_member_that_cannot_be_read_does_not_make_the_whole_set_ours() {
        assert_eq!(parse("hearth=1 owner=pi1 A=garbage").unwrap().holds, Holds::Members(BTreeSet::new()));
    }

    #[test]
    fn a_long_mark_is_split_and_read_together() {
        let members = (0..40).map(|n| format!("AAAA 2001:db8::{n:x}").parse().unwrap()).collect();
        let mark = Mark { owner: Owner::new("pi1"), holds: Holds::Members(members), epoch: None };
        let data = TxtData::from(&mark);
        assert!(data.strings().count() > 1 && data.strings().all(|s| s.len() <= 255));
        assert_eq!(data.mark(), Some(mark));
    }
}
