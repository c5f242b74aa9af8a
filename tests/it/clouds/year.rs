//! A year of one node in seconds: its line changes address, fails and comes back, the machine reboots with and without a
//! clock, its clock jumps, echoes lie, answers are lost, and the service punishes what the original punishes. The node
//! decides as the agent does, by the same code, with its memory and its books on a disk.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hearth::address::Family;
use hearth::address::agreement::{Agreement, Class, Miss, Observation};
use hearth::dns::change::Outcome;
use hearth::moment::Moment;

use super::house::{House, Turn};
use super::rig::Stand;
use crate::support::vendor::serve::{Fault, Hits};

/// Between two rounds of questions about the address.
const STEP: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(3_600);

/// What happens, drawn from a fixed seed: a failure can be played again.
struct Dice(u64);

impl Dice {
    fn draw(&mut self) -> u64 {
        // Knuth's MMIX constants.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Whether something happens that happens once in so many steps.
    fn once_in(&mut self, steps: u64) -> bool {
        self.draw().is_multiple_of(steps)
    }

    fn address(&mut self) -> IpAddr {
        let [_, _, b, c] = u32::try_from(self.draw() & 0xffff).unwrap().to_be_bytes();
        Ipv4Addr::new(84, 17, b, c).into()
    }
}

/// The world around the node.
struct World {
    dice: Dice,
    truth: IpAddr,
    /// What was true of late, the newest last.
    of_late: Vec<IpAddr>,
    down_for: u64,
    /// Which source lies, what it says, and for how long.
    liar: Option<(usize, Result<IpAddr, Miss>, u64)>,
    moves: usize,
}

impl World {
    fn step(&mut self) {
        let again = self.moves > 0 && self.of_late.iter().rev().take(3).any(|a| *a != self.truth);
        if self.dice.once_in(if again { 40 } else { 400 }) {
            self.truth = self.dice.address();
            self.moves += 1;
        }
        self.of_late.push(self.truth);
        self.down_for = match self.down_for {
            0 if self.dice.once_in(1_500) => 1 + self.dice.draw() % 24,
            left => left.saturating_sub(1),
        };
        self.liar = match self.liar.take() {
            Some((who, lie, left)) if left > 0 => Some((who, lie, left - 1)),
            _ if self.dice.once_in(100) => Some(self.lie()),
            _ => None,
        };
    }

    fn lie(&mut self) -> (usize, Result<IpAddr, Miss>, u64) {
        let who = usize::try_from(self.dice.draw() % 4).unwrap();
        let lie = match self.dice.draw() % 3 {
            0 => Ok(self.dice.address()),
            1 => Ok(self.of_late[0]),
            _ => Err(Miss::Malformed("answered 200 with a page".to_owned())),
        };
        (who, lie, self.dice.draw() % 50)
    }

    fn observe(&self, at: Moment) -> Vec<Observation> {
        let classes = [Class::Https("a".to_owned()), Class::Https("b".to_owned()), Class::Dns, Class::Stun];
        let says = |who: usize| match &self.liar {
            _ if self.down_for > 0 => Err(Miss::Silent("no answer".to_owned())),
            Some((liar, lie, _)) if *liar == who => lie.clone(),
            _ => Ok(self.truth),
        };
        let observation = |(who, class): (usize, Class)| {
            let (asked, family, took) = (class.to_string(), Family::Ipv4, Duration::ZERO);
            Observation { class, asked, family, at, took, said: says(who) }
        };
        classes.into_iter().enumerate().map(observation).collect()
    }
}

/// What the node's clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    /// What time it is.
    Right,
    /// The beginning of 1970, until the network has set it: so many steps more.
    Nothing(u64),
    /// An hour too much or too little, for so many steps more.
    Wrong(u64),
}

/// What a life came to.
#[derive(Debug, Default)]
struct Life {
    moves: usize,
    written: usize,
    writes: usize,
    reads: usize,
    outages: usize,
    reboots: usize,
    without_clock: usize,
    jumps: usize,
    lost: usize,
    lies: usize,
}

struct Story<S: Stand> {
    house: House<S>,
    world: World,
    agreement: Agreement,
    clock: Shows,
    passed: Duration,
    /// Nothing is due before this point, unless the address changes.
    waits: Option<(IpAddr, Moment)>,
    shown: Option<IpAddr>,
    life: Life,
}

impl<S: Stand> Story<S> {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let truth = dice.address();
        let world = World { dice, truth, of_late: vec![truth], down_for: 0, liar: None, moves: 0 };
        let house = House::new();
        house.served.fail(None);
        let agreement = Agreement::new(Family::Ipv4, Vec::new(), STEP);
        let (passed, life) = (Duration::ZERO, Life::default());
        Self { house, world, agreement, clock: Shows::Right, passed, waits: None, shown: None, life }
    }

    fn pass(&mut self, span: Duration) {
        self.house.pass(span);
        self.passed += span;
    }

    /// What happens to the node, its line and its service within a step.
    fn happen(&mut self) {
        let (was_down, lied) = (self.world.down_for > 0, self.world.liar.is_some());
        self.world.step();
        self.life.lies += usize::from(!lied && self.world.liar.is_some());
        let down = self.world.down_for > 0;
        self.life.outages += usize::from(!was_down && down);
        let lost = self.world.dice.once_in(200);
        self.life.lost += usize::from(lost && !down);
        self.count();
        self.house.served.fail(match (down, lost) {
            (true, _) => Some((Fault::Cut, Hits::All)),
            (false, true) => Some((Fault::ApplyThenCut, Hits::WritesAfter(0))),
            (false, false) => None,
        });
        if self.world.dice.once_in(2_000) {
            self.reboot();
        }
        self.tick();
    }

    fn reboot(&mut self) {
        self.life.reboots += 1;
        if self.world.dice.once_in(2) {
            self.life.without_clock += 1;
            self.house.clock.set_wall(0);
            self.clock = Shows::Nothing(1 + self.world.dice.draw() % 3);
        }
        self.house.crash();
        self.agreement = Agreement::new(Family::Ipv4, Vec::new(), STEP);
        self.house.published().into_iter().for_each(|address| self.agreement.stand_on(address));
        self.waits = None;
    }

    /// The clock jumps now and then; the network sets it right again, while there is one.
    fn tick(&mut self) {
        let online = self.world.down_for == 0;
        self.clock = match self.clock {
            Shows::Right if self.world.dice.once_in(1_500) => {
                let ahead = self.passed.saturating_sub(HOUR);
                self.house.set_clock(if self.world.dice.once_in(2) { ahead } else { self.passed + HOUR });
                self.life.jumps += 1;
                Shows::Wrong(1 + self.world.dice.draw() % 4)
            }
            Shows::Nothing(0) | Shows::Wrong(0) if online => {
                self.house.set_clock(self.passed);
                Shows::Right
            }
            Shows::Nothing(left) => Shows::Nothing(left.saturating_sub(1)),
            Shows::Wrong(left) => Shows::Wrong(left.saturating_sub(1)),
            Shows::Right => Shows::Right,
        };
    }

    /// A step: a round of questions, and whatever the keeper does until the next.
    fn step(&mut self, number: u64) {
        self.happen();
        let end = self.passed + STEP;
        let judged = self.agreement.judge(&self.world.observe(self.house.now()), &[], self.house.now());
        if let Some(address) = judged.agreed {
            self.keep(address, end, number);
        }
        self.pass(end.saturating_sub(self.passed));
        self.house.assert_unpunished(&format!("step {number}"));
    }

    fn keep(&mut self, address: IpAddr, end: Duration, number: u64) {
        let left = |story: &Self| end.saturating_sub(story.passed);
        if self.waits.is_some_and(|(known, at)| known == address && at > self.house.now() + left(self)) {
            return;
        }
        loop {
            let before = self.house.served.asked();
            match self.house.turn(address) {
                Turn::Asked(outcome) => {
                    let unset = matches!(self.clock, Shows::Nothing(_));
                    let signed = self.house.settings.is_clock_bound();
                    assert!(!(signed && unset), "step {number}: a call was signed without a clock");
                    if matches!(outcome, Ok(Outcome::Landed { .. })) {
                        self.check(number);
                    }
                }
                Turn::Waits(at) => {
                    assert_eq!(self.house.served.asked(), before, "step {number}: who waits asks nothing");
                    let wait = at - self.house.now();
                    if wait > left(self) {
                        self.waits = Some((address, at));
                        return;
                    }
                    self.pass(wait.max(Duration::from_millis(1)));
                }
                Turn::Stopped => panic!("step {number}: the keeper stopped"),
            }
        }
    }

    /// What is published is what was true a short while ago, and was not published before.
    fn check(&mut self, number: u64) {
        let values = self.house.values();
        let [value] = &values[..] else { panic!("step {number}: {values:?}") };
        let address: IpAddr = value.parse().unwrap();
        let of_late: Vec<&IpAddr> = self.world.of_late.iter().rev().take(3).collect();
        assert!(of_late.contains(&&address), "step {number}: {address} is published, true were {of_late:?}");
        self.life.written += usize::from(self.shown.replace(address) != Some(address));
    }

    fn count(&mut self) {
        let (writes, reads) = self.house.served.asked();
        (self.life.writes, self.life.reads) = (self.life.writes + writes, self.life.reads + reads);
    }
}

fn live<S: Stand>(days: u64, seed: u64) -> Life {
    let mut story = Story::<S>::new(seed);
    for number in 0..days * 288 {
        story.step(number);
    }
    story.count();
    story.life.moves = story.world.moves;
    story.life
}

/// `first` is how many calls the first write takes, with its mark; `look` how many a look takes.
#[track_caller]
fn assert_well_lived(life: &Life, days: usize, first: usize, look: usize) {
    assert!(life.moves > days / 4 && life.outages >= days / 20 && life.reboots >= days / 20, "{life:?}");
    assert!(
        life.lies > days && life.jumps > days / 20 && life.lost > 0 && life.without_clock > 0,
        "{life:?}"
    );
    assert!(life.written > life.moves / 2 && life.written <= life.moves + 1, "{life:?}");
    // Every call that changes something changed the address, but for the first, which also marks.
    assert_eq!(life.writes, life.written - 1 + first, "{life:?}");
    // A look an hour; around a change three more; in an outage, and while the clock is wrong, one a minute.
    let looks = days * 24 + life.written * 3 + (life.outages * 24 + life.jumps * 6) * 8;
    assert!(life.reads <= looks * look, "{life:?}");
}

/// A year at each service, with a story of its own.
macro_rules! years {
    ($($name:ident: $stand:ident, seed $seed:literal, first write $first:literal, look $look:literal;)*) => {
        $(#[test]
        fn $name() {
            assert_well_lived(&live::<super::$stand>(365, $seed), 365, $first, $look);
        })*
    };
}

years! {
    a_year_at_dnspod_brings_no_ban_no_wrong_address_and_one_write_for_each_move: DnsPodStand, seed 4, first write 2, look 1;
    a_year_at_tencent_does_neither: TencentStand, seed 1, first write 2, look 2;
    a_year_at_alidns_does_neither: AlidnsStand, seed 2, first write 2, look 1;
    a_year_at_cloudflare_does_neither: CloudflareStand, seed 3, first write 1, look 1;
    a_year_at_desec_does_neither: DesecStand, seed 4, first write 1, look 3;
    a_year_at_a_dyndns2_service_does_neither: Dyndns2Stand, seed 5, first write 1, look 1;
    a_year_at_duckdns_does_neither: DuckDnsStand, seed 6, first write 1, look 1;
}

/// At rest: nothing changes, and the node crashes all the time.
#[test]
fn at_rest_there_is_no_write_and_at_most_one_read_an_hour_whatever_crashes() {
    let mut house = House::<super::DnsPodStand>::new();
    let address = IpAddr::from([84, 17, 0, 1]);
    house.turn(address);
    house.served.fail(None);
    let days = 10;
    for step in 0..days * 288 {
        house.pass(STEP);
        if step % 7 == 0 {
            house.crash();
        }
        house.turn(address);
    }
    let (writes, reads) = house.served.asked();
    assert_eq!(writes, 0);
    assert!((days * 20..=days * 24).contains(&reads), "{reads} reads in {days} days");
    house.restart();
    house.turn(address);
    assert_eq!(house.served.asked(), (0, reads + 1), "a person who restarts it has it look");
}
