//! The single values of the file: how each is written, and what it says when it is written otherwise.
//!
//! Never knows which key a value belongs to.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use toml::Spanned;

use crate::address::{Network, Suffix};
use crate::appliance::settings::{Country, SshKey, Ssid, TimeZone};
use crate::appliance::update::signature::UpdateKey;
use crate::dns::{Name, Ttl};
use crate::gluster::{Host, Place, VolumeName};
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;
use crate::leds::night::Night;

/// A value that is written as a text in quotes.
pub(super) trait Written: Sized {
    /// What is wanted, with an example; completes "wanted here: …".
    const WANTED: &'static str;

    /// Reads the text; the error is a whole message.
    fn read(text: &str) -> Result<Self, String>;
}

/// A value and its place in the file.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<'de, T: Written> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Text<T>>::deserialize(deserializer)?;
        Ok(At { span: spanned.span(), value: spanned.into_inner().0 })
    }
}

struct Text<T>(T);

impl<'de, T: Written> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Written> Visitor<'_> for TextVisitor<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<T>, E> {
        T::read(text).map(Text).map_err(E::custom)
    }
}

/// Implements [`Written`] by `FromStr`, with the error's own words.
macro_rules! written_by_from_str {
    ($($type:ty: $wanted:literal,)*) => {$(
        impl Written for $type {
            const WANTED: &'static str = $wanted;
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error| format!("{error}"))
            }
        }
    )*};
}

written_by_from_str! {
    Name: "a domain name in quotes, such as \"www.example.com\"",
    Country: "the two letters of a country in quotes, such as \"DE\"",
    Ssid: "the name of a Wi-Fi network in quotes",
    SshKey: "a public key of SSH in quotes, such as \"ssh-ed25519 AAAA…\"",
    UpdateKey: "a public key of minisign in quotes, the line of minisign.pub that begins with RW",
    TimeZone: "a time zone in quotes, such as \"Europe/Berlin\"",
    NodeName: "the name of a node in quotes, such as \"pi1\"",
    Network: "a network in quotes, such as \"10.0.0.0/8\"",
    Host: "a machine in quotes, such as \"pi1\"",
    Night: "two times of the day in quotes, such as \"22:00-07:00\"",
    Place: "a directory in quotes, such as \"/srv/brick1/gv0\"",
    VolumeName: "the name of a volume in quotes, such as \"gv0\"",
    Suffix: "the end of an IPv6 address in quotes, such as \"::1234\"",
    VerifyingKey: "a public key in quotes, such as \"ed25519:…\"",
}

impl Written for String {
    const WANTED: &'static str = "a text in quotes";
    fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() { Err("this text is empty".to_owned()) } else { Ok(text.to_owned()) }
    }
}

/// A span of time: a whole number and `ms`, `s`, `m`, `h` or `d`, longer than nothing and a year at most.
impl Written for Duration {
    const WANTED: &'static str = "a time in quotes, such as \"10s\", \"5m\" or \"2h\"";
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a time; write \"250ms\", \"10s\", \"5m\", \"2h\" or \"1d\"");
        let millis = number_and_unit(text, &TIME_UNITS).ok_or_else(wrong)?;
        match millis {
            0 => Err("a time of nothing is not possible here".to_owned()),
            1..=31_622_400_000 => Ok(Duration::from_millis(millis)),
            _ => Err(format!("`{text}` is longer than a year")),
        }
    }
}

/// A time to live: a span of whole seconds.
impl Written for Ttl {
    const WANTED: &'static str = "a time in quotes, such as \"60s\" or \"10m\"";
    fn read(text: &str) -> Result<Self, String> {
        let span = Duration::read(text)?;
        let seconds = u32::try_from(span.as_secs()).map_err(|_| format!("`{text}` is too long"))?;
        if span.subsec_nanos() > 0 {
            return Err(format!("`{text}` is not a number of whole seconds, which DNS counts in"));
        }
        Ok(Ttl::from_secs(seconds))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size(pub(super) u64);

impl Written for Size {
    const WANTED: &'static str = "a size in quotes, such as \"64MiB\"";
    fn read(text: &str) -> Result<Self, String> {
        match number_and_unit(text, &SIZE_UNITS) {
            Some(0) => Err("a size of nothing is not possible here".to_owned()),
            Some(bytes) => Ok(Size(bytes)),
            None => Err(format!("`{text}` is not a size; write \"512KiB\", \"64MiB\" or \"1GiB\"")),
        }
    }
}

/// The units of time, in milliseconds.
const TIME_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The units of size, in bytes.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

fn number_and_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let (_, factor) = units.iter().find(|(unit, _)| *unit == text[digits..].trim_start())?;
    number.checked_mul(*factor)
}

/// The path of a page.
#[derive(Clone, Debug)]
pub(super) struct PagePath(pub(super) String);

impl Written for PagePath {
    const WANTED: &'static str = "the path of a page in quotes, such as \"/\"";
    fn read(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') || text.contains(|c: char| c.is_ascii_control() || c == ' ') {
            return Err(format!(
                "`{text}` is not the path of a page; it begins with a slash and has no blanks"
            ));
        }
        Ok(PagePath(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_words() {
        let good = [("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000)];
        for (text, millis) in good {
            assert_eq!(Duration::read(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "s", "10 parsecs", "-1s", "1.5s", "0s", "99999999999999999999s", "400d"] {
            assert!(Duration::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_ttl_has_whole_seconds() {
        assert_eq!(Ttl::read("10m"), Ok(Ttl::from_secs(600)));
        assert!(Ttl::read("1500ms").is_err());
    }

    #[test]
    fn sizes_are_written_in_words() {
        assert_eq!(Size::read("64MiB").map(|s| s.0), Ok(64 << 20));
        assert_eq!(Size::read("1 kB").map(|s| s.0), Ok(1000));
        for text in ["64", "MiB", "0B", "64MiBs", "99999999999GiB"] {
            assert!(Size::read(text).is_err(), "{text}");
        }
    }
}
