//! The card of the flashable image: whatever a person and an editor leave on it, and whenever the plug is pulled.

mod slots;
mod system;
mod update;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hearth::appliance::apply::apply;
use hearth::appliance::import::{ImportError, Imported, InOrder, Places, Step, import};
use hearth::appliance::report::{Instead, Outcome};
use hearth::config::{self, Secrets};

use crate::support::name_server::left_out;

/// Stands for systemd-creds: what it "encrypts" can be read back by the test.
const CREDS: &str = "#!/bin/sh\necho \"${3#--name=}\"\nexec cat\n";

const EDITED: &str = "\
[node]\r\nname = \"attic\"\r\nkey = \"auto\"\r\n\
[pi.wifi]\r\nssid = “home”\r\npassword = “pass of the wifi”\r\n\
[[record]]\r\nname = \"attic.example.com\"\r\nprovider = \"one\"\r\n\
[provider.one]\r\nkind = \"desec\"\r\nzone = \"example.com\"\r\ntoken = \"first-token\"\r\n\
[[record]]\r\nname = \"attic.example.net\"\r\nprovider = \"two\"\r\n\
[provider.two]\r\nkind = \"desec\"\r\nzone = \"example.net\"\r\ntoken = 'second-token'\r\n";

/// A card, a persistent partition and a root, as directories.
struct Pi {
    places: Places,
    _directory: tempfile::TempDir,
}

impl Pi {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("pi-image/card/hearth.toml");
        let places =
            Places { card: at("card"), keep: at("keep"), root: at("root"), example, creds: at("creds") };
        for made in [&places.card, &places.keep, &places.root] {
            fs::create_dir(made).unwrap();
        }
        fs::write(&places.creds, CREDS).unwrap();
        fs::set_permissions(&places.creds, PermissionsExt::from_mode(0o755)).unwrap();
        fs::copy(&places.example, places.card.join("hearth.toml")).unwrap();
        Self { places, _directory: directory }
    }

    fn with(config: &str) -> Self {
        let pi = Self::new();
        pi.write("hearth.toml", config);
        pi
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.places.card.join(name), content).unwrap();
    }

    fn card(&self, name: &str) -> String {
        fs::read_to_string(self.places.card.join(name)).unwrap()
    }

    fn start(&self) -> Imported {
        self.start_until(usize::MAX).unwrap()
    }

    /// A start, with the plug pulled before the step of this number.
    fn start_until(&self, cut: usize) -> Result<Imported, ImportError> {
        let mut steps = 0;
        let mut before = |_: Step| {
            steps += 1;
            if steps > cut { Err(io::Error::other("the plug was pulled")) } else { Ok(()) }
        };
        let check = |text: &str, file: &Path| {
            let checked =
                config::check_text(text, file, Secrets::Skip).map_err(|errors| errors.to_string())?;
            let node = checked.config().agent.as_ref().map(|agent| agent.node.to_string());
            Ok(InOrder { settings: checked.config().pi.clone(), node })
        };
        import(&self.places, &check, &mut before)
    }

    /// What stands in the store, each under its name.
    fn secrets(&self) -> Vec<(String, String)> {
        files(&self.places.keep.join("credstore.encrypted"))
    }
}

fn files(directory: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn sealed(name: &str, secret: &str) -> (String, String) {
    (name.to_owned(), format!("{name}\n{secret}"))
}

fn wrong(imported: &Imported) -> (&str, Instead) {
    match &imported.outcome {
        Outcome::Wrong { mistakes, instead } => (mistakes, *instead),
        Outcome::InForce(file) => panic!("{file} is in force"),
    }
}

#[test]
fn a_card_that_nobody_edited_is_in_force_and_has_a_key_of_its_own() {
    let pi = Pi::new();
    let imported = pi.start();
    assert_eq!(imported.outcome, Outcome::InForce("hearth.toml".to_owned()));
    assert_eq!(imported.kept.hostname(), "hearth");
    assert!(
        imported.kept.keys[0].starts_with("node.key: public-key = \"ed25519:"),
        "{:?}",
        imported.kept.keys
    );
    let secrets = pi.secrets();
    assert!(secrets.len() == 1 && secrets[0].1.contains("hearth-key-1:"), "{}", secrets[0].0);
    assert_eq!(pi.start().kept, imported.kept, "the key is made once");
    assert_eq!(pi.secrets(), secrets);
}

#[test]
fn secrets_are_kept_and_starred_out_and_the_rest_of_the_card_stays() {
    let pi = Pi::with(EDITED);
    let imported = pi.start();
    assert_eq!(imported.outcome, Outcome::InForce("hearth.toml".to_owned()));
    let kept = ["hearth.provider.one.token", "hearth.provider.two.token"];
    let secrets = pi.secrets();
    assert_eq!(secrets[1..], [sealed(kept[0], "first-token"), sealed(kept[1], "second-token")]);
    let stars = EDITED
        .replace("pass of the wifi", "****************")
        .replace("first-token", "***********")
        .replace("second-token", "************");
    assert_eq!(pi.card("hearth.toml"), stars);
    assert!(imported.remarks.iter().any(|remark| remark.contains("curly quotes")), "{:?}", imported.remarks);
    let profile = [("home.psk".to_owned(), "[Security]\nPassphrase=pass of the wifi\n".to_owned())];
    assert_eq!(files(&pi.places.keep.join("iwd")), profile);
    for word in ["first-token", "second-token", "pass of"] {
        assert!(!fs::read_to_string(pi.places.keep.join("taken.json")).unwrap().contains(word), "{word}");
    }
}

#[test]
fn the_second_start_writes_nothing() {
    let pi = Pi::with(EDITED);
    let first = pi.start();
    let second = pi.start_until(0).expect("no step is taken");
    assert_eq!((first.outcome, first.kept), (second.outcome, second.kept));
}

#[test]
fn wherever_the_plug_is_pulled_the_next_start_has_all_of_it() {
    let whole = Pi::with(EDITED);
    whole.start();
    let mut cuts = 0;
    loop {
        let pi = Pi::with(EDITED);
        let cut = pi.start_until(cuts);
        let finished = cut.is_ok();
        let imported = pi.start();
        assert_eq!(imported.outcome, Outcome::InForce("hearth.toml".to_owned()), "cut {cuts}");
        assert_eq!(pi.card("hearth.toml"), whole.card("hearth.toml"), "cut {cuts}");
        assert_eq!(pi.secrets()[1..], whole.secrets()[1..], "cut {cuts}");
        assert_eq!(imported.kept.keys.len(), 1, "cut {cuts}");
        if finished {
            break;
        }
        cuts += 1;
    }
    assert_eq!(cuts, 6, "the Wi-Fi, a key, two tokens, the state, the card");
}

#[test]
fn a_card_that_was_half_starred_out_keeps_its_secrets() {
    let secret = EDITED.find("second-token").unwrap();
    for inside in 0..=12 {
        // The edge of a sector lies this far inside of the secret.
        let config = format!("#{}\r\n{EDITED}", "x".repeat(512 - 3 - secret - inside));
        let pi = Pi::with(&config);
        pi.start();
        let (old, new, kept) = (config.as_bytes(), pi.card("hearth.toml"), pi.secrets());
        let torn = [&new.as_bytes()[..512], &old[512..]].concat();
        pi.write("hearth.toml", torn);
        pi.start();
        assert_eq!((pi.card("hearth.toml"), pi.secrets()), (new, kept), "{inside}");
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_the_last_good_configuration_stays() {
    let pi = Pi::with(EDITED);
    let good = pi.start();
    let stars = pi.card("hearth.toml");
    pi.write("hearth.toml", stars.replace("zone = \"example.net\"", "zonne = \"example.net\""));
    let imported = pi.start();
    let (mistakes, instead) = wrong(&imported);
    assert_eq!(instead, Instead::LastGood);
    assert!(mistakes.starts_with("hearth.toml:19:1: unknown key `zonne`"), "{mistakes}");
    assert_eq!(imported.kept, good.kept);
    pi.write("hearth.toml", stars);
    assert_eq!(pi.start().outcome, good.outcome);
}

#[test]
fn a_mistake_on_the_first_day_leaves_the_images_own_configuration() {
    let pi = Pi::with("[node]\nname = \"attic\"\nkey = \"auto\"\n[leds]\npreset = “on board”\n");
    let imported = pi.start();
    let (mistakes, instead) = wrong(&imported);
    assert_eq!(instead, Instead::Example);
    assert!(mistakes.contains("hearth.toml:5:10:"), "{mistakes}");
    assert_eq!(imported.kept.hostname(), "hearth");
}

#[test]
fn a_new_secret_over_the_stars_takes_the_place_of_the_old_and_the_others_stay() {
    let pi = Pi::with(EDITED);
    pi.start();
    pi.write("hearth.toml", pi.card("hearth.toml").replace("'************'", "'third'"));
    let imported = pi.start();
    assert_eq!(imported.outcome, Outcome::InForce("hearth.toml".to_owned()));
    let kept =
        [sealed("hearth.provider.one.token", "first-token"), sealed("hearth.provider.two.token", "third")];
    assert_eq!(pi.secrets()[1..], kept);
    assert!(pi.card("hearth.toml").contains("'*****'"));
}

#[test]
fn stars_that_nothing_is_kept_for_are_a_mistake_with_a_place() {
    let pi = Pi::with(&EDITED.replace("first-token", "*****"));
    let imported = pi.start();
    let (mistakes, _) = wrong(&imported);
    assert_eq!(mistakes, "hearth.toml:13:9: this secret was starred out, and none is kept; write it again");
    assert!(pi.card("hearth.toml").contains("second-token"), "nothing is taken from a file with a mistake");
}

#[test]
fn what_the_configuration_names_no_more_is_forgotten() {
    let pi = Pi::with(EDITED);
    pi.start();
    let without = pi.card("hearth.toml").replace("ssid = “home”", "ssid = “attic net”");
    let without = without.replace("****************", "another pass");
    pi.write("hearth.toml", without.split("[[record]]\r\nname = \"attic.example.net\"").next().unwrap());
    pi.start();
    let names = |files: Vec<(String, String)>| files.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(pi.secrets()), ["hearth.node.key", "hearth.provider.one.token"]);
    assert_eq!(names(files(&pi.places.keep.join("iwd"))), ["attic net.psk"]);
}

#[test]
fn a_file_with_another_ending_is_taken_before_the_untouched_one() {
    let pi = Pi::new();
    pi.write("HEARTH.TOML.TXT", format!("\u{feff}{EDITED}"));
    pi.write("firstrun.sh", "#!/bin/sh\n");
    let imported = pi.start();
    assert_eq!(imported.outcome, Outcome::InForce("HEARTH.TOML.TXT".to_owned()));
    let told = imported.remarks.join("\n");
    assert!(
        told.contains("hearth.toml was left alone") && told.contains("firstrun.sh was left alone"),
        "{told}"
    );
    assert_eq!(pi.start().kept, imported.kept);
}

#[test]
fn the_imagers_file_fills_what_the_configuration_leaves_open() {
    let pi = Pi::new();
    let preseed =
        "[system]\nhostname = \"shed\"\n[wlan]\nssid = \"home\"\npassword = \"hunter22\"\ncountry = \"DE\"\n";
    pi.write("rpi-preseed.toml", preseed);
    let imported = pi.start();
    assert_eq!(imported.kept.hostname(), "shed");
    let profile = ("home.psk".to_owned(), "[Security]\nPassphrase=hunter22\n".to_owned());
    assert_eq!(files(&pi.places.keep.join("iwd")), std::slice::from_ref(&profile));
    assert_eq!(pi.card("rpi-preseed.toml"), preseed.replace("hunter22", "********"));
    pi.write("hearth.toml", pi.card("hearth.toml").replace("64MiB", "32MiB"));
    assert_eq!(pi.start().outcome, imported.outcome, "the network that was starred out is still known");
    assert_eq!(files(&pi.places.keep.join("iwd")), [profile]);
}

#[test]
fn a_card_without_a_configuration_starts_with_the_images_own() {
    let pi = Pi::new();
    fs::remove_file(pi.places.card.join("hearth.toml")).unwrap();
    let imported = pi.start();
    assert_eq!(imported.kept.hostname(), "hearth");
    assert!(imported.remarks[0].contains("There is no hearth.toml"), "{:?}", imported.remarks);
}

#[test]
fn a_lost_state_is_told_and_the_card_is_taken_again() {
    let pi = Pi::new();
    pi.start();
    fs::write(pi.places.keep.join("taken.json"), "{").unwrap();
    let imported = pi.start();
    assert_eq!(imported.outcome, Outcome::InForce("hearth.toml".to_owned()));
    assert!(imported.remarks[0].contains("is lost"), "{:?}", imported.remarks);
}

#[test]
fn the_system_finds_what_is_in_force_in_its_places() {
    let pi = Pi::with(&format!(
        "[pi]\r\ntimezone = \"Europe/Berlin\"\r\nssh-keys = [\"ssh-ed25519 AAAAC3 me\"]\r\n{}",
        EDITED.replace("ssid = “home”", "ssid = “home”\r\ncountry = \"DE\"")
    ));
    let imported = pi.start();
    for _ in 0..2 {
        apply(&imported, None, &pi.places.root).unwrap();
    }
    let read = |path: &str| fs::read_to_string(pi.places.root.join(path)).unwrap();
    let config = pi.places.root.join("etc/hearth/hearth.toml");
    config::check(&config, Secrets::Skip).unwrap();
    assert!(
        read("etc/hearth/hearth.toml").contains("token = { credential = \"hearth.provider.one.token\" }")
    );
    assert_eq!(read("etc/hostname"), "attic\n");
    assert_eq!(read("etc/iwd/main.conf"), "[General]\nCountry=DE\n");
    assert_eq!(read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAAC3 me\n");
    let zone = fs::read_link(pi.places.root.join("etc/localtime")).unwrap();
    assert_eq!(zone, PathBuf::from("/usr/share/zoneinfo/Europe/Berlin"));
    assert!(pi.places.root.join("run/hearth-appliance/ssh").exists());
}

/// The files below the root of a system that was set up, as the image's units look for them.
fn wanted(pi: &Pi) -> Vec<String> {
    let wanted = files(&pi.places.root.join("run/hearth-appliance"));
    wanted.into_iter().map(|(name, _)| name).filter(|name| name != "outcome.json").collect()
}

const VOLUME: &str =
    "[gluster]\r\nnodes = [\"attic.local\", \"shed.local\"]\r\nbrick = \"/srv/brick1/gv0\"\r\n";

#[test]
fn a_volume_in_the_configuration_starts_glusterfs_and_mounts_it() {
    let units = |pi: &Pi| files(&pi.places.root.join("etc/systemd/system"));
    let unit = |name: &str| {
        let path = format!("pi-image/root/usr/lib/systemd/system/{name}");
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    };
    let pi = Pi::with(EDITED);
    hearth(&pi, "import");
    assert_eq!((wanted(&pi), units(&pi).len()), (vec!["wifi".to_owned()], 0), "nothing is said of a volume");

    let pi = Pi::with(&format!("{EDITED}{VOLUME}"));
    let told = hearth(&pi, "import");
    assert!(!told.contains("GlusterFS is not started"), "{told}");
    assert_eq!(wanted(&pi), ["gluster", "gluster-made-here", "wifi"]);
    for wants in ["glusterd.service.d/hearth.conf", "hearth-volume.service"] {
        assert!(unit(wants).contains("ConditionPathExists=/run/hearth-appliance/gluster\n"), "{wants}");
    }
    let [(_, automount), (_, mount)] = units(&pi).try_into().expect("two units");
    assert!(
        automount.contains("Where=/mnt/gluster1\n") && mount.contains("What=attic.local:/gv0\n"),
        "{mount}"
    );
    assert!(pi.places.root.join("srv/brick1").is_dir(), "GlusterFS makes the brick and nothing above it");
}

#[test]
fn a_volume_of_other_machines_is_told_and_not_started() {
    let pi = Pi::with(&format!("{EDITED}{}", VOLUME.replace("attic.local", "cellar.local")));
    let told = hearth(&pi, "import");
    assert!(told.contains("this Pi is called attic: GlusterFS is not started"), "{told}");
    assert_eq!(wanted(&pi), ["wifi"]);
}

#[test]
fn the_agent_of_a_card_with_mistakes_says_so_with_its_leds() {
    let pi = Pi::with(EDITED);
    hearth(&pi, "import");
    let config = pi.places.root.join("etc/hearth/hearth.toml");
    let fault = || {
        let checked = config::check(&config, Secrets::Skip).unwrap();
        checked.config().agent.as_ref().unwrap().passed_over.clone()
    };
    assert_eq!(fault(), None);
    pi.write("hearth.toml", EDITED.replace("zone = \"example.net\"", "zonne = \"example.net\""));
    hearth(&pi, "import");
    let said = fault().expect("the mistakes");
    assert!(
        said.contains("the last one without mistakes is in force: hearth.toml:19:1: unknown key"),
        "{said}"
    );
    pi.write("hearth.toml", EDITED);
    hearth(&pi, "import");
    assert_eq!(fault(), None);
}

#[test]
fn the_card_is_told_what_else_is_wrong_and_the_last_words() {
    let pi = Pi::with(EDITED);
    fs::create_dir(pi.places.keep.join("../log")).unwrap();
    fs::write(pi.places.keep.join("../log/last-words"), "2026-01-01T00:00:00 hearth: under-voltage\n")
        .unwrap();
    let told = hearth(&pi, "import");
    assert!(told.contains("last words  2026-01-01T00:00:00 hearth: under-voltage"), "{told}");
    let told = hearth(&pi, "report");
    assert!(told.contains("secrets and state are gone at every start"), "both lie on one disk here: {told}");
    assert!(told.contains("The clock was not set"), "{told}");
}

/// The program as the image's units call it.
fn hearth(pi: &Pi, command: &str) -> String {
    let Places { card, keep, root, example, creds } = &pi.places;
    let output = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args(["appliance", command])
        .args([Path::new("--card"), card, Path::new("--keep"), keep, Path::new("--root"), root])
        .args([Path::new("--example"), example, Path::new("--creds"), creds])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    pi.card("hearth-status.txt").replace("\r\n", "\n").trim_end().to_owned()
}

#[test]
fn the_card_is_told_how_the_pi_stands() {
    let pi = Pi::with(EDITED);
    let told = hearth(&pi, "import");
    assert!(told.starts_with("hearth on this Pi: starting\n"), "{told}");
    assert!(told.contains("node.key: public-key = \"ed25519:"), "{told}");
    let told = hearth(&pi, "report");
    assert!(told.contains("attic, on the local network http://attic.local/"), "{told}");
    assert!(told.contains("it does not answer"), "no agent runs here: {told}");
    pi.write("hearth.toml", "[node]\nname = 1\n");
    let told = hearth(&pi, "import");
    assert!(told.starts_with("hearth on this Pi: the configuration has mistakes\n"), "{told}");
    assert!(told.contains("hearth.toml:2:8:"), "{told}");
}

#[test]
fn the_images_own_configuration_is_in_order_with_everything_that_is_commented_out() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("pi-image/card/hearth.toml")).unwrap();
    let in_force = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
        _ => line,
    });
    let text = in_force.collect::<Vec<_>>().join("\n").replace('…', "AAAA");
    let text = text.replace("RWQAAAA", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3");
    let text = text.replace("ed25519:AAAA", "ed25519:6DEyPOSX/su9cEfRK1td/VaKwGvqI7cgPhkgq+sIKJc=");
    let pi = Pi::with(&text);
    let imported = pi.start();
    assert_eq!(imported.outcome, Outcome::InForce("hearth.toml".to_owned()));
    assert_eq!((imported.kept.hostname(), pi.secrets().len()), ("pi1", 2));
}

#[test]
fn every_script_of_the_image_is_one_that_its_shell_can_read() {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("pi-image");
    let scripts = [
        "build",
        "quick",
        "initramfs/init",
        "initramfs/slots",
        "initramfs/guard",
        "root/usr/lib/hearth/persist",
        "root/usr/lib/hearth/last-words",
        "root/usr/lib/hearth/volume",
    ];
    for script in scripts {
        let path = image.join(script);
        let bash = fs::read_to_string(&path).unwrap().starts_with("#!/usr/bin/env bash");
        let shell = if bash { "bash" } else { "sh" };
        let read = Command::new(shell).arg("-n").arg(&path).output().unwrap();
        assert!(read.status.success(), "{script}: {}", String::from_utf8_lossy(&read.stderr));
        assert_ne!(fs::metadata(&path).unwrap().permissions().mode() & 0o111, 0, "{script} cannot be run");
    }
    if left_out("shellcheck") {
        return;
    }
    let checked = Command::new("shellcheck")
        .args(["--severity=warning", "--exclude=SC2187"])
        .args(scripts.map(|script| image.join(script)))
        .output()
        .expect("shellcheck, a package of tests/run");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
