//! A year of one node in a minute: its line changes address, fails and comes back, the machine reboots, echoes lie, and the
//! service punishes what the original punishes. Time passes by leaps of five minutes, here and at the service.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hearth::address::Family;
use hearth::address::agreement::{Agreement, Class, Miss, Observation};
use hearth::dns::account::{AccountId, Accounts, Pace};
use hearth::dns::change::{ChangeError, Held, Outcome};
use hearth::dns::guard::Permission;
use hearth::dns::plan::Desired;
use hearth::dns::{Rdata, RdataSet};
use hearth::moment::Moment;

use super::rig::{Rig, Stand, member};
use crate::support::vendor::serve::{Fault, Hits};

const STEP: Duration = Duration::from_secs(300);
const LOOK: u64 = 12;
const SPACING: Duration = Duration::from_secs(5);

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
            0 if self.dice.once_in(1_500) => 1 + self.dice.draw() % 60,
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

/// What the node remembers, in memory and on disk.
struct Node {
    agreement: Agreement,
    agreed: Option<IpAddr>,
    accounts: Accounts,
    landed: Option<IpAddr>,
    mine: std::collections::BTreeSet<Rdata>,
    looked: u64,
}

impl Node {
    /// The power went: what is on disk comes back, a stop on purpose it was not.
    fn reboot(&mut self) {
        self.accounts = serde_json::from_str(&serde_json::to_string(&self.accounts).unwrap()).unwrap();
        self.agreement = Agreement::new(Family::Ipv4, Vec::new(), STEP);
        self.agreed.into_iter().for_each(|address| self.agreement.stand_on(address));
        (self.landed, self.looked) = (None, 0);
    }

    /// One look at the provider, when one is due and allowed; whether the record was written.
    fn keep<S: Stand>(&mut self, rig: &Rig<S>, step: u64, now: Moment) -> bool {
        let settings = S::settings(&rig.served);
        let (id, pace) = (settings.account(), settings.pace());
        let wanted = member::<S>(&[]);
        let Some(address) = self.agreed else { return false };
        let due = self.landed != Some(address) || step >= self.looked + LOOK;
        if !due || self.accounts.permission(&id, &wanted.name, now) != Permission::Granted {
            return false;
        }
        let rdata = Rdata::from(address);
        let sets = vec![RdataSet::of(rdata.clone())];
        let desired = Desired { sets, mine: self.mine.clone(), ..wanted };
        let (accounts, mine) = (&mut self.accounts, &mut self.mine);
        let outcome = rig.change_noted(&desired, || match accounts.budget(&id, &desired.name, pace, now) {
            Permission::From(at) => Err(Held::Budget(at - now)),
            Permission::Granted | Permission::Stopped => {
                accounts.trying(&id, &desired.name, pace, now);
                mine.insert(rdata.clone());
                Ok(())
            }
        });
        self.settle(&desired, address, (step, now), outcome, (&id, pace))
    }

    fn settle(
        &mut self,
        desired: &Desired,
        address: IpAddr,
        (step, now): (u64, Moment),
        outcome: Result<Outcome, ChangeError>,
        (id, pace): (&AccountId, Pace),
    ) -> bool {
        match outcome {
            Ok(outcome) => {
                self.accounts.landed(id, &desired.name, now, SPACING);
                (self.landed, self.looked) = (Some(address), step);
                self.mine = [Rdata::from(address)].into();
                matches!(outcome, Outcome::Landed { .. })
            }
            Err(error) => {
                self.accounts.failed((id, &desired.name), pace, error.setback(), now, 0.5);
                false
            }
        }
    }
}

/// What a year came to.
#[derive(Debug, Default)]
struct Year {
    moves: usize,
    written: usize,
    writes: usize,
    reads: usize,
    outages: usize,
    reboots: usize,
    lies: usize,
}

fn live<S: Stand>(steps: u64, seed: u64) -> Year {
    let rig = Rig::<S>::new();
    let mut dice = Dice(seed);
    let truth = dice.address();
    let mut world = World { dice, truth, of_late: vec![truth], down_for: 0, liar: None, moves: 0 };
    let mut node = Node {
        agreement: Agreement::new(Family::Ipv4, Vec::new(), STEP),
        agreed: None,
        accounts: Accounts::default(),
        landed: None,
        mine: Default::default(),
        looked: 0,
    };
    let (mut year, mut shown) = (Year::default(), None);
    let mut now = Moment::from_millis(1_000);
    rig.served.fail(None);
    for step in 0..steps {
        let (was_down, lied) = (world.down_for > 0, world.liar.is_some());
        world.step();
        year.lies += usize::from(!lied && world.liar.is_some());
        if was_down != (world.down_for > 0) {
            year.outages += usize::from(!was_down);
            count(&rig, &mut year);
            rig.served.fail((!was_down).then_some((Fault::Cut, Hits::All)));
        }
        if world.dice.once_in(2_000) {
            year.reboots += 1;
            node.reboot();
        }
        node.agreed = node.agreement.judge(&world.observe(now), &[], now).agreed;
        let written = node.keep(&rig, step, now);
        year.written += usize::from(written);
        if written {
            let values: Vec<String> = rig.values("A").into_iter().collect();
            let [value] = &values[..] else { panic!("step {step}: {values:?}") };
            let address: IpAddr = value.parse().unwrap();
            let of_late: Vec<&IpAddr> = world.of_late.iter().rev().take(3).collect();
            assert!(
                of_late.contains(&&address),
                "step {step}: {address} was published, true were {of_late:?}"
            );
            assert_ne!(shown, Some(address), "step {step}: written again");
            shown = Some(address);
        }
        assert_eq!(rig.penalties(), [] as [&str; 0], "step {step}");
        rig.pass(STEP);
        now = now + STEP;
    }
    count(&rig, &mut year);
    year.moves = world.moves;
    year
}

fn count<S: Stand>(rig: &Rig<S>, year: &mut Year) {
    let (writes, reads) = rig.served.asked();
    (year.writes, year.reads) = (year.writes + writes, year.reads + reads);
}

/// `first` is how many calls the first write takes, with its mark; `look` how many a look takes.
#[track_caller]
fn assert_well_lived(year: &Year, days: usize, first: usize, look: usize) {
    assert!(year.moves > days / 3 && year.outages > days / 20 && year.reboots > days / 20, "{year:?}");
    assert!(year.lies > days && year.written > year.moves / 2 && year.written <= year.moves + 1, "{year:?}");
    // Every call that changes something changed the address, but for the first, which also marks.
    assert_eq!(year.writes, year.written - 1 + first, "{year:?}");
    // A look an hour; around a change two more; in an outage and after a reboot the next try is a look.
    let looks = days * 24 + year.written * 3 + year.reboots + year.outages * 61;
    assert!(year.reads <= looks * look, "{year:?}");
}

#[test]
fn a_year_at_dnspod_brings_no_ban_no_wrong_address_and_one_write_for_each_move() {
    let year = live::<super::DnsPodStand>(365 * 288, 4);
    assert_well_lived(&year, 365, 2, 1);
}

#[test]
fn a_month_at_each_other_service_does_neither() {
    let steps = 30 * 288;
    for (year, first, look) in [
        (live::<super::CloudflareStand>(steps, 1), 1, 1),
        (live::<super::DesecStand>(steps, 2), 1, 3),
        (live::<super::AlidnsStand>(steps, 3), 2, 1),
    ] {
        assert!(year.moves > 10 && year.outages > 0, "{year:?}");
        assert!(year.written <= year.moves + 1, "{year:?}");
        assert_eq!(year.writes, year.written - 1 + first, "{year:?}");
        let looks = 30 * 24 + year.written * 3 + year.reboots + year.outages * 61 + 2;
        assert!(year.reads <= looks * look, "{year:?}");
    }
}
