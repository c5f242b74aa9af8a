//! The replicated volume that two nodes share: what it should be, how it stands, and what to do about it.
//!
//! Makes plans and judges answers; [`ask`] alone runs commands. Never deletes a brick, a volume or a peer, and never
//! resolves a split brain by itself: which of two contents is right only a person knows.

pub mod answer;
pub mod ask;
pub mod health;
pub mod options;
pub mod plan;
pub mod units;

use std::fmt;
use std::str::FromStr;

/// A volume of two nodes, as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlusterSettings {
    /// What it is called.
    pub volume: VolumeName,
    /// The directory that holds a node's copy; the same on every machine.
    pub brick: Place,
    /// Where it is mounted; the same on both nodes.
    pub mount: Place,
    /// The two machines that hold the content and serve it.
    pub nodes: [Host; 2],
    /// A third machine that says which copy is right when the two do not see each other.
    pub arbiter: Option<Host>,
}

impl GlusterSettings {
    /// Every machine with a brick: the nodes, then the arbiter.
    pub fn machines(&self) -> impl Iterator<Item = &Host> {
        self.nodes.iter().chain(&self.arbiter)
    }

    /// The node that is not `here`.
    #[must_use]
    pub fn other(&self, here: &Host) -> &Host {
        let [first, second] = &self.nodes;
        if first == here { second } else { first }
    }

    /// The machine that calls itself `name`; `.local` (RFC 6762) belongs to the name by which others reach it.
    #[must_use]
    pub fn machine(&self, name: &str) -> Option<&Host> {
        let is_it =
            |host: &&Host| host.as_str() == name || host.as_str().strip_suffix(".local") == Some(name);
        self.machines().find(is_it)
    }

    /// Whether the machine mounts the volume.
    #[must_use]
    pub fn mounts(&self, here: &Host) -> bool {
        self.nodes.contains(here)
    }
}

/// What a text must be, and was not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct Unfit {
    text: String,
    wanted: &'static str,
}

/// Declares a text that is safe as a word of a command: checked once, where it comes in.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Unfit;
            fn from_str(text: &str) -> Result<Self, Unfit> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok(Self(text.to_owned())) } else { Err(Unfit { text: text.to_owned(), wanted: $wanted }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word! {
    /// The name of a volume.
    VolumeName, "the name of a volume: letters, digits, `-` and `_`, such as gv0",
    |text| starts_plain(text) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

word! {
    /// A machine, by the name or address that every other machine of the volume reaches it by.
    Host, "a machine's name or address, such as pi1 or 192.168.1.11",
    |text| starts_plain(text) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
}

word! {
    /// A directory, from the root of the file system.
    Place, "a directory such as /srv/brick1/gv0: from the root, of letters, digits, `-`, `_` and `.`",
    |text| {
        let part = |part: &str| {
            !part.is_empty() && part != "." && part != ".."
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(part))
    }
}

impl Place {
    /// The directory above; None for one directly below the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/')?;
        (!parent.is_empty()).then(|| Self(parent.to_owned()))
    }

    /// Whether this is `other` or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Cannot be taken for an option of a command.
fn starts_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_an_option_or_two_words_is_refused() {
        for good in ["pi1", "pi1.lan", "192.168.1.11"] {
            assert!(good.parse::<Host>().is_ok(), "{good}");
        }
        for bad in ["", "-x", "pi1 pi2", "pi1;reboot", "pi1:/x"] {
            assert!(bad.parse::<Host>().is_err() && bad.parse::<VolumeName>().is_err(), "{bad}");
        }
        for bad in ["", "/", "srv", "/srv/../etc", "/srv//x", "/srv/", "/s v", "/srv/%i"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_machine_is_known_by_the_name_that_it_gives_itself() {
        let host = |name: &str| name.parse::<Host>().unwrap();
        let settings = GlusterSettings {
            volume: "gv0".parse().unwrap(),
            brick: "/srv/brick1/gv0".parse().unwrap(),
            mount: "/mnt/gluster1".parse().unwrap(),
            nodes: [host("pi1.local"), host("pi2")],
            arbiter: None,
        };
        assert_eq!(settings.machine("pi1"), Some(&settings.nodes[0]));
        assert_eq!(settings.machine("pi2"), Some(&settings.nodes[1]));
        assert_eq!((settings.machine("pi"), settings.machine("pi1.lan")), (None, None));
    }

    #[test]
    fn places_know_what_is_above_them() {
        let place: Place = "/srv/brick1/gv0".parse().unwrap();
        let parent = place.parent().unwrap();
        assert_eq!(parent.as_str(), "/srv/brick1");
        assert!(place.is_within(&parent) && place.is_within(&place) && !parent.is_within(&place));
        assert!(!"/srv/brick10".parse::<Place>().unwrap().is_within(&parent));
        assert_eq!("/srv".parse::<Place>().unwrap().parent(), None);
    }
}
