//! What is written about the Pi itself, for the flashable image: `[pi]`.

use serde::Deserialize;
use toml::Spanned;

use crate::appliance::settings::{Country, SshKey, Ssid, TimeZone};
use crate::appliance::update::signature::UpdateKey;
use crate::config::secret::SecretSource;
use crate::config::value::At;
use crate::heartbeat::NodeName;

/// `[pi]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [pi]")]
pub(crate) struct Pi {
    /// What the Pi is called on the local network: `NAME.local`. Default: the name of the node.
    pub(crate) hostname: Option<At<NodeName>>,
    /// Its time zone. Default: `UTC`.
    pub(crate) timezone: Option<At<TimeZone>>,
    /// Public keys that may log in as root by SSH. Default: none, and SSH is off.
    #[serde(default)]
    pub(crate) ssh_keys: Vec<At<SshKey>>,
    /// Public keys of minisign whose programs are taken as updates. Default: none, and no update is taken.
    #[serde(default)]
    pub(crate) update_keys: Vec<At<UpdateKey>>,
    /// The Wi-Fi. Without it: the cable.
    pub(crate) wifi: Option<PiWifi>,
}

/// `[pi.wifi]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [pi.wifi]")]
pub(crate) struct PiWifi {
    /// The name of the network. Required.
    pub(crate) ssid: At<Ssid>,
    /// Its password, or the 64 hex digits made of it. Default: the network is open.
    pub(crate) password: Option<Spanned<SecretSource>>,
    /// The country that the Pi stands in, by its two letters. Default: the rules that hold everywhere.
    pub(crate) country: Option<At<Country>>,
    /// Whether the network does not tell its name. Default: `false`.
    #[serde(default)]
    pub(crate) hidden: bool,
}
