//! The sites of a watcher, and which of them is due: a step touches those that it concerns and no others.
//!
//! Never steps a site itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dns::Name;
use crate::failover::event::SiteSetup;
use crate::failover::fallback::Change;
use crate::failover::site::Site;
use crate::heartbeat::NodeName;
use crate::moment::Moment;

/// The sites. Written down as a map by their names; the rest follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<Name, Site>", into = "BTreeMap<Name, Site>")]
pub struct Sites {
    /// In the order of their names.
    list: Vec<Site>,
    /// The places in the list of each node's sites.
    places: BTreeMap<NodeName, Vec<usize>>,
    agenda: Agenda,
}

impl Default for Sites {
    /// None: the same as what is read back of none.
    fn default() -> Self {
        BTreeMap::new().into()
    }
}

impl From<BTreeMap<Name, Site>> for Sites {
    fn from(sites: BTreeMap<Name, Site>) -> Self {
        let list: Vec<Site> = sites.into_values().collect();
        let mut places: BTreeMap<NodeName, Vec<usize>> = BTreeMap::new();
        for (place, site) in list.iter().enumerate() {
            for node in &site.setup.nodes {
                places.entry(node.clone()).or_default().push(place);
            }
        }
        let mut agenda = Agenda::new(list.len());
        list.iter().enumerate().for_each(|(place, site)| agenda.put(place, site.wake));
        Self { list, places, agenda }
    }
}

impl From<Sites> for BTreeMap<Name, Site> {
    fn from(sites: Sites) -> Self {
        sites.list.into_iter().map(|site| (site.setup.site.clone(), site)).collect()
    }
}

impl Sites {
    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Site> {
        self.list.iter()
    }

    /// The site of that name.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<&Site> {
        Some(&self.list[self.place(name)?])
    }

    /// The site of that name, to be changed: it is due now.
    pub fn touch(&mut self, name: &Name) -> Option<&mut Site> {
        let place = self.place(name)?;
        self.agenda.put(place, Moment::START);
        Some(&mut self.list[place])
    }

    /// Every site, to be changed: all are due now.
    pub fn touch_all(&mut self, change: impl FnMut(&mut Site)) {
        self.list.iter_mut().for_each(change);
        (0..self.list.len()).for_each(|place| self.agenda.put(place, Moment::START));
    }

    /// Tells the site of that name something: it is due now if that is news to it.
    pub fn tell(&mut self, name: &Name, tell: impl FnOnce(&mut Site) -> Change) {
        let Some(place) = self.place(name) else { return };
        if tell(&mut self.list[place]) == Change::Some {
            self.agenda.put(place, Moment::START);
        }
    }

    /// Tells the sites of one node something: those to which it is news are due now.
    pub fn tell_those_of(&mut self, node: &NodeName, mut tell: impl FnMut(&mut Site) -> Change) {
        for place in self.places.get(node).into_iter().flatten() {
            if tell(&mut self.list[*place]) == Change::Some {
                self.agenda.put(*place, Moment::START);
            }
        }
    }

    /// The sites are these now: those that are known go on, the others begin.
    pub fn restart(&mut self, setups: &[SiteSetup], now: Moment, seed: u64) {
        let mut known: BTreeMap<Name, Site> = std::mem::take(self).into();
        let site = |setup: &SiteSetup| match known.remove(&setup.site) {
            Some(mut site) => {
                site.restart(setup.clone(), now);
                site
            }
            None => Site::new(setup.clone(), now, seed),
        };
        let sites: Vec<Site> = setups.iter().map(site).collect();
        *self =
            sites.into_iter().map(|site| (site.setup.site.clone(), site)).collect::<BTreeMap<_, _>>().into();
        self.touch_all(|_| {});
    }

    /// Steps every site that is due; `step` says when it is due next.
    pub fn step_due(&mut self, now: Moment, mut step: impl FnMut(&mut Site) -> Moment) {
        while let Some(place) = self.agenda.due(now) {
            let site = &mut self.list[place];
            // A site that is due again at once would hold up the others for ever.
            site.wake = step(site).max(now + std::time::Duration::from_millis(1));
            self.agenda.put(place, site.wake);
        }
    }

    /// When the next one is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        self.agenda.first()
    }

    fn place(&self, name: &Name) -> Option<usize> {
        if let [only] = &self.list[..] {
            return (only.setup.site == *name).then_some(0);
        }
        self.list.binary_search_by(|site| site.setup.site.cmp(name)).ok()
    }
}

/// When each place of a list is due: a tournament, in which each knot holds the earlier of the two below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Agenda {
    leaves: usize,
    /// The root is at 1, the leaves begin at `leaves`.
    knots: Vec<Moment>,
}

const NEVER: Moment = Moment::from_millis(u64::MAX);

impl Agenda {
    fn new(places: usize) -> Self {
        let leaves = places.next_power_of_two();
        Self { leaves, knots: vec![NEVER; 2 * leaves] }
    }

    fn put(&mut self, place: usize, at: Moment) {
        let mut knot = self.leaves + place;
        self.knots[knot] = at;
        while knot > 1 {
            knot /= 2;
            self.knots[knot] = self.knots[2 * knot].min(self.knots[2 * knot + 1]);
        }
    }

    fn first(&self) -> Option<Moment> {
        self.knots.get(1).copied().filter(|at| *at != NEVER)
    }

    /// The first place in the list that is due.
    fn due(&self, now: Moment) -> Option<usize> {
        self.first().filter(|at| *at <= now)?;
        let mut knot = 1;
        while knot < self.leaves {
            knot *= 2;
            if self.knots[knot] > now {
                knot += 1;
            }
        }
        Some(knot - self.leaves)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_agenda_finds_what_is_due_as_a_walk_over_all_would(
            places in 1_usize..40,
            puts in prop::collection::vec((0_usize..40, 0_u64..100), 1..100),
            now in 0_u64..100,
        ) {
            let mut agenda = Agenda::new(places);
            let mut list = vec![NEVER; places];
            for (place, at) in puts.into_iter().filter(|(place, _)| *place < places) {
                agenda.put(place, Moment::from_millis(at));
                list[place] = Moment::from_millis(at);
            }
            let now = Moment::from_millis(now);
            prop_assert_eq!(agenda.due(now), list.iter().position(|at| *at <= now));
            prop_assert_eq!(agenda.first(), list.iter().copied().min().filter(|at| *at != NEVER));
        }
    }
}
