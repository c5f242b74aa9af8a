use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::leds::Shown;

/// A demo in the middle of an outage.
fn picture() -> Picture {
    let mut picture = Picture::first(5.0, "http://127.0.0.31:8443/".to_owned(), "dig here".to_owned());
    picture.at = Duration::from_secs(90);
    picture.watcher.process = State::Running;
    picture.watcher.state = "decides".to_owned();
    picture.watcher.write = "epoch 2 in force".to_owned();
    picture.watcher.returns = "1, after 24 s".to_owned();
    picture.record.addresses.insert(Pi::One.public().into());
    picture.record.why = "pi2 is down: no answer for 5 s and no beat for 5 s".to_owned();
    picture.record.since = Some(Duration::from_secs(78));
    let one = picture.pi_mut(Pi::One);
    (one.process, one.health) = (State::Running, "up".to_owned());
    one.shown = Some((Shown::Healthy, Duration::from_secs(90)));
    one.address = Some(Pi::One.public().into());
    let two = picture.pi_mut(Pi::Two);
    (two.health, two.line) = ("down-hard".to_owned(), Line::Cut);
    two.why = "down: neither answers nor beats: connection refused".to_owned();
    for n in 0..40 {
        let what = format!("event number {n}");
        picture.note(Event { at: Duration::from_secs(n), source: Source::Watcher, what });
    }
    picture
}

/// The screen as text, one line for each row.
fn screen(width: u16, height: u16, picture: &Picture) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, picture, Pi::Two)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| row(y) + "\n").collect()
}

#[track_caller]
fn shows(screen: &str, parts: &[&str]) {
    for part in parts {
        assert!(screen.contains(part), "no `{part}` on\n{screen}");
    }
}

#[test]
fn everything_has_a_word_on_a_small_screen() {
    let screen = screen(80, 24, &picture());
    shows(
        &screen,
        &[
            "● green",
            "○ red",
            "healthy",
            "> pi2",
            "dead",
            "cut",
            "carries",
            "serves",
            "up",
            "down-hard",
            "dark",
        ],
    );
    shows(
        &screen,
        &["pi1 (127.0.0.11), for 12 s", "because  pi2 is down: no answer for 5 s and no beat for 5 s"],
    );
    shows(&screen, &["decides", "epoch 2 in force", "1, after 24 s"]);
    shows(&screen, &["empty answers 0", "http://127.0.0.31:8443/", "q quit", "k kill", "dig here"]);
}

#[test]
fn a_long_command_is_shown_whole_and_takes_its_room_from_what_happened() {
    let mut picture = picture();
    let words =
        ["curl", "--cacert /tmp/hearth-demo-abcdef/ca.pem", "--resolve", "www.hearth.test:41234:127.0.0.11"];
    let url = "https://www.hearth.test:41234/";
    picture.hint = format!("{} {url}", words.join(" "));
    let small = screen(80, 24, &picture);
    shows(&small, &words);
    shows(&small, &[url, "leads to", "empty answers 0", "event number 39", "q quit"]);
}

#[test]
fn lamps_follow_their_rhythm_and_a_large_screen_says_why() {
    let mut picture = picture();
    shows(&screen(120, 40, &picture), &["neither answers nor beats", "connection refused"]);
    // Healthy is dark for the last tenth of five seconds.
    picture.at = Duration::from_millis(94_950);
    let dark = screen(80, 24, &picture);
    assert!(dark.contains("healthy") && !dark.contains('●'), "{dark}");
}

#[test]
fn the_newest_event_is_always_in_sight() {
    for (width, height) in [(80, 24), (120, 50), (80, 19)] {
        shows(&screen(width, height, &picture()), &["event number 39"]);
    }
}

#[test]
fn a_larger_screen_shows_more_events() {
    let shown = |height| screen(80, height, &picture()).matches("event number").count();
    assert!(shown(40) > shown(24) && shown(24) >= 4, "{} {}", shown(40), shown(24));
}

#[test]
fn a_screen_that_is_far_too_small_is_no_reason_to_end() {
    for (width, height) in [(1, 1), (20, 5), (200, 3)] {
        screen(width, height, &picture());
    }
}

#[test]
fn nothing_is_said_of_a_demo_that_has_not_begun_but_that() {
    let screen = screen(80, 24, &Picture::first(1.0, String::new(), String::new()));
    shows(&screen, &["nobody yet", "none yet", "not seen yet", "dark"]);
    assert!(!screen.contains('●'), "{screen}");
}
