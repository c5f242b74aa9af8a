//! What the `[provider.…]` tables mean.

mod services;

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::file::provider::{Provider, ProviderKind, TsigKey};
use super::reading::Reading;
use super::value::At;
use crate::dns::provider::{self, Aliases, ProviderSettings, Rfc2136Settings};
use crate::dns::{Name, Ttl};
use crate::secret::Secret;

/// The providers whose table is in order, by name.
pub(super) type Providers = BTreeMap<String, ProviderSettings>;

/// What the tables mean; a table with a mistake is reported and left out.
pub(super) fn providers(
    reading: &mut Reading<'_>,
    written: BTreeMap<Spanned<String>, Spanned<Provider>>,
) -> Providers {
    let one = |(name, provider): (Spanned<String>, Spanned<Provider>)| {
        let (name, span) = (name.into_inner(), provider.span());
        let provider = provider.into_inner();
        let settings = match provider.kind {
            ProviderKind::Rfc2136 => rfc2136(reading, &name, provider, &span),
            ProviderKind::DnsPod
            | ProviderKind::Tencent
            | ProviderKind::Alidns
            | ProviderKind::Desec
            | ProviderKind::Dyndns2
            | ProviderKind::DuckDns
            | ProviderKind::Cloudflare
            | ProviderKind::PowerDns => services::service(reading, &name, provider, &span),
        };
        Some((name, settings?))
    };
    written.into_iter().filter_map(one).collect()
}

fn rfc2136(
    reading: &mut Reading<'_>,
    name: &str,
    written: Provider,
    span: &Range<usize>,
) -> Option<ProviderSettings> {
    let (Some(server), Some(zone), Some(key)) = (written.server, written.zone, written.key) else {
        let problem = reading.problem(
            span,
            format!("[provider.{name}] of the kind `rfc2136` needs `server`, `zone` and `key`"),
        );
        reading.report(problem.hint(
            "such as server = \"ns1.example.com\", key = { name = \"hearth\", secret = { file = \"…\" } }",
        ));
        return None;
    };
    Some(ProviderSettings::Rfc2136(Rfc2136Settings {
        server: server.value.0,
        zone: zone.value,
        key: tsig_key(reading, name, key)?,
        name_servers: written.name_servers.into_iter().map(|server| server.value.0).collect(),
        marks: written.marks.unwrap_or_default(),
    }))
}

fn tsig_key(reading: &mut Reading<'_>, provider: &str, written: TsigKey) -> Option<provider::TsigKey> {
    let place = written.secret.span();
    let text = reading.secret(&format!("provider.{provider}.key.secret"), written.secret)?;
    let secret = match text {
        None => Vec::new(),
        Some(text) => match data_encoding::BASE64.decode(text.expose().as_bytes()) {
            Ok(bytes) => bytes,
            Err(_) => {
                let problem =
                    reading.problem(&place, "the secret of a TSIG key is written in base64; this is not");
                reading.report(problem.hint("`tsig-keygen` and `keymgr -t NAME` print it in base64"));
                return None;
            }
        },
    };
    Some(provider::TsigKey {
        name: written.name.value,
        algorithm: written.algorithm.unwrap_or_default(),
        secret: Secret::new(secret),
    })
}

/// Whether a provider can hold a CNAME, and several addresses of one family.
pub(super) fn aliases(settings: &ProviderSettings) -> Aliases {
    match settings {
        ProviderSettings::Dyndns2(_) | ProviderSettings::DuckDns(_) => Aliases::NotHeld,
        ProviderSettings::Rfc2136(_)
        | ProviderSettings::DnsPod(_)
        | ProviderSettings::Tencent(_)
        | ProviderSettings::Alidns(_)
        | ProviderSettings::Desec(_)
        | ProviderSettings::Cloudflare(_)
        | ProviderSettings::PowerDns(_) => Aliases::Held,
    }
}

/// Warns of a TTL that the provider will raise. Without one in the file it is the default that is raised, and the place
/// is where the provider is named.
pub(super) fn warn_low_ttl(
    reading: &mut Reading<'_>,
    provider: &At<String>,
    providers: &Providers,
    name: &Name,
    (ttl, place): (Ttl, Option<&Range<usize>>),
) {
    let least = providers.get(&provider.value).and_then(ProviderSettings::least_ttl);
    let Some(least) = least.filter(|least| ttl < *least) else { return };
    let message = format!(
        "the TTL of `{name}` is {ttl}, and the provider `{}` takes none below {least}, which is what will be written",
        provider.value
    );
    let hint =
        format!("write ttl = \"{}s\", unless the provider lowered its minimum for you", least.as_secs());
    reading.warn(place.unwrap_or(&provider.span), message, hint);
}

/// Reports a provider that is not there, or a name that its provider cannot hold.
pub(super) fn check_reference(
    reading: &mut Reading<'_>,
    provider: &At<String>,
    name: &At<Name>,
    providers: &Providers,
) {
    let Some(settings) = providers.get(&provider.value) else {
        reading.report_unknown_provider(provider);
        return;
    };
    let zone = settings.zone();
    if !name.value.is_in(zone) {
        let message =
            format!("`{}` is not in the zone `{zone}` of the provider `{}`", name.value, provider.value);
        let problem = reading.problem(&name.span, message);
        reading
            .report(problem.hint(format!("write a name that ends in `.{zone}`, or name another provider")));
    }
}
