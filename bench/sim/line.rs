//! The synthetic home line: a year of one Pi behind a nasty line, and what a policy makes of it.
//!
//! All its numbers are invented; policies are compared on the same years.

use std::time::Duration;

use hearth::moment::Moment;
use hearth::policy::Policy;

use super::digest::Digest;
use super::faults::{Fault, Planned, normal, play};
use super::world::{Layout, Telling, World};

/// The length of a year.
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The chance that a probe is lost at any time.
pub(crate) const LOSS: f64 = 0.005;

/// Who looks beside the watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witnesses {
    /// Nobody.
    None,
    /// One, with the same losses and a path of its own.
    One,
}

/// A year of the line.
#[derive(Debug)]
pub(crate) struct Line {
    seed: u64,
    /// What goes wrong, in order.
    pub(crate) plan: Vec<Planned>,
    /// When visitors do not get the site from the Pi: merged, in order.
    pub(crate) outages: Vec<(Moment, Moment)>,
}

/// What the engine has made of a year.
#[derive(Debug)]
pub(crate) struct Lived {
    /// Landed changes: when, and whether the record has led to the fallback since.
    pub(crate) landings: Vec<(Moment, bool)>,
    /// The steps taken.
    pub(crate) steps: u64,
    /// What was decided in them.
    pub(crate) digest: Digest,
}

/// How long something lasts, in seconds.
enum Lasts {
    Uniform(f64, f64),
    /// Median and shape, and what it is held to.
    Lognormal(f64, f64, f64, f64),
}

const DAY: f64 = 86_400.0;

impl Line {
    /// The year of this seed.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed ^ 0x11fe);
        let chance = &mut chance;
        let mut plan = Vec::new();
        let any = f64::INFINITY;
        let kinds = [
            (DAY / 3.0, Lasts::Lognormal(12.0, 0.9, 0.0, 100.0), Fault::Down(0)),
            (DAY, Lasts::Uniform(20.0, 70.0), Fault::Down(0)),
            (15.0 * DAY, Lasts::Uniform(70.0, 120.0), Fault::Down(0)),
            (20.0 * DAY, Lasts::Lognormal(2_400.0, 1.2, 180.0, any), Fault::Down(0)),
            (90.0 * DAY, Lasts::Lognormal(5_400.0, 0.8, 0.0, any), Fault::Gray(0)),
            (DAY / 2.0, Lasts::Lognormal(300.0, 0.7, 0.0, any), Fault::Lossy(0, 0.0)),
            (30.0 * DAY, Lasts::Lognormal(300.0, 0.8, 0.0, any), Fault::PathCut(0)),
            (15.0 * DAY, Lasts::Lognormal(200.0, 0.9, 0.0, any), Fault::Cut),
        ];
        for (gap, lasts, fault) in kinds {
            for at in starts(chance, gap) {
                let fault = if let Fault::Lossy(..) = fault {
                    Fault::Lossy(0, 0.2 + 0.3 * chance.f64())
                } else {
                    fault.clone()
                };
                plan.push(planned(at, lasts.draw(chance), fault));
            }
        }
        for at in starts(chance, 45.0 * DAY) {
            let mut t = 0.0;
            while t < 2_400.0 {
                let down = Lasts::Uniform(30.0, 120.0).draw(chance);
                plan.push(planned(at + t, down, Fault::Down(0)));
                t += down + Lasts::Uniform(30.0, 120.0).draw(chance);
            }
        }
        plan.sort_by_key(|p| p.at);
        let outages = merged(&plan);
        Self { seed, plan, outages }
    }

    /// Whether the Pi serves at `at`, and if not, until when.
    pub(crate) fn out_until(&self, at: Moment) -> Option<Moment> {
        let after = self.outages.partition_point(|(from, _)| *from <= at);
        let (_, until) = *self.outages.get(after.checked_sub(1)?)?;
        (until > at).then_some(until)
    }

    /// What the engine makes of the year with these numbers.
    pub(crate) fn live(&self, policy: &Policy, witnesses: Witnesses, telling: Telling) -> Lived {
        let layout = Layout {
            nodes: 1,
            policy: policy.clone(),
            rules: policy.clone(),
            loss: LOSS,
            references: 4,
            witnessed: witnesses == Witnesses::One,
            journal: false,
            telling,
        };
        let mut world = World::new(layout, self.seed, None);
        play(&mut world, &self.plan, Moment::START + YEAR);
        if let Some(broken) = &world.checker.broken {
            println!("year {}: {} at {}: {}", self.seed, broken.rule, broken.at, broken.what);
        }
        Lived { landings: world.landings, steps: world.steps, digest: world.digest }
    }
}

fn starts(chance: &mut fastrand::Rng, gap: f64) -> Vec<f64> {
    let mut starts = Vec::new();
    let mut at = 0.0;
    loop {
        at -= gap * (1.0 - chance.f64()).ln();
        if at >= YEAR.as_secs_f64() {
            return starts;
        }
        starts.push(at);
    }
}

impl Lasts {
    fn draw(&self, chance: &mut fastrand::Rng) -> f64 {
        match self {
            Lasts::Uniform(least, most) => least + (most - least) * chance.f64(),
            Lasts::Lognormal(median, shape, least, most) => {
                (median * (normal(chance) * shape).exp()).clamp(*least, *most)
            }
        }
    }
}

fn planned(at: f64, span: f64, fault: Fault) -> Planned {
    Planned { at: Moment::START + Duration::from_secs_f64(at), span: Duration::from_secs_f64(span), fault }
}

fn merged(plan: &[Planned]) -> Vec<(Moment, Moment)> {
    let mut outages: Vec<(Moment, Moment)> = Vec::new();
    for p in plan.iter().filter(|p| matches!(p.fault, Fault::Down(_) | Fault::Gray(_))) {
        let until = p.at + p.span;
        match outages.last_mut() {
            Some((_, last)) if *last >= p.at => *last = (*last).max(until),
            Some(_) | None => outages.push((p.at, until)),
        }
    }
    outages
}

/// What a policy did in some years.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    years: f64,
    changes: u64,
    wrong: u64,
    useless: u64,
    detect: Vec<Duration>,
    dead: Duration,
    needless: Duration,
    most: usize,
}

impl Figures {
    /// Adds a year: when the record was switched, and whether to the fallback.
    pub(crate) fn add(&mut self, line: &Line, landings: &[(Moment, bool)]) {
        let switches = sides(landings);
        self.years += 1.0;
        self.changes += switches.len() as u64;
        let busiest = |(i, (at, _)): (usize, &(Moment, bool))| {
            switches[i..].iter().take_while(|(other, _)| *other - *at < Duration::from_secs(3_600)).count()
        };
        self.most = self.most.max(switches.iter().enumerate().map(busiest).max().unwrap_or(0));
        for (at, _) in switches.iter().filter(|(_, away)| *away) {
            match line.out_until(*at) {
                None => self.wrong += 1,
                Some(until) if until - *at < Duration::from_secs(60) => self.useless += 1,
                Some(_) => {}
            }
        }
        self.spans(line, &switches);
    }

    /// The times that visitors spent at the wrong place.
    fn spans(&mut self, line: &Line, switches: &[(Moment, bool)]) {
        let end = Moment::START + YEAR;
        for (from, until) in line.outages.iter().filter(|(from, _)| *from < end) {
            let before = switches.iter().take_while(|(at, _)| at <= from).last();
            let away = before.is_some_and(|(_, away)| *away);
            let first = switches.iter().find(|(at, to)| *to && at > from && at < until);
            if *until - *from >= Duration::from_secs(180) && !away {
                self.detect.extend(first.map(|(at, _)| *at - *from));
            }
            self.dead += (*until).min(end).since(*from).saturating_sub(on_fallback(switches, *from, *until));
        }
        let all = on_fallback(switches, Moment::START, end);
        let useful: Duration =
            line.outages.iter().map(|(from, until)| on_fallback(switches, *from, *until)).sum();
        self.needless += all.saturating_sub(useful);
    }

    /// One line of the table.
    pub(crate) fn row(&mut self, name: &str) -> String {
        self.detect.sort();
        let at = |part: f64| {
            let last = self.detect.len().checked_sub(1)?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
            self.detect.get((last as f64 * part) as usize)
        };
        let seconds = |span: Option<&Duration>| span.map_or("-".to_owned(), |s| s.as_secs().to_string());
        let a_year = |n: f64| format!("{:.1}", n / self.years);
        let minutes = |span: Duration| format!("{:.0}", span.as_secs_f64() / 60.0 / self.years);
        format!(
            "| {name} | {} | {} | {} | {} / {} | {} | {} | {} |",
            a_year(self.changes as f64),
            a_year(self.wrong as f64),
            a_year(self.useless as f64),
            seconds(at(0.5)),
            seconds(at(0.95)),
            minutes(self.dead),
            minutes(self.needless),
            self.most,
        )
    }
}

/// The changes of side among the landed changes.
fn sides(landings: &[(Moment, bool)]) -> Vec<(Moment, bool)> {
    let mut away = false;
    let turn = |landing: &&(Moment, bool)| std::mem::replace(&mut away, landing.1) != landing.1;
    landings.iter().filter(turn).copied().collect()
}

/// How much of a span the record led to the fallback.
fn on_fallback(switches: &[(Moment, bool)], from: Moment, until: Moment) -> Duration {
    let mut sum = Duration::ZERO;
    let mut since = None;
    for (at, away) in switches {
        match (since, away) {
            (None, true) => since = Some(*at),
            (Some(begun), false) => {
                sum += (*at).min(until).since(from.max(begun));
                since = None;
            }
            _ => {}
        }
    }
    sum + since.map_or(Duration::ZERO, |begun: Moment| until.since(from.max(begun)))
}
