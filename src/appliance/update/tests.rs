//! The life of a program on trial, as tables.

use super::*;

const OWN: Version = Version([0, 1, 0]);

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn program(text: &str) -> Program {
    Program { version: version(text), digest: format!("digest of {text}"), beside: OWN }
}

fn offered(text: &str) -> Standing {
    Standing::default().offer(program(text), 1, OWN, Older::Refused).unwrap()
}

fn seen(text: &str, minutes: u64, serves: usize) -> Seen {
    Seen { version: text.to_owned(), up: Duration::from_secs(60 * minutes), serves }
}

fn runs(standing: &Standing) -> Option<String> {
    standing.runs(OWN).map(|program| program.version.to_string())
}

#[test]
fn versions_are_three_numbers_and_compare_as_numbers() {
    assert!(version("0.10.0") > version("0.9.9") && version("1.0.0") > version("0.99.99"));
    assert_eq!(version("1.2.3").to_string(), "1.2.3");
    for bad in ["", "1", "1.2", "1.2.3.4", "1.2.x", "1.2.+3", "1..2", "1.2.4294967296", "v1.2.3"] {
        assert!(bad.parse::<Version>().is_err(), "{bad}");
    }
}

#[test]
fn a_version_that_is_not_newer_is_taken_only_when_it_is_meant() {
    let committed = offered("0.2.0").commit();
    for old in ["0.1.0", "0.2.0"] {
        let refused = committed.clone().offer(program(old), 1, OWN, Older::Refused).unwrap_err();
        assert_eq!(refused, NotTaken::NotNewer { offered: version(old), in_force: version("0.2.0") });
        let meant = committed.clone().offer(program(old), 1, OWN, Older::Meant).unwrap();
        assert_eq!((runs(&meant).as_deref(), meant.committed.is_some()), (Some(old), true));
    }
    assert!(Standing::default().offer(program("0.1.0"), 1, OWN, Older::Refused).is_err(), "the image's own");
}

#[test]
fn a_program_that_is_well_for_three_minutes_is_committed() {
    let trial = offered("0.2.0").start(&|_| true);
    assert_eq!(trial.judge(Some(&seen("0.2.0", 2, 1)), 2), Some(Verdict::Wait));
    assert_eq!(trial.judge(Some(&seen("0.2.0", 3, 1)), 3), Some(Verdict::Commit));
    let committed = trial.commit();
    assert_eq!((runs(&committed).as_deref(), committed.judge(None, 99)), (Some("0.2.0"), None));
    assert_eq!(runs(&committed.start(&|_| true)).as_deref(), Some("0.2.0"));
}

#[test]
fn a_program_that_is_not_well_is_turned_down_after_ten_looks_and_not_before() {
    let trial = offered("0.2.0").start(&|_| true);
    let table = [
        (None, "does not answer"),
        (Some(seen("0.1.0", 9, 1)), "calls itself 0.1.0"),
        (Some(seen("0.2.0", 9, 0)), "serves 0 sites"),
        (Some(seen("0.2.0", 1, 1)), "does not stay up"),
    ];
    for (agent, why) in table {
        assert_eq!(trial.judge(agent.as_ref(), MOST_LOOKS - 1), Some(Verdict::Wait), "{why}");
        let verdict = trial.judge(agent.as_ref(), MOST_LOOKS);
        let Some(Verdict::TurnDown(said)) = verdict else { panic!("{why}: {verdict:?}") };
        assert!(said.contains(why), "{said}");
        let standing = trial.clone().turn_down(said.clone());
        assert_eq!((runs(&standing), standing.turned_down), (None, Some(said)));
    }
}

#[test]
fn three_starts_that_end_early_bring_the_committed_program_back_and_no_loop() {
    let mut standing = offered("0.2.0").commit().offer(program("0.3.0"), 1, OWN, Older::Refused).unwrap();
    let mut started = Vec::new();
    for _ in 0..5 {
        standing = standing.start(&|_| true);
        started.push(runs(&standing).unwrap());
    }
    assert_eq!(started, ["0.3.0", "0.3.0", "0.3.0", "0.2.0", "0.2.0"]);
    assert_eq!(standing.turned_down.as_deref(), Some("0.3.0 was not well in any of 3 starts"));
}

#[test]
fn a_system_that_brings_a_newer_program_starts_that_and_an_older_system_finds_its_own_again() {
    let newer = offered("0.2.0").commit();
    let older = Standing::default().offer(program("0.0.9"), 1, OWN, Older::Meant).unwrap().commit();
    for (kept, own, in_force) in [
        (&newer, "0.1.0", "0.2.0"),
        (&newer, "0.1.9", "0.2.0"),
        (&newer, "0.2.0", "0.2.0"),
        (&newer, "0.3.0", "0.3.0"),
        (&older, "0.1.0", "0.0.9"),
        (&older, "0.2.0", "0.2.0"),
    ] {
        assert_eq!(kept.in_force(version(own)), version(in_force), "{own}");
        assert_eq!(kept.needs().count(), 1, "nothing is forgotten: the earlier system may come back");
    }
}

#[test]
fn a_damaged_file_is_never_started() {
    let standing = offered("0.2.0").commit().offer(program("0.3.0"), 1, OWN, Older::Refused).unwrap();
    let back = standing.clone().start(&|program| program.version != version("0.3.0"));
    assert_eq!(runs(&back).as_deref(), Some("0.2.0"));
    let own = standing.start(&|_| false);
    assert_eq!((runs(&own), own.turned_down.as_deref()), (None, Some("the file of 0.2.0 was damaged")));
}
