//! A part of the configuration that lives on a shared volume: read, broken, missing, and on a mount that hangs.

use std::fs;
use std::path::PathBuf;

use hearth::status::{FaultCode, IncludeState};

use super::mounts::{Volume, cannot_run};
use super::rig::{HOST, Rig, text};
use crate::support::http;

/// A node whose site is in `shared.toml`. What is mounted goes first: what is below it is removed after.
struct Shared {
    volume: Option<Volume>,
    rig: Rig,
    /// The table of the site.
    site: String,
}

impl Shared {
    fn at(file: PathBuf, rig: Rig) -> Self {
        let whole = fs::read_to_string(rig.path("hearth.toml")).unwrap();
        let (before, rest) = whole.split_once("[site]").unwrap();
        let (site, after) = rest.split_once("[address]").unwrap();
        let own = format!("include = \"{}\"\n{before}[address]{after}", file.display());
        fs::write(rig.path("hearth.toml"), own).unwrap();
        Self { volume: None, site: format!("[site]{site}"), rig }
    }

    fn new() -> Self {
        let rig = Rig::new("");
        let shared = Self::at("shared.toml".into(), rig);
        shared.holds(&shared.site);
        shared
    }

    fn holds(&self, text: &str) {
        fs::write(self.rig.path("shared.toml"), text).unwrap();
    }

    /// What the check says, and whether the configuration is in order.
    fn check(&self) -> (bool, String) {
        let output = self.rig.hearth(&["check-config"]);
        (output.status.success(), text(&output))
    }

    #[track_caller]
    fn serves(&self, page: &str) {
        self.rig.wait_for("the site", |status| {
            status.sites.first().is_some_and(|site| site.generation.is_some())
        });
        assert_eq!(http::ask(self.rig.site, "GET", "/", HOST, &[]).text(), page);
    }
}

#[test]
fn a_shared_file_is_part_of_the_configuration_and_what_is_from_it_is_shown() {
    let mut shared = Shared::new();
    let (ok, said) = shared.check();
    let path = shared.rig.path("shared.toml");
    for part in [
        format!("include = {path:?}  # in force: as it stands"),
        format!("[site]  # from {}", path.display()),
        format!("hosts = [\"{HOST}\"]"),
    ] {
        assert!(ok && said.contains(&part), "{part}: {said}");
    }
    shared.rig.start();
    shared.serves("home");
    assert_eq!(shared.rig.ask().unwrap().include.map(|include| include.state), Some(IncludeState::Fresh));
    assert_eq!(fs::read_to_string(shared.rig.path("state/shared.toml")).unwrap(), shared.site);
}

#[test]
fn mistakes_in_a_shared_file_have_its_name_and_place() {
    let shared = Shared::new();
    let of = |text: &str| {
        shared.holds(text);
        let (ok, said) = shared.check();
        assert!(ok, "the local file stands alone: {said}");
        assert!(said.contains("nothing of it, since there is no good copy"), "{said}");
        said
    };
    let path = shared.rig.path("shared.toml").display().to_string();
    let site = &shared.site;
    for (text, told) in [
        (site.replace("root", "rot"), ":3:1: unknown key `rot`\n 3 | rot = \"www\"\n"),
        (
            format!("{site}\n[[record]]\nname = \"a.example.com\"\nprovider = \"none\"\n"),
            ":9:12: there is no provider `none`",
        ),
        (format!("[node]\nname = \"pi9\"\n{site}"), ":1:2: `node` cannot be shared"),
        (format!("{site}[provider.x]\nkind = \"rfc2136\"\n"), ":6:2: `provider` cannot be shared"),
        (format!("include = \"more.toml\"\n{site}"), ":1:1: `include` cannot be shared"),
        (format!("{site}[[site"), ":6:7: "),
        (String::new(), ": the shared file holds nothing"),
    ] {
        let said = of(&text);
        assert!(said.contains(&format!("{path}{told}")), "{told}: {said}");
    }
    shared.rig.also("[site]\nhosts = [\"a.example.com\"]\nroot = \"www\"\n");
    let said = of(site);
    assert!(said.contains(&format!("{path}:1:2: duplicate key")), "a table that is in both files: {said}");
}

#[test]
fn a_mistake_of_the_local_file_is_not_forgiven() {
    let shared = Shared::new();
    shared.rig.also("[heartbeat]\nwatchers = []\n");
    let (ok, said) = shared.check();
    let own = shared.rig.path("hearth.toml").display().to_string();
    assert!(!ok && said.contains(&own) && said.contains("`watchers` must not be empty"), "{said}");
}

#[test]
fn a_broken_or_missing_shared_file_leaves_the_last_good_copy_in_force() {
    let mut shared = Shared::new();
    shared.rig.start();
    shared.rig.stop();
    for (text, state, part) in [
        (Some("[sit"), IncludeState::CopyOfBroken, "shared.toml:1:"),
        (Some(""), IncludeState::CopyOfBroken, "holds nothing"),
        (None, IncludeState::CopyOfUnread, "No such file"),
    ] {
        match text {
            Some(text) => shared.holds(text),
            None => fs::remove_file(shared.rig.path("shared.toml")).unwrap(),
        }
        shared.rig.start();
        shared.serves("home");
        let status = shared.rig.ask().unwrap();
        let include = status.include.unwrap();
        assert!(include.state == state && include.why.contains(part), "{include:?}");
        let fault = status.faults.iter().any(|fault| fault.code == FaultCode::Configuration);
        assert_eq!(fault, state == IncludeState::CopyOfBroken, "{:?}", status.faults);
        let shown = super::rig::text(&shared.rig.hearth(&["status"]));
        assert!(shown.contains("its last good copy") && shown.contains(part), "{shown}");
        let (ok, said) = shared.check();
        assert!(ok && said.contains("warning: in force of ") && said.contains(part), "{said}");
        shared.rig.stop();
    }
    let kept = fs::read_to_string(shared.rig.path("state/shared.toml")).unwrap();
    assert_eq!(kept, shared.site, "nothing broken is ever kept");
}

#[test]
fn a_volume_that_hangs_holds_no_start_up() {
    if cannot_run() {
        return;
    }
    let rig = Rig::new("");
    let volume = Volume::new(&rig, "volume", "mnt");
    let file = rig.path("mnt/shared.toml");
    let mut shared = Shared::at(file, rig);
    fs::write(shared.rig.path("volume/shared.toml"), &shared.site).unwrap();
    volume.mount();
    shared.volume = Some(volume);
    shared.rig.start();
    shared.serves("home");
    shared.rig.stop();
    shared.volume.as_ref().unwrap().mood("stall");
    shared.rig.start();
    shared.serves("home");
    let include = shared.rig.ask().unwrap().include.unwrap();
    assert_eq!(include.state, IncludeState::CopyOfUnread);
    assert!(include.why.contains("has not answered for 3 s"), "{include:?}");
    shared.rig.stop();
}
