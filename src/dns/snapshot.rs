//! What a provider says about one name: its records, whose they are, and what a compare-and-set has to compare.
//!
//! Never asks a provider; a value of what was read, in the words that every provider has in common.

use std::collections::BTreeSet;
use std::fmt;

use super::mark::{Holds, Mark, TxtData};
use super::{Name, Owner, Rdata, RecordType, Ttl};

/// The record id of a provider that addresses records by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub String);

/// A GeoDNS line by the provider's id, never by its name: names are renamed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(pub String);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One record as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where the provider has ids: the record's.
    pub id: Option<RecordId>,
    /// The data.
    pub rdata: Rdata,
    /// The time to live.
    pub ttl: Ttl,
    /// Where the provider has lines: the record's.
    pub line: Option<Line>,
    /// Whose it is, by its marks. Empty: nobody says so. Several: two nodes behind one address share the record.
    pub owners: BTreeSet<Owner>,
}

/// One name as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The name.
    pub name: Name,
    /// Its A, AAAA and CNAME records, in the order of their data.
    pub records: Vec<Record>,
    /// Who marked the whole set as theirs.
    pub holder: Option<Owner>,
    /// The highest epoch that a writer of the whole set left.
    pub epoch: Option<u64>,
    /// The TXT records that carry the marks, where that is how they are kept. None: the provider keeps them beside
    /// each record, or keeps none.
    pub marks: Option<TxtMarks>,
}

/// The TXT records at the place of a name's marks: marks and whatever else stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxtMarks {
    /// All of them, in order.
    pub records: Vec<TxtData>,
    /// Their time to live, when there is one.
    pub ttl: Option<Ttl>,
}

impl Snapshot {
    /// A name at a provider that keeps no marks.
    #[must_use]
    pub fn unmarked(name: Name, mut records: Vec<Record>) -> Self {
        records.sort_by(|a, b| a.rdata.cmp(&b.rdata));
        Self { name, records, holder: None, epoch: None, marks: None }
    }

    /// A name whose marks are in TXT records: who owns what follows from them.
    #[must_use]
    pub fn with_txt_marks(name: Name, records: Vec<Record>, mut marks: TxtMarks) -> Self {
        marks.records.sort();
        let mut seen = Self::unmarked(name, records);
        for mark in marks.records.iter().filter_map(TxtData::mark) {
            seen.note(mark);
        }
        seen.marks = Some(marks);
        seen
    }

    fn note(&mut self, mark: Mark) {
        match mark.holds {
            Holds::Whole if self.holder.is_none() || mark.epoch > self.epoch => {
                self.holder = Some(mark.owner);
                self.epoch = mark.epoch;
            }
            Holds::Whole => {}
            Holds::Members(members) => {
                for record in self.records.iter_mut().filter(|r| members.contains(&r.rdata)) {
                    record.owners.insert(mark.owner.clone());
                }
            }
        }
    }

    /// The records of one type.
    pub fn rrset(&self, kind: RecordType) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |r| r.rdata.record_type() == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        let rdata = text.parse().unwrap();
        Record { id: None, rdata, ttl: Ttl::from_secs(60), line: None, owners: BTreeSet::new() }
    }

    fn seen(marks: &[&str]) -> Snapshot {
        let records = marks.iter().map(|m| TxtData::new([m.as_bytes().to_vec()])).collect();
        let marks = TxtMarks { records, ttl: None };
        Snapshot::with_txt_marks(
            "www.example.com".parse().unwrap(),
            vec![record("A 192.0.2.2"), record("A 192.0.2.1")],
            marks,
        )
    }

    #[test]
    fn marks_say_whose_a_member_is() {
        let seen = seen(&["hearth=1 owner=pi1 A=192.0.2.1", "unrelated", "hearth=1 owner=pi2 A=192.0.2.1"]);
        let owners = |n: usize| seen.records[n].owners.iter().map(Owner::as_str).collect::<Vec<_>>();
        assert_eq!((owners(0), owners(1)), (vec!["pi1", "pi2"], vec![]));
        assert_eq!((seen.holder, seen.epoch), (None, None));
    }

    #[test]
    fn the_writer_of_the_whole_set_with_the_highest_epoch_holds_it() {
        let seen = seen(&["hearth=1 owner=old epoch=3", "hearth=1 owner=new epoch=12"]);
        assert_eq!((seen.holder, seen.epoch), (Some(Owner::new("new")), Some(12)));
    }
}
