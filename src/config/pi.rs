//! What `[pi]` means.

use super::file::pi::{Pi, PiWifi};
use super::value::At;
use crate::appliance::PiSettings;
use crate::appliance::settings::{Protection, Visibility, Wifi};

/// The settings. The password of the Wi-Fi is not read: it belongs to the system, not to hearth.
pub(super) fn pi(written: Pi) -> PiSettings {
    PiSettings {
        hostname: written.hostname.map(|at| at.value),
        timezone: written.timezone.map(|at| at.value),
        ssh_keys: written.ssh_keys.into_iter().map(|at| at.value).collect(),
        wifi: written.wifi.map(wifi),
        update_keys: written.update_keys.into_iter().map(|at| at.value).collect(),
    }
}

fn wifi(written: PiWifi) -> Wifi {
    Wifi {
        ssid: written.ssid.value,
        protection: if written.password.is_some() { Protection::Password } else { Protection::Open },
        country: written.country.map(|At { value, .. }| value),
        visibility: if written.hidden { Visibility::Hidden } else { Visibility::Seen },
    }
}
