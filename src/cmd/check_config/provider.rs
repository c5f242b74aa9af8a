//! The providers as they are set up.
//!
//! Never prints a token, a password or a key.

use std::net::SocketAddr;

use super::{Page, word};
use crate::dns::Name;
use crate::dns::provider::ProviderSettings;
use crate::dns::provider::sign::AccessKey;

impl Page<'_> {
    /// The table of one provider.
    pub(super) fn provider(&mut self, name: &str, settings: &ProviderSettings) {
        match settings {
            ProviderSettings::Rfc2136(settings) => self.rfc2136(name, settings),
            ProviderSettings::DnsPod(s) => {
                self.service(name, "dnspod", &s.endpoint, &s.zone);
                self.kept(name, "token");
                self.text("contact", &s.contact);
                self.name_servers(&s.name_servers);
            }
            ProviderSettings::Tencent(s) => {
                self.cloud(name, "tencent", &s.endpoint, &s.zone, &s.key, &s.name_servers);
            }
            ProviderSettings::Alidns(s) => {
                self.cloud(name, "alidns", &s.endpoint, &s.zone, &s.key, &s.name_servers);
            }
            ProviderSettings::Desec(s) => {
                self.service(name, "desec", &s.endpoint, &s.zone);
                self.kept(name, "token");
                self.name_servers(&s.name_servers);
                self.bare("marks", word(&s.marks));
            }
            ProviderSettings::Dyndns2(s) => {
                self.service(name, "dyndns2", &s.endpoint, &s.zone);
                self.text("user", &s.user);
                self.kept(name, "password");
                self.text("contact", &s.contact);
                self.name_servers(&s.name_servers);
            }
            ProviderSettings::Cloudflare(s) => {
                self.service(name, "cloudflare", &s.endpoint, &s.zone);
                self.kept(name, "token");
                self.name_servers(&s.name_servers);
            }
            ProviderSettings::PowerDns(s) => {
                self.service(name, "powerdns", &s.endpoint, &s.zone);
                self.kept(name, "api-key");
                self.name_servers(&s.name_servers);
                self.bare("marks", word(&s.marks));
            }
            ProviderSettings::DuckDns(s) => {
                self.service(name, "duckdns", &s.endpoint, &s.zone);
                self.kept(name, "token");
                self.name_servers(&s.name_servers);
            }
        }
    }

    fn service(&mut self, name: &str, kind: &str, endpoint: &str, zone: &Name) {
        self.table(format_args!("[provider.{name}]"));
        self.text("kind", kind);
        self.text("endpoint", endpoint);
        self.text("zone", zone);
    }

    fn cloud(
        &mut self,
        name: &str,
        kind: &str,
        endpoint: &str,
        zone: &Name,
        key: &AccessKey,
        name_servers: &[SocketAddr],
    ) {
        self.service(name, kind, endpoint, zone);
        self.text("access-key", &key.id);
        self.kept(name, "secret-key");
        self.name_servers(name_servers);
    }

    /// A secret, by where it is kept.
    fn kept(&mut self, name: &str, key: &str) {
        self.secret(key, &format!("provider.{name}.{key}"), "");
    }
}
