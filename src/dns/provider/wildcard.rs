//! Tells records that stand at a name from answers that a wildcard makes up for it (RFC 4592).
//!
//! A home zone often has `*.example.com`. What it answers for a name that has no records of its own is not a set that
//! can be compared or changed there: an update that says it stands is refused for ever. Never writes anything.

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Record as WireRecord, RecordType as WireType};

use super::ProviderError;
use super::rfc2136::Rfc2136;
use super::update::set_as_seen;
use super::wire::{Connection, wire_name};
use crate::dns::Name;

impl Rfc2136 {
    /// The records of this type that stand at `name` itself.
    pub(super) async fn standing(
        &self,
        connection: &mut Connection,
        name: &Name,
        kind: WireType,
    ) -> Result<Vec<WireRecord>, ProviderError> {
        let answers = self.ask(connection, name, kind).await?;
        let made_up = !answers.is_empty()
            && self.has_wildcard_like(connection, name, kind, &answers).await?
            && self.is_absent(connection, name, kind, &answers).await?;
        Ok(if made_up { Vec::new() } else { answers })
    }

    /// Whether a wildcard above `name` holds the same data; asked for by its own name, it answers as any other does.
    async fn has_wildcard_like(
        &self,
        connection: &mut Connection,
        name: &Name,
        kind: WireType,
        answers: &[WireRecord],
    ) -> Result<bool, ProviderError> {
        for wildcard in wildcards(name, self.zone()) {
            let wild = self.ask(connection, &wildcard, kind).await?;
            let same = wild.len() == answers.len();
            if same && wild.iter().all(|w| answers.iter().any(|a| a.data == w.data)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the primary denies that this set stands at `name`: an update with a prerequisite and no change.
    async fn is_absent(
        &self,
        connection: &mut Connection,
        name: &Name,
        kind: WireType,
        answers: &[WireRecord],
    ) -> Result<bool, ProviderError> {
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.add_query(Query::query(wire_name(self.zone()), WireType::SOA));
        message.add_answers(set_as_seen(
            &wire_name(name),
            kind,
            answers.iter().map(|a| a.data.clone()).collect(),
        ));
        self.sign(&mut message)?;
        let unreachable = |reason| ProviderError::Unreachable { server: self.server().to_owned(), reason };
        let bytes = connection.exchange(&message).await.map_err(|e| unreachable(e.to_string()))?;
        let answer = Message::from_vec(&bytes).map_err(|e| unreachable(e.to_string()))?;
        Ok(answer.metadata.response_code == ResponseCode::NXRRSet)
    }
}

/// The wildcards of `zone` that can answer for `name`, the nearest first.
fn wildcards(name: &Name, zone: &Name) -> Vec<Name> {
    let above = name.as_str().match_indices('.').map(|(dot, _)| &name.as_str()[dot + 1..]);
    let above = above.filter_map(|text| text.parse::<Name>().ok()).filter(|parent| parent.is_in(zone));
    above.filter_map(|parent| parent.child("*").ok()).filter(|wildcard| wildcard != name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_of_the_zone_above_the_name_can_answer_for_it() {
        let of = |name: &str| {
            let found = wildcards(&name.parse().unwrap(), &"example.com".parse().unwrap());
            found.iter().map(Name::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of("_hearth.www.example.com"), ["*.www.example.com", "*.example.com"]);
        assert_eq!(of("example.com"), [""; 0]);
        assert_eq!(of("*.example.com"), [""; 0]);
    }
}
