//! Finds the authoritative servers of a zone: those of the settings, or those that its NS records name.
//!
//! The NS records are asked of the resolvers of this machine; what the servers found then say is asked of themselves.
//! Never takes an address from a resolver for what stands in a zone.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::RData;
use tokio::task::JoinSet;

use super::ProviderError;
use super::wire;
use crate::dns::Name;

/// The port of name servers.
const PORT: u16 = 53;

/// How long a resolver may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where this machine's resolvers are listed (resolv.conf(5)).
const RESOLVERS: &str = "/etc/resolv.conf";

/// The authoritative servers of `zone`: `known`, where there are some.
///
/// # Errors
/// When no resolver names one that has an address.
pub(super) async fn servers(zone: &Name, known: &[SocketAddr]) -> Result<Vec<SocketAddr>, ProviderError> {
    if !known.is_empty() {
        return Ok(known.to_vec());
    }
    let none = |reason: &str| ProviderError::Unreachable {
        server: format!("the name servers of {zone}"),
        reason: format!("{reason}; list `name-servers`"),
    };
    let resolvers = resolvers().await;
    if resolvers.is_empty() {
        return Err(none("/etc/resolv.conf names no resolver"));
    }
    for resolver in resolvers {
        if let Some(names) = names(resolver, zone).await {
            let found = addresses(names).await;
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Err(none("no resolver of this machine says where they are"))
}

/// The resolvers of this machine.
pub(crate) async fn resolvers() -> Vec<SocketAddr> {
    let read = tokio::task::spawn_blocking(|| std::fs::read_to_string(RESOLVERS));
    let text = read.await.ok().and_then(Result::ok).unwrap_or_default();
    parse(&text)
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let words = lines.filter_map(|rest| rest.split_whitespace().next()?.parse::<IpAddr>().ok());
    words.map(|address| SocketAddr::new(address, PORT)).collect()
}

/// The names of the servers of `zone`, or of the zone that it lies in.
async fn names(resolver: SocketAddr, zone: &Name) -> Option<Vec<Name>> {
    let mut place = Some(zone.clone());
    while let Some(at) = place {
        let answer = wire::resolve(resolver, &at, hickory_proto::rr::RecordType::NS, PATIENCE).await.ok()?;
        #[allow(clippy::wildcard_enum_match_arm, reason = "other types are not name servers")]
        let names: Vec<Name> = answer
            .answers
            .iter()
            .filter_map(|record| match &record.data {
                RData::NS(target) => wire::plain_name(&target.0),
                _ => None,
            })
            .collect();
        if !names.is_empty() {
            return Some(names);
        }
        place = at.as_str().split_once('.').and_then(|(_, above)| above.parse().ok());
    }
    None
}

/// The addresses of all of them, as this machine resolves them. A name without one is no reason to leave the others out.
async fn addresses(names: Vec<Name>) -> Vec<SocketAddr> {
    let mut asking = JoinSet::new();
    for name in names {
        asking.spawn(tokio::time::timeout(PATIENCE, async move {
            tokio::net::lookup_host((name.as_str(), PORT)).await.map(Iterator::collect::<Vec<_>>)
        }));
    }
    let mut found = Vec::new();
    while let Some(asked) = asking.join_next().await {
        if let Ok(Ok(Ok(addresses))) = asked {
            found.extend(addresses);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_read_from_their_lines() {
        let text =
            "# comment\nsearch lan\nnameserver 192.0.2.53\nnameserver  2001:db8::53 # v6\nnameserver x\n";
        let found: Vec<String> = parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.53:53", "[2001:db8::53]:53"]);
    }
}
