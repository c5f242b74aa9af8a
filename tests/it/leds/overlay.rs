//! The device-tree overlays, built and applied with the tools that build and apply those of the kernel.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::name_server::left_out;

/// A board: the overlay that is for it, what its tree says it is, and the label of the chip of its header.
const BOARDS: [(&str, &str, &str, &str); 4] = [
    ("Pi 3", "hearth-leds", "raspberrypi,3-model-b\", \"brcm,bcm2837", "gpio"),
    ("Pi 4", "hearth-leds", "raspberrypi,4-model-b\", \"brcm,bcm2711", "gpio"),
    ("Zero 2 W", "hearth-leds", "raspberrypi,model-zero-2-w\", \"brcm,bcm2837", "gpio"),
    ("Pi 5", "hearth-leds-pi5", "raspberrypi,5-model-b\", \"brcm,bcm2712", "rp1_gpio"),
];

/// The handle of the chip in the trees made here.
const HANDLE: &str = "0x2a";

#[track_caller]
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("{program}: {e}: tests/run installs device-tree-compiler"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("Warning"), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

struct Tree(PathBuf);

impl Tree {
    fn words(&self, node: &str, property: &str) -> String {
        run("fdtget", &[self.0.to_str().unwrap(), node, property])
    }

    fn is_there(&self, node: &str, property: &str) -> bool {
        run("fdtget", &["-p", self.0.to_str().unwrap(), node]).lines().any(|line| line == property)
    }
}

/// The overlay on the tree of a board, which has the chip and its symbol and nothing else.
fn applied(directory: &Path, overlay: &str, compatible: &str, label: &str) -> Tree {
    let at = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let base = format!(
        "/dts-v1/; / {{ compatible = \"{compatible}\"; #address-cells = <1>; #size-cells = <0>; \
         {label}: gpio@0 {{ reg = <0>; gpio-controller; #gpio-cells = <2>; phandle = <{HANDLE}>; }}; }};"
    );
    std::fs::write(at("base.dts"), base).unwrap();
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("pi-image/overlays").join(format!("{overlay}.dts"));
    run("dtc", &["-q", "-@", "-I", "dts", "-O", "dtb", "-o", &at("base.dtb"), &at("base.dts")]);
    run("dtc", &["-@", "-I", "dts", "-O", "dtb", "-o", &at("overlay.dtbo"), source.to_str().unwrap()]);
    run("fdtoverlay", &["-i", &at("base.dtb"), "-o", &at("all.dtb"), &at("overlay.dtbo")]);
    Tree(directory.join("all.dtb"))
}

#[test]
fn on_every_board_the_overlay_gives_the_kernel_three_leds_and_a_button_on_the_pins_of_the_default_preset() {
    if left_out("dtc and fdtoverlay") {
        return;
    }
    let handle = u32::from_str_radix(HANDLE.trim_start_matches("0x"), 16).unwrap();
    for (board, overlay, compatible, label) in BOARDS {
        let directory = tempfile::tempdir().unwrap();
        let tree = applied(directory.path(), overlay, compatible, label);
        for (node, led, pin) in [
            ("fault", "hearth:red:fault", 24),
            ("warning", "hearth:amber:status", 23),
            ("status", "hearth:green:status", 22),
        ] {
            let node = format!("/hearth-leds/{node}");
            assert_eq!(tree.words(&node, "label"), led, "{board}");
            assert!(hearth::leds::preset::OVERLAY.contains(&led), "{board}: {led}");
            assert_eq!(tree.words(&node, "gpios"), format!("{handle} {pin} 0"), "{board}");
        }
        assert!(tree.is_there("/hearth-leds/fault", "panic-indicator"), "{board}");
        // The trigger `timer` takes two values; four are ignored (drivers/leds/trigger/ledtrig-timer.c).
        assert_eq!(tree.words("/hearth-leds/status", "linux,default-trigger"), "timer", "{board}");
        assert_eq!(tree.words("/hearth-leds/status", "led-pattern"), "400 1600", "{board}");
        assert_eq!(tree.words("/hearth-keys/button", "gpios"), format!("{handle} 25 17"), "{board}");
        assert_ne!(tree.words("/hearth-keys/button", "linux,code"), "116", "{board}: a tap would switch off");
    }
}

#[test]
fn the_overlay_of_one_chip_does_not_go_onto_the_tree_of_the_other() {
    if left_out("dtc and fdtoverlay") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (_, overlay, compatible, _) = BOARDS[0];
    let refused = std::panic::catch_unwind(|| applied(directory.path(), overlay, compatible, "rp1_gpio"))
        .err()
        .unwrap();
    let said = refused.downcast_ref::<String>().unwrap();
    assert!(said.contains("fdtoverlay"), "{said}");
}
