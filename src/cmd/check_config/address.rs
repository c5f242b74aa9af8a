//! The `[address]` table of the page, and each source.

use super::{Page, time};
use crate::address::settings::{DnsEcho, EchoForm, Gateway};
use crate::address::{AddressSettings, Asked, SourceSettings};

impl Page<'_> {
    pub(super) fn address(&mut self, address: &AddressSettings) {
        self.table("[address]");
        self.list("families", &address.families);
        self.text("every", time(address.every));
        if let Some(bind) = address.bind {
            self.text("bind", bind);
        }
        self.list("admit", &address.admit);
        for source in &address.sources {
            self.table("[[address.source]]");
            self.source(source);
        }
    }

    fn source(&mut self, source: &SourceSettings) {
        match &source.asked {
            Asked::Interface => return self.text("kind", "interface"),
            Asked::Https { url, operator, key, family } => {
                self.text("kind", "https");
                self.text("url", url);
                self.text("operator", operator);
                if let Some(key) = key {
                    self.text("key", key);
                }
                if let Some(family) = family {
                    self.text("family", family);
                }
            }
            Asked::Dns(echo) => self.dns_echo(echo),
            Asked::Upnp(gateway) => self.router("upnp", *gateway),
            Asked::NatPmp(gateway) => self.router("nat-pmp", *gateway),
            Asked::Pcp(gateway) => self.router("pcp", *gateway),
            Asked::Stun { host, port } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                self.text("kind", "stun");
                self.text("server", format_args!("{host}:{port}"));
            }
        }
        self.text("every", time(source.spacing));
    }

    fn dns_echo(&mut self, echo: &DnsEcho) {
        self.text("kind", "dns");
        self.text("name", &echo.name);
        self.list("servers", &echo.servers);
        let answer = match echo.form {
            EchoForm::Address => "address",
            EchoForm::Text => "txt",
            EchoForm::ChaosText => "chaos-txt",
        };
        self.text("answer", answer);
    }

    fn router(&mut self, kind: &str, gateway: Gateway) {
        self.text("kind", kind);
        if let Gateway::Given(router) = gateway {
            self.text("gateway", router);
        }
    }
}
