//! The engine beside a model of a few lines: what a person who knows who is up would say the record is, once all has come
//! to rest. How it gets there, and how fast, is told elsewhere.

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::world::{PAGES, World, node, seconds};
use crate::failover::Shape;
use crate::failover::event::Command;
use crate::failover::lane::Side;
use crate::policy::Profile;

/// A change of health is believed, a hold-down is over, a budget's hour is past, and the fallback was looked at.
const REST: u64 = 2 * 3_600;

/// Longer than any story here.
const LONG: u64 = 30 * 86_400;

const NODES: [(&str, &str); 2] = [("pi1", "203.0.113.1"), ("pi2", "203.0.113.2")];

/// Who has the last word about the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Watcher,
    Freeze,
    Fallback,
}

#[derive(Clone, Debug)]
struct Model {
    up: [bool; 2],
    drained: [bool; 2],
    fallback_good: bool,
    connected: bool,
    word: Word,
    record: String,
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    Kill(usize),
    Revive(usize),
    Drain(usize),
    Fallback(bool),
    Connected(bool),
    Freeze,
    ToFallback,
    Auto,
    Restart,
}

impl Model {
    /// What the record comes to.
    fn settle(mut self) -> Self {
        let home: Vec<&str> =
            (0..2).filter(|n| self.up[*n] && !self.drained[*n]).map(|n| NODES[n].1).collect();
        match self.word {
            _ if !self.connected => {}
            Word::Freeze => {}
            Word::Fallback => PAGES.clone_into(&mut self.record),
            Word::Watcher if !home.is_empty() => self.record = home.join(" "),
            // Nobody is sent to a fallback that is not good.
            Word::Watcher if self.fallback_good => PAGES.clone_into(&mut self.record),
            Word::Watcher => {}
        }
        self
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Turn;

    fn init_state() -> BoxedStrategy<Self> {
        let record = String::new();
        let (up, drained) = ([true; 2], [false; 2]);
        Just(Self { up, drained, fallback_good: true, connected: true, word: Word::Watcher, record }.settle())
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Turn> {
        prop_oneof![
            4 => (0..2_usize).prop_map(Turn::Kill),
            3 => (0..2_usize).prop_map(Turn::Revive),
            1 => (0..2_usize).prop_map(Turn::Drain),
            2 => any::<bool>().prop_map(Turn::Fallback),
            2 => any::<bool>().prop_map(Turn::Connected),
            1 => Just(Turn::Freeze),
            1 => Just(Turn::ToFallback),
            2 => Just(Turn::Auto),
            1 => Just(Turn::Restart),
        ]
        .boxed()
    }

    /// A word is heard by a watcher that decides, and one at a time; sent to the fallback is who can be.
    fn preconditions(state: &Self, turn: &Turn) -> bool {
        let free = state.connected && state.word == Word::Watcher;
        match turn {
            Turn::Freeze | Turn::Drain(_) => free,
            Turn::ToFallback => free && state.fallback_good,
            Turn::Auto => state.connected,
            Turn::Fallback(_) => state.word != Word::Fallback,
            Turn::Kill(_) | Turn::Revive(_) | Turn::Connected(_) | Turn::Restart => true,
        }
    }

    fn apply(mut state: Self, turn: &Turn) -> Self {
        match turn {
            Turn::Kill(n) => state.up[*n] = false,
            Turn::Revive(n) => state.up[*n] = true,
            Turn::Drain(n) => state.drained[*n] = true,
            Turn::Fallback(good) => state.fallback_good = *good,
            Turn::Connected(yes) => state.connected = *yes,
            Turn::Freeze => state.word = Word::Freeze,
            Turn::ToFallback => state.word = Word::Fallback,
            Turn::Auto => (state.word, state.drained) = (Word::Watcher, [false; 2]),
            Turn::Restart => {}
        }
        state.settle()
    }
}

struct Beside;

impl StateMachineTest for Beside {
    type SystemUnderTest = World;
    type Reference = Model;

    fn init_test(_: &Model) -> World {
        let mut world = World::new(Shape::Address, Profile::Steady);
        world.run(seconds(REST));
        world
    }

    fn apply(mut world: World, _: &Model, turn: Turn) -> World {
        match turn {
            Turn::Kill(n) => world.kill(NODES[n].0),
            Turn::Revive(n) => world.revive(NODES[n].0),
            Turn::Drain(n) => world.command(Command::Drain { node: node(NODES[n].0), span: seconds(LONG) }),
            Turn::Fallback(good) => world.fallback_good = good,
            Turn::Connected(yes) => world.connected = yes,
            Turn::Freeze => world.command(Command::Freeze { span: seconds(LONG) }),
            Turn::ToFallback => world.pin(Side::Fallback, seconds(LONG)),
            Turn::Auto => world.command(Command::Auto),
            Turn::Restart => world.start(),
        }
        world.run(seconds(REST));
        world
    }

    fn check_invariants(world: &World, model: &Model) {
        assert_eq!(world.record(), model.record, "{model:?}\n{}", world.story());
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn once_all_has_come_to_rest_the_record_is_what_the_model_says(sequential 1..12 => Beside);
}
