//! What `hearth led` says, beside what `hearth status` says.

use hearth::leds::rhythm::describe;
use hearth::leds::{Shown, state};

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
    let status = rig.wait_for("the trouble is known", |s| s.lamps.places.iter().any(|p| !p.trouble.is_empty()));
    assert!(status.lamps.places[0].trouble.contains("no LED called no-such-led"), "{:?}", status.lamps);
    assert!(text(&rig.hearth(&["status"])).contains("no LED called no-such-led"));
    assert!(crate::agent::rig::is_open(rig.site));
    rig.stop();
}
