use std::fs;
use std::path::Path;

use super::*;
use crate::leds::face::Wiring;
use crate::leds::settings::Active;

/// What a machine showed: its `/dev`, the labels of its chips, its `/sys/class/leds`.
struct Recorded {
    what: &'static str,
    /// `gpiochip0` with what it says of itself; a leading `old` or `denied` is how it answers.
    chips: &'static [(&'static str, &'static str)],
    devices: &'static [&'static str],
    leds: &'static [&'static str],
    /// The way to the lamps of a traffic HAT with each backend: auto, gpiocdev, rppal.
    ways: [&'static str; 3],
}

const OVERLAID: &[&str] = &["ACT", "hearth:amber:status", "hearth:green:status", "hearth:red:fault"];

const RECORDED: &[Recorded] = &[
    Recorded {
        what: "Pi 4, Raspberry Pi OS, Linux 6.12",
        chips: &[("gpiochip0", "pinctrl-bcm2711"), ("gpiochip1", "raspberrypi-exp-gpio")],
        devices: &["gpiomem", "mem", "ttyAMA0"],
        leds: &["ACT", "PWR", "mmc0::"],
        ways: ["gpiochip0", "gpiochip0", "rppal"],
    },
    Recorded {
        what: "Pi 5, Raspberry Pi OS, Linux 6.6: the header is the fifth chip",
        chips: &[
            ("gpiochip0", "gpio-brcmstb@107d508500"),
            ("gpiochip10", "gpio-brcmstb@107d508520"),
            ("gpiochip4", "pinctrl-rp1"),
        ],
        devices: &["gpiomem0", "gpiomem1", "mem"],
        leds: &["ACT", "PWR"],
        ways: ["gpiochip4", "gpiochip4", "rppal"],
    },
    Recorded {
        what: "Pi 5, Debian, Linux 7.2: no gpiomem, no LED",
        chips: &[("gpiochip0", "pinctrl-rp1"), ("gpiochip1", "gpio-brcmstb@107d508500")],
        devices: &["mem"],
        leds: &["mmc0::"],
        ways: ["gpiochip0", "gpiochip0", "/dev/gpiomem"],
    },
    Recorded {
        what: "Pi 3 B, Debian, Linux 6.12",
        chips: &[("gpiochip0", "pinctrl-bcm2835"), ("gpiochip1", "raspberrypi-exp-gpio")],
        devices: &["mem"],
        leds: &["ACT"],
        ways: ["gpiochip0", "gpiochip0", "/dev/gpiomem"],
    },
    Recorded {
        what: "Pi 3 B, Debian, with hearth's overlay",
        chips: &[("gpiochip0", "pinctrl-bcm2835")],
        devices: &["mem"],
        leds: OVERLAID,
        ways: ["overlay", "gpiochip0", "/dev/gpiomem"],
    },
    Recorded {
        what: "Pi 3 B, Raspbian buster, Linux 4.19: version 1 of the character device",
        chips: &[("gpiochip0", "old pinctrl-bcm2835")],
        devices: &["gpiomem", "mem"],
        leds: &["led0"],
        ways: ["rppal", "update the kernel", "rppal"],
    },
    Recorded {
        what: "an old kernel without gpiomem",
        chips: &[("gpiochip0", "old pinctrl-bcm2835")],
        devices: &["mem"],
        leds: &["led0"],
        ways: ["update the kernel", "update the kernel", "/dev/gpiomem"],
    },
    Recorded {
        what: "no character device at all, but gpiomem",
        chips: &[],
        devices: &["gpiomem", "mem"],
        leds: &["led0"],
        ways: ["rppal", "this machine has none", "rppal"],
    },
    Recorded {
        what: "no right to the chips",
        chips: &[("gpiochip0", "denied")],
        devices: &["gpiomem", "mem"],
        leds: &["ACT"],
        ways: ["group `gpio`", "group `gpio`", "rppal"],
    },
    Recorded {
        what: "a PC with a chip of its own",
        chips: &[("gpiochip0", "INTC1055:00")],
        devices: &["mem", "gpiochip-nonsense"],
        leds: &["input3::capslock"],
        ways: ["this machine has `INTC1055:00`", "this machine has `INTC1055:00`", "/dev/gpiomem"],
    },
];

/// The machine, made of directories and files as it was found.
fn rebuilt(recorded: &Recorded, root: &Path) -> Machine {
    let chips = recorded.chips.iter().map(|(device, _)| device);
    for (directory, names) in [
        ("dev", chips.chain(recorded.devices).collect::<Vec<_>>()),
        ("sys/class/leds", recorded.leds.iter().collect()),
    ] {
        fs::create_dir_all(root.join(directory)).unwrap();
        names.iter().for_each(|name| fs::write(root.join(directory).join(name), "").unwrap());
    }
    Machine::below(root, |path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let says = recorded.chips.iter().find(|(device, _)| *device == name).unwrap().1;
        match says.split_once(' ') {
            Some(("old", label)) => ChipState::Old(label.to_owned()),
            _ if says == "denied" => ChipState::Denied,
            _ => ChipState::Usable(says.to_owned()),
        }
    })
}

fn traffic_hat(backend: Backend) -> Pins {
    match LedPreset::TrafficHat.place(backend) {
        Some(Place::Pins(pins)) => pins,
        other => panic!("{other:?}"),
    }
}

/// The way, or why there is none.
fn words(way: Result<Way, NoWay>) -> String {
    match way {
        Ok(Way::Lines(path)) => path.file_name().unwrap().to_str().unwrap().to_owned(),
        Ok(Way::Rppal) => "rppal".to_owned(),
        Ok(Way::Kernel(_)) => "overlay".to_owned(),
        Err(why) => why.to_string(),
    }
}

#[test]
fn on_every_recorded_machine_the_way_to_the_lamps_is_found_or_what_is_missing_is_said() {
    for recorded in RECORDED {
        let root = tempfile::tempdir().unwrap();
        let machine = rebuilt(recorded, root.path());
        assert_eq!(machine.chips.len(), recorded.chips.len(), "{}", recorded.what);
        for (backend, expected) in
            [Backend::Auto, Backend::Gpiocdev, Backend::Rppal].into_iter().zip(recorded.ways)
        {
            let found = words(way(&traffic_hat(backend), &machine));
            assert!(found.contains(expected), "{} with {backend:?}: {found}", recorded.what);
        }
    }
}

#[test]
fn pins_of_ones_own_are_not_taken_for_the_overlay_and_rppal_is_not_asked_for_other_chips() {
    let root = tempfile::tempdir().unwrap();
    let machine = rebuilt(&RECORDED[4], root.path());
    let mut own = traffic_hat(Backend::Auto);
    own.lamps[0] = vec![17];
    assert_eq!(words(way(&own, &machine)), "gpiochip0");
    let expander = Pins {
        chip: ChipName::Label("pcf8574".to_owned()),
        wiring: Wiring::One,
        lamps: vec![vec![0]],
        active: Active::Low,
        backend: Backend::Rppal,
    };
    let gpiomem = Machine { gpiomem: true, ..machine };
    assert_eq!(way(&expander, &gpiomem), Err(NoWay::NotTheHeader("pcf8574".to_owned())));
}
