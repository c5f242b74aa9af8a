//! A router's description (UPnP Device Architecture 1.1, section 2.3) and the question for its external address
//! (WANIPConnection:1, section 2.4.18).
//!
//! Never takes a document with a DTD, and never follows it off the router.

use std::net::Ipv4Addr;

use roxmltree::{Document, Node, ParsingOptions};

use super::ssdp::Place;

/// The services that know an external address, the preferred one first.
const KINDS: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// The most nodes of a document. Descriptions of home routers have a few hundred.
const MOST_NODES: u32 = 10_000;

/// The most services that are asked: a router has one for each of its ways out.
pub const MOST_SERVICES: usize = 4;

/// A service that knows an external address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    kind: &'static str,
    /// Where it is asked.
    pub control: Place,
}

/// The services in the description that lies at `place`, the preferred ones first.
///
/// # Errors
/// When it cannot be read, or names none on the router itself.
pub fn services(description: &str, place: &Place) -> Result<Vec<Service>, String> {
    let document = document(description)?;
    // URLBase is of version 1.0; whoever writes it may write nonsense.
    let base = text_of(document.root_element(), "URLBase").and_then(|url| place.join(url));
    let base = base.as_ref().unwrap_or(place);
    let all = document.descendants().filter(|node| node.has_tag_name_local("service"));
    let mut services: Vec<Service> = all.filter_map(|node| service(node, base)).collect();
    services.sort_by_key(|service| KINDS.iter().position(|kind| *kind == service.kind));
    services.truncate(MOST_SERVICES);
    if services.is_empty() {
        Err("describes no service that knows its address".to_owned())
    } else {
        Ok(services)
    }
}

fn service(node: Node<'_, '_>, base: &Place) -> Option<Service> {
    let kind = text_of(node, "serviceType")?;
    let kind = KINDS.into_iter().find(|known| *known == kind)?;
    Some(Service { kind, control: base.join(text_of(node, "controlURL")?)? })
}

impl Service {
    /// The value of the header SOAPACTION.
    #[must_use]
    pub fn action(&self) -> String {
        format!("\"{}#GetExternalIPAddress\"", self.kind)
    }

    /// The body of the question.
    #[must_use]
    pub fn question(&self) -> String {
        format!(
            "<?xml version=\"1.0\"?>\r\n\
             <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">\
             <s:Body><u:GetExternalIPAddress xmlns:u=\"{}\"/></s:Body></s:Envelope>\r\n",
            self.kind
        )
    }
}

/// The address in the answer to that question; zeros when the router holds none, or none that is public.
///
/// # Errors
/// When it has none, or more than an address; what it has.
pub fn answer(body: &str) -> Result<Ipv4Addr, String> {
    let document = document(body)?;
    if let Some(code) = document.descendants().find(|node| node.has_tag_name_local("errorCode")) {
        let code: Option<u16> = code.text().and_then(|code| code.trim_ascii().parse().ok());
        return Err(code.map_or("refused".to_owned(), |code| format!("refused with UPnP error {code}")));
    }
    let mut found = document.descendants().filter(|node| node.has_tag_name_local("NewExternalIPAddress"));
    let (Some(node), None) = (found.next(), found.next()) else {
        return Err("answered without one address".to_owned());
    };
    match node.text().unwrap_or("").trim_ascii() {
        "" if node.children().all(|child| child.is_text()) => Ok(Ipv4Addr::UNSPECIFIED),
        text => text.parse().map_err(|_| "answered something that is not an IPv4 address".to_owned()),
    }
}

fn document(text: &str) -> Result<Document<'_>, String> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|_| "answered something that is not XML".to_owned())
}

/// The text of the child called `name`.
fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let child = node.children().find(|child| child.has_tag_name_local(name))?;
    child.text().map(str::trim_ascii)
}

/// Names without their namespace: routers are careless with it.
trait Local {
    fn has_tag_name_local(&self, name: &str) -> bool;
}

impl Local for Node<'_, '_> {
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    fn place() -> Place {
        Place::of("http://192.168.1.1:5000/rootDesc.xml", ROUTER).unwrap()
    }

    fn description(base: &str, services: &[(&str, &str)]) -> String {
        let services: String = services
            .iter()
            .map(|(kind, control)| {
                format!(
                    "<service><serviceType>{kind}</serviceType><controlURL>{control}</controlURL></service>"
                )
            })
            .collect();
        format!(
            "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\">{base}<device><deviceList>\
             <device><serviceList>{services}</serviceList></device></deviceList></device></root>"
        )
    }

    #[test]
    fn the_services_that_know_the_address_are_found_and_sorted() {
        let text = description(
            "",
            &[
                ("urn:schemas-upnp-org:service:Layer3Forwarding:1", "/l3"),
                ("urn:schemas-upnp-org:service:WANPPPConnection:1", "ppp"),
                (" urn:schemas-upnp-org:service:WANIPConnection:1\n", "/ctl/IPConn"),
            ],
        );
        let found: Vec<String> =
            services(&text, &place()).unwrap().iter().map(|s| s.control.to_string()).collect();
        assert_eq!(found, ["http://192.168.1.1:5000/ctl/IPConn", "http://192.168.1.1:5000/ppp"]);
    }

    #[test]
    fn a_description_does_not_lead_off_the_router() {
        const WAN: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";
        for (base, control) in [
            ("", "http://10.0.0.1/ctl"),
            ("", "//evil.example/ctl"),
            ("", "http://192.168.1.1@evil.example/"),
        ] {
            assert!(services(&description(base, &[(WAN, control)]), &place()).is_err(), "{control}");
        }
        let based = description("<URLBase>http://evil.example/</URLBase>", &[(WAN, "/ctl")]);
        assert_eq!(services(&based, &place()).unwrap()[0].control.to_string(), "http://192.168.1.1:5000/ctl");
    }

    #[test]
    fn an_answer_holds_one_address_or_none() {
        let soap = |inner: &str| {
            format!(
                "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{inner}</s:Body></s:Envelope>"
            )
        };
        let address = |text: &str| soap(&format!("<NewExternalIPAddress>{text}</NewExternalIPAddress>"));
        assert_eq!(answer(&address("84.1.2.3")), Ok([84, 1, 2, 3].into()));
        assert_eq!(answer(&address("\n 84.1.2.3 ")), Ok([84, 1, 2, 3].into()));
        assert_eq!(answer(&address("")), Ok(Ipv4Addr::UNSPECIFIED));
        for (body, says) in [
            (address("84.1.2.3 84.1.2.4"), "not an IPv4 address"),
            (address("<b>84.1.2.3</b>"), "not an IPv4 address"),
            (address("2a02::1"), "not an IPv4 address"),
            (format!("{}{}", address("84.1.2.3"), address("84.1.2.4")), "not XML"),
            (soap("<u><errorCode>501</errorCode></u>"), "error 501"),
            (soap(""), "without one address"),
            ("<html>84.1.2.3</html>".to_owned(), "without one address"),
            ("84.1.2.3".to_owned(), "not XML"),
            (format!("<!DOCTYPE a [<!ENTITY b \"84.1.2.3\">]>{}", address("&b;")), "not XML"),
        ] {
            let why = answer(&body).unwrap_err();
            assert!(why.contains(says), "{body}: {why}");
        }
    }

    #[test]
    fn a_document_of_a_million_nodes_is_not_read() {
        let text = format!("<a>{}</a>", "<b/>".repeat(20_000));
        assert!(answer(&text).unwrap_err().contains("not XML"));
    }

    proptest! {
        #[test]
        fn whatever_a_router_writes_is_read_to_its_end(text in "[<>/a-zA-Z0-9:. =\"&;!\\[\\]-]{0,200}") {
            let _ = answer(&text);
            let _ = services(&text, &place());
        }
    }
}
