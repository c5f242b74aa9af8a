//! Which host a request is for (RFC 9112 section 3.2): ours, a sibling of ours, or somebody else's.
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
    /// Ours; as the client wrote it, without the port.
    Ours(&'a str),
    /// The one that differs from this one of ours by a leading `www.` only.
    Sibling(&'h str),
    /// None of ours.
    Foreign,
    /// None at all: missing, doubled, or no host.
    Malformed,
}

/// Looks at the host of a request. One in the request target (absolute form, HTTP/2) wins over Host; both must be hosts.
#[must_use]
pub fn admit<'a, 'h>(target: Target<'a>, header: Host<'a>, hosts: &'h [String]) -> Admission<'a, 'h> {
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

fn whose<'a, 'h>(host: &'a str, hosts: &'h [String]) -> Admission<'a, 'h> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)) {
        return Admission::Ours(host);
    }
    match hosts.iter().find(|ours| are_siblings(ours, host)) {
        Some(ours) => Admission::Sibling(ours),
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
        let hosts = ["www.example.com".to_owned(), "twopir".to_owned(), "[::1]".to_owned()];
        format!("{:?}", admit(target, header, &hosts))
    }

    #[test]
    fn ours_in_any_case_and_with_any_port() {
        for host in ["www.example.com", "WWW.Example.com:8080", "www.example.com.", "twopir:", "[::1]:80"] {
            assert!(see(Target::origin("/"), &[host]).starts_with("Ours"), "{host}");
        }
        let absolute = Target { authority: Some("twopir"), path: Some("/x") };
        assert_eq!(see(absolute, &["evil.example"]), "Ours(\"twopir\")");
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
        assert_eq!(see(Target::origin("/"), &["example.com"]), "Sibling(\"www.example.com\")");
        assert_eq!(see(Target::origin("/"), &["www.twopir"]), "Sibling(\"twopir\")");
        for host in ["evil.example", "www.www.example.com.evil", "xwww.example.com", "192.0.2.1"] {
            assert_eq!(see(Target::origin("/"), &[host]), "Foreign", "{host}");
        }
    }
}
