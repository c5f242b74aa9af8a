//! Which host a request is for (RFC 9112 section 3.2): one of ours, a sibling of one, or somebody else's.
//!
//! PURE. hyper does not look at Host, so this is the one place that does.

use super::request::{Host, Target};

/// Over what a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// Its name in an address.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Whose host a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission<'a, 'h> {
    /// One of ours, as the client wrote it, without the port; and the number of its site.
    Ours(&'a str, usize),
    /// The one that differs from this one of ours by a leading `www.` only; and the number of its site.
    Sibling(&'h str, usize),
    /// None of ours.
    Foreign,
    /// None at all: missing, doubled, or no host.
    Malformed,
}

/// The hosts that are answered, each with the number of its site.
///
/// A handful: they are looked through one after the other.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Vec<(String, usize)>);

impl Hosts {
    /// Each host with the number of its site. Where a host has two, the first counts.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = (String, usize)>) -> Self {
        Self(hosts.into_iter().collect())
    }

    fn find(&self, is_it: impl Fn(&str) -> bool) -> Option<(&str, usize)> {
        let found = self.0.iter().find(|(host, _)| is_it(host));
        found.map(|(host, site)| (host.as_str(), *site))
    }
}

/// Looks at the host of a request. One in the request target (absolute form, HTTP/2) wins over Host; both must be hosts.
#[must_use]
pub fn admit<'a, 'h>(target: Target<'a>, header: Host<'a>, hosts: &'h Hosts) -> Admission<'a, 'h> {
    let header = match header {
        Host::Missing => None,
        Host::Several => return Admission::Malformed,
        Host::One(value) => match std::str::from_utf8(value).ok().and_then(host_of) {
            None => return Admission::Malformed,
            host => host,
        },
    };
    match (target.authority.map(host_of), header) {
        (Some(Some(host)), _) | (None, Some(host)) => whose(host, hosts),
        (Some(None), _) | (None, None) => Admission::Malformed,
    }
}

/// A host of one site is not taken for the sibling of another's.
fn whose<'a, 'h>(host: &'a str, hosts: &'h Hosts) -> Admission<'a, 'h> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Some((_, site)) = hosts.find(|ours| ours.eq_ignore_ascii_case(host)) {
        return Admission::Ours(host, site);
    }
    match hosts.find(|ours| are_siblings(ours, host)) {
        Some((ours, site)) => Admission::Sibling(ours, site),
        None => Admission::Foreign,
    }
}

/// Whether one is the other with `www.` before it.
fn are_siblings(one: &str, other: &str) -> bool {
    without_www(one).is_some_and(|bare| bare.eq_ignore_ascii_case(other))
        || without_www(other).is_some_and(|bare| bare.eq_ignore_ascii_case(one))
}

fn without_www(host: &str) -> Option<&str> {
    let (label, rest) = host.split_once('.')?;
    label.eq_ignore_ascii_case("www").then_some(rest)
}

/// The host of `host[:port]`; None when it is neither a name nor an address.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (&authority[..address.len() + 2], port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port_is_one = port.is_empty()
        || port.strip_prefix(':').is_some_and(|p| p.len() <= 5 && p.bytes().all(|b| b.is_ascii_digit()));
    (port_is_one && (host.starts_with('[') || is_name(host))).then_some(host)
}

/// Letters, digits, dash, dot and underscore: what names in the DNS and IPv4 addresses are made of.
fn is_name(host: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    !host.is_empty() && host.len() <= 255 && host.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(target: Target<'_>, host: &[&str]) -> String {
        let header = match host {
            [] => Host::Missing,
            [one] => Host::One(one.as_bytes()),
            _ => Host::Several,
        };
        let ours =
            [("www.example.com", 0), ("twopir", 0), ("[::1]", 0), ("example.net", 1), ("www.example.net", 2)];
        let hosts = Hosts::new(ours.map(|(host, site)| (host.to_owned(), site)));
        format!("{:?}", admit(target, header, &hosts))
    }

    #[test]
    fn ours_in_any_case_and_with_any_port() {
        for host in ["www.example.com", "WWW.Example.com:8080", "www.example.com.", "twopir:", "[::1]:80"] {
            assert!(see(Target::origin("/"), &[host]).starts_with("Ours"), "{host}");
        }
        let absolute = Target { authority: Some("twopir"), path: Some("/x") };
        assert_eq!(see(absolute, &["evil.example"]), "Ours(\"twopir\", 0)");
    }

    #[test]
    fn a_missing_doubled_or_invalid_host_is_malformed() {
        for hosts in [
            &[][..],
            &["twopir", "twopir"],
            &[""],
            &["a b"],
            &["twopir/x"],
            &["twopir@x"],
            &["twopir:x"],
            &["[::1"],
            &["[zz]"],
            &[":80"],
            &["twopir,twopir"],
            &["twopir:123456"],
        ] {
            assert_eq!(see(Target::origin("/"), hosts), "Malformed", "{hosts:?}");
        }
    }

    #[test]
    fn the_bare_name_is_a_sibling_of_www_and_others_are_foreign() {
        assert_eq!(see(Target::origin("/"), &["example.com"]), "Sibling(\"www.example.com\", 0)");
        assert_eq!(see(Target::origin("/"), &["www.twopir"]), "Sibling(\"twopir\", 0)");
        assert_eq!(see(Target::origin("/"), &["www.example.net"]), "Ours(\"www.example.net\", 2)");
        assert_eq!(see(Target::origin("/"), &["example.net"]), "Ours(\"example.net\", 1)");
        for host in ["evil.example", "www.www.example.com.evil", "xwww.example.com", "192.0.2.1"] {
            assert_eq!(see(Target::origin("/"), &[host]), "Foreign", "{host}");
        }
    }
}
