//! The device-tree overlays, built and applied with the tools that build and apply those of the kernel.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::vm::kernel;
use crate::support::name_server::left_out;

/// The trees of boards as Debian's kernel has them, the overlay that is for each, and the label of the header's chip.
const BOARDS: [(&str, &str, &str); 5] = [
    ("bcm2837-rpi-3-b", "hearth-leds", "gpio"),
    ("bcm2837-rpi-zero-2-w", "hearth-leds", "gpio"),
    ("bcm2711-rpi-4-b", "hearth-leds", "gpio"),
    ("bcm2712-rpi-5-b", "hearth-leds-pi5", "rp1_gpio"),
    ("bcm2712-d-rpi-5-b", "hearth-leds-pi5", "rp1_gpio"),
];

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

/// The overlay, built, on the tree of a board.
fn applied(directory: &Path, board: &str, overlay: &str) -> Tree {
    let at = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("pi-image/overlays").join(format!("{overlay}.dts"));
    let base = kernel().join(format!("{board}.dtb"));
    run("dtc", &["-@", "-I", "dts", "-O", "dtb", "-o", &at("overlay.dtbo"), source.to_str().unwrap()]);
    run("fdtoverlay", &["-i", base.to_str().unwrap(), "-o", &at("all.dtb"), &at("overlay.dtbo")]);
    Tree(directory.join("all.dtb"))
}

#[test]
fn on_every_board_the_overlay_gives_the_kernel_three_leds_and_a_button_on_the_pins_of_the_default_preset() {
    if left_out("dtc and fdtoverlay") {
        return;
    }
    for (board, overlay, label) in BOARDS {
        let directory = tempfile::tempdir().unwrap();
        let tree = applied(directory.path(), board, overlay);
        let handle = tree.words(&tree.words("/__symbols__", label), "phandle");
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
    let refused = std::panic::catch_unwind(|| applied(directory.path(), "bcm2712-rpi-5-b", "hearth-leds"))
        .err()
        .unwrap();
    let said = refused.downcast_ref::<String>().unwrap();
    assert!(said.contains("fdtoverlay"), "{said}");
}
