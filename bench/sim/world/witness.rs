//! Who looks at the nodes and the fallback from a place of his own, and who only says so.

use std::net::IpAddr;
use std::time::Duration;

use hearth::failover::event::{About, Event, Testimony};
use hearth::heartbeat::NodeName;
use hearth::probe::outcome::{Failure, Outcome};

use super::{Coming, PAGES, World};

/// Between two looks of the witness.
const EVERY: Duration = Duration::from_secs(10);

/// From the beginning of a look until the watcher hears of it, with the next beat.
const HEARD: Duration = Duration::from_secs(6);

impl World {
    /// The witness looks at every place; forgers say that they did.
    pub(super) fn bear_witness(&mut self) {
        self.send(EVERY, Coming::Witness);
        let name: NodeName = "witness".parse().expect("a name");
        for i in 0..self.nodes.len() {
            let gets_through = self.gets_through(i);
            let address = self.nodes[i].address;
            let node = self.nodes[i].name.clone();
            self.testify(&name, About::Node { node, address }, gets_through);
        }
        let fallback = About::Fallback { address: PAGES.into() };
        self.testify(&name, fallback, self.fallback_bad == 0);
        for i in self.witness.forging.clone() {
            self.forge(i);
        }
    }

    /// Whether a look of the witness at node `i` finds what it should: its path is its own, its losses are as likely.
    fn gets_through(&mut self, i: usize) -> bool {
        let noise = self.noise.hits(i + 100, self.now);
        let (chance, node) = (&mut self.chance, &self.nodes[i]);
        let lost = noise || node.lossy.iter().any(|p| chance.f64() < *p);
        node.serves() && !lost
    }

    fn testify(&mut self, witness: &NodeName, about: About, gets_through: bool) {
        let says_up = gets_through == (self.witness.lies == 0);
        if self.witness.mute == 0 {
            self.say(witness.clone(), about, says_up, HEARD);
        }
    }

    fn forge(&mut self, i: usize) {
        let node = self.nodes[i].name.clone();
        let itself = About::Node { node: node.clone(), address: self.nodes[i].address };
        let nobody = About::Node { node: node.clone(), address: IpAddr::from([198, 51, 100, 99]) };
        self.say(node.clone(), itself.clone(), true, HEARD);
        self.say("ghost".parse().expect("a name"), nobody, true, HEARD);
        self.say("ghost".parse().expect("a name"), itself, true, Duration::from_secs(3_600));
    }

    fn say(&mut self, witness: NodeName, about: About, up: bool, started_ago: Duration) {
        if self.cut > 0 {
            return;
        }
        let outcome = if up {
            Outcome::Up { latency_ms: 40, generation: None }
        } else {
            Outcome::Failed(Failure::ConnectTimeout)
        };
        let testimony = Testimony { witness, site: self.site.clone(), about, started_ago, outcome };
        self.send(HEARD, Coming::Event(Event::Witnessed(testimony)));
    }
}
