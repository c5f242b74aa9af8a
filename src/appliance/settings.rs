//! What a Pi itself is told to be: its name, its Wi-Fi, its time zone, and who may log in.
//!
//! Never applies any of it. Every value is checked when it is read, because each ends in a file that other programs read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::update::signature::UpdateKey;
use crate::heartbeat::NodeName;

/// `[pi]` of `hearth.toml`, or what Raspberry Pi Imager wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PiSettings {
    /// What it is called on the local network: `NAME.local`.
    pub hostname: Option<NodeName>,
    /// Its time zone.
    pub timezone: Option<TimeZone>,
    /// Who may log in as root by SSH; nobody: SSH is off.
    pub ssh_keys: Vec<SshKey>,
    /// Its Wi-Fi.
    pub wifi: Option<Wifi>,
    /// Whose programs and systems it takes; nobody's: it takes none.
    #[serde(default)]
    pub update_keys: Vec<UpdateKey>,
}

impl PiSettings {
    /// These, with what they leave open taken from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            hostname: self.hostname.or(other.hostname),
            timezone: self.timezone.or(other.timezone),
            ssh_keys: if self.ssh_keys.is_empty() { other.ssh_keys } else { self.ssh_keys },
            wifi: self.wifi.or(other.wifi),
            update_keys: if self.update_keys.is_empty() { other.update_keys } else { self.update_keys },
        }
    }
}

/// A Wi-Fi network. Its password is a secret and is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wifi {
    /// Its name.
    pub ssid: Ssid,
    /// Whether it wants a password.
    pub protection: Protection,
    /// Where the Pi stands: radio rules differ.
    pub country: Option<Country>,
    /// Whether it tells its name to everybody.
    pub visibility: Visibility,
}

/// Whether a network wants a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protection {
    /// WPA2 or WPA3 with a password.
    Password,
    /// Anybody may join.
    Open,
}

/// Whether a network tells its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Visibility {
    /// It is in the list.
    Seen,
    /// It must be asked for by its name.
    Hidden,
}

/// Why a value was refused; it completes a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

/// The name of a Wi-Fi network: 1 to 32 bytes (IEEE 802.11 section 9.4.2.2), mostly text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Ssid(Vec<u8>);

impl Ssid {
    /// How iwd calls the file of this network, without its ending: the name where that is letters, digits, `-`, `_` and
    /// spaces, else `=` and its hex (iwd.network(5)).
    #[must_use]
    pub fn file_stem(&self) -> String {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b' ');
        if self.0.iter().all(plain) {
            self.to_string()
        } else {
            format!("={}", data_encoding::HEXLOWER.encode(&self.0))
        }
    }
}

impl TryFrom<Vec<u8>> for Ssid {
    type Error = Refused;
    fn try_from(name: Vec<u8>) -> Result<Self, Refused> {
        match name.len() {
            1..=32 => Ok(Self(name)),
            n => Err(Refused(format!("the name of a Wi-Fi network has 1 to 32 bytes; this has {n}"))),
        }
    }
}

impl From<Ssid> for Vec<u8> {
    fn from(ssid: Ssid) -> Vec<u8> {
        ssid.0
    }
}

impl FromStr for Ssid {
    type Err = Refused;
    fn from_str(text: &str) -> Result<Self, Refused> {
        text.as_bytes().to_vec().try_into()
    }
}

impl fmt::Display for Ssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Ssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Defines a text that is checked when it is read.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $test:expr, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Refused;
            fn from_str(text: &str) -> Result<Self, Refused> {
                let test: fn(&str) -> bool = $test;
                if test(text) { Ok(Self(text.to_owned())) } else { Err(Refused(format!($wanted, text))) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Refused;
            fn try_from(text: String) -> Result<Self, Refused> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
}

checked_text!(
    /// A time zone by its name in the IANA database.
    TimeZone,
    |text| {
        let word = |w: &str| {
            w.starts_with(|c: char| c.is_ascii_alphanumeric())
                && w.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'))
        };
        text.split('/').all(word) && text.len() < 64
    },
    "`{}` is not a time zone; write it as in \"Europe/Berlin\""
);

checked_text!(
    /// A country, by its two letters (ISO 3166-1).
    Country,
    |text| text.len() == 2 && text.chars().all(|c| c.is_ascii_uppercase()),
    "`{}` is not a country; write its two letters, such as \"DE\""
);

checked_text!(
    /// A public key of SSH, as a line of `authorized_keys` without options (sshd(8)).
    SshKey,
    |text| {
        let mut words = text.split(' ');
        let kind = words.next().is_some_and(|kind| ["ssh-", "ecdsa-", "sk-"].iter().any(|known| kind.starts_with(known)));
        kind && words.next().is_some_and(|key| key.starts_with("AAAA")) && !text.contains(char::is_control)
    },
    "`{}` is not a public key of SSH; write the line of the file that ends in .pub"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_other_programs_would_stumble_over_are_refused() {
        for good in ["UTC", "Europe/Berlin", "America/Port-au-Prince", "Etc/GMT+1"] {
            assert!(good.parse::<TimeZone>().is_ok(), "{good}");
        }
        for bad in ["", "/etc/passwd", "Europe/../../x", "Europe//Berlin", "a\nb"] {
            assert!(bad.parse::<TimeZone>().is_err(), "{bad}");
        }
        assert!("DE".parse::<Country>().is_ok() && "de".parse::<Country>().is_err());
        assert!("ssh-ed25519 AAAAC3Nz me@pc".parse::<SshKey>().is_ok());
        for bad in
            ["ssh-ed25519", "command=\"x\" ssh-ed25519 AAAA", "ssh-rsa AAAA\nssh-rsa AAAA", "-----BEGIN"]
        {
            assert!(bad.parse::<SshKey>().is_err(), "{bad}");
        }
        assert!("".parse::<Ssid>().is_err() && "x".repeat(33).parse::<Ssid>().is_err());
    }

    #[test]
    fn a_network_has_the_file_that_iwd_looks_for() {
        for (ssid, stem) in
            [("home net_2", "home net_2"), ("Müllers", "=4dc3bc6c6c657273"), ("a/b", "=612f62")]
        {
            assert_eq!(ssid.parse::<Ssid>().unwrap().file_stem(), stem);
        }
    }

    #[test]
    fn what_one_file_leaves_open_is_taken_from_the_other() {
        let of = |hostname: Option<&str>, zone: Option<&str>| PiSettings {
            hostname: hostname.map(|name| name.parse().unwrap()),
            timezone: zone.map(|zone| zone.parse().unwrap()),
            ..PiSettings::default()
        };
        assert_eq!(of(Some("a"), None).or(of(Some("b"), Some("UTC"))), of(Some("a"), Some("UTC")));
    }
}
