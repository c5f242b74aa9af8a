//! Which lamp plays what: one lamp, a traffic light, or one that mixes colours.
//!
//! Colour and position repeat what the rhythm says and add nothing that it does not say. Red: a person must act. Green:
//! visitors are served from here. Never knows where a lamp is connected.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Shown;
use super::rhythm::{Level, Rhythm, rhythm};

/// What lamps there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wiring {
    /// One lamp.
    One,
    /// A traffic light: red, amber, green.
    Three,
    /// One lamp that mixes red, green and blue, each on or off.
    Rgb,
}

impl Wiring {
    /// What its lamps are called, in the order in which they are shown.
    #[must_use]
    pub const fn lamps(self) -> &'static [&'static str] {
        match self {
            Wiring::One => &["led"],
            Wiring::Three => &["red", "amber", "green"],
            Wiring::Rgb => &["red", "green", "blue"],
        }
    }
}

/// What one lamp does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lamp {
    /// Dark.
    Dark,
    /// Lit for as long as the state is shown.
    Lit,
    /// Blinks.
    Plays(Rhythm),
}

/// What every lamp does, in the order of [`Wiring::lamps`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face(Vec<Lamp>);

/// Which lamps of a wiring are used, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Not used.
    No,
    /// Carries the rhythm.
    Rhythm,
    /// Lit beside a lamp that carries the rhythm.
    Lit,
}

impl Face {
    /// The face of a state.
    #[must_use]
    pub fn of(shown: Shown, wiring: Wiring) -> Self {
        let uses = match wiring {
            Wiring::One => vec![Use::Rhythm],
            _ if shown == Shown::Test => return Self::in_turn(wiring),
            Wiring::Three => traffic_light(shown).to_vec(),
            Wiring::Rgb => mixed(shown).to_vec(),
        };
        let lamp = |used| match used {
            Use::No => Lamp::Dark,
            Use::Lit => Lamp::Lit,
            Use::Rhythm => Lamp::Plays(rhythm(shown)),
        };
        Self(uses.into_iter().map(lamp).collect())
    }

    /// One lamp after another, a second each.
    fn in_turn(wiring: Wiring) -> Self {
        let count = wiring.lamps().len();
        Self((0..count).map(|place| Lamp::Plays(Rhythm::turn(place, count))).collect())
    }

    /// What each lamp does.
    #[must_use]
    pub fn lamps(&self) -> &[Lamp] {
        &self.0
    }

    /// How each lamp is, this long after the state began to be shown.
    #[must_use]
    pub fn levels_at(&self, elapsed: Duration) -> Vec<Level> {
        let level = |lamp: &Lamp| match lamp {
            Lamp::Dark => Level::Off,
            Lamp::Lit => Level::On,
            Lamp::Plays(rhythm) => rhythm.level_at(elapsed),
        };
        self.0.iter().map(level).collect()
    }

    /// After how long a lamp changes. None: no lamp does.
    #[must_use]
    pub fn until_next(&self, elapsed: Duration) -> Option<Duration> {
        let next = |lamp: &Lamp| match lamp {
            Lamp::Dark | Lamp::Lit => None,
            Lamp::Plays(rhythm) => Some(rhythm.until_next(elapsed)),
        };
        self.0.iter().filter_map(next).min()
    }
}

/// Red, amber, green.
const fn traffic_light(shown: Shown) -> [Use; 3] {
    use Use::{Lit, No, Rhythm};
    match shown {
        Shown::NeedsHuman(_) | Shown::Acknowledged(_) => [Rhythm, No, No],
        Shown::Failover
        | Shown::Offline
        | Shown::Updating
        | Shown::Setup
        | Shown::Starting
        | Shown::Leaving => [No, Rhythm, No],
        Shown::Degraded => [No, Rhythm, Lit],
        Shown::Healthy => [No, No, Rhythm],
        Shown::Identify | Shown::Test => [Rhythm, Rhythm, Rhythm],
        Shown::Night => [No, No, No],
    }
}

/// Red, green, blue: amber and yellow are red and green, magenta is red and blue, white is all.
const fn mixed(shown: Shown) -> [Use; 3] {
    use Use::{No, Rhythm};
    match shown {
        Shown::NeedsHuman(_) | Shown::Acknowledged(_) => [Rhythm, No, No],
        Shown::Failover => [Rhythm, No, Rhythm],
        Shown::Offline | Shown::Degraded => [Rhythm, Rhythm, No],
        Shown::Updating | Shown::Setup => [No, No, Rhythm],
        Shown::Starting | Shown::Leaving | Shown::Identify | Shown::Test => [Rhythm, Rhythm, Rhythm],
        Shown::Healthy => [No, Rhythm, No],
        Shown::Night => [No, No, No],
    }
}

/// A traffic light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lamps {
    /// A person must act.
    pub red: Level,
    /// Something is not as it should be.
    pub amber: Level,
    /// Visitors are served from here.
    pub green: Level,
}

impl Lamps {
    /// Nobody is there.
    pub const DARK: Lamps = Lamps { red: Level::Off, amber: Level::Off, green: Level::Off };
}

/// Three lamps, this long after the state began to be shown.
#[must_use]
pub fn lamps(shown: Shown, elapsed: Duration) -> Lamps {
    let levels = Face::of(shown, Wiring::Three).levels_at(elapsed);
    Lamps { red: levels[0], amber: levels[1], green: levels[2] }
}
