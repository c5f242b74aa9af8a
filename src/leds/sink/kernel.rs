//! LEDs that the kernel drives, below `/sys/class/leds`: the one on the board, or those of a device-tree overlay.
//!
//! A rhythm is leased to the kernel's `pattern` trigger for a bounded number of rounds, so that it ends by itself when
//! nobody renews it; every pattern ends with a dark step, which is what the kernel leaves behind. Where the kernel has no
//! such trigger the brightness is written at every step. The trigger that an LED had is given back at the end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Sink;
use crate::leds::Shown;
use crate::leds::face::{Face, Lamp, Wiring};
use crate::leds::rhythm::{Level, Rhythm};
use crate::leds::settings::KernelLeds;

/// Where the kernel shows its LEDs.
pub const LEDS: &str = "/sys/class/leds";

/// No lease is longer. Rounds are counted so that this holds, and at least one is leased: no round is longer either.
pub const LONGEST: Duration = Duration::from_secs(10);

/// How long a lamp that does not blink is lit by one lease; renewed in half that time.
const LIT: Duration = Duration::from_secs(9);

/// Why LEDs cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LedError {
    /// The kernel has no such LED.
    #[error("the kernel has no LED called {wanted}; it has {seen}")]
    Missing {
        /// What it may be called.
        wanted: String,
        /// What there is.
        seen: String,
    },
    /// This process may not change it.
    #[error(
        "no right to write {}: give the LED's files to the group `gpio` by a udev rule: SUBSYSTEM==\"leds\", \
         ACTION==\"add\", RUN+=\"/bin/chgrp -R gpio /sys%p\", RUN+=\"/bin/chmod -R g=u /sys%p\", and put the user that \
         runs hearth into that group", .0.display()
    )]
    Denied(PathBuf),
    /// The kernel refused.
    #[error("the LED at {path} cannot be used: {source}", path = path.display())]
    Refused {
        /// Its directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// LEDs of the kernel.
#[derive(Debug)]
pub struct Kernel {
    wiring: Wiring,
    lamps: Vec<Led>,
}

impl Kernel {
    /// Takes the LEDs below `root` over, dark.
    ///
    /// # Errors
    /// [`LedError`]
    pub fn open(root: &Path, leds: &KernelLeds) -> Result<Self, LedError> {
        let lamps = leds.lamps.iter().map(|names| Led::take(find(root, names)?));
        Ok(Self { wiring: leds.wiring, lamps: lamps.collect::<Result<_, _>>()? })
    }
}

impl Sink for Kernel {
    fn show(&mut self, shown: Shown, elapsed: Duration) -> io::Result<Option<Duration>> {
        let face = Face::of(shown, self.wiring);
        let levels = face.levels_at(elapsed);
        let mut again = None;
        for ((led, lamp), level) in self.lamps.iter_mut().zip(face.lamps()).zip(levels) {
            let next = match led.leases {
                Leases::Yes => led.lease(lamp)?,
                Leases::No => {
                    led.step(level)?;
                    face.until_next(elapsed)
                }
            };
            again = again.into_iter().chain(next).min();
        }
        Ok(again)
    }

    fn dark(&mut self, _why: &str) -> io::Result<()> {
        self.lamps.iter_mut().try_for_each(Led::dark)
    }
}

/// The directory of the first of these LEDs that exists.
fn find(root: &Path, names: &[String]) -> Result<PathBuf, LedError> {
    let found = names.iter().map(|name| root.join(name)).find(|path| path.is_dir());
    found.ok_or_else(|| {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        let mut seen: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        seen.sort();
        let seen = if seen.is_empty() { "none".to_owned() } else { seen.join(", ") };
        LedError::Missing { wanted: names.join(" or "), seen }
    })
}

/// Whether the kernel plays a pattern for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leases {
    Yes,
    No,
}

/// One LED, taken over until it is dropped.
#[derive(Debug)]
struct Led {
    path: PathBuf,
    /// The trigger that is given back.
    trigger: String,
    /// The brightness that is given back where there was no trigger.
    brightness: String,
    /// What lit means: 1 for an LED that is on or off, more for one that can be dimmed.
    lit: u32,
    leases: Leases,
    /// The pattern that the kernel plays, while it does.
    playing: Option<String>,
}

impl Led {
    fn take(path: PathBuf) -> Result<Self, LedError> {
        let refused = |source: io::Error| {
            if source.kind() == io::ErrorKind::PermissionDenied {
                LedError::Denied(path.clone())
            } else {
                LedError::Refused { path: path.clone(), source }
            }
        };
        let triggers = read(&path, "trigger").map_err(refused)?;
        let brightness = read(&path, "brightness").map_err(refused)?;
        let lit = read(&path, "max_brightness").map_err(refused)?.parse().unwrap_or(1);
        let offers = |name: &str| triggers.split_whitespace().any(|word| bare(word) == name);
        let leases = if offers("pattern") { Leases::Yes } else { Leases::No };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let trigger = given_back(&triggers, &name);
        let mut led = Self { path: path.clone(), trigger, brightness, lit, leases, playing: None };
        led.dark().map_err(refused)?;
        Ok(led)
    }

    /// Leases to the kernel what the lamp does, and says when that must be renewed.
    fn lease(&mut self, lamp: &Lamp) -> io::Result<Option<Duration>> {
        let (pattern, rounds, renew) = match lamp {
            Lamp::Dark => return self.dark().map(|()| None),
            Lamp::Lit => (steady(self.lit), 1, LIT / 2),
            Lamp::Plays(rhythm) => played(rhythm, self.lit),
        };
        let rounds = rounds.to_string();
        if self.playing.as_ref() != Some(&pattern) {
            self.write("trigger", "pattern")?;
            // A fresh trigger would repeat for ever.
            self.write("repeat", &rounds)?;
            self.write("pattern", &pattern)?;
            self.playing = Some(pattern);
        }
        // A count that was used up is filled by this, and what plays begins again.
        self.write("repeat", &rounds)?;
        Ok(Some(renew))
    }

    fn step(&self, level: Level) -> io::Result<()> {
        let brightness = if level == Level::On { self.lit } else { 0 };
        self.write("brightness", &brightness.to_string())
    }

    fn dark(&mut self) -> io::Result<()> {
        self.playing = None;
        self.write("trigger", "none")?;
        self.write("brightness", "0")
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.path.join(file), text)
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        // An LED that is gone has nothing to be given back.
        let _ = self.write("trigger", &self.trigger);
        if self.trigger == "none" {
            let _ = self.write("brightness", &self.brightness);
        }
    }
}

fn read(path: &Path, file: &str) -> io::Result<String> {
    Ok(fs::read_to_string(path.join(file))?.trim().to_owned())
}

/// The name of a trigger, without the brackets around the one that is on.
fn bare(word: &str) -> &str {
    word.trim_start_matches('[').trim_end_matches(']')
}

/// The trigger to give back: the one that is on, unless a predecessor of ours that was killed left its own there. Then
/// the LED's default, where the kernel knows it (Linux 7.0 and later) or we do.
fn given_back(triggers: &str, name: &str) -> String {
    let on = triggers.split_whitespace().find(|word| word.starts_with('[')).map_or("none", bare);
    if on != "pattern" {
        return on.to_owned();
    }
    let usual = if name == "PWR" || name == "led1" { "default-on" } else { "mmc0" };
    let offered = |wanted: &&str| triggers.split_whitespace().any(|word| word == *wanted);
    ["default", usual].into_iter().find(offered).unwrap_or("none").to_owned()
}

/// A pattern that is lit, for one round: pairs of brightness and milliseconds. Neighbours of unequal brightness would be
/// ramped, so that each level is followed by itself for no time (Documentation/leds/leds-class.rst,
/// drivers/leds/trigger/ledtrig-pattern.c).
fn steady(lit: u32) -> String {
    format!("{lit} {} {lit} 0 0 100 0 0", LIT.as_millis())
}

/// The pattern of a rhythm, for how many rounds it is leased, and when it must be renewed: at the end of a round, so that
/// nobody sees it stumble.
fn played(rhythm: &Rhythm, lit: u32) -> (String, u32, Duration) {
    let step = |level, span: Duration| {
        let brightness = if level == Level::On { lit } else { 0 };
        format!("{brightness} {} {brightness} 0", span.as_millis())
    };
    let pattern: Vec<_> = rhythm.steps().iter().map(|s| step(s.level, s.span)).collect();
    let period = rhythm.period();
    let rounds = u32::try_from(LONGEST.as_millis() / period.as_millis()).unwrap_or(1).max(1);
    (pattern.join(" "), rounds, period * (rounds / 2).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leds::rhythm::rhythm;

    /// An LED as the kernel shows it, in ordinary files.
    fn led(triggers: &str, max: u32) -> (tempfile::TempDir, KernelLeds) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("led0");
        fs::create_dir(&path).unwrap();
        for (file, text) in [("trigger", triggers), ("brightness", "0"), ("max_brightness", &max.to_string())]
        {
            fs::write(path.join(file), format!("{text}\n")).unwrap();
        }
        let lamps = vec![vec!["ACT".to_owned(), "led0".to_owned()]];
        (root, KernelLeds { wiring: Wiring::One, lamps })
    }

    fn file(root: &tempfile::TempDir, name: &str) -> String {
        read(&root.path().join("led0"), name).unwrap()
    }

    #[test]
    fn a_rhythm_is_leased_with_hard_edges_for_a_bounded_time() {
        let (root, leds) = led("none timer [mmc0] pattern", 255);
        let mut kernel = Kernel::open(root.path(), &leds).unwrap();
        let renew = kernel.show(Shown::Healthy, Duration::ZERO).unwrap();
        assert_eq!(file(&root, "pattern"), "255 4900 255 0 0 100 0 0");
        assert_eq!((file(&root, "trigger"), file(&root, "repeat")), ("pattern".to_owned(), "2".to_owned()));
        assert_eq!(renew, Some(Duration::from_secs(5)));
        drop(kernel);
        assert_eq!(file(&root, "trigger"), "mmc0", "given back");
    }

    #[test]
    fn no_lease_of_any_state_lasts_longer_than_ten_seconds_or_ends_lit_and_each_is_renewed_before() {
        for shown in Shown::all() {
            let rhythm = rhythm(shown);
            let (pattern, rounds, renew) = played(&rhythm, 1);
            assert!(rhythm.period() * rounds <= LONGEST, "{shown}");
            assert!(renew <= rhythm.period() * rounds, "{shown}");
            assert_eq!(renew.as_millis() % rhythm.period().as_millis(), 0, "{shown} stumbles");
            let numbers: Vec<u64> = pattern.split(' ').map(|n| n.parse().unwrap()).collect();
            assert_eq!(numbers[numbers.len() - 2..], [0, 0], "{shown} ends dark");
            assert!((2..=1024).contains(&(numbers.len() / 2)), "{shown}");
            let time: u64 = numbers.iter().skip(1).step_by(2).sum();
            assert_eq!(u128::from(time), rhythm.period().as_millis(), "{shown}");
        }
        assert!(steady(1).ends_with("0 100 0 0") && LIT < LONGEST);
    }

    #[test]
    fn without_a_pattern_trigger_each_step_is_written() {
        let (root, leds) = led("none [heartbeat]", 1);
        let mut kernel = Kernel::open(root.path(), &leds).unwrap();
        let next = kernel.show(Shown::Healthy, Duration::ZERO).unwrap();
        assert_eq!((file(&root, "brightness"), next), ("1".to_owned(), Some(Duration::from_millis(4900))));
        kernel.show(Shown::Healthy, Duration::from_millis(4950)).unwrap();
        assert_eq!(file(&root, "brightness"), "0");
        drop(kernel);
        assert_eq!(file(&root, "trigger"), "heartbeat");
    }

    #[test]
    fn what_a_killed_predecessor_left_is_not_taken_for_the_owners_wish() {
        for (triggers, name, back) in [
            ("none [pattern] default mmc0", "ACT", "default"),
            ("none mmc0 [pattern]", "ACT", "mmc0"),
            ("none default-on [pattern]", "PWR", "default-on"),
            ("none [pattern]", "ACT", "none"),
            ("[none] mmc0 pattern", "ACT", "none"),
            ("none [timer] pattern", "ACT", "timer"),
        ] {
            assert_eq!(given_back(triggers, name), back, "{triggers}");
        }
    }

    #[test]
    fn an_led_that_is_not_there_is_named_with_those_that_are() {
        let (root, mut leds) = led("none", 1);
        leds.lamps = vec![vec!["ACT".to_owned()]];
        let error = Kernel::open(root.path(), &leds).unwrap_err().to_string();
        assert_eq!(error, "the kernel has no LED called ACT; it has led0");
    }
}
