//! What goes wrong: a schedule of faults, drawn from a seed, that can be written down and shortened.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hearth::failover::lane::Side;
use hearth::moment::Moment;

use super::mutant::LIAR;
use super::world::World;

/// One thing that goes wrong. Spans are in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// A node is gone: no visitor, no probe, no beat.
    Down(usize),
    /// A node's site is gone, and it still beats.
    Gray(usize),
    /// A node's beats are lost.
    Mute(usize),
    /// This watcher alone cannot reach a node.
    PathCut(usize),
    /// A node answers with something else.
    Wrong(usize),
    /// Probes of a node are lost with this chance.
    Lossy(usize, f64),
    /// A node's beats are this late, which also changes their order.
    Late(usize, u64),
    /// A node's clock is this far off, in milliseconds.
    Clock(usize, i64),
    /// A node starts again, after it has said so.
    Reboot(usize),
    /// A node starts again without a word.
    Crash(usize),
    /// A node gets another address.
    Moves(usize),
    /// A node says that it is where it is not.
    Lies(usize),
    /// Two nodes change addresses.
    Swap,
    /// Old beats come again.
    Replay(usize),
    /// The watcher is cut off.
    Cut,
    /// So many references are away.
    References(u32),
    /// The fallback does not work.
    Fallback,
    /// The watcher is not run.
    Pause,
    /// The watcher stops dead and is started again after the span.
    WatcherDies,
    /// The same, and what the disk had not confirmed is lost.
    WatcherTorn,
    /// The provider does not answer.
    ProviderAway,
    /// The provider does what it is told, and the answer is lost.
    ProviderMute,
    /// Readings show what stood before.
    Stale,
    /// Somebody else changes the record.
    ForeignEdit,
    /// A person sends visitors there.
    Pin(Side),
    /// A witness says the opposite of what it sees.
    WitnessLies,
    /// No witness is heard.
    WitnessMute,
    /// A node speaks well of itself, and of places where nobody is.
    Forged(usize),
}

/// A fault, when it begins and how long it lasts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    /// When it begins.
    pub(crate) at: Moment,
    /// How long it lasts.
    pub(crate) span: Duration,
    /// What it is.
    pub(crate) fault: Fault,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} s: {:?}", self.at, self.span.as_secs(), self.fault)
    }
}

/// Draws what goes wrong in `length`: some seeds are calm, some are terrible.
pub(crate) fn draw(seed: u64, nodes: usize, length: Duration) -> Vec<Planned> {
    let mut chance = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let gap = [1_200.0, 3_600.0, 10_800.0][chance.usize(..3)];
    let mut plan = Vec::new();
    let mut at = 0.0;
    loop {
        at += -gap * (1.0 - chance.f64()).ln();
        if at >= length.as_secs_f64() {
            return plan;
        }
        let fault = one(&mut chance, nodes);
        let median = match fault {
            Fault::Pause => 20.0,
            Fault::WitnessLies | Fault::Forged(_) => 3_600.0,
            Fault::Reboot(_) | Fault::Crash(_) | Fault::WatcherDies | Fault::WatcherTorn => 60.0,
            _ => 180.0,
        };
        let span = (median * (normal(&mut chance) * 1.2).exp()).clamp(1.0, 4.0 * 3_600.0);
        let at = Moment::from_millis(millis(at));
        plan.push(Planned { at, span: Duration::from_millis(millis(span)), fault });
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "days of milliseconds, never negative"
)]
fn millis(seconds: f64) -> u64 {
    (seconds * 1_000.0) as u64
}

/// A number of the normal distribution (Box and Muller).
pub(crate) fn normal(chance: &mut fastrand::Rng) -> f64 {
    let (a, b) = (1.0 - chance.f64(), chance.f64());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

fn one(chance: &mut fastrand::Rng, nodes: usize) -> Fault {
    let node = chance.usize(..nodes);
    match chance.usize(..36) {
        0..=4 => Fault::Down(node),
        5..=6 => Fault::Gray(node),
        7 => Fault::Mute(node),
        8 => Fault::PathCut(node),
        9 => Fault::Wrong(node),
        10..=11 => Fault::Lossy(node, 0.2 + 0.6 * chance.f64()),
        12 => Fault::Late(node, chance.u64(1..60)),
        13 => Fault::Clock(node, chance.i64(-3_600_000..3_600_000)),
        14..=15 => Fault::Reboot(node),
        16 => Fault::Crash(node),
        17..=18 => Fault::Moves(node),
        19 => Fault::Swap,
        20 => Fault::Replay(node),
        21..=22 => Fault::Cut,
        23 => Fault::References(chance.u32(1..=4)),
        24 => Fault::Fallback,
        25 => Fault::Pause,
        26 => Fault::WatcherDies,
        27 => Fault::WatcherTorn,
        28 => Fault::ProviderAway,
        29 => Fault::ProviderMute,
        31 => Fault::Lies(node),
        32 => Fault::WitnessLies,
        33 => Fault::WitnessMute,
        34 => Fault::Forged(node),
        30 => {
            if chance.bool() {
                Fault::Stale
            } else {
                Fault::ForeignEdit
            }
        }
        _ => Fault::Pin(if chance.bool() { Side::Home } else { Side::Fallback }),
    }
}

/// The beginning or the end of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Begins,
    Ends,
}

/// Lets a plan happen to a world, until `end`.
pub(crate) fn play(world: &mut World, plan: &[Planned], end: Moment) {
    let mut turns: Vec<(Moment, Turn, usize)> = Vec::new();
    for (i, planned) in plan.iter().enumerate() {
        turns.push((planned.at, Turn::Begins, i));
        turns.push((planned.at + planned.span, Turn::Ends, i));
    }
    turns.sort_unstable();
    world.foresee(plan);
    for (at, turn, i) in turns.into_iter().filter(|(at, ..)| *at < end) {
        world.advance(at);
        match turn {
            Turn::Begins => {
                world.faults += 1;
                begin(world, &plan[i], i);
            }
            Turn::Ends => {
                world.faults -= 1;
                finish(world, &plan[i].fault);
            }
        }
        world.note();
        if world.checker.broken.is_some() {
            return;
        }
    }
    world.advance(end);
}

/// Ends what a plan began before `end` and has not ended by itself.
pub(crate) fn heal(world: &mut World, plan: &[Planned], end: Moment) {
    for planned in plan.iter().filter(|p| p.at < end && p.at + p.span >= end) {
        world.faults -= 1;
        finish(world, &planned.fault);
    }
    world.note();
}

fn begin(world: &mut World, planned: &Planned, number: usize) {
    match planned.fault {
        Fault::Down(i) | Fault::Crash(i) => world.nodes[i].down += 1,
        Fault::Gray(i) => world.nodes[i].web_down += 1,
        Fault::Mute(i) => world.nodes[i].mute += 1,
        Fault::PathCut(i) => world.nodes[i].path_cut += 1,
        Fault::Wrong(i) => world.nodes[i].wrong += 1,
        Fault::Lossy(i, p) => world.nodes[i].lossy.push(p),
        Fault::Late(i, seconds) => world.nodes[i].late = Duration::from_secs(seconds),
        Fault::Clock(i, skew_ms) => world.nodes[i].skew_ms = skew_ms,
        Fault::Reboot(i) => {
            world.leave(i);
            world.nodes[i].down += 1;
        }
        Fault::Moves(i) => {
            let fresh = Ipv4Addr::new(
                203,
                0,
                114 + u8::try_from(number / 250 % 100).unwrap_or(0),
                u8::try_from(number % 250 + 1).unwrap_or(1),
            );
            world.new_address(i, IpAddr::V4(fresh));
        }
        Fault::Lies(i) => world.nodes[i].lie = Some(LIAR),
        Fault::Swap => swap(world),
        Fault::Replay(i) => world.replay(i),
        Fault::Cut => world.cut += 1,
        Fault::References(n) => world.references_away += n,
        Fault::Fallback => world.fallback_bad += 1,
        Fault::Pause => world.pause(planned.span),
        Fault::WatcherDies => world.crash(planned.span, false),
        Fault::WatcherTorn => world.crash(planned.span, true),
        Fault::ProviderAway => world.trouble.away += 1,
        Fault::ProviderMute => world.trouble.mute += 1,
        Fault::Stale => {
            world.trouble.stale += 1;
            world.believes_meddling(planned.span);
        }
        Fault::ForeignEdit => world.foreign_edit(),
        Fault::Pin(side) => world.pin(side, planned.span),
        Fault::WitnessLies => world.witness.lies += 1,
        Fault::WitnessMute => world.witness.mute += 1,
        Fault::Forged(i) => world.witness.forging.push(i),
    }
}

fn swap(world: &mut World) {
    if world.nodes.len() > 1 {
        let (a, b) = (world.nodes[0].address, world.nodes[1].address);
        world.new_address(0, b);
        world.new_address(1, a);
    }
}

fn finish(world: &mut World, fault: &Fault) {
    match fault {
        Fault::Down(i) => world.nodes[*i].down -= 1,
        Fault::Crash(i) | Fault::Reboot(i) => {
            world.nodes[*i].down -= 1;
            world.boot(*i);
        }
        Fault::Gray(i) => world.nodes[*i].web_down -= 1,
        Fault::Mute(i) => world.nodes[*i].mute -= 1,
        Fault::PathCut(i) => world.nodes[*i].path_cut -= 1,
        Fault::Wrong(i) => world.nodes[*i].wrong -= 1,
        Fault::Lossy(i, p) => {
            let lossy = &mut world.nodes[*i].lossy;
            if let Some(at) = lossy.iter().position(|q| q.to_bits() == p.to_bits()) {
                lossy.swap_remove(at);
            }
        }
        Fault::Late(i, _) => world.nodes[*i].late = Duration::ZERO,
        Fault::Clock(i, _) => world.nodes[*i].skew_ms = 0,
        Fault::Lies(i) => world.nodes[*i].lie = None,
        Fault::Cut => world.cut -= 1,
        Fault::References(n) => world.references_away -= n,
        Fault::Fallback => world.fallback_bad -= 1,
        Fault::ProviderAway => world.trouble.away -= 1,
        Fault::ProviderMute => world.trouble.mute -= 1,
        Fault::Stale => world.trouble.stale -= 1,
        Fault::WitnessLies => world.witness.lies -= 1,
        Fault::WitnessMute => world.witness.mute -= 1,
        Fault::Forged(i) => {
            let forging = &mut world.witness.forging;
            if let Some(at) = forging.iter().position(|node| node == i) {
                forging.swap_remove(at);
            }
        }
        Fault::Moves(_)
        | Fault::Swap
        | Fault::Replay(_)
        | Fault::Pause
        | Fault::WatcherDies
        | Fault::WatcherTorn
        | Fault::ForeignEdit
        | Fault::Pin(_) => {}
    }
}
