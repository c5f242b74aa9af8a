//! How each provider wants to be treated: which calls are one account's, how many changes it puts up with, and whether
//! a call needs the right time.
//!
//! Never asks a provider.

use std::time::Duration;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use super::ProviderSettings;
use crate::dns::Ttl;
use crate::dns::account::{AccountId, Conduct, Pace};

/// What a vendor's API is asked for at most. A site's record moves at most six times an hour by its policy and an
/// address seldom; the vendors that say where abuse begins begin above this (deSEC: 100 changes of a domain in an hour;
/// dyndns2: a block for many updates; DNSPod: a block for "many changes in a short time").
const VENDOR: Pace = Pace::PerHour { name: 10, account: 60 };

/// How long the name servers of a service that can only be written to may take to show an update that it took.
const LAG: Duration = Duration::from_secs(60 * 60);

/// Between two updates of one name there: some services count violations of it (pubyun's rule).
const SPACING: Duration = Duration::from_secs(60);

/// How a provider calls its GeoDNS lines where their names do not matter: names are translated, and renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineIds {
    /// Numbers, as DNSPod's `Record.Line` lists them: `0` for everybody, `3=0` for callers from abroad.
    Numbers,
    /// Words, as `DescribeSupportLines` of Alibaba Cloud lists them as codes: `default`, `oversea`.
    Words,
}

impl LineIds {
    /// Whether `line` can be one.
    #[must_use]
    pub fn fits(self, line: &str) -> bool {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            LineIds::Numbers => line.splitn(2, '=').all(number),
            LineIds::Words => {
                let word =
                    |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
                line.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase()) && line.bytes().all(word)
            }
        }
    }

    /// The line for everybody.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            LineIds::Numbers => "0",
            LineIds::Words => "default",
        }
    }

    /// What to write instead.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            LineIds::Numbers => {
                "write ids such as \"0\" (everybody) or \"3=0\" (abroad); `hearth dns list` shows them"
            }
            LineIds::Words => {
                "write codes such as \"default\" (everybody) or \"oversea\"; `hearth dns list` shows them"
            }
        }
    }
}

impl ProviderSettings {
    /// Whose account it is: the place, who we are there, and a digest of the credentials.
    #[must_use]
    pub fn account(&self) -> AccountId {
        let (kind, place, who, secret): (_, &str, &str, &[u8]) = match self {
            ProviderSettings::Rfc2136(s) => {
                ("rfc2136", &s.server, s.key.name.as_str(), s.key.secret.expose())
            }
            ProviderSettings::DnsPod(s) => ("dnspod", &s.endpoint, "", s.token.expose().as_bytes()),
            ProviderSettings::Tencent(s) => {
                ("tencent", &s.endpoint, &s.key.id, s.key.secret.expose().as_bytes())
            }
            ProviderSettings::Alidns(s) => {
                ("alidns", &s.endpoint, &s.key.id, s.key.secret.expose().as_bytes())
            }
            ProviderSettings::Desec(s) => ("desec", &s.endpoint, "", s.token.expose().as_bytes()),
            ProviderSettings::Dyndns2(s) => ("dyndns2", &s.endpoint, &s.user, s.password.expose().as_bytes()),
            ProviderSettings::DuckDns(s) => ("duckdns", &s.endpoint, "", s.token.expose().as_bytes()),
            ProviderSettings::Cloudflare(s) => ("cloudflare", &s.endpoint, "", s.token.expose().as_bytes()),
            ProviderSettings::PowerDns(s) => ("powerdns", &s.endpoint, "", s.key.expose().as_bytes()),
        };
        let digest = HEXLOWER.encode(&digest(&SHA256, secret).as_ref()[..8]);
        AccountId(format!("{kind} {place} {who} {digest}"))
    }

    /// How it wants to be treated.
    #[must_use]
    pub fn conduct(&self) -> Conduct {
        let own = Conduct { pace: Pace::Free, spacing: Duration::ZERO, lag: Duration::ZERO };
        match self {
            ProviderSettings::Rfc2136(_) | ProviderSettings::PowerDns(_) => own,
            ProviderSettings::DnsPod(_)
            | ProviderSettings::Tencent(_)
            | ProviderSettings::Alidns(_)
            | ProviderSettings::Desec(_)
            | ProviderSettings::Cloudflare(_) => Conduct { pace: VENDOR, ..own },
            ProviderSettings::Dyndns2(_) | ProviderSettings::DuckDns(_) => {
                Conduct { pace: VENDOR, spacing: SPACING, lag: LAG }
            }
        }
    }

    /// The smallest TTL that it takes, as far as that can be told without asking it; what is smaller is raised when it is
    /// written. deSEC may have lowered its own for a domain.
    #[must_use]
    pub fn least_ttl(&self) -> Option<Ttl> {
        match self {
            ProviderSettings::Cloudflare(_) => Some(super::cloudflare::LEAST_TTL),
            ProviderSettings::Desec(_) => Some(super::desec::USUAL_FLOOR),
            ProviderSettings::Rfc2136(_)
            | ProviderSettings::DnsPod(_)
            | ProviderSettings::Tencent(_)
            | ProviderSettings::Alidns(_)
            | ProviderSettings::Dyndns2(_)
            | ProviderSettings::DuckDns(_)
            | ProviderSettings::PowerDns(_) => None,
        }
    }

    /// How its lines are called. None: it has none.
    #[must_use]
    pub fn line_ids(&self) -> Option<LineIds> {
        match self {
            ProviderSettings::DnsPod(_) | ProviderSettings::Tencent(_) => Some(LineIds::Numbers),
            ProviderSettings::Alidns(_) => Some(LineIds::Words),
            ProviderSettings::Rfc2136(_)
            | ProviderSettings::Desec(_)
            | ProviderSettings::Dyndns2(_)
            | ProviderSettings::DuckDns(_)
            | ProviderSettings::Cloudflare(_)
            | ProviderSettings::PowerDns(_) => None,
        }
    }

    /// Whether its calls are signed together with the time, so that one with a wrong clock is refused.
    #[must_use]
    pub fn is_clock_bound(&self) -> bool {
        match self {
            ProviderSettings::Rfc2136(_) | ProviderSettings::Tencent(_) | ProviderSettings::Alidns(_) => true,
            ProviderSettings::DnsPod(_)
            | ProviderSettings::Desec(_)
            | ProviderSettings::Dyndns2(_)
            | ProviderSettings::DuckDns(_)
            | ProviderSettings::Cloudflare(_)
            | ProviderSettings::PowerDns(_) => false,
        }
    }
}
