//! SSDP (UPnP Device Architecture 1.1, section 1.3): the search for a router, and where it says its description is.
//!
//! A place that is read here lies on the router itself, by construction: a description that points elsewhere would make
//! this machine ask whom somebody else chose. Never sends.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Where searches go.
pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 255, 250), PORT);

/// The port of searches, at the group and at the router itself.
pub const PORT: u16 = 1900;

/// The longest path that is taken.
const LONGEST_PATH: usize = 512;

/// A place on the router: everything of an HTTP URL but the host, which is known.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    router: Ipv4Addr,
    port: u16,
    /// Begins with a slash; visible ASCII.
    path: String,
}

/// The search for internet gateways. Version 2 answers to version 1 as well (UPnP IGD:2, section 2.2).
#[must_use]
pub fn search() -> String {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {GROUP}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
         ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
    )
}

/// Where the router that sent this answer to a search has its description. None: it is no answer, or the description
/// lies elsewhere.
#[must_use]
pub fn location(answer: &[u8], router: Ipv4Addr) -> Option<Place> {
    let text = std::str::from_utf8(answer).ok()?;
    let mut lines = text.split("\r\n");
    let mut status = lines.next()?.splitn(3, ' ');
    if !status.next()?.starts_with("HTTP/1.") || status.next()? != "200" {
        return None;
    }
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
    let mut locations = headers.filter(|(name, _)| name.eq_ignore_ascii_case("location"));
    match (locations.next(), locations.next()) {
        (Some((_, url)), None) => Place::of(url.trim_ascii(), router),
        _ => None,
    }
}

impl Place {
    /// Reads an absolute URL. None: it is not HTTP, or not on the router.
    #[must_use]
    pub fn of(url: &str, router: Ipv4Addr) -> Option<Self> {
        const SCHEME: &str = "http://";
        let (scheme, rest) = url.split_at_checked(SCHEME.len())?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return None;
        }
        let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let (host, port) = match authority.split_once(':') {
            None => (authority, 80),
            Some((host, port)) => (host, port.parse().ok()?),
        };
        let here = host.parse() == Ok(router) && port != 0;
        if here { Self::at(router, port, path) } else { None }
    }

    fn at(router: Ipv4Addr, port: u16, path: &str) -> Option<Self> {
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic()) && path.len() <= LONGEST_PATH;
        (plain && path.starts_with('/')).then(|| Self { router, port, path: path.to_owned() })
    }

    /// The place that `reference` means in a document that lies here (RFC 3986 section 4.2): a URL, a path, or a name
    /// beside the document. None: it is elsewhere, or cannot be read.
    #[must_use]
    pub fn join(&self, reference: &str) -> Option<Self> {
        if reference.contains("://") {
            return Self::of(reference, self.router);
        }
        if reference.starts_with("//") {
            return None;
        }
        if reference.starts_with('/') {
            return Self::at(self.router, self.port, reference);
        }
        let end = self.path.rfind('/').map_or(0, |slash| slash + 1);
        Self::at(self.router, self.port, &format!("{}{reference}", &self.path[..end]))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.router, self.port, self.path)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    fn answer(headers: &str) -> Option<String> {
        let text = format!("HTTP/1.1 200 OK\r\nST: x\r\n{headers}\r\n\r\n");
        location(text.as_bytes(), ROUTER).map(|place| place.to_string())
    }

    #[test]
    fn a_router_says_where_its_description_is() {
        for (headers, place) in [
            ("LOCATION: http://192.168.1.1:5000/rootDesc.xml", "http://192.168.1.1:5000/rootDesc.xml"),
            ("Location:http://192.168.1.1/d.xml\r\nEXT:", "http://192.168.1.1:80/d.xml"),
            ("location: HTTP://192.168.1.1:49000", "http://192.168.1.1:49000/"),
        ] {
            assert_eq!(answer(headers).as_deref(), Some(place));
        }
    }

    #[test]
    fn nobody_is_asked_elsewhere_on_the_word_of_an_answer() {
        for headers in [
            "LOCATION: http://192.168.1.2/d.xml",
            "LOCATION: http://169.254.169.254/latest/meta-data",
            "LOCATION: http://192.168.1.1.example.com/d.xml",
            "LOCATION: http://192.168.1.1@evil.example/d.xml",
            "LOCATION: http://u:p@192.168.1.1/d.xml",
            "LOCATION: http://evil.example#192.168.1.1/",
            "LOCATION: http://192.168.1.1:0/",
            "LOCATION: http://192.168.1.1:99999/",
            "LOCATION: https://192.168.1.1/d.xml",
            "LOCATION: file:///etc/passwd",
            "LOCATION: /d.xml",
            "LOCATION: http://192.168.1.1/a b",
            "LOCATION: http://192.168.1.1/a\r\nLOCATION: http://192.168.1.1/b",
            "X: y",
        ] {
            assert_eq!(answer(headers), None, "{headers}");
        }
        assert_eq!(
            location(b"HTTP/1.1 404 Not Found\r\nLOCATION: http://192.168.1.1/\r\n\r\n", ROUTER),
            None
        );
        assert_eq!(location(b"NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.1.1/\r\n\r\n", ROUTER), None);
    }

    #[test]
    fn a_reference_is_followed_on_the_router_only() {
        let place = Place::of("http://192.168.1.1:5000/a/d.xml", ROUTER).unwrap();
        let join = |reference| place.join(reference).map(|place| place.to_string());
        assert_eq!(join("/ctl").as_deref(), Some("http://192.168.1.1:5000/ctl"));
        assert_eq!(join("ctl").as_deref(), Some("http://192.168.1.1:5000/a/ctl"));
        assert_eq!(join("http://192.168.1.1:80/c").as_deref(), Some("http://192.168.1.1:80/c"));
        for elsewhere in ["//evil.example/c", "http://10.0.0.1/c", "/a\nHost: b", "a b"] {
            assert_eq!(join(elsewhere), None, "{elsewhere:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_router_writes_the_place_is_on_the_router(url in "[ -~]{0,60}", reference in "[ -~]{0,40}") {
            let on_router = |place: &Place| place.to_string().starts_with("http://192.168.1.1:");
            prop_assert!(Place::of(&url, ROUTER).is_none_or(|place| on_router(&place)));
            let place = Place::of("http://192.168.1.1/d.xml", ROUTER).unwrap();
            prop_assert!(place.join(&reference).is_none_or(|place| on_router(&place)));
        }
    }
}
