//! What a provider says about one name: its records, whose they are, and what a compare-and-set has to compare.
//!
//! Never asks a provider; a value of what was read, in the words that every provider has in common.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::mark::{Holds, Mark, TxtData};
use super::remark::Remark;
use super::{Name, Owner, Rdata, RdataSet, RecordType, Ttl};

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
    /// Whose choice its TTL is.
    pub ttl_choice: TtlChoice,
    /// The text beside the record, where the provider keeps one; empty: none was written.
    pub remark: String,
    /// What else the provider keeps of the record (weight, status, proxied …), by the provider's own word for it. A
    /// provider that forgets what it is not told again is told it with every change.
    pub extras: BTreeMap<String, String>,
}

/// Whose choice the TTL of a record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TtlChoice {
    /// The writer's.
    #[default]
    Writer,
    /// The provider's: it stays as it is, whatever the writer asks for.
    Provider,
}

impl Record {
    /// A record with this data and nothing else that is known of it.
    #[must_use]
    pub fn new(rdata: Rdata, ttl: Ttl) -> Self {
        Self {
            id: None,
            rdata,
            ttl,
            line: None,
            owners: BTreeSet::new(),
            ttl_choice: TtlChoice::Writer,
            remark: String::new(),
            extras: BTreeMap::new(),
        }
    }
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
    /// Where the marks are.
    pub marks: Marking,
    /// The smallest TTL that the provider takes here, where it says so.
    pub min_ttl: Option<Ttl>,
    /// The line for everybody, at a provider that has lines.
    pub default_line: Option<Line>,
}

/// Where it is noted whose the records of a name are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Marking {
    /// Nowhere.
    #[default]
    Nowhere,
    /// In TXT records below the name.
    Txt(TxtMarks),
    /// In the remark of each record.
    Remarks,
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
        let marks = Marking::Nowhere;
        Self { name, records, holder: None, epoch: None, marks, min_ttl: None, default_line: None }
    }

    /// A name whose marks are in TXT records: who owns what follows from them.
    #[must_use]
    pub fn with_txt_marks(name: Name, records: Vec<Record>, mut marks: TxtMarks) -> Self {
        marks.records.sort();
        let mut seen = Self::unmarked(name, records);
        for mark in marks.records.iter().filter_map(TxtData::mark) {
            seen.note(mark);
        }
        seen.marks = Marking::Txt(marks);
        seen
    }

    /// A name whose marks are in the remark of each record: who owns what follows from them.
    #[must_use]
    pub fn with_remarks(name: Name, mut records: Vec<Record>) -> Self {
        for record in &mut records {
            record.owners = record.remark.parse::<Remark>().map(|r| r.owners).unwrap_or_default();
        }
        let mut seen = Self { marks: Marking::Remarks, ..Self::unmarked(name, records) };
        if let Some(held) = seen.records.iter().filter_map(held).max_by_key(|held| held.1) {
            (seen.holder, seen.epoch) = (Some(held.0), held.1);
        }
        seen
    }

    /// Who marked the whole set on `line` as theirs, and with which epoch. Marks in TXT records are for all lines.
    #[must_use]
    pub fn held_on(&self, line: Option<&Line>) -> (Option<Owner>, Option<u64>) {
        if self.marks != Marking::Remarks {
            return (self.holder.clone(), self.epoch);
        }
        let here = self.records.iter().filter(|record| record.line.as_ref() == line);
        let held = here.filter_map(held).max_by_key(|held| held.1);
        held.map_or((None, None), |(owner, epoch)| (Some(owner), epoch))
    }

    /// The TXT records that carry the marks, where that is how they are kept.
    #[must_use]
    pub fn txt_marks(&self) -> Option<&TxtMarks> {
        match &self.marks {
            Marking::Txt(marks) => Some(marks),
            Marking::Nowhere | Marking::Remarks => None,
        }
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

    /// The records on these lines; of none, those on the line for everybody. A provider without lines has one line.
    pub fn on_lines<'a>(&'a self, lines: &'a BTreeSet<Line>) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| match &record.line {
            Some(line) if lines.is_empty() => Some(line) == self.default_line.as_ref(),
            Some(line) => lines.contains(line),
            None => true,
        })
    }

    /// What is in force on these lines, one set for each type: what stands on every one of them.
    #[must_use]
    pub fn in_force(&self, lines: &BTreeSet<Line>) -> Vec<RdataSet> {
        let stands = |rdata: &&Rdata| {
            let here = self.on_lines(lines).filter(|record| record.rdata == **rdata);
            here.count() >= lines.len().max(1)
        };
        let members = |kind: RecordType| {
            let all = self.on_lines(lines).map(|record| &record.rdata);
            all.filter(move |rdata| rdata.record_type() == kind).filter(stands).cloned()
        };
        let kinds = [RecordType::A, RecordType::Aaaa, RecordType::Cname];
        kinds.into_iter().filter_map(|kind| RdataSet::new(members(kind)).ok()).collect()
    }

    /// The records of one type.
    pub fn rrset(&self, kind: RecordType) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |r| r.rdata.record_type() == kind)
    }
}

/// Who holds the whole set by the remark of this record, and with which epoch.
fn held(record: &Record) -> Option<(Owner, Option<u64>)> {
    let remark: Remark = record.remark.parse().ok()?;
    remark.holder.map(|holder| (holder, remark.epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        let rdata = text.parse().unwrap();
        Record::new(rdata, Ttl::from_secs(60))
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

    #[test]
    fn remarks_say_whose_a_record_is_and_a_holder_is_one_on_its_own_line() {
        let marked = |text: &str, line: &str, remark: &str| Record {
            line: Some(Line(line.to_owned())),
            remark: remark.to_owned(),
            ..record(text)
        };
        let records = vec![
            marked("A 192.0.2.1", "0", "hearth=1 owner=pi1 owner=pi2"),
            marked("A 192.0.2.2", "0", "the old server"),
            marked("A 192.0.2.3", "3=0", "hearth=1 holder=watcher epoch=7"),
        ];
        let seen = Snapshot::with_remarks("www.example.com".parse().unwrap(), records);
        let owners: Vec<usize> = seen.records.iter().map(|r| r.owners.len()).collect();
        assert_eq!(owners, [2, 0, 0]);
        assert_eq!(seen.held_on(Some(&Line("0".to_owned()))), (None, None));
        assert_eq!(seen.held_on(Some(&Line("3=0".to_owned()))), (Some(Owner::new("watcher")), Some(7)));
        assert_eq!(seen.epoch, Some(7));
    }

    #[test]
    fn what_is_in_force_stands_on_every_line_that_is_ours_and_on_no_other() {
        let record = |text: &str, line: &str| Record { line: Some(Line(line.to_owned())), ..record(text) };
        let records = vec![
            record("A 192.0.2.1", "0"),
            record("A 192.0.2.1", "3=0"),
            record("A 192.0.2.2", "0"),
            record("A 192.0.2.9", "10=1"),
        ];
        let mut seen = Snapshot::with_remarks("www.example.com".parse().unwrap(), records);
        seen.default_line = Some(Line("0".to_owned()));
        let sets = |lines: &[&str]| {
            let lines = lines.iter().map(|line| Line((*line).to_owned())).collect();
            seen.in_force(&lines).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(sets(&[]), ["A 192.0.2.1 192.0.2.2"]);
        assert_eq!(sets(&["3=0"]), ["A 192.0.2.1"]);
        assert_eq!(sets(&["0", "3=0"]), ["A 192.0.2.1"]);
        assert_eq!(sets(&["0", "10=1"]), [""; 0]);
    }
}
