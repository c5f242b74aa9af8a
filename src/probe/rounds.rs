//! Rounds: the looks that somebody was asked to make, made over and over, and what each met last.
//!
//! What is on the other side of a line that is itself down says nothing: without an errand nothing is looked at and
//! nothing is known, and a look that failed counts only when most of the references answer right after it. Never tells
//! anybody, and never decides anything.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::{Outcome, Patience, Prober, Target};
use crate::dns::Name;
use crate::heartbeat::NodeName;
use crate::heartbeat::witness::{Assignment, Errand, FallbackLook, NodeLook, Testimony};
use crate::host::time::Timeline;
use crate::moment::Moment;
use crate::probe::{Failure, PageCheck};

/// How long the references may take to answer.
const REFERENCES: Duration = Duration::from_secs(5);

/// How many looks are under way at a time; what is due beyond waits for its next turn.
const AT_ONCE: usize = 4 * Errand::MOST;

/// One place that is looked at for a site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The site.
    pub site: Name,
    /// The node. None: the fallback.
    pub node: Option<NodeName>,
    /// Where.
    pub address: IpAddr,
}

/// What was met at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When the look began.
    pub began: Moment,
    /// When it was known what it met.
    pub known: Moment,
    /// What it met.
    pub outcome: Outcome,
}

/// The last look at each place.
pub type Sightings = BTreeMap<Spot, Sighting>;

/// What `seen` says since `after`, as it is told at `now`.
#[must_use]
pub fn testimonies(seen: &Sightings, after: Moment, now: Moment) -> Vec<Testimony> {
    let fresh = seen.iter().filter(|(_, sighting)| sighting.known > after);
    let testimony = |(spot, sighting): (&Spot, &Sighting)| Testimony {
        site: spot.site.clone(),
        node: spot.node.clone(),
        address: spot.address,
        ago_ms: u64::try_from((now - sighting.began).as_millis()).unwrap_or(u64::MAX),
        outcome: short(&sighting.outcome),
    };
    fresh.map(testimony).collect()
}

/// What the decider needs of an outcome.
fn short(outcome: &Outcome) -> Outcome {
    let cut = |words: &str| {
        let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= Testimony::LONGEST;
        let start = words.char_indices().take_while(fits).map(|(_, c)| c);
        start.map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    match outcome {
        Outcome::Up { latency_ms, .. } => Outcome::Up { latency_ms: *latency_ms, generation: None },
        Outcome::Failed(Failure::NotTheNode(words)) => Outcome::Failed(Failure::NotTheNode(cut(words))),
        Outcome::Failed(Failure::Tls(words)) => Outcome::Failed(Failure::Tls(cut(words))),
        Outcome::Failed(failure) => Outcome::Failed(failure.clone()),
    }
}

/// How one place is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    how: How,
    page: PageCheck,
    patience: Patience,
    every: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    Node(Target),
    Fallback,
}

/// Makes the looks of one errand after the other.
#[derive(Debug)]
pub struct Rounds {
    prober: Prober,
    line: Timeline,
    looks: BTreeMap<Spot, Look>,
    references: Vec<String>,
    /// When each place is due.
    due: BTreeMap<Spot, Moment>,
    under_way: JoinSet<(Spot, Option<Sighting>)>,
    seen: watch::Sender<Sightings>,
}

impl Rounds {
    /// Rounds that tell `seen`. Nothing is looked at before [`Rounds::run`].
    #[must_use]
    pub fn new(prober: Prober, line: Timeline, seen: watch::Sender<Sightings>) -> Self {
        let (looks, due) = (BTreeMap::new(), BTreeMap::new());
        Self { prober, line, looks, references: Vec::new(), due, under_way: JoinSet::new(), seen }
    }

    /// Looks at what the latest errand asks for, until the other end of `errands` is gone. An empty errand ends every
    /// look, and what was seen before is forgotten.
    pub async fn run(mut self, mut errands: watch::Receiver<Errand>) {
        loop {
            let errand = errands.borrow_and_update().clone();
            self.take(errand);
            loop {
                let next = self.due.values().min().copied();
                tokio::select! {
                    biased;
                    changed = errands.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    Some(Ok((spot, sighting))) = self.under_way.join_next() => self.see(spot, sighting),
                    () = sleep_until(self.line.at(next.unwrap_or_default())), if next.is_some() => self.start(),
                }
            }
        }
    }

    /// Another errand: what it has in common with the one before goes on.
    fn take(&mut self, errand: Errand) {
        let looks = looks(&errand);
        if looks.is_empty() {
            // What is under way was begun over a line that may be down.
            self.under_way = JoinSet::new();
        }
        self.references = errand.references;
        let now = self.line.now();
        self.due.retain(|spot, _| looks.contains_key(spot));
        for (spot, look) in &looks {
            let due = self.due.entry(spot.clone()).or_insert(now);
            *due = (*due).min(now + look.every);
        }
        self.seen.send_if_modified(|seen| {
            let before = seen.len();
            seen.retain(|spot, _| looks.contains_key(spot));
            seen.len() != before
        });
        self.looks = looks;
    }

    /// Starts the looks that are due. One may outlast its interval: another starts all the same.
    fn start(&mut self) {
        let now = self.line.now();
        for (spot, due) in self.due.iter_mut().filter(|(_, due)| **due <= now) {
            let look = self.looks[spot].clone();
            *due = now + look.every;
            if self.under_way.len() >= AT_ONCE {
                continue;
            }
            let (prober, references, line) = (self.prober.clone(), self.references.clone(), self.line);
            let spot = spot.clone();
            self.under_way.spawn(async move {
                let sighting = look.make(&spot, &prober, &references, line).await;
                (spot, sighting)
            });
        }
    }

    /// Keeps what was met, unless a look that began later is back before, or nobody asks for it any more.
    fn see(&self, spot: Spot, sighting: Option<Sighting>) {
        let Some(sighting) = sighting.filter(|_| self.looks.contains_key(&spot)) else { return };
        self.seen.send_if_modified(|seen| {
            let newer = seen.get(&spot).is_none_or(|last| last.began < sighting.began);
            if newer {
                seen.insert(spot, sighting);
            }
            newer
        });
    }
}

impl Look {
    /// Looks once. None: it failed, and so do the references.
    async fn make(
        &self,
        spot: &Spot,
        prober: &Prober,
        references: &[String],
        line: Timeline,
    ) -> Option<Sighting> {
        let began = line.now();
        let outcome = match &self.how {
            How::Node(target) => prober.look(target, self.patience).await,
            How::Fallback => {
                let looked = prober.look_at_fallback(spot.address, &spot.site, &self.page, self.patience);
                match looked.await {
                    // How long it took is nobody's question.
                    Ok(_) => Outcome::Up { latency_ms: 0, generation: None },
                    Err(failure) => Outcome::Failed(failure),
                }
            }
        };
        let credible = outcome.is_up() || reached(prober, references).await;
        credible.then(|| Sighting { began, known: line.now(), outcome })
    }
}

/// Whether most of the references answer.
async fn reached(prober: &Prober, references: &[String]) -> bool {
    let looks = references.iter().map(|reference| prober.look_at_reference(reference, REFERENCES));
    let up = futures_util::future::join_all(looks).await.into_iter().filter(|up| *up).count();
    references.is_empty() || up * 2 > references.len()
}

/// Every place of an errand, as many as a witness takes on, and no more often than it agrees to.
fn looks(errand: &Errand) -> BTreeMap<Spot, Look> {
    errand.sites.iter().flat_map(of_site).take(Errand::MOST).collect()
}

fn of_site(assignment: &Assignment) -> impl Iterator<Item = (Spot, Look)> {
    let patience = patience(assignment);
    let site = &assignment.site;
    let node = move |look: &NodeLook| {
        let target = Target {
            node: look.node.clone(),
            key: look.public_key,
            address: look.address,
            site: site.clone(),
            page: assignment.page.clone(),
        };
        let spot = Spot { site: site.clone(), node: Some(look.node.clone()), address: look.address };
        let (how, page, every) = (How::Node(target), assignment.page.clone(), pace(look.every_ms));
        (spot, Look { how, page, patience, every })
    };
    let at = move |fallback: &FallbackLook, address: IpAddr| {
        let spot = Spot { site: site.clone(), node: None, address };
        let (page, every) = (fallback.page.clone(), pace(fallback.every_ms));
        (spot, Look { how: How::Fallback, page, patience, every })
    };
    let fallback = assignment.fallback.iter();
    let fallback = fallback.flat_map(move |f| f.addresses.iter().map(move |address| at(f, *address)));
    assignment.nodes.iter().map(node).chain(fallback)
}

fn pace(every_ms: u32) -> Duration {
    Duration::from_millis(every_ms.into()).max(Errand::SHORTEST)
}

fn patience(assignment: &Assignment) -> Patience {
    let span = |ms: u32| Duration::from_millis(ms.into()).clamp(Duration::from_millis(1), Errand::LONGEST);
    Patience { connect: span(assignment.connect_ms), total: span(assignment.total_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::seal::SigningKey;
    use crate::probe::Scheme;

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    fn spot(last: u8) -> Spot {
        Spot { site: "www.example.com".parse().unwrap(), node: None, address: [192, 0, 2, last].into() }
    }

    fn sighting(began: u64, known: u64, outcome: Outcome) -> Sighting {
        Sighting { began: at(began), known: at(known), outcome }
    }

    /// An errand of so many sites, each with one node and three addresses of a fallback, to be looked at without pause.
    fn errand(sites: u8) -> Errand {
        let page = || PageCheck { scheme: Scheme::Http, port: 80, path: "/".to_owned(), contains: None };
        let assignment = |site: u8| Assignment {
            site: format!("www.site-{site}.example.com").parse().unwrap(),
            page: page(),
            connect_ms: u32::MAX,
            total_ms: u32::MAX,
            nodes: vec![NodeLook {
                node: "pi1".parse().unwrap(),
                public_key: SigningKey::from_seed([1; 32]).verifying(),
                address: [192, 0, 2, 1].into(),
                every_ms: 0,
            }],
            fallback: Some(FallbackLook {
                page: page(),
                addresses: (1..4).map(|last| [198, 51, 100, last].into()).collect(),
                every_ms: 0,
            }),
        };
        Errand { references: Vec::new(), sites: (0..sites).map(assignment).collect() }
    }

    #[test]
    fn what_was_told_is_not_told_again_and_its_age_is_that_of_the_look() {
        let up = || Outcome::Up { latency_ms: 3, generation: Some("ab".repeat(32)) };
        let seen =
            Sightings::from([(spot(1), sighting(100, 200, up())), (spot(2), sighting(900, 1_000, up()))]);
        let told = testimonies(&seen, at(200), at(5_000));
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].address, told[0].ago_ms), (spot(2).address, 4_100));
        assert_eq!(
            told[0].outcome,
            Outcome::Up { latency_ms: 3, generation: None },
            "the digest is left out"
        );
    }

    #[test]
    fn what_strangers_wrote_becomes_one_short_line() {
        let long = format!("a\nb{}", "é".repeat(200));
        for failure in [Failure::Tls(long.clone()), Failure::NotTheNode(long.clone())] {
            let Outcome::Failed(Failure::Tls(words) | Failure::NotTheNode(words)) =
                short(&Outcome::Failed(failure))
            else {
                panic!("another failure")
            };
            assert!(words.starts_with("a bé") && words.len() <= Testimony::LONGEST, "{words}");
        }
    }

    #[test]
    fn a_witness_takes_on_so_many_looks_and_no_faster_ones_whatever_it_is_asked_for() {
        let looks = looks(&errand(200));
        assert_eq!(looks.len(), Errand::MOST);
        assert!(looks.values().all(|look| look.every == Errand::SHORTEST));
        assert!(looks.values().all(|look| look.patience.total == Errand::LONGEST));
        assert_eq!(super::looks(&errand(2)).len(), 8);
        assert!(super::looks(&Errand::default()).is_empty());
    }
}
