//! The single values of the file: how each is written, and what it says when it is written otherwise.
//!
//! Never knows which key a value belongs to.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use reqwest::Url;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use toml::Spanned;

use crate::address::Network;
use crate::dns::{Name, Ttl};
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;

/// A value that is written as a text in quotes.
pub(super) trait Written: Sized {
    /// What is wanted, with an example; completes "… is wanted here".
    const WANTED: &'static str;

    /// Reads the text; the error is a whole message.
    fn read(text: &str) -> Result<Self, String>;
}

/// A value and its place in the file.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<'de, T: Written> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Text<T>>::deserialize(deserializer)?;
        Ok(At { span: spanned.span(), value: spanned.into_inner().0 })
    }
}

struct Text<T>(T);

impl<'de, T: Written> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Written> Visitor<'_> for TextVisitor<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<T>, E> {
        T::read(text).map(Text).map_err(E::custom)
    }
}

/// Implements [`Written`] by `FromStr`, with the error's own words.
macro_rules! written_by_from_str {
    ($($type:ty: $wanted:literal,)*) => {$(
        impl Written for $type {
            const WANTED: &'static str = $wanted;
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error| format!("{error}"))
            }
        }
    )*};
}

written_by_from_str! {
    Name: "a domain name in quotes, such as \"www.example.com\"",
    NodeName: "the name of a node in quotes, such as \"pi1\"",
    Network: "a network in quotes, such as \"10.0.0.0/8\"",
    VerifyingKey: "a public key in quotes, such as \"ed25519:…\"",
}

impl Written for String {
    const WANTED: &'static str = "a text in quotes";
    fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() { Err("this text is empty".to_owned()) } else { Ok(text.to_owned()) }
    }
}

/// A span of time: a whole number and `ms`, `s`, `m`, `h` or `d`, longer than nothing and a year at most.
impl Written for Duration {
    const WANTED: &'static str = "a time in quotes, such as \"10s\", \"5m\" or \"2h\"";
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a time; write \"250ms\", \"10s\", \"5m\", \"2h\" or \"1d\"");
        let millis = number_and_unit(text, &TIME_UNITS).ok_or_else(wrong)?;
        match millis {
            0 => Err("a time of nothing is not possible here".to_owned()),
            1..=31_622_400_000 => Ok(Duration::from_millis(millis)),
            _ => Err(format!("`{text}` is longer than a year")),
        }
    }
}

/// A time to live: a span of whole seconds.
impl Written for Ttl {
    const WANTED: &'static str = "a time in quotes, such as \"60s\" or \"10m\"";
    fn read(text: &str) -> Result<Self, String> {
        let span = Duration::read(text)?;
        let seconds = u32::try_from(span.as_secs()).map_err(|_| format!("`{text}` is too long"))?;
        if span.subsec_nanos() > 0 {
            return Err(format!("`{text}` is not a number of whole seconds, which DNS counts in"));
        }
        Ok(Ttl::from_secs(seconds))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size(pub(super) u64);

impl Written for Size {
    const WANTED: &'static str = "a size in quotes, such as \"64MiB\"";
    fn read(text: &str) -> Result<Self, String> {
        match number_and_unit(text, &SIZE_UNITS) {
            Some(0) => Err("a size of nothing is not possible here".to_owned()),
            Some(bytes) => Ok(Size(bytes)),
            None => Err(format!("`{text}` is not a size; write \"512KiB\", \"64MiB\" or \"1GiB\"")),
        }
    }
}

/// The units of time, in milliseconds.
const TIME_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The units of size, in bytes.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

fn number_and_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let (_, factor) = units.iter().find(|(unit, _)| *unit == text[digits..].trim_start())?;
    number.checked_mul(*factor)
}

impl Written for IpAddr {
    const WANTED: &'static str = "an address in quotes, such as \"192.0.2.1\"";
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("`{text}` is not an address; write \"192.0.2.1\" or \"2001:db8::1\""))
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

/// The path of a page.
#[derive(Clone, Debug)]
pub(super) struct PagePath(pub(super) String);

impl Written for PagePath {
    const WANTED: &'static str = "the path of a page in quotes, such as \"/\"";
    fn read(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') || text.contains(|c: char| c.is_ascii_control() || c == ' ') {
            return Err(format!(
                "`{text}` is not the path of a page; it begins with a slash and has no blanks"
            ));
        }
        Ok(PagePath(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_words() {
        let good = [("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000)];
        for (text, millis) in good {
            assert_eq!(Duration::read(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "s", "10 parsecs", "-1s", "1.5s", "0s", "99999999999999999999s", "400d"] {
            assert!(Duration::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_ttl_has_whole_seconds() {
        assert_eq!(Ttl::read("10m"), Ok(Ttl::from_secs(600)));
        assert!(Ttl::read("1500ms").is_err());
    }

    #[test]
    fn sizes_are_written_in_words() {
        assert_eq!(Size::read("64MiB").map(|s| s.0), Ok(64 << 20));
        assert_eq!(Size::read("1 kB").map(|s| s.0), Ok(1000));
        for text in ["64", "MiB", "0B", "64MiBs", "99999999999GiB"] {
            assert!(Size::read(text).is_err(), "{text}");
        }
    }

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
    fn a_host_has_no_port() {
        assert_eq!(Host::read("WWW.Example.com").map(|h| h.0).as_deref(), Ok("www.example.com"));
        assert!(Host::read("www.example.com:80").is_err());
    }
}
