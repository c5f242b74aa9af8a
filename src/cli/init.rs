//! What can be written after `hearth init`.

use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::dns::Name;
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;

/// The words of `hearth init`. What is not said is asked, on a terminal.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Keys that are there are kept. The DNS provider's secret is no word here: init makes an empty file for it.

Examples:
  hearth init
  hearth init --name pi1 --site www.example.com --record pi1.example.com --provider desec --zone example.com \\
      --watcher-url https://watch.example.net --watcher-key ed25519:…
  hearth init --watcher --site www.example.com --fallback user.github.io --provider rfc2136 --zone example.com \\
      --server ns1.example.com --account watcher --peer pi1=ed25519:…")]
pub struct InitArgs {
    /// Sets up the watcher instead of a node
    #[arg(long)]
    pub watcher: bool,
    /// The node's name, one DNS label [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<NodeName>,
    /// The name that visitors use
    #[arg(long, value_name = "HOST")]
    pub site: Option<Name>,
    /// The directory of the site [default: /srv/www]
    #[arg(long, value_name = "DIR")]
    pub root: Option<String>,
    /// The DNS name that this node keeps pointed at itself [default: none]
    #[arg(long, value_name = "NAME")]
    pub record: Option<Name>,
    /// Who serves the zone
    #[arg(long, value_name = "KIND", value_enum)]
    pub provider: Option<ProviderChoice>,
    /// The zone
    #[arg(long, value_name = "NAME")]
    pub zone: Option<Name>,
    /// rfc2136: the primary name server. powerdns, dyndns2: the URL of its API
    #[arg(long, value_name = "WHERE")]
    pub server: Option<String>,
    /// rfc2136: the name of the TSIG key. tencent, alidns: the id of the access key. dyndns2: the user
    #[arg(long, value_name = "WHO")]
    pub account: Option<String>,
    /// dnspod, dyndns2: your mail address
    #[arg(long, value_name = "MAIL")]
    pub contact: Option<String>,
    /// The watcher that this node beats to [default: none yet]
    #[arg(long, value_name = "URL", requires = "watcher_key")]
    pub watcher_url: Option<String>,
    /// The watcher's public key
    #[arg(long, value_name = "KEY", requires = "watcher_url")]
    pub watcher_key: Option<VerifyingKey>,
    /// With --watcher: where visitors go when no node is up
    #[arg(long, value_name = "USER.github.io")]
    pub fallback: Option<Name>,
    /// With --watcher: a node that may beat here, and serves the site
    #[arg(long, value_name = "NAME=KEY")]
    pub peer: Vec<PeerWord>,
    /// Replaces a configuration that is there
    #[arg(long)]
    pub replace: bool,
}

/// The kinds of DNS provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProviderChoice {
    /// Any server that takes updates
    Rfc2136,
    /// DNSPod, by a token
    Dnspod,
    /// Tencent Cloud
    Tencent,
    /// Alibaba Cloud
    Alidns,
    /// deSEC
    Desec,
    /// Any service that speaks dyndns2
    Dyndns2,
    /// DuckDNS
    Duckdns,
    /// Cloudflare
    Cloudflare,
    /// PowerDNS
    Powerdns,
}

impl fmt::Display for ProviderChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl FromStr for ProviderChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(text, true).map_err(|_| format!("`{text}` is none of them"))
    }
}

/// A node and its public key, as `NAME=KEY`.
#[derive(Clone, Debug)]
pub struct PeerWord {
    /// Its name.
    pub name: NodeName,
    /// Its key.
    pub key: VerifyingKey,
}

impl FromStr for PeerWord {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, key) = text.split_once('=').ok_or("write NAME=ed25519:…")?;
        let name = name.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { name, key: key.parse().map_err(|error| format!("{error}"))? })
    }
}
