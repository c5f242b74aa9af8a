//! What the APIs of the clouds in China have in common: host records below a domain, and errors by what they mean.
//!
//! Never asks; each service says in its own words what these are.

use std::time::Duration;

use super::ProviderError;
use crate::dns::Name;

/// A record as these services have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostRecord {
    /// Its id.
    pub(super) id: String,
    /// Below the domain; `@` is the domain itself.
    pub(super) name: String,
    /// Its type; there are types that DNS does not have, such as forwarding a URL.
    pub(super) kind: String,
    /// Its data as text; a CNAME with or without the final dot.
    pub(super) value: String,
    /// Its TTL in seconds.
    pub(super) ttl: u32,
    /// Its line: the id where lines have one, else the key that is the same in every language.
    pub(super) line: String,
    /// Its remark.
    pub(super) remark: String,
    /// Its weight among the records of its set, where one was given.
    pub(super) weight: Option<u32>,
    /// Whether it is served.
    pub(super) service: Service,
}

/// Whether a record is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// It is.
    Served,
    /// Somebody switched it off. It is nobody's to change, and counts against no limit.
    Disabled,
}

/// What an error code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The credentials are not accepted.
    Auth,
    /// The credentials are accepted, but not for this; or a person has to unlock something.
    Refused,
    /// Our clock is wrong.
    ClockSkew,
    /// Something else stands there than was seen.
    Conflict,
    /// Too many calls: closed for this long.
    Wait(Duration),
    /// It may be better next time.
    Passing,
    /// There is nothing to list.
    Empty,
    /// The domain is not there, or not this account's.
    NoZone,
    /// What was sent can never be taken.
    Input,
}

/// Who was asked, about what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The service, by its host.
    pub(super) server: &'a str,
    /// The key, by the part that is no secret.
    pub(super) key: &'a str,
    /// The domain.
    pub(super) zone: &'a Name,
    /// The name.
    pub(super) name: &'a Name,
}

impl Class {
    /// The error that says so; `reason` is in the service's words.
    pub(super) fn error(self, place: &Place<'_>, reason: String) -> ProviderError {
        let server = place.server.to_owned();
        match self {
            Class::Auth => ProviderError::Auth { server, key: place.key.to_owned(), reason },
            Class::Refused => ProviderError::Refused { server, reason },
            Class::ClockSkew => ProviderError::ClockSkew { server, reason },
            Class::Conflict => ProviderError::Conflict { name: place.name.clone(), server, reason },
            Class::Wait(wait) => ProviderError::Transient { server, reason, retry_after: Some(wait) },
            Class::Passing | Class::Empty => ProviderError::Transient { server, reason, retry_after: None },
            Class::NoZone => ProviderError::NotAuthoritative { server, zone: place.zone.clone(), reason },
            Class::Input => ProviderError::Unusable(format!(
                "{server} does not take what is asked for {}: {reason}",
                place.name
            )),
        }
    }
}

/// `name` below `zone`, the way these services write it: `@` for the zone itself.
pub(super) fn host(name: &Name, zone: &Name) -> String {
    let below = name.as_str().strip_suffix(zone.as_str()).and_then(|head| head.strip_suffix('.'));
    below.map_or_else(|| "@".to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_below_its_zone() {
        let host = |name: &str| host(&name.parse().unwrap(), &"example.com".parse().unwrap());
        assert_eq!(host("www.example.com"), "www");
        assert_eq!(host("a.b.example.com"), "a.b");
        assert_eq!(host("example.com"), "@");
    }
}
