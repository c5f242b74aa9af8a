//! The zone of the demo: an authoritative name server for one zone, small but by the book, so that the real DNS code
//! of agents and watcher has a real server to talk to.
//!
//! [`Zone`] is the data and [`update`] the rules of RFC 2136; both are values in, values out. [`serve`] puts them on a
//! UDP and a TCP socket. Never recurses, delegates, transfers or signs a zone, and knows no wildcards.

pub mod serve;
pub mod update;

use std::collections::BTreeMap;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// The longest chain of CNAMEs that is followed: a loop must end.
const LONGEST_CHAIN: usize = 8;

/// How long a negative answer may be kept, in seconds (RFC 2308 section 4): short, because a demo is impatient.
const NEGATIVE_TTL: u32 = 1;

/// One RRset: the members share a TTL (RFC 2181 section 5.2). It has members; an empty one is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrset {
    /// Seconds.
    pub ttl: u32,
    /// The data, each once, in the order in which it came.
    pub members: Vec<RData>,
}

/// The data of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    apex: Name,
    sets: BTreeMap<(Name, RecordType), Rrset>,
}

/// What a question is answered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// NoError, NXDomain or Refused.
    pub code: ResponseCode,
    /// The answer section.
    pub answers: Vec<Record>,
    /// The authority section: the SOA record of a negative answer (RFC 2308 section 3).
    pub authority: Vec<Record>,
}

impl Zone {
    /// A zone of this apex with one name server, `ns.<apex>`, and nothing else.
    #[must_use]
    pub fn new(apex: Name) -> Self {
        let below = |label: &str| apex.prepend_label(label).expect("the apex of the demo is short");
        let soa = SOA::new(below("ns"), below("hostmaster"), 1, 3600, 600, 86_400, NEGATIVE_TTL);
        let mut zone = Self { apex: apex.clone(), sets: BTreeMap::new() };
        zone.put(&apex, NEGATIVE_TTL, RData::SOA(soa));
        zone.put(&apex, 60, RData::NS(NS(below("ns"))));
        zone
    }

    /// The name of the zone.
    #[must_use]
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// Whether `name` is the apex or lies below it.
    #[must_use]
    pub fn holds(&self, name: &Name) -> bool {
        self.apex.zone_of(name)
    }

    /// Adds one member, or replaces what has to stand alone: SOA and CNAME (RFC 2136 section 3.4.2.2).
    pub fn put(&mut self, name: &Name, ttl: u32, data: RData) {
        let alone = matches!(data.record_type(), RecordType::SOA | RecordType::CNAME);
        let key = (name.to_lowercase(), data.record_type());
        let set = self.sets.entry(key).or_insert_with(|| Rrset { ttl, members: Vec::new() });
        set.ttl = ttl;
        if alone {
            set.members.clear();
        }
        if !set.members.contains(&data) {
            set.members.push(data);
        }
    }

    /// Removes one member; the RRset goes with its last one.
    pub fn remove(&mut self, name: &Name, data: &RData) {
        let key = (name.to_lowercase(), data.record_type());
        if let Some(set) = self.sets.get_mut(&key) {
            set.members.retain(|member| member != data);
            if set.members.is_empty() {
                self.sets.remove(&key);
            }
        }
    }

    /// Removes one RRset.
    pub fn remove_set(&mut self, name: &Name, kind: RecordType) {
        self.sets.remove(&(name.to_lowercase(), kind));
    }

    /// One RRset.
    #[must_use]
    pub fn set(&self, name: &Name, kind: RecordType) -> Option<&Rrset> {
        self.sets.get(&(name.to_lowercase(), kind))
    }

    /// The types that exist at a name.
    pub fn types_at(&self, name: &Name) -> impl Iterator<Item = RecordType> {
        let name = name.to_lowercase();
        self.sets.keys().filter(move |(owner, _)| *owner == name).map(|(_, kind)| *kind)
    }

    /// The serial number of the zone.
    #[must_use]
    pub fn serial(&self) -> u32 {
        match self.set(&self.apex, RecordType::SOA).and_then(|set| set.members.first()) {
            Some(RData::SOA(soa)) => soa.serial,
            _ => 0,
        }
    }

    /// One more than the serial, never zero (RFC 2136 section 3.6, RFC 1982).
    fn count_up(&mut self) {
        let apex = self.apex.clone();
        if let Some(set) = self.sets.get_mut(&(apex.to_lowercase(), RecordType::SOA))
            && let Some(RData::SOA(soa)) = set.members.first_mut()
        {
            soa.serial = soa.serial.wrapping_add(1).max(1);
        }
    }

    /// The answer to a question of class IN (RFC 1034 section 4.3.2, without delegations and wildcards).
    #[must_use]
    pub fn answer(&self, name: &Name, kind: RecordType) -> Answer {
        let mut answers = Vec::new();
        if !self.holds(name) || matches!(kind, RecordType::AXFR | RecordType::IXFR) {
            return Answer { code: ResponseCode::Refused, answers, authority: Vec::new() };
        }
        let mut name = name.clone();
        for _ in 0..LONGEST_CHAIN {
            if let Some(found) = self.direct(&name, kind) {
                answers.extend(found);
                return Answer { code: ResponseCode::NoError, answers, authority: Vec::new() };
            }
            let Some(target) = self.alias(&name) else {
                return self.negative(&name, answers);
            };
            answers.extend(self.records(&name, RecordType::CNAME));
            name = target;
            if !self.holds(&name) {
                break;
            }
        }
        Answer { code: ResponseCode::NoError, answers, authority: Vec::new() }
    }

    /// The records of `kind` at `name` itself. ANY is answered with one RRset (RFC 8482 section 4.1).
    fn direct(&self, name: &Name, kind: RecordType) -> Option<Vec<Record>> {
        let kind = if kind == RecordType::ANY { self.types_at(name).next()? } else { kind };
        let found = self.records(name, kind);
        (!found.is_empty()).then_some(found)
    }

    fn alias(&self, name: &Name) -> Option<Name> {
        let RData::CNAME(target) = self.set(name, RecordType::CNAME)?.members.first()? else { return None };
        Some(target.0.clone())
    }

    /// NODATA when the name exists, or something below it does (RFC 8020); else NXDOMAIN, also at the end of a chain of
    /// aliases (RFC 6604 section 3).
    fn negative(&self, name: &Name, answers: Vec<Record>) -> Answer {
        let exists = self.sets.keys().any(|(owner, _)| name.zone_of(owner));
        let code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
        Answer { code, answers, authority: self.records(&self.apex, RecordType::SOA) }
    }

    fn records(&self, name: &Name, kind: RecordType) -> Vec<Record> {
        let set = self.set(name, kind);
        let record = |ttl, data: &RData| Record::from_rdata(name.clone(), ttl, data.clone());
        set.map(|set| set.members.iter().map(|data| record(set.ttl, data)).collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
