//! What each kind of DNS provider must be told, and the table `[provider.home]` that comes of it.

use std::fmt;

use super::ask::Questions;
use super::place::SECRET;
use crate::cli::{InitArgs, ProviderChoice};
use crate::dns::Name;

/// What is known of an account at a provider, but its secret.
pub(super) struct Account {
    kind: ProviderChoice,
    /// Keys and values beside `kind` and `zone`.
    words: Vec<(&'static str, String)>,
    zone: Option<Name>,
    /// The key that the secret belongs to.
    secret: &'static str,
}

/// What a kind must be told: the flag `--server` and its meaning, the key of `--account`, whether `--contact` is wanted, and
/// the key of the secret.
struct Wants {
    server: Option<(&'static str, &'static str)>,
    account: Option<(&'static str, &'static str)>,
    contact: bool,
    secret: &'static str,
}

fn wants(kind: ProviderChoice) -> Wants {
    let plain = Wants { server: None, account: None, contact: false, secret: "token" };
    match kind {
        ProviderChoice::Rfc2136 => Wants {
            server: Some(("server", "The primary name server, such as ns1.example.com?")),
            account: Some(("key", "The name of the TSIG key?")),
            secret: "key",
            ..plain
        },
        ProviderChoice::Dnspod => Wants { contact: true, ..plain },
        ProviderChoice::Tencent => {
            Wants { account: Some(("access-key", "The SecretId?")), secret: "secret-key", ..plain }
        }
        ProviderChoice::Alidns => {
            Wants { account: Some(("access-key", "The AccessKey ID?")), secret: "secret-key", ..plain }
        }
        ProviderChoice::Desec | ProviderChoice::Cloudflare | ProviderChoice::Duckdns => plain,
        ProviderChoice::Powerdns => Wants {
            server: Some(("endpoint", "The server's API, such as https://ns1.example.com:8081?")),
            secret: "api-key",
            ..plain
        },
        ProviderChoice::Dyndns2 => Wants {
            server: Some(("endpoint", "Where updates go to, such as https://members.dyndns.org/nic/update?")),
            account: Some(("user", "The user?")),
            contact: true,
            secret: "password",
        },
    }
}

impl Account {
    /// The line that a record needs where the provider takes no TTL as short as the default.
    pub(super) fn ttl(&self) -> &'static str {
        if self.kind == ProviderChoice::Desec {
            "ttl = \"1h\"                                 # deSEC takes none below\n"
        } else {
            ""
        }
    }
}

/// Gathers what the provider must be told.
pub(super) fn account(args: &InitArgs, ask: &mut Questions<'_>) -> anyhow::Result<Account> {
    let kinds = "Who serves the DNS zone: rfc2136, dnspod, tencent, alidns, desec, dyndns2, duckdns, cloudflare, powerdns?";
    let kind = ask.required("--provider", kinds, args.provider, None)?;
    // DuckDNS knows its own.
    let zone = if kind == ProviderChoice::Duckdns {
        None
    } else {
        Some(ask.required("--zone", "The DNS zone, such as example.com?", args.zone.clone(), None)?)
    };
    let Wants { server, account, contact, secret } = wants(kind);
    let mut words = Vec::new();
    if let Some((key, question)) = server {
        words.push((key, ask.required("--server", question, args.server.clone(), None)?));
    }
    if let Some((key, question)) = account {
        words.push((key, ask.required("--account", question, args.account.clone(), None)?));
    }
    if contact {
        let question = "Your mail address, which the service wants in every call?";
        words.push(("contact", ask.required("--contact", question, args.contact.clone(), None)?));
    }
    Ok(Account { kind, words, zone, secret })
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[provider.home]")?;
        writeln!(f, "kind = {}", quoted(&self.kind.to_string()))?;
        if let Some(zone) = &self.zone {
            writeln!(f, "zone = {}", quoted(&zone.to_string()))?;
        }
        for (key, value) in self.words.iter().filter(|(key, _)| *key != self.secret) {
            writeln!(f, "{key} = {}", quoted(value))?;
        }
        let secret = format!("{{ file = {} }}", quoted(SECRET));
        match self.words.iter().find(|(key, _)| *key == self.secret) {
            // A TSIG key has a name beside its secret.
            Some((key, name)) => writeln!(f, "{key} = {{ name = {}, secret = {secret} }}", quoted(name)),
            None => writeln!(f, "{} = {secret}", self.secret),
        }
    }
}

/// Text as a string of TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
