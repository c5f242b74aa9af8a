//! RFC 2136: what an UPDATE message does to a zone. All of it happens, or none of it.
//!
//! Never looks at a signature: who may write what is handed in as [`Rights`].

use std::collections::BTreeMap;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::{Rrset, Zone};

/// What one key may write: these names, and the ownership mark `_hearth.<name>` of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights(Vec<Name>);

/// One RRset before and after an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The owner name, lower case.
    pub name: Name,
    /// The type.
    pub kind: RecordType,
    /// What stood there. None: no such RRset.
    pub before: Option<Rrset>,
    /// What stands there now. None: the RRset is gone.
    pub after: Option<Rrset>,
}

impl Rights {
    /// The right to write these names.
    #[must_use]
    pub fn to(names: impl IntoIterator<Item = Name>) -> Self {
        let mut all = Vec::new();
        for name in names {
            let mark = name.prepend_label("_hearth");
            all.push(name);
            all.extend(mark);
        }
        Self(all)
    }

    /// Whether records of `name` may be written.
    #[must_use]
    pub fn cover(&self, name: &Name) -> bool {
        self.0.contains(name)
    }
}

/// What a class means in an update (RFC 2136 sections 2.4 and 2.5).
enum Class {
    /// The class of the zone: these data.
    Zone,
    /// Whatever stands there.
    Any,
    /// Nothing, or exactly these data gone.
    None,
}

fn class(record: &Record) -> Result<Class, ResponseCode> {
    if record.dns_class == DNSClass::IN {
        Ok(Class::Zone)
    } else if record.dns_class == DNSClass::ANY {
        Ok(Class::Any)
    } else if record.dns_class == DNSClass::NONE {
        Ok(Class::None)
    } else {
        Err(ResponseCode::FormErr)
    }
}

/// The zone after the update and the RRsets that it changed, without the SOA record; no change leaves the serial alone.
///
/// # Errors
/// The response code that says why nothing was done: a prerequisite that does not hold (section 3.2), a name that
/// the key may not write (section 3.3, REFUSED), or a message that makes no sense (section 3.4.1).
pub fn update(
    zone: &Zone,
    rights: &Rights,
    prerequisites: &[Record],
    changes: &[Record],
) -> Result<(Zone, Vec<Change>), ResponseCode> {
    check_prerequisites(zone, prerequisites)?;
    if !changes.iter().all(|record| rights.cover(&record.name) || !zone.holds(&record.name)) {
        return Err(ResponseCode::Refused);
    }
    changes.iter().try_for_each(|record| prescan(zone, record))?;
    let mut next = zone.clone();
    changes.iter().try_for_each(|record| apply(&mut next, record))?;
    let changed = differences(zone, &next);
    if !changed.is_empty() && next.serial() == zone.serial() {
        next.count_up();
    }
    Ok((next, changed))
}

/// Section 3.2.5. The two forms that compare values (3.2.3) are collected first: a set is compared as a whole.
fn check_prerequisites(zone: &Zone, prerequisites: &[Record]) -> Result<(), ResponseCode> {
    let mut wanted: BTreeMap<(Name, RecordType), Vec<&RData>> = BTreeMap::new();
    for record in prerequisites {
        if record.ttl != 0 {
            return Err(ResponseCode::FormErr);
        }
        if !zone.holds(&record.name) {
            return Err(ResponseCode::NotZone);
        }
        match class(record)? {
            Class::Any => must_exist(zone, record)?,
            Class::None => must_not_exist(zone, record)?,
            Class::Zone => {
                let key = (record.name.to_lowercase(), record.record_type());
                wanted.entry(key).or_default().push(&record.data);
            }
        }
    }
    let equal = |((name, kind), data): (&(Name, RecordType), &Vec<&RData>)| {
        zone.set(name, *kind).is_some_and(|set| same_members(&set.members, data))
    };
    if wanted.iter().all(equal) { Ok(()) } else { Err(ResponseCode::NXRRSet) }
}

/// Sections 3.2.1 (RRset exists, whatever its value) and 3.2.4 (name is in use).
fn must_exist(zone: &Zone, record: &Record) -> Result<(), ResponseCode> {
    match (is_empty(record)?, record.record_type()) {
        ((), RecordType::ANY) if zone.types_at(&record.name).next().is_none() => Err(ResponseCode::NXDomain),
        ((), RecordType::ANY) => Ok(()),
        ((), kind) if zone.set(&record.name, kind).is_none() => Err(ResponseCode::NXRRSet),
        ((), _) => Ok(()),
    }
}

/// Sections 3.2.2 (RRset does not exist) and 3.2.5 (name is not in use).
fn must_not_exist(zone: &Zone, record: &Record) -> Result<(), ResponseCode> {
    match (is_empty(record)?, record.record_type()) {
        ((), RecordType::ANY) if zone.types_at(&record.name).next().is_some() => Err(ResponseCode::YXDomain),
        ((), RecordType::ANY) => Ok(()),
        ((), kind) if zone.set(&record.name, kind).is_some() => Err(ResponseCode::YXRRSet),
        ((), _) => Ok(()),
    }
}

/// RDLENGTH must be zero where only the name and the type are meant.
fn is_empty(record: &Record) -> Result<(), ResponseCode> {
    if matches!(record.data, RData::Update0(_)) { Ok(()) } else { Err(ResponseCode::FormErr) }
}

fn same_members(stand: &[RData], wanted: &[&RData]) -> bool {
    stand.iter().all(|data| wanted.contains(&data)) && wanted.iter().all(|data| stand.contains(data))
}

/// Section 3.4.1: does this change make sense at all?
fn prescan(zone: &Zone, record: &Record) -> Result<(), ResponseCode> {
    if !zone.holds(&record.name) {
        return Err(ResponseCode::NotZone);
    }
    let kind = record.record_type();
    let empty = is_empty(record).is_ok();
    // 252 to 254 are AXFR, MAILB and MAILA: questions, never data.
    let question = matches!(u16::from(kind), 252..=254);
    let sound = match class(record)? {
        Class::Zone => !question && kind != RecordType::ANY && !empty,
        Class::Any => !question && record.ttl == 0 && empty,
        Class::None => !question && kind != RecordType::ANY && record.ttl == 0 && !empty,
    };
    if sound { Ok(()) } else { Err(ResponseCode::FormErr) }
}

/// Section 3.4.2.7.
fn apply(zone: &mut Zone, record: &Record) -> Result<(), ResponseCode> {
    match class(record)? {
        Class::Any => delete_sets(zone, record),
        Class::None => delete_member(zone, record),
        Class::Zone => add(zone, record),
    }
    Ok(())
}

/// Section 3.4.2.2: an alias and other data shut each other out, and an older SOA record is passed over.
fn add(zone: &mut Zone, record: &Record) {
    let kind = record.record_type();
    let alias_there = zone.set(&record.name, RecordType::CNAME).is_some();
    let other_there = zone.types_at(&record.name).any(|at| at != RecordType::CNAME);
    let clash = if kind == RecordType::CNAME { other_there } else { alias_there };
    let passed_over = if let RData::SOA(soa) = &record.data {
        // Serial numbers are compared in a circle (RFC 1982 section 3.2).
        record.name != *zone.apex() || soa.serial.wrapping_sub(zone.serial()).cast_signed() <= 0
    } else {
        clash
    };
    if !passed_over {
        zone.put(&record.name, record.ttl, record.data.clone());
    }
}

/// Section 3.4.2.3: the apex keeps its SOA and NS records.
fn delete_sets(zone: &mut Zone, record: &Record) {
    let kept =
        |kind: RecordType| record.name == *zone.apex() && matches!(kind, RecordType::SOA | RecordType::NS);
    let meant =
        |kind: &RecordType| matches!(record.record_type(), RecordType::ANY) || record.record_type() == *kind;
    let gone: Vec<_> = zone.types_at(&record.name).filter(|kind| meant(kind) && !kept(*kind)).collect();
    for kind in gone {
        zone.remove_set(&record.name, kind);
    }
}

/// Section 3.4.2.4: the SOA record and the last NS record of the apex stay.
fn delete_member(zone: &mut Zone, record: &Record) {
    let kind = record.record_type();
    let only = zone.set(&record.name, kind).is_some_and(|set| set.members.len() == 1);
    let last_server = kind == RecordType::NS && record.name == *zone.apex() && only;
    if kind != RecordType::SOA && !last_server {
        zone.remove(&record.name, &record.data);
    }
}

fn differences(before: &Zone, after: &Zone) -> Vec<Change> {
    let keys: std::collections::BTreeSet<_> = before.sets.keys().chain(after.sets.keys()).collect();
    keys.into_iter()
        .filter(|key| key.1 != RecordType::SOA && before.sets.get(key) != after.sets.get(key))
        .map(|key| Change {
            name: key.0.clone(),
            kind: key.1,
            before: before.sets.get(key).cloned(),
            after: after.sets.get(key).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
