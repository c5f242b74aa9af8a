//! What `hearth led` says, beside what `hearth status` says.

use hearth::leds::rhythm::describe;
use hearth::leds::{LedPreset, Shown, state};

use crate::agent::rig::{Rig, text};
use crate::support::wait_until;

/// The lines of a screen that begin so.
fn lines<'a>(screen: &'a str, what: &str) -> Vec<&'a str> {
    screen.lines().filter(|line| line.starts_with(what)).collect()
}

#[test]
fn explain_says_in_the_words_of_status_what_the_leds_mean_and_what_there_is_to_do() {
    let mut rig = Rig::new("");
    std::fs::remove_dir_all(rig.path("www")).unwrap();
    rig.start();
    let fault: Shown = "fault-4".parse().unwrap();
    rig.wait_for("a missing site is a fault", |status| state(status) == fault);
    let (status, explain) = (text(&rig.hearth(&["status"])), text(&rig.hearth(&["led", "explain"])));
    assert!(!lines(&explain, "state").is_empty(), "{explain}");
    for what in ["state", "leds", "to do", "  fault"] {
        assert_eq!(lines(&explain, what), lines(&status, what), "{explain}\n{status}");
    }
    assert!(explain.contains(&describe(fault)), "{explain}");
    assert!(lines(&explain, "  fault 4:").len() == 1, "{explain}");
}

#[test]
fn what_the_leds_are_asked_to_show_is_shown_and_said_and_an_acknowledged_fault_steps_back() {
    let mut rig = Rig::new("");
    std::fs::remove_dir_all(rig.path("www")).unwrap();
    rig.start();
    rig.wait_for("a fault", |status| state(status).to_string() == "fault-4");
    for (words, shown) in [
        (&["led", "acknowledge"][..], "acknowledged-4"),
        (&["led", "identify"], "identify"),
        (&["led", "test"], "test"),
    ] {
        assert!(rig.hearth(words).status.success());
        wait_until(shown, std::time::Duration::from_secs(10), || {
            text(&rig.hearth(&["led", "show"])).contains(&format!("shown     {shown}: ")).then_some(())
        });
    }
    let said = text(&rig.hearth(&["status"]));
    assert!(said.contains("fault 4 (acknowledged): nothing to serve"), "{said}");
}

#[test]
fn a_state_is_explained_and_previewed_without_an_agent() {
    let rig = Rig::new("");
    let said = text(&rig.hearth(&["led", "explain", "updating"]));
    assert!(said.contains("do not unplug") && said.contains("two short dips a second"), "{said}");
    let drawn = text(&rig.hearth(&["led", "preview"]));
    for shown in Shown::all() {
        assert!(drawn.contains(&format!("{shown} ")) && drawn.contains(&describe(shown)), "{shown}: {drawn}");
    }
    let refused = rig.hearth(&["led", "explain", "party"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn lamps_that_are_not_there_are_said_with_what_to_do_and_the_site_is_served_all_the_same() {
    let mut rig = Rig::new("[leds.kernel]\nled = \"no-such-led\"\n");
    rig.start();
    let status =
        rig.wait_for("the trouble is known", |s| s.lamps.places.iter().any(|p| !p.trouble.is_empty()));
    assert!(status.lamps.places[0].trouble.contains("no LED called no-such-led"), "{:?}", status.lamps);
    assert!(text(&rig.hearth(&["status"])).contains("no LED called no-such-led"));
    assert!(crate::agent::rig::is_open(rig.site));
    rig.stop();
}

#[test]
fn the_readme_has_every_state_with_its_rhythm_and_every_board() {
    let readme = include_str!("../../../README.md");
    let rows: Vec<_> = readme.lines().filter(|line| line.starts_with("| ")).collect();
    for shown in Shown::all().into_iter().filter(|shown| *shown != Shown::Night) {
        let digit = |c: char| if c.is_ascii_digit() { 'N' } else { c };
        let (mut word, mut rhythm) = (shown.to_string(), describe(shown));
        if matches!(shown, Shown::NeedsHuman(_) | Shown::Acknowledged(_)) {
            word = word.chars().map(digit).collect();
            rhythm = rhythm.replacen("blink,", "blinks,", 1).chars().map(digit).collect();
        }
        let row = rows.iter().find(|row| row.starts_with(&format!("| `{word}`")));
        assert!(row.is_some_and(|row| row.contains(&format!("| {rhythm} |"))), "{word}: {rhythm}: {row:?}");
    }
    for preset in LedPreset::ALL.into_iter().filter(|preset| *preset != LedPreset::Off) {
        let word = serde_json::to_value(preset).unwrap().as_str().unwrap().to_owned();
        assert!(rows.iter().any(|row| row.starts_with(&format!("| `{word}`"))), "{word}");
    }
    assert!(readme.contains("(docs/leds.svg)"));
    assert!(include_str!("../../../docs/leds.svg").contains("GPIO 24, pin 18"));
}
