//! What Raspberry Pi Imager 2 writes onto a card: `rpi-preseed.toml`, as its `doc/os_customisation_formats.md` describes it.
//!
//! Never makes a user: the image has root alone, by SSH key. Keys that are not known are left alone, because the form is
//! Imager's and grows.

use serde::Deserialize;

use super::secrets::{Literal, Says};
use super::settings::{PiSettings, Protection, Ssid, Visibility, Wifi};
use super::text::Repaired;
use crate::secret::Secret;

/// The file, as far as it matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    system: System,
    user: User,
    ssh: Ssh,
    wlan: Option<Wlan>,
    locale: Locale,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct System {
    hostname: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ssh {
    enabled: bool,
    authorized_keys: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wlan {
    ssid: Option<String>,
    ssid_hex: Option<String>,
    password: Option<String>,
    hidden: bool,
    country: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Locale {
    timezone: Option<String>,
}

/// What was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preseed {
    /// The settings.
    pub settings: PiSettings,
    /// The password of the Wi-Fi, when it stands in the file.
    pub wifi_password: Option<Secret<String>>,
    /// What was not taken, and why.
    pub remarks: Vec<String>,
}

/// Reads the file. What is wrong in it is a remark: a mistake there must not keep the rest from being taken.
#[must_use]
pub fn read(repaired: &Repaired, literals: &[Literal]) -> Preseed {
    let mut found = Preseed::default();
    let file: File = match toml::from_str(&repaired.text) {
        Ok(file) => file,
        Err(error) => {
            let place = error.span().map_or(1, |span| line_of(&repaired.text, span.start));
            // The message may quote a value, which may be a password.
            found
                .remarks
                .push(format!("{}: line {place} is not in order; nothing of it was taken.", super::PRESEED));
            return found;
        }
    };
    let password = literals.iter().find(|literal| literal.name.starts_with("hearth.wlan."));
    if let Some(Says::Value(password)) = password.map(|literal| &literal.says) {
        found.wifi_password = Some(password.clone());
    }
    found.settings.hostname = taken(&mut found.remarks, "system.hostname", file.system.hostname);
    found.settings.timezone = taken(&mut found.remarks, "locale.timezone", file.locale.timezone);
    if file.ssh.enabled {
        let keys = file.ssh.authorized_keys.into_iter().map(|key| key.trim().to_owned()).map(Some);
        found.settings.ssh_keys =
            keys.filter_map(|key| taken(&mut found.remarks, "ssh.authorized_keys", key)).collect();
        if found.settings.ssh_keys.is_empty() {
            let told = "ssh: it is on by key alone here, and the file has no key; SSH stays off";
            found.remarks.push(format!("{}: {told}.", super::PRESEED));
        }
    }
    if let Some(user) = file.user.name {
        let told = format!("the user `{user}` was not made: this image has root alone, by SSH key");
        found.remarks.push(format!("{}: {told}.", super::PRESEED));
    }
    found.settings.wifi = file.wlan.and_then(|wlan| wifi(&mut found.remarks, wlan, password.is_some()));
    found
}

fn wifi(remarks: &mut Vec<String>, written: Wlan, has_password: bool) -> Option<Wifi> {
    let ssid = match (written.ssid, written.ssid_hex) {
        (Some(ssid), _) => taken::<Ssid>(remarks, "wlan.ssid", Some(ssid))?,
        (None, Some(hex)) => {
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
            match bytes.and_then(|bytes| Ssid::try_from(bytes).ok()) {
                Some(ssid) => ssid,
                None => return refuse(remarks, "wlan.ssid_hex", "it is not the hex of 1 to 32 bytes"),
            }
        }
        (None, None) => return None,
    };
    let protection =
        if has_password || written.password.is_some() { Protection::Password } else { Protection::Open };
    let visibility = if written.hidden { Visibility::Hidden } else { Visibility::Seen };
    Some(Wifi { ssid, protection, visibility, country: taken(remarks, "wlan.country", written.country) })
}

fn taken<T: std::str::FromStr<Err: std::fmt::Display>>(
    remarks: &mut Vec<String>,
    key: &str,
    text: Option<String>,
) -> Option<T> {
    match text?.parse() {
        Ok(value) => Some(value),
        Err(error) => refuse(remarks, key, &error.to_string()),
    }
}

fn refuse<T>(remarks: &mut Vec<String>, key: &str, why: &str) -> Option<T> {
    remarks.push(format!("{}: {key} was not taken: {why}.", super::PRESEED));
    None
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::secrets::literals_of_preseed;

    fn preseed(text: &str) -> Preseed {
        let repaired = Repaired::of(text.as_bytes());
        read(&repaired, &literals_of_preseed(&repaired))
    }

    #[test]
    fn what_the_imager_writes_is_taken() {
        let found = preseed(
            "[system]\nhostname = \"attic\"\n[user]\nname = \"me\"\npassword = \"$5$x\"\n\
             [ssh]\nenabled = true\nauthorized_keys = [\"ssh-ed25519 AAAA me\\n\"]\n\
             [wlan]\nssid = \"home\"\npassword_encrypted = \"00ff\"\nhidden = true\ncountry = \"DE\"\n\
             [locale]\ntimezone = \"Europe/Berlin\"\nkeymap = \"de\"\n[later]\nx = 1\n",
        );
        let wifi = found.settings.wifi.unwrap();
        assert_eq!((wifi.protection, wifi.visibility), (Protection::Password, Visibility::Hidden));
        assert_eq!(found.wifi_password.unwrap().expose(), "00ff");
        assert_eq!(found.settings.hostname.unwrap().as_str(), "attic");
        assert_eq!(found.settings.ssh_keys.len(), 1);
        assert!(
            found.remarks.len() == 1 && found.remarks[0].contains("`me` was not made"),
            "{:?}",
            found.remarks
        );
    }

    #[test]
    fn a_mistake_is_told_without_its_value_and_the_rest_is_taken() {
        let found = preseed(
            "[system]\nhostname = \"My Pi\"\n[locale]\ntimezone = \"UTC\"\n[wlan]\nssid_hex = \"zz\"\n",
        );
        assert!(found.settings.timezone.is_some() && found.settings.wifi.is_none());
        assert_eq!(found.remarks.len(), 2, "{:?}", found.remarks);
        let broken = preseed("[wlan]\nssid = \"x\"\npassword = hunter22\n");
        assert_eq!(broken.remarks, ["rpi-preseed.toml: line 3 is not in order; nothing of it was taken."]);
    }

    #[test]
    fn ssh_without_a_key_stays_off_and_is_told() {
        let found = preseed("[ssh]\nenabled = true\npassword_authentication = true\n");
        assert!(found.settings.ssh_keys.is_empty());
        assert!(found.remarks[0].contains("SSH stays off"), "{:?}", found.remarks);
    }

    #[test]
    fn a_hex_name_and_an_open_network_are_taken() {
        let wifi = preseed("[wlan]\nssid_hex = \"4Dc3\"\n").settings.wifi.unwrap();
        assert_eq!((wifi.protection, wifi.ssid.file_stem().as_str()), (Protection::Open, "=4dc3"));
    }
}
