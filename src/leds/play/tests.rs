use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::*;
use crate::leds::face::{Face, Wiring};
use crate::leds::rhythm::Level;

/// What a sink was shown, and when its stage stood there: None is dark.
type Log = Rc<RefCell<Vec<(u64, Option<Shown>, Vec<Level>)>>>;

/// A sink that remembers, and fails while `broken` is set.
struct Seen {
    log: Log,
    now: Rc<RefCell<u64>>,
    broken: Rc<RefCell<bool>>,
}

impl Sink for Seen {
    fn show(&mut self, shown: Shown, elapsed: Duration) -> io::Result<Option<Duration>> {
        if *self.broken.borrow() {
            return Err(io::Error::other("unplugged"));
        }
        let face = Face::of(shown, Wiring::Three);
        self.log.borrow_mut().push((*self.now.borrow(), Some(shown), face.levels_at(elapsed)));
        Ok(face.until_next(elapsed))
    }

    fn dark(&mut self, _why: &str) -> io::Result<()> {
        self.log.borrow_mut().push((*self.now.borrow(), None, vec![Level::Off; 3]));
        Ok(())
    }
}

/// A stage with one place, on a line of milliseconds.
struct Rig {
    stage: Stage,
    log: Log,
    now: Rc<RefCell<u64>>,
    broken: Rc<RefCell<bool>>,
    opened: Rc<RefCell<usize>>,
}

impl Rig {
    fn new() -> Self {
        let (log, now): (Log, Rc<RefCell<u64>>) = Default::default();
        let (broken, opened): (Rc<RefCell<bool>>, Rc<RefCell<usize>>) = Default::default();
        let (seen_log, seen_now, is_broken, count) =
            (Rc::clone(&log), Rc::clone(&now), Rc::clone(&broken), Rc::clone(&opened));
        let open: Opener = Box::new(move |_| {
            *count.borrow_mut() += 1;
            if *is_broken.borrow() {
                return Err("plug it in".to_owned());
            }
            let (log, now, broken) = (Rc::clone(&seen_log), Rc::clone(&seen_now), Rc::clone(&is_broken));
            Ok(Box::new(Seen { log, now, broken }))
        });
        Self { stage: Stage::new(vec![Place::Terminal], open), log, now, broken, opened }
    }

    /// Lets time go by, drawing when the stage asked for it.
    fn until(&mut self, ms: u64) {
        let mut now = *self.now.borrow();
        loop {
            let wake = self.stage.draw(Duration::from_millis(now));
            let next = wake.map_or(ms, |wake| u64::try_from(wake.as_millis()).unwrap().max(now + 1));
            if next >= ms {
                *self.now.borrow_mut() = ms;
                return;
            }
            now = next;
            *self.now.borrow_mut() = now;
        }
    }

    fn take(&mut self, shown: Shown) {
        self.stage.take(shown, Duration::from_millis(*self.now.borrow()));
    }

    /// When the green lamp changed, and to what.
    fn green(&self) -> Vec<(u64, Level)> {
        let mut changes: Vec<(u64, Level)> = Vec::new();
        for (ms, _, levels) in self.log.borrow().iter() {
            if changes.last().is_none_or(|(_, level)| *level != levels[2]) {
                changes.push((*ms, levels[2]));
            }
        }
        changes
    }
}

#[test]
fn a_state_that_is_stood_for_plays_its_rhythm_without_stumbling() {
    use Level::{Off, On};
    let mut rig = Rig::new();
    for _ in 0..10 {
        rig.take(Shown::Healthy);
        let later = *rig.now.borrow() + 1500;
        rig.until(later);
    }
    let expected = [(0, On), (4900, Off), (5000, On), (9900, Off), (10_000, On), (14_900, Off)];
    assert_eq!(rig.green(), expected);
}

#[test]
fn a_state_that_nobody_stands_for_any_more_is_dark_when_its_lease_is_over_and_comes_back_with_a_word() {
    let mut rig = Rig::new();
    rig.take(Shown::Offline);
    rig.until(60_000);
    let dark: Vec<_> = rig.log.borrow().iter().filter(|(_, s, _)| s.is_none()).map(|(ms, ..)| *ms).collect();
    assert_eq!(dark, [u64::try_from(LEASE.as_millis()).unwrap()], "once, and then nothing is drawn");
    rig.take(Shown::Offline);
    rig.until(60_001);
    assert_eq!(rig.log.borrow().last().unwrap().1, Some(Shown::Offline));
}

#[test]
fn a_change_begins_its_rhythm_at_once() {
    let mut rig = Rig::new();
    rig.take(Shown::Healthy);
    rig.until(1234);
    rig.take(Shown::Failover);
    rig.until(1235);
    let (ms, shown, levels) = rig.log.borrow().last().unwrap().clone();
    assert_eq!((ms, shown), (1234, Some(Shown::Failover)));
    assert_eq!(levels, [Level::Off, Level::On, Level::Off]);
}

#[test]
fn a_place_that_is_out_of_reach_is_named_and_tried_again_and_no_more_often_than_it_should_be() {
    let mut rig = Rig::new();
    *rig.broken.borrow_mut() = true;
    for _ in 0..7 {
        rig.take(Shown::Healthy);
        let later = *rig.now.borrow() + 5000;
        rig.until(later);
    }
    assert_eq!(rig.stage.places()[0].trouble, "plug it in");
    assert_eq!(*rig.opened.borrow(), 4, "at 0, 10, 20 and 30 s");
    *rig.broken.borrow_mut() = false;
    for _ in 0..2 {
        rig.take(Shown::Healthy);
        let later = *rig.now.borrow() + 5000;
        rig.until(later);
    }
    assert_eq!((rig.stage.places()[0].trouble.as_str(), *rig.opened.borrow()), ("", 5));
    *rig.broken.borrow_mut() = true;
    rig.take(Shown::Offline);
    let later = *rig.now.borrow() + 1;
    rig.until(later);
    assert!(rig.stage.places()[0].trouble.contains("unplugged"), "{:?}", rig.stage.places());
}
