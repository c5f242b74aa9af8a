use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn boot(n: u16) -> BootId {
    let mut bits = [0; 16];
    bits[..2].copy_from_slice(&n.to_be_bytes());
    BootId::new(bits)
}

#[test]
fn a_sequence_is_taken_once_and_only_upwards() {
    let mut window = Window::default();
    let mut take = |sequence| window.accept(&node("pi1"), boot(1), sequence);
    assert_eq!(take(5), Ok(()), "a watcher may come late to a run");
    assert_eq!(take(5), Err(Replayed::Sequence { sequence: 5, last: 5 }));
    assert_eq!(take(4), Err(Replayed::Sequence { sequence: 4, last: 5 }));
    assert_eq!(take(7), Ok(()));
    assert_eq!(take(6), Err(Replayed::Sequence { sequence: 6, last: 7 }));
    assert_eq!(take(u64::MAX), Ok(()));
    assert!(take(u64::MAX).is_err() && take(0).is_err());
}

#[test]
fn a_restarted_node_counts_anew_and_its_old_run_is_over() {
    let mut window = Window::default();
    let pi = node("pi1");
    for (n, sequence) in [(1, 100), (2, 1), (2, 2), (3, 1)] {
        assert_eq!(window.accept(&pi, boot(n), sequence), Ok(()));
    }
    for (n, sequence) in [(1, 100), (1, 101), (2, 3), (2, u64::MAX)] {
        assert_eq!(window.accept(&pi, boot(n), sequence), Err(Replayed::Over { boot: boot(n) }));
    }
    assert_eq!(window.last(&pi), Some((boot(3), 1)));
}

#[test]
fn nodes_do_not_share_their_counts() {
    let mut window = Window::default();
    assert_eq!(window.accept(&node("pi1"), boot(1), 9), Ok(()));
    assert_eq!(window.accept(&node("pi2"), boot(1), 1), Ok(()));
    assert_eq!(window.last(&node("pi3")), None);
}

#[test]
fn a_refused_beat_changes_nothing() {
    let mut window = Window::default();
    let pi = node("pi1");
    window.accept(&pi, boot(1), 4).unwrap();
    window.accept(&pi, boot(2), 4).unwrap();
    let before = window.clone();
    for (n, sequence) in [(1, 5), (2, 4), (2, 1)] {
        window.accept(&pi, boot(n), sequence).unwrap_err();
    }
    assert_eq!(window, before);
}

#[test]
fn the_memory_is_bounded_and_holds_the_last_runs() {
    let mut window = Window::default();
    let pi = node("pi1");
    let starts = u16::try_from(RUNS).unwrap() + 50;
    for n in 0..=starts {
        window.accept(&pi, boot(n), 1).unwrap();
    }
    assert_eq!(window.nodes[&pi].over.len(), RUNS);
    for n in starts - u16::try_from(RUNS).unwrap()..starts {
        assert_eq!(window.accept(&pi, boot(n), 2), Err(Replayed::Over { boot: boot(n) }));
    }
    assert_eq!(window.accept(&pi, boot(starts), 2), Ok(()));
}

#[derive(Clone, Debug)]
enum Step {
    Beat { node: u8, boot: u16, sequence: u64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let beat =
        (0..3u8, 0..12u16, 0..20u64).prop_map(|(node, boot, sequence)| Step::Beat { node, boot, sequence });
    prop_oneof![9 => beat, 1 => Just(Step::Restart)]
}

proptest! {
    #[test]
    fn no_beat_is_taken_twice_in_any_order_and_across_restarts(
        steps in proptest::collection::vec(step(), 0..400)
    ) {
        let mut window = Window::default();
        let mut taken = BTreeSet::new();
        let mut highest: BTreeMap<(u8, u16), u64> = BTreeMap::new();
        let mut run: BTreeMap<u8, u16> = BTreeMap::new();
        for step in steps {
            let Step::Beat { node: pi, boot: n, sequence } = step else {
                window = serde_json::from_str(&serde_json::to_string(&window).unwrap()).unwrap();
                continue;
            };
            let fresh_run = !highest.contains_key(&(pi, n));
            let current = run.get(&pi) == Some(&n);
            let expected = fresh_run || (current && highest[&(pi, n)] < sequence);
            let accepted = window.accept(&node(&format!("pi{pi}")), boot(n), sequence).is_ok();
            prop_assert_eq!(accepted, expected);
            if accepted {
                prop_assert!(taken.insert((pi, n, sequence)));
                highest.insert((pi, n), sequence);
                run.insert(pi, n);
            }
        }
    }
}
