//! The life of a system on trial, and the sector that tells it, as tables and for any bytes.

use std::time::Duration;

use proptest::prelude::*;

use super::sector::{SIZE, decode, encode};
use super::*;

const OWN: &str = "0.2.0";

fn version(text: &str) -> SystemVersion {
    text.parse().unwrap()
}

fn newer() -> SystemVersion {
    version("0.2.0-20260131235959")
}

fn on_trial() -> Standing {
    Standing::default().offer(newer(), 1)
}

fn health(agent: Option<(&str, u64, usize)>, keeping: Keeping) -> Health {
    let seen = |(version, minutes, serves): (&str, u64, usize)| Seen {
        version: version.to_owned(),
        up: Duration::from_secs(60 * minutes),
        serves,
    };
    Health { agent: agent.map(seen), keeping }
}

#[test]
fn a_version_is_that_of_hearth_and_then_the_second() {
    assert_eq!(newer().to_string(), "0.2.0-20260131235959");
    assert!(newer() > version("0.2.0-20260131235958") && newer() < version("0.10.0-20250101000000"));
    assert_eq!(version("0.1.0-00000000000001").to_string(), "0.1.0-00000000000001");
    for bad in [
        "",
        "0.2.0",
        "0.2.0-",
        "0.2.0-2026",
        "0.2-20260131235959",
        "0.2.0-2026013123595x",
        "0.2.0+20260131235959",
    ] {
        assert!(bad.parse::<SystemVersion>().is_err(), "{bad}");
    }
}

#[test]
fn a_system_that_is_well_is_committed_and_the_next_one_goes_where_the_earlier_lies() {
    let trial = on_trial();
    let own = OWN.parse().unwrap();
    let judge = |agent, keeping, look| trial.judge(Slot::B, own, &health(agent, keeping), look);
    assert_eq!(judge(Some((OWN, 2, 1)), Keeping::Kept, 2), Some(Verdict::Wait));
    assert_eq!(judge(Some((OWN, 3, 1)), Keeping::Kept, 3), Some(Verdict::Commit));
    assert_eq!(judge(Some((OWN, 3, 1)), Keeping::Full, 3), Some(Verdict::Commit), "it was as full before");
    let committed = trial.clone().commit();
    assert_eq!(committed, Standing { in_force: Slot::B, other: Other::Free });
    assert_eq!(committed.judge(Slot::B, own, &health(None, Keeping::Kept), 99), None);
    assert_eq!(Standing::vacate(Slot::B).offer(newer(), 1).commit(), Standing::default());
}

#[test]
fn a_system_that_is_not_well_is_turned_down_after_ten_looks_and_not_before() {
    let own = OWN.parse().unwrap();
    let well = Some((OWN, 9, 1));
    for (agent, keeping, why) in [
        (None, Keeping::Kept, "does not answer"),
        (Some(("0.1.0", 9, 1)), Keeping::Kept, "calls itself 0.1.0"),
        (Some((OWN, 9, 0)), Keeping::Kept, "serves 0 sites and not 1"),
        (Some((OWN, 1, 1)), Keeping::Kept, "does not stay up"),
        (well, Keeping::InMemory, "last partition is not mounted"),
        (well, Keeping::ReadOnly, "last partition is not mounted"),
    ] {
        let judge = |look| on_trial().judge(Slot::B, own, &health(agent, keeping), look);
        assert_eq!(judge(MOST_LOOKS - 1), Some(Verdict::Wait), "{why}");
        let Some(Verdict::TurnDown(said)) = judge(MOST_LOOKS) else {
            panic!("{why}: {:?}", judge(MOST_LOOKS))
        };
        assert!(said.contains(why), "{said}");
        let standing = on_trial().turn_down(&said);
        assert_eq!((standing.in_force, standing.has_trial()), (Slot::A, false));
        assert!(standing.describe(Slot::A, "x").contains(why), "{standing:?}");
    }
}

#[test]
fn one_that_fell_back_before_it_was_judged_is_not_judged_by_the_system_before_it() {
    let own = OWN.parse().unwrap();
    assert_eq!(on_trial().judge(Slot::A, own, &health(None, Keeping::Kept), MOST_LOOKS), None);
}

#[test]
fn what_runs_and_what_became_of_the_other_is_told() {
    let turned_down = on_trial().turn_down("it cannot be mounted");
    for (standing, running, words) in [
        (Standing::default(), Slot::A, "1 in slot a"),
        (Standing::vacate(Slot::B), Slot::B, "1 in slot b"),
        (on_trial(), Slot::B, "1 in slot b, on trial"),
        (on_trial(), Slot::A, "1 in slot a; 0.2.0-20260131235959 is on trial from the next start on"),
        (
            turned_down.clone(),
            Slot::B,
            "1 in slot b, which was turned down: it cannot be mounted; the next start tries the one in slot a",
        ),
        (
            turned_down,
            Slot::A,
            "1 in slot a; another one was turned down: 0.2.0-20260131235959: it cannot be mounted",
        ),
        (
            Standing::default(),
            Slot::B,
            "1 in slot b; the one in slot a cannot be started any more: install one, or take a new card",
        ),
    ] {
        assert_eq!(standing.describe(running, "1"), words);
    }
}

#[test]
fn a_sector_is_a_line_and_its_sum() {
    let sector = encode(&on_trial());
    let text = std::str::from_utf8(&sector).unwrap().trim_end_matches('\0');
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("hearth-slots 1 a on-trial 0 0.2.0-20260131235959 1"));
    assert_eq!(lines.next().map(str::len), Some(64));
    assert_eq!((lines.next(), text.ends_with('\n')), (None, true));
    assert_eq!(decode(&[0; SIZE]), None, "as the card is flashed");
}

#[test]
fn a_reason_that_the_sector_cannot_hold_is_made_to_fit() {
    for (said, kept) in [("", "?"), ("  a\nb ", "a?b"), ("é", "?"), (&"x".repeat(300), &"x".repeat(200))] {
        assert_eq!(Why::new(said).to_string(), kept);
        let standing = on_trial().turn_down(said);
        assert_eq!(decode(&encode(&standing)), Some(standing));
    }
}

/// Any state that can be told.
fn any_standing() -> impl Strategy<Value = Standing> {
    let label = "[0-9a-z._-]{1,64}".prop_map(|text| Label::new(&text).unwrap());
    let other = prop_oneof![
        Just(Other::Free),
        (label.clone(), 0u8..10, 0u16..=MOST_SERVED).prop_map(|(label, starts, served)| Other::OnTrial {
            label,
            starts,
            served
        }),
        (label, 0u8..10, "[ -~]{0,220}").prop_map(|(label, starts, why)| Other::TurnedDown {
            label,
            starts,
            why: Why::new(&why)
        }),
    ];
    (prop_oneof![Just(Slot::A), Just(Slot::B)], other)
        .prop_map(|(in_force, other)| Standing { in_force, other })
}

proptest! {
    #[test]
    fn what_is_told_is_read_and_what_was_changed_says_nothing(
        standing in any_standing(),
        at in 0..SIZE,
        change in 1u8..,
    ) {
        let sector = encode(&standing);
        prop_assert_eq!(decode(&sector), Some(standing));
        let mut changed = sector;
        changed[at] ^= change;
        prop_assert_eq!(decode(&changed), None);
    }

    #[test]
    fn any_bytes_are_one_of_two_slots(bytes in proptest::collection::vec(any::<u8>(), SIZE)) {
        let sector: [u8; SIZE] = bytes.try_into().unwrap();
        let standing = decode(&sector).unwrap_or_default();
        prop_assert_eq!((standing.in_force, standing.has_trial()), (Slot::A, false));
    }
}
