//! What the agents and the watcher say of themselves, in the few words that a picture has room for.
//!
//! Never asks anybody, and never makes a silent one look well: who does not answer is said not to.

use std::net::IpAddr;
use std::time::Duration;

use super::picture::{PiPicture, Picture, UNSEEN};
use crate::failover::lane::words;
use crate::failover::view::{Happened, SiteStatus, WatcherStatus};
use crate::leds::Shown;
use crate::status::AgentStatus;

/// Fills in what the watcher said; None: it does not answer.
pub fn fill(picture: &mut Picture, said: Option<&WatcherStatus>) {
    picture.watcher.state = said.map_or_else(|| "does not answer".to_owned(), state);
    let site = said.and_then(|status| status.sites.first());
    picture.watcher.write = site.map(write).unwrap_or_default();
    picture.watcher.returns = site.map(returns).unwrap_or_default();
    picture.record.why = site.map_or_else(|| "nobody says".to_owned(), |site| site.why.clone());
    for pi in &mut picture.pis {
        fill_pi(pi, site);
    }
}

fn fill_pi(pi: &mut PiPicture, site: Option<&SiteStatus>) {
    let node = site.and_then(|site| site.nodes.iter().find(|node| node.node.as_str() == pi.pi.name()));
    (pi.health, pi.why) = match node {
        Some(node) => (node.health.to_string(), node.why.clone()),
        None => (UNSEEN.to_owned(), String::new()),
    };
}

/// What the watcher is about. Being cut off comes first: then it switches nothing, whatever else it says.
#[must_use]
pub fn state(said: &WatcherStatus) -> String {
    let (answered, asked) = said.references;
    if let Some(ms) = said.isolated_for_ms {
        format!("cut off for {}, decides nothing", of_ms(ms))
    } else if let Some(ms) = said.warming_up_for_ms {
        format!("warming up, {} left", of_ms(ms))
    } else {
        format!("decides, {answered} of {asked} references")
    }
}

/// How far the last write is.
fn write(site: &SiteStatus) -> String {
    match &site.pending {
        Some(pending) => format!("{} pending {}", pending.epoch, of_ms(pending.for_ms)),
        None if site.epoch == 0 => "none yet".to_owned(),
        None => format!("epoch {} in force", site.epoch),
    }
}

/// What the budget of returns and the hold-down allow.
fn returns(site: &SiteStatus) -> String {
    let Some(rrset) = site.rrsets.first() else { return "not decided yet".to_owned() };
    match rrset.returns_left {
        0 => "none left".to_owned(),
        left => format!("{left} left, {}", of_ms(rrset.hold_ms)),
    }
}

fn of_ms(ms: u64) -> String {
    words(Duration::from_millis(ms))
}

/// The public address that an agent has found.
#[must_use]
pub fn address(said: &AgentStatus) -> Option<IpAddr> {
    said.addresses.values().find_map(|address| address.agreed)
}

/// What a change of lamps is told as.
#[must_use]
pub fn lamps(shown: Option<Shown>) -> String {
    match shown {
        Some(shown) => format!("its lamps say `{shown}`: {}", shown.describe()),
        None => "its lamps are dark".to_owned(),
    }
}

/// Tells each line of the watcher's timeline once.
#[derive(Debug, Default)]
pub struct Teller {
    last: Option<Happened>,
}

impl Teller {
    /// What is new in a timeline (the newest first), the oldest first.
    pub fn news(&mut self, timeline: &[Happened]) -> Vec<String> {
        let known = self.last.take();
        // After a restart the last one may be missing: what is older than it was told nevertheless.
        let old = |h: &Happened| known.as_ref().is_some_and(|k| h == k || h.wall_ms < k.wall_ms);
        let fresh = timeline.iter().take_while(|h| !old(h));
        let mut news: Vec<String> = fresh.map(|h| h.text.clone()).collect();
        news.reverse();
        self.last = timeline.first().cloned().or(known);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::engine::Engine;
    use crate::failover::event::Weight;
    use crate::moment::Moment;

    fn happened(wall_ms: u64, text: &str) -> Happened {
        Happened { wall_ms, site: None, weight: Weight::Info, text: text.to_owned() }
    }

    #[test]
    fn each_line_is_told_once_and_in_order() {
        let mut teller = Teller::default();
        let (one, two, three) = (happened(1, "one"), happened(2, "two"), happened(2, "three"));
        assert_eq!(teller.news(&[two.clone(), one.clone()]), ["one", "two"]);
        assert!(teller.news(&[two.clone(), one.clone()]).is_empty());
        assert_eq!(teller.news(&[three.clone(), two, one.clone()]), ["three"]);
        assert!(teller.news(&[]).is_empty(), "a watcher that has just started");
        assert_eq!(teller.news(&[happened(9, "again"), one]), ["again"]);
    }

    #[test]
    fn being_cut_off_and_warming_up_are_said_before_all_else() {
        let mut said = Engine::default().status(Moment::START, Moment::START, Vec::new());
        said.references = (2, 3);
        assert_eq!(state(&said), "decides, 2 of 3 references");
        said.warming_up_for_ms = Some(8_000);
        assert_eq!(state(&said), "warming up, 8.0 s left");
        said.isolated_for_ms = Some(20_000);
        assert_eq!(state(&said), "cut off for 20 s, decides nothing");
    }

    #[test]
    fn a_watcher_that_does_not_answer_vouches_for_nobody() {
        let mut picture = Picture::first(1.0, String::new(), String::new());
        picture.pis[0].health = "up".to_owned();
        fill(&mut picture, None);
        assert_eq!(
            (picture.pis[0].health.as_str(), picture.watcher.state.as_str()),
            (UNSEEN, "does not answer")
        );
    }
}
