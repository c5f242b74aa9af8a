//! What `[leds]` in the configuration means.

use std::path::Path;

use hearth::config::{Secrets, check_text};
use hearth::leds::LampSettings;
use hearth::leds::face::Wiring;
use hearth::leds::settings::{Active, Bias, ChipName, Place};

const NODE: &str = "[node]\nname = \"pi1\"\nkey = { file = \"node.key\" }\n";

/// The settings and the warnings, or what is wrong.
fn read(leds: &str) -> Result<(LampSettings, Vec<String>), String> {
    let checked = check_text(&format!("{NODE}{leds}"), Path::new("hearth.toml"), Secrets::Skip);
    let checked = checked.map_err(|errors| errors.to_string())?;
    let warnings = checked.config().warnings.iter().map(ToString::to_string).collect();
    Ok((checked.config().agent.as_ref().unwrap().leds.clone(), warnings))
}

#[test]
fn without_leds_nothing_is_lit_and_no_button_is_read() {
    assert_eq!(read("").unwrap(), (LampSettings::default(), vec![]));
    assert_eq!(read("[leds]\npreset = \"off\"\n").unwrap().0, LampSettings::default());
}

#[test]
fn the_default_board_has_three_lamps_and_a_button_to_ground_on_pins_that_no_bus_uses() {
    let (leds, warnings) =
        read("[leds]\npreset = \"traffic-hat\"\nalso = [\"onboard\", \"terminal\"]\n").unwrap();
    let [Place::Pins(pins), Place::Kernel(onboard), Place::Terminal] = &leds.places[..] else {
        panic!("{leds:?}")
    };
    assert_eq!((pins.wiring, &pins.lamps), (Wiring::Three, &vec![vec![24], vec![23], vec![22]]));
    assert_eq!((&pins.chip, pins.active), (&ChipName::Header, Active::High));
    assert_eq!(onboard.lamps, [["ACT", "led0"]]);
    let button = leds.button.unwrap();
    assert_eq!((button.pin.pin, button.pin.active, button.pin.bias), (25, Active::Low, Bias::PullUp));
    assert_eq!(button.shutdown, ["systemctl", "poweroff"]);
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn pins_of_ones_own_say_their_wiring_by_their_names() {
    let wiring = |lamps: &str| {
        let (leds, _) = read(&format!("[leds.pins]\nchip = \"gpio-ex\"\nactive = \"low\"\n{lamps}"))?;
        let [Place::Pins(pins)] = &leds.places[..] else { panic!("{leds:?}") };
        assert_eq!((&pins.chip, pins.active), (&ChipName::Label("gpio-ex".to_owned()), Active::Low));
        Ok::<_, String>(pins.wiring)
    };
    assert_eq!(wiring("led = [3]\n"), Ok(Wiring::One));
    assert_eq!(wiring("red = [1]\namber = [2, 3]\ngreen = [4]\n"), Ok(Wiring::Three));
    assert_eq!(wiring("red = [1]\nblue = [2]\ngreen = [4]\n"), Ok(Wiring::Rgb));
    for wrong in ["red = [1]\n", "led = [1]\nred = [2]\n", "led = []\n", ""] {
        let said = wiring(wrong).unwrap_err();
        assert!(said.contains("the lamps of any wiring") || said.contains("a lamp without a pin"), "{said}");
    }
}

#[test]
fn two_things_on_one_line_are_refused_and_named() {
    for (leds, says) in [
        (
            "[leds.pins]\nred = [5]\namber = [6]\ngreen = [5]\n",
            "GPIO 5 of the 40-pin header is to be both the red lamp and the green lamp",
        ),
        (
            "[leds]\npreset = \"traffic-hat\"\n[leds.button]\npin = 22\n",
            "GPIO 22 of the 40-pin header is to be both the green lamp and the button",
        ),
        (
            "[leds]\npreset = \"traffic-hat\"\nalso = [\"pi-liter\"]\n",
            "GPIO 24 of the 40-pin header is to be both the red lamp and the lamp",
        ),
    ] {
        let said = read(leds).unwrap_err();
        assert!(said.contains(says), "{said}");
    }
    let elsewhere = "[leds]\npreset = \"traffic-hat\"\n[leds.button]\nchip = \"gpio-ex\"\npin = 22\n";
    assert!(read(elsewhere).is_ok(), "the same number on another chip is another line");
}

#[test]
fn pins_of_a_bus_are_allowed_with_a_warning_that_says_what_must_be_off() {
    for (leds, says) in [
        ("[leds]\npreset = \"pi-traffic\"\n", "the red lamp is on GPIO 9, which is SPI0"),
        ("[leds]\npreset = \"fishdish\"\n", "the button is on GPIO 7, which is a chip select of SPI0"),
        ("[leds.pins]\nled = [3]\n", "the lamp is on GPIO 3, which is I2C1"),
        ("[leds.pins]\nled = [40]\n", "which the header does not have"),
    ] {
        let warnings = read(leds).unwrap().1;
        assert!(warnings.iter().any(|warning| warning.contains(says)), "{warnings:?}");
    }
}

#[test]
fn a_night_and_the_names_of_leds_are_checked_where_they_stand() {
    assert_eq!(
        read("[leds]\nnight = \"22:00-07:00\"\n").unwrap().0.night.unwrap().to_string(),
        "22:00-07:00"
    );
    for (leds, says) in [
        ("[leds]\nnight = \"late\"\n", "hearth.toml:5:9"),
        ("[leds.kernel]\nled = \"../../etc\"\n", "is a path, and the name of an LED is wanted"),
        ("[leds.button]\nbias = \"off\"\n", "the button has no pin"),
    ] {
        let said = read(leds).unwrap_err();
        assert!(said.contains(says), "{said}");
    }
}
