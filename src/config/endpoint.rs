//! The values of the file that say where something is: addresses, servers, hosts and URLs.
//!
//! Never looks anything up.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;

use super::value::Written;
use crate::dns::Name;
use crate::probe::Scheme;

impl Written for IpAddr {
    const WANTED: &'static str = "an address in quotes, such as \"192.0.2.1\"";
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("`{text}` is not an address; write \"192.0.2.1\" or \"2001:db8::1\""))
    }
}

/// RFC 9110 sections 4.2.1 and 4.2.2.
pub(super) const fn default_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}

/// An address and a port to listen on.
impl Written for SocketAddr {
    const WANTED: &'static str = "an address and a port in quotes, such as \"[::]:80\"";
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not an address and a port; write \"[::]:80\" for every address of this machine, or \
                 \"127.0.0.1:8080\" for one"
            )
        };
        text.parse().map_err(|_| wrong())
    }
}

/// An authoritative server: an address, and a port unless it is 53.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameServer(pub(super) SocketAddr);

impl Written for NameServer {
    const WANTED: &'static str = "the address of a name server in quotes, such as \"192.0.2.53\"";
    fn read(text: &str) -> Result<Self, String> {
        let with_port = text.parse::<SocketAddr>().ok();
        let alone = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
        with_port.or_else(alone).map(NameServer).ok_or_else(|| {
            format!("`{text}` is not the address of a name server; write \"192.0.2.53\" or \"192.0.2.53:53\"")
        })
    }
}

/// A host name or an address, with a port.
#[derive(Clone, Debug)]
pub(super) struct HostPort(pub(super) String);

impl HostPort {
    /// Reads `host`, `host:port`, `[v6]:port` or `v6`; a port that is missing is `port`, or an error.
    fn with_default(text: &str, port: Option<u16>) -> Option<Self> {
        let whole = |host: &str, port: u16| match host.parse() {
            Ok(IpAddr::V6(host)) => Some(HostPort(format!("[{host}]:{port}"))),
            Ok(IpAddr::V4(host)) => Some(HostPort(format!("{host}:{port}"))),
            Err(_) => Some(HostPort(format!("{}:{port}", host.parse::<Name>().ok()?))),
        };
        if let Ok(address) = text.parse::<SocketAddr>() {
            return (address.port() > 0).then(|| HostPort(address.to_string()));
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => {
                whole(host, port.parse().ok().filter(|port| *port > 0)?)
            }
            _ => whole(text, port?),
        }
    }
}

/// The server that DNS updates go to; its port is 53 unless it is written.
#[derive(Clone, Debug)]
pub(super) struct UpdateServer(pub(super) String);

impl Written for UpdateServer {
    const WANTED: &'static str = "a server in quotes, such as \"ns1.example.com\" or \"192.0.2.53:53\"";
    fn read(text: &str) -> Result<Self, String> {
        HostPort::with_default(text, Some(53)).map(|server| UpdateServer(server.0)).ok_or_else(|| {
            format!("`{text}` is not a server; write \"ns1.example.com\", \"192.0.2.53:53\" or \"[2001:db8::53]:53\"")
        })
    }
}

/// A STUN server; its port is 3478 (RFC 8489 section 18.6) unless it is written.
#[derive(Clone, Debug)]
pub(super) struct StunServer {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Written for StunServer {
    const WANTED: &'static str = "a server in quotes, such as \"stun.example.com\" or \"192.0.2.1:3478\"";
    fn read(text: &str) -> Result<Self, String> {
        let read = || {
            let whole = HostPort::with_default(text, Some(3478))?;
            let (host, port) = whole.0.rsplit_once(':')?;
            let host = host.trim_matches(['[', ']']).to_owned();
            Some(StunServer { host, port: port.parse().ok()? })
        };
        read().ok_or_else(|| {
            format!("`{text}` is not a server; write \"stun.example.com\" or \"192.0.2.1:3478\"")
        })
    }
}

/// The directory of an authority (RFC 8555 section 7.1.1).
#[derive(Clone, Debug)]
pub(super) struct Directory(pub(super) String);

impl Written for Directory {
    const WANTED: &'static str =
        "an authority in quotes, such as \"letsencrypt\" or \"https://ca.example/directory\"";
    fn read(text: &str) -> Result<Self, String> {
        let known = match text {
            "letsencrypt" => instant_acme::LetsEncrypt::Production.url(),
            "letsencrypt-staging" => instant_acme::LetsEncrypt::Staging.url(),
            _ => text,
        };
        match Url::parse(known) {
            Ok(url) if url.scheme() == "https" && url.has_host() => Ok(Directory(known.to_owned())),
            Ok(_) | Err(_) => Err(format!(
                "`{text}` is no authority; write \"letsencrypt\", \"letsencrypt-staging\" or the https URL of a directory"
            )),
        }
    }
}

/// A place on the web.
#[derive(Clone, Debug)]
pub(super) struct WebUrl(pub(super) Url);

impl WebUrl {
    /// Whether what is sent there can be read and changed on its way: no TLS, and not this very machine.
    pub(super) fn is_in_the_clear(&self) -> bool {
        let host = self.0.host_str().unwrap_or("").trim_matches(['[', ']']);
        let loopback = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        self.0.scheme() == "http" && !loopback
    }
}

impl Written for WebUrl {
    const WANTED: &'static str = "a URL in quotes, such as \"https://example.com\"";
    fn read(text: &str) -> Result<Self, String> {
        let wrong =
            |why: &str| format!("this is not a URL that can be used here: {why}; write \"https://…\"");
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it begins with neither https:// nor http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL must not carry a name or a password".to_owned());
        }
        Ok(WebUrl(url))
    }
}

/// A mail address, to be put into a header.
#[derive(Clone, Debug)]
pub(super) struct Contact(pub(super) String);

impl Written for Contact {
    const WANTED: &'static str = "your mail address in quotes, such as \"me@example.com\"";
    fn read(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '(' | ')');
        let whole = text.split_once('@').is_some_and(|(who, at)| !who.is_empty() && at.contains('.'));
        if whole && text.chars().all(plain) {
            return Ok(Contact(text.to_owned()));
        }
        Err(format!("`{text}` is not a mail address; write \"me@example.com\""))
    }
}

/// Something that is up when the Internet is: a URL, or `host:port`.
#[derive(Clone, Debug)]
pub(super) struct Reference(pub(super) String);

impl Written for Reference {
    const WANTED: &'static str =
        "a URL or host:port in quotes, such as \"https://example.com\" or \"1.1.1.1:443\"";
    fn read(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return WebUrl::read(text).map(|url| Reference(url.0.to_string()));
        }
        let wrong =
            || format!("`{text}` is not a reference; write \"https://example.com\" or \"192.0.2.1:443\"");
        HostPort::with_default(text, None).map(|host| Reference(host.0)).ok_or_else(wrong)
    }
}

/// A value of the Host header, without a port.
#[derive(Clone, Debug)]
pub(super) struct Host(pub(super) String);

impl Written for Host {
    const WANTED: &'static str = "a host name in quotes, such as \"www.example.com\"";
    fn read(text: &str) -> Result<Self, String> {
        if text.parse::<SocketAddr>().is_ok() || text.contains("://") || text.contains(':') {
            return Err(format!("`{text}` is not a host name; write it without a scheme and without a port"));
        }
        let name: Name = text.parse().map_err(|error| format!("{error}"))?;
        Ok(Host(name.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_port_53_unless_it_is_written() {
        let table = [
            ("ns1.example.com", Some("ns1.example.com:53")),
            ("ns1.example.com:5300", Some("ns1.example.com:5300")),
            ("192.0.2.53", Some("192.0.2.53:53")),
            ("2001:db8::53", Some("[2001:db8::53]:53")),
            ("[2001:db8::53]:5300", Some("[2001:db8::53]:5300")),
            ("ns1.example.com:0", None),
            ("ns1.example.com:x", None),
            ("a b:53", None),
            ("", None),
        ];
        for (text, wanted) in table {
            assert_eq!(UpdateServer::read(text).ok().map(|s| s.0).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_reference_must_say_its_port() {
        assert!(Reference::read("example.com").is_err());
        assert!(Reference::read("example.com:443").is_ok());
        assert!(Reference::read("https://example.com/").is_ok());
        assert!(Reference::read("ftp://example.com/").is_err());
    }

    #[test]
    fn a_url_is_in_the_clear_without_tls_unless_it_stays_on_this_machine() {
        let clear = |text| WebUrl::read(text).unwrap().is_in_the_clear();
        assert!(clear("http://example.com"));
        for text in ["https://example.com", "http://127.0.0.9:80/ip", "http://[::1]/", "http://localhost:1/"]
        {
            assert!(!clear(text), "{text}");
        }
    }

    #[test]
    fn a_contact_fits_into_a_header() {
        assert!(Contact::read("me@example.com").is_ok());
        for text in ["me", "@example.com", "me@localhost", "me@example.com\r\nx: y", "(me@example.com)", ""] {
            assert!(Contact::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_has_no_port() {
        assert_eq!(Host::read("WWW.Example.com").map(|h| h.0).as_deref(), Ok("www.example.com"));
        assert!(Host::read("www.example.com:80").is_err());
    }
}
