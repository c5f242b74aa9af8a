//! What `[leds]` means: boards and pins become places, and pins that get in each other's way are found.

use std::ops::Range;

use toml::Spanned;

use super::file::leds::{LedButton, LedNames, LedPins, Leds};
use super::reading::Reading;
use super::value::At;
use crate::leds::face::Wiring;
use crate::leds::header::{cautions, conflicts};
use crate::leds::settings::{Active, Backend, ButtonPin, ButtonSettings, ChipName, KernelLeds, Pins, Place};
use crate::leds::{LampSettings, LedPreset};

/// Everything about LEDs, with what is wrong reported.
pub(super) fn lamps(reading: &mut Reading<'_>, written: Spanned<Leds>) -> LampSettings {
    let (span, written) = (written.span(), written.into_inner());
    let backend = written.backend.unwrap_or_default();
    let preset = written.preset.unwrap_or_default();
    let mut places: Vec<_> = preset.place(backend).into_iter().collect();
    places.extend(written.also.iter().filter_map(|board| board.place(backend)));
    places.extend(written.pins.and_then(|table| pins(reading, table, backend)).map(Place::Pins));
    places.extend(written.kernel.and_then(|table| kernel(reading, table)).map(Place::Kernel));
    let button = match written.button {
        Some(table) => button(reading, table, preset),
        None => preset.button().map(|pin| settings(header_button(pin), Vec::new(), None)),
    };
    let settings = LampSettings { places, button, night: written.night.map(|at| at.value) };
    report(reading, &span, &settings);
    settings
}

fn report(reading: &mut Reading<'_>, span: &Range<usize>, settings: &LampSettings) {
    for conflict in conflicts(settings) {
        reading.error(
            span,
            conflict.to_string(),
            "one line can be one thing: take another pin for one of them",
        );
    }
    for (message, todo) in cautions(settings) {
        reading.warn(span, message, todo);
    }
}

/// Which lamps are given: the wiring, and one value for each of its lamps.
fn wired<T>(values: [Option<T>; 5]) -> Option<(Wiring, Vec<T>)> {
    match values {
        [Some(led), None, None, None, None] => Some((Wiring::One, vec![led])),
        [None, Some(red), Some(amber), Some(green), None] => Some((Wiring::Three, vec![red, amber, green])),
        [None, Some(red), None, Some(green), Some(blue)] => Some((Wiring::Rgb, vec![red, green, blue])),
        _ => None,
    }
}

const WANTED: &str = "write `led` for one lamp, `red`, `amber` and `green` for three, or `red`, `green` and `blue` for one \
                      that mixes colours";

fn pins(reading: &mut Reading<'_>, table: Spanned<LedPins>, backend: Backend) -> Option<Pins> {
    let (span, table) = (table.span(), table.into_inner());
    let Some((wiring, lamps)) = wired([table.led, table.red, table.amber, table.green, table.blue]) else {
        reading.error(&span, "these are not the lamps of any wiring", WANTED);
        return None;
    };
    if lamps.iter().any(Vec::is_empty) {
        reading.error(&span, "a lamp without a pin", "write its pins in brackets, such as [24]");
        return None;
    }
    let active = table.active.unwrap_or(Active::High);
    Some(Pins { chip: chip(table.chip), wiring, lamps, active, backend })
}

fn kernel(reading: &mut Reading<'_>, table: Spanned<LedNames>) -> Option<KernelLeds> {
    let (span, table) = (table.span(), table.into_inner());
    let Some((wiring, names)) = wired([table.led, table.red, table.amber, table.green, table.blue]) else {
        reading.error(&span, "these are not the lamps of any wiring", WANTED);
        return None;
    };
    for name in &names {
        if name.value.contains('/') || name.value.starts_with('.') {
            let message = format!("`{}` is a path, and the name of an LED is wanted", name.value);
            reading.error(&name.span, message, "write a name as `ls /sys/class/leds` prints it");
        }
    }
    Some(KernelLeds { wiring, lamps: names.into_iter().map(|name| vec![name.value]).collect() })
}

fn button(reading: &mut Reading<'_>, table: Spanned<LedButton>, preset: LedPreset) -> Option<ButtonSettings> {
    let (span, table) = (table.span(), table.into_inner());
    let Some(pin) = table.pin.or(preset.button()) else {
        reading.error(&span, "the button has no pin", "write `pin = 25`, by its BCM number");
        return None;
    };
    let usual = header_button(pin);
    let (active, bias) = (table.active.unwrap_or(usual.active), table.bias.unwrap_or(usual.bias));
    let pin = ButtonPin { chip: chip(table.chip), active, bias, pin };
    Some(settings(pin, table.setup, table.shutdown))
}

fn settings(pin: ButtonPin, setup: Vec<String>, shutdown: Option<Vec<String>>) -> ButtonSettings {
    let usual = || ["systemctl", "poweroff"].map(str::to_owned).to_vec();
    ButtonSettings { pin, setup, shutdown: shutdown.unwrap_or_else(usual) }
}

/// Connects to ground, with the resistor inside the chip.
fn header_button(pin: u32) -> ButtonPin {
    ButtonPin { chip: ChipName::Header, pin, active: Active::Low, bias: crate::leds::settings::Bias::PullUp }
}

fn chip(written: Option<At<String>>) -> ChipName {
    written.map_or(ChipName::Header, |label| ChipName::Label(label.value))
}
