//! What the tables of the services mean that are asked over HTTPS.
//!
//! Never asks a service; whether a token is good shows when it is used.

use std::ops::Range;

use crate::config::endpoint::WebUrl;
use crate::config::file::provider::{Provider, ProviderKind};
use crate::config::reading::Reading;
use crate::config::value::At;
use crate::dns::Name;
use crate::dns::provider::sign::AccessKey;
use crate::dns::provider::{
    AlidnsSettings, CloudflareSettings, DesecSettings, DnsPodSettings, DuckDnsSettings, Dyndns2Settings,
    PowerDnsSettings, ProviderSettings, TencentSettings, alidns, cloudflare, desec, dnspod, duckdns, tencent,
};
use crate::secret::Secret;

/// What stands in for a secret that is not read this time.
const NOT_READ: &str = "not read,not read";

/// One table, while it is taken apart.
struct Table<'t, 'r> {
    reading: &'t mut Reading<'r>,
    name: &'t str,
    kind: &'static str,
    span: &'t Range<usize>,
}

/// What the table of a service means; a mistake is reported.
pub(super) fn service(
    reading: &mut Reading<'_>,
    name: &str,
    written: Provider,
    span: &Range<usize>,
) -> Option<ProviderSettings> {
    let kind = written.kind;
    let mut table = Table { reading, name, kind: word(kind), span };
    table.check_keys(kind, &written);
    match kind {
        ProviderKind::DnsPod => table.dnspod(written),
        ProviderKind::Tencent => table.tencent(written),
        ProviderKind::Alidns => table.alidns(written),
        ProviderKind::Desec => table.desec(written),
        ProviderKind::Dyndns2 => table.dyndns2(written),
        ProviderKind::DuckDns => table.duckdns(written),
        ProviderKind::Cloudflare => table.cloudflare(written),
        ProviderKind::PowerDns => table.powerdns(written),
        ProviderKind::Rfc2136 => None,
    }
}

/// The kind as the file has it.
fn word(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::Rfc2136 => "rfc2136",
        ProviderKind::DnsPod => "dnspod",
        ProviderKind::Tencent => "tencent",
        ProviderKind::Alidns => "alidns",
        ProviderKind::Desec => "desec",
        ProviderKind::Dyndns2 => "dyndns2",
        ProviderKind::DuckDns => "duckdns",
        ProviderKind::Cloudflare => "cloudflare",
        ProviderKind::PowerDns => "powerdns",
    }
}

/// The keys that a kind has beside `kind`, `zone`, `endpoint` and `name-servers`.
fn keys(kind: ProviderKind) -> &'static [&'static str] {
    match kind {
        ProviderKind::Rfc2136 => &[],
        ProviderKind::DnsPod => &["token", "contact"],
        ProviderKind::Tencent | ProviderKind::Alidns => &["access-key", "secret-key"],
        ProviderKind::Desec => &["token", "marks"],
        ProviderKind::Dyndns2 => &["preset", "user", "password", "contact"],
        ProviderKind::DuckDns | ProviderKind::Cloudflare => &["token"],
        ProviderKind::PowerDns => &["api-key", "marks"],
    }
}

impl Table<'_, '_> {
    /// Reports keys that other kinds have: whoever wrote them expects something of them.
    fn check_keys(&mut self, kind: ProviderKind, written: &Provider) {
        let there = [
            ("server", written.server.is_some()),
            ("key", written.key.is_some()),
            ("marks", written.marks.is_some()),
            ("preset", written.preset.is_some()),
            ("token", written.token.is_some()),
            ("access-key", written.access_key.is_some()),
            ("secret-key", written.secret_key.is_some()),
            ("api-key", written.api_key.is_some()),
            ("user", written.user.is_some()),
            ("password", written.password.is_some()),
            ("contact", written.contact.is_some()),
        ];
        for (key, _) in there.into_iter().filter(|(key, there)| *there && !keys(kind).contains(key)) {
            let message = format!("[provider.{}] of the kind `{}` has no `{key}`", self.name, self.kind);
            self.reading.error(self.span, message, "remove it, or write another `kind`");
        }
    }

    fn missing<T>(&mut self, key: &str, example: &str) -> Option<T> {
        let message = format!("[provider.{}] of the kind `{}` needs `{key}`", self.name, self.kind);
        self.reading.error(self.span, message, format!("such as {key} = {example}"));
        None
    }

    fn zone(&mut self, written: Option<At<Name>>) -> Option<Name> {
        written.map(|zone| zone.value).or_else(|| self.missing("zone", "\"example.com\""))
    }

    fn secret(
        &mut self,
        key: &str,
        written: Option<toml::Spanned<crate::config::secret::SecretSource>>,
    ) -> Option<Secret<String>> {
        let Some(written) = written else { return self.missing(key, "{ credential = \"dns\" }") };
        let read = self.reading.secret(&format!("provider.{}.{key}", self.name), written)?;
        Some(read.unwrap_or_else(|| Secret::new(NOT_READ.to_owned())))
    }

    fn text(&mut self, key: &str, written: Option<At<String>>, example: &str) -> Option<String> {
        written.map(|text| text.value).or_else(|| self.missing(key, example))
    }

    /// Where the API is. What is sent there is worth as much as the domain.
    fn endpoint(&mut self, written: Option<At<WebUrl>>, default: &str) -> String {
        let Some(url) = written else { return default.to_owned() };
        if url.value.is_in_the_clear() {
            let hint = "write \"https://…\"";
            self.reading.warn(
                &url.span,
                "anybody on the way can read the credentials that are sent there",
                hint,
            );
        }
        url.value.0.to_string()
    }

    fn dnspod(&mut self, written: Provider) -> Option<ProviderSettings> {
        let place = written.token.as_ref().map(toml::Spanned::span);
        let zone = self.zone(written.zone);
        let token = self.secret("token", written.token);
        let contact = written.contact.map(|contact| contact.value.0);
        let contact = contact.or_else(|| self.missing("contact", "\"me@example.com\""));
        if let (Some(token), Some(place)) = (&token, place)
            && !is_token_with_id(token)
        {
            let hint = "DNSPod shows both when a token is made; write 12345,0123456789abcdef…";
            self.reading.error(
                &place,
                "the token of DNSPod is its id, a comma and the token; this is not",
                hint,
            );
            return None;
        }
        Some(ProviderSettings::DnsPod(DnsPodSettings {
            endpoint: self.endpoint(written.endpoint, dnspod::ENDPOINT),
            zone: zone?,
            token: token?,
            contact: contact?,
            name_servers: written.name_servers.into_iter().map(|server| server.value.0).collect(),
        }))
    }

    fn access_key(
        &mut self,
        id: Option<At<String>>,
        secret: Option<toml::Spanned<crate::config::secret::SecretSource>>,
        example: &str,
    ) -> Option<AccessKey> {
        let id = self.text("access-key", id, example);
        let secret = self.secret("secret-key", secret);
        Some(AccessKey { id: id?, secret: secret? })
    }

    fn tencent(&mut self, written: Provider) -> Option<ProviderSettings> {
        let zone = self.zone(written.zone);
        let key = self.access_key(written.access_key, written.secret_key, "\"AKID…\"");
        Some(ProviderSettings::Tencent(TencentSettings {
            endpoint: self.endpoint(written.endpoint, tencent::ENDPOINT),
            zone: zone?,
            key: key?,
            name_servers: written.name_servers.into_iter().map(|server| server.value.0).collect(),
        }))
    }

    fn alidns(&mut self, written: Provider) -> Option<ProviderSettings> {
        let zone = self.zone(written.zone);
        let key = self.access_key(written.access_key, written.secret_key, "\"LTAI…\"");
        Some(ProviderSettings::Alidns(AlidnsSettings {
            endpoint: self.endpoint(written.endpoint, alidns::ENDPOINT),
            zone: zone?,
            key: key?,
            name_servers: written.name_servers.into_iter().map(|server| server.value.0).collect(),
        }))
    }

    fn desec(&mut self, written: Provider) -> Option<ProviderSettings> {
        let zone = self.zone(written.zone);
        let token = self.secret("token", written.token);
        Some(ProviderSettings::Desec(DesecSettings {
            endpoint: self.endpoint(written.endpoint, desec::ENDPOINT),
            zone: zone?,
            token: token?,
            name_servers: written.name_servers.into_iter().map(|server| server.value.0).collect(),
            marks: written.marks.unwrap_or_default(),
        }))
    }

    fn dyndns2(&mut self, written: Provider) -> Option<ProviderSettings> {
        let zone = self.zone(written.zone);
        let user = self.text("user", written.user, "\"me\"");
        let password = self.secret("password", written.password);
        let contact = written.contact.map(|contact| contact.value.0);
        let contact = contact.or_else(|| self.missing("contact", "\"me@example.com\""));
        let endpoint = match (written.endpoint, written.preset) {
            (None, None) => self.missing("preset", "\"no-ip\", or endpoint = \"https://…/nic/update\""),
            (written, preset) => {
                let known = preset.map_or("", crate::config::file::provider::Dyndns2Preset::endpoint);
                Some(self.endpoint(written, known))
            }
        };
        Some(ProviderSettings::Dyndns2(Dyndns2Settings {
            endpoint: endpoint?,
            zone: zone?,
            user: user?,
            password: password?,
            contact: contact?,
            name_servers: written.name_servers.into_iter().map(|server| server.value.0).collect(),
        }))
    }

    fn duckdns(&mut self, written: Provider) -> Option<ProviderSettings> {
        let own = || duckdns::ZONE.parse().expect("the zone of DuckDNS is a name");
        let token = self.secret("token", written.token);
        Some(ProviderSettings::DuckDns(DuckDnsSettings {
            endpoint: self.endpoint(written.endpoint, duckdns::ENDPOINT),
            zone: written.zone.map_or_else(own, |zone| zone.value),
            token: token?,
            name_servers: written.name_servers.into_iter().map(|server| server.value.0).collect(),
        }))
    }

    fn cloudflare(&mut self, written: Provider) -> Option<ProviderSettings> {
        let zone = self.zone(written.zone);
        let token = self.secret("token", written.token);
        Some(ProviderSettings::Cloudflare(CloudflareSettings {
            endpoint: self.endpoint(written.endpoint, cloudflare::ENDPOINT),
            zone: zone?,
            token: token?,
            name_servers: written.name_servers.into_iter().map(|server| server.value.0).collect(),
        }))
    }

    fn powerdns(&mut self, written: Provider) -> Option<ProviderSettings> {
        let zone = self.zone(written.zone);
        let key = self.secret("api-key", written.api_key);
        let endpoint = match written.endpoint {
            None => self.missing("endpoint", "\"https://ns1.example.com:8081\""),
            written => Some(self.endpoint(written, "")),
        };
        Some(ProviderSettings::PowerDns(PowerDnsSettings {
            endpoint: endpoint?,
            zone: zone?,
            key: key?,
            name_servers: written.name_servers.into_iter().map(|server| server.value.0).collect(),
            marks: written.marks.unwrap_or_default(),
        }))
    }
}

/// Whether a token is written as `ID,Token`.
fn is_token_with_id(token: &Secret<String>) -> bool {
    let parts = token.expose().split_once(',');
    parts.is_some_and(|(id, token)| !id.is_empty() && !token.is_empty())
}
