//! Whether CAA records allow an authority (RFC 8659): asked before it is, because it looks itself, and counts a refusal.
//!
//! Never stands in the way when nobody says anything: the authority has the last word.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::rr::{RData, RecordType};

use super::error::AcmeError;
use crate::dns::Name;
use crate::dns::provider::{resolvers, wire};

/// For one question.
const PATIENCE: Duration = Duration::from_secs(3);

/// One property of a CAA record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Property {
    tag: String,
    value: String,
}

/// Who is asked what stands at a name.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The authoritative servers of the zone, where they are known.
    pub(super) zone: Option<(Name, Vec<SocketAddr>)>,
}

impl Asked {
    /// Looks whether an authority that is called one of `identities` may issue for `host`.
    pub(super) async fn check(&self, host: &str, identities: &[String]) -> Result<(), AcmeError> {
        let (Some(wanted), Ok(name)) = (identities.first(), host.parse::<Name>()) else { return Ok(()) };
        let Some((at, properties)) = self.relevant(&name).await else { return Ok(()) };
        match allowed(&properties) {
            Some(allowed)
                if !allowed
                    .iter()
                    .any(|name| identities.iter().any(|own| own.eq_ignore_ascii_case(name))) =>
            {
                let allowed = if allowed.is_empty() { "nobody".to_owned() } else { allowed.join(", ") };
                Err(AcmeError::Forbidden { at: at.to_string(), allowed, wanted: wanted.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The first set on the way up (RFC 8659 section 3).
    async fn relevant(&self, name: &Name) -> Option<(Name, Vec<Property>)> {
        let mut place = Some(name.clone());
        while let Some(at) = place {
            let found = self.ask(&at).await;
            if !found.is_empty() {
                return Some((at, found));
            }
            place = at.as_str().split_once('.').and_then(|(_, above)| above.parse().ok());
        }
        None
    }

    async fn ask(&self, name: &Name) -> Vec<Property> {
        if let Some((_, servers)) = self.zone.as_ref().filter(|(zone, _)| name.is_in(zone)) {
            for server in servers {
                if let Ok(answer) = wire::ask(*server, name, RecordType::CAA, PATIENCE).await {
                    return properties(&answer);
                }
            }
        }
        for resolver in resolvers().await {
            if let Ok(answer) = wire::resolve(resolver, name, RecordType::CAA, PATIENCE).await {
                return properties(&answer);
            }
        }
        Vec::new()
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "other types are no CAA records")]
fn properties(answer: &hickory_proto::op::Message) -> Vec<Property> {
    let property = |record: &hickory_proto::rr::Record| match &record.data {
        RData::CAA(caa) => Some(Property {
            tag: caa.tag.to_ascii_lowercase(),
            value: String::from_utf8_lossy(&caa.value).into_owned(),
        }),
        _ => None,
    };
    answer.answers.iter().filter_map(property).collect()
}

/// Whom a set allows; None: it restricts nobody (RFC 8659 section 4.2).
fn allowed(properties: &[Property]) -> Option<Vec<String>> {
    let mut issue = properties.iter().filter(|property| property.tag == "issue").peekable();
    issue.peek()?;
    let domain = |property: &Property| property.value.split(';').next().unwrap_or_default().trim().to_owned();
    Some(issue.map(domain).filter(|domain| !domain.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(set: &[(&str, &str)]) -> Option<Vec<String>> {
        let property =
            |(tag, value): &(&str, &str)| Property { tag: (*tag).to_owned(), value: (*value).to_owned() };
        allowed(&set.iter().map(property).collect::<Vec<_>>())
    }

    #[test]
    fn a_set_allows_whom_it_names_and_without_a_name_nobody() {
        assert_eq!(allows(&[]), None);
        assert_eq!(allows(&[("iodef", "mailto:a@example.com"), ("issuewild", "ca.example")]), None);
        assert_eq!(allows(&[("issue", ";")]), Some(vec![]));
        let two = allows(&[("issue", "ca.example; accounturi=x"), ("issue", " other.example ")]);
        assert_eq!(two, Some(vec!["ca.example".to_owned(), "other.example".to_owned()]));
    }
}
