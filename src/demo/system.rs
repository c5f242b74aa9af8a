//! The whole demo: owns the surroundings, the three processes and the observers, does what it is told to and keeps the
//! [`Picture`] up to date.
//!
//! Never decides what a visitor should see, and never reaches into a process: it signals it, and hears what it says.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hickory_proto::rr::{RData, RecordType};
use tempfile::TempDir;
use tokio::sync::broadcast;

use super::act::Act;
use super::config::{self, Keys, Places, Speed};
use super::observe::{Observers, Tally};
use super::outside::{AskError, Sight, Visitor};
use super::picture::{Event, Fallback, Picture, Source, whom};
use super::process::{Process, Recipe, State, tied};
use super::script::{News, Stage};
use super::told::{self, Teller};
use super::world::World;
use super::zone::serve::Landed;
use super::{Pi, SITE};
use crate::host::time::Timeline;
use crate::leds::shown;
use crate::moment::Moment;
use crate::probe::Scheme;

/// Is told every event as it is noted.
pub type Listener = Box<dyn Fn(&Event) + Send>;

/// A running demo. Dropping it ends its processes and throws its directory away.
pub struct System {
    // The order matters: the processes end before what they talk to, and the directory goes last.
    pis: [Process; 2],
    watcher: Process,
    observers: Observers,
    teller: Teller,
    landed: broadcast::Receiver<Landed>,
    visitor: Visitor,
    world: World,
    picture: Picture,
    clock: Timeline,
    listener: Listener,
    began: Moment,
    directory: TempDir,
}

impl System {
    /// Starts everything; `program` is the binary whose `agent` and `watcher` are started, and `scheme` how visitors and
    /// the watcher look at the site.
    ///
    /// # Errors
    /// When an address, a port, a file or a process cannot be had.
    pub async fn start(
        program: &Path,
        speed: Speed,
        scheme: Scheme,
        clock: Timeline,
        listener: Listener,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("hearth-demo-").tempdir()?;
        let keys = Keys::fresh(scheme)?;
        let world = World::start(directory.path(), &keys).await?;
        config::write(&world.places, &keys, speed)?;
        let places = &world.places;
        let visitor = Visitor::new(places)?;
        let observers = Observers::start(places)?;
        let landed = world.zone.landed();
        let watcher = Process::start(recipe(program, "watcher", "watcher", places))?;
        let agent = |pi: Pi| Process::start(recipe(program, "agent", pi.name(), places));
        let pis = [agent(Pi::One)?, agent(Pi::Two)?];
        let hint = match scheme {
            Scheme::Http => format!("dig @127.0.0.1 -p {} {SITE}", places.name_server.port()),
            Scheme::Https => places.curl(Pi::One),
        };
        let picture = Picture::first(speed.0, format!("http://{}/", places.watcher), hint);
        let began = clock.now();
        Ok(Self {
            pis,
            watcher,
            observers,
            teller: Teller::default(),
            landed,
            visitor,
            world,
            picture,
            clock,
            listener,
            began,
            directory,
        })
    }

    /// Where everything is.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.world.places
    }

    /// The answers to the question for the site's address, counted.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.observers.tally
    }

    /// How often an update took the last address of the site away. Must stay zero.
    #[must_use]
    pub fn emptied(&self) -> u64 {
        self.world.zone.emptied()
    }

    /// Keeps the directory with the logs, and says where it is.
    #[must_use]
    pub fn keep(&mut self) -> PathBuf {
        self.directory.disable_cleanup(true);
        self.directory.path().to_owned()
    }

    /// The demo as it is now.
    pub fn picture(&mut self) -> &Picture {
        self.refresh();
        &self.picture
    }

    /// Does something, and notes it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn act(&mut self, act: Act) -> io::Result<()> {
        self.perform(act)?;
        self.note(Source::You, act.to_string());
        Ok(())
    }

    fn perform(&mut self, act: Act) -> io::Result<()> {
        match act {
            Act::Kill(pi) => self.pis[pi as usize].kill()?,
            Act::Hang(pi) => self.pis[pi as usize].hang()?,
            Act::Cut(pi) => self.world.router(pi).cut(),
            Act::Heal(pi) => {
                self.world.router(pi).heal();
                self.pis[pi as usize].heal()?;
            }
            Act::KillWatcher => self.watcher.kill()?,
            Act::HealWatcher => self.watcher.heal()?,
            Act::BreakPages => self.world.pages.break_it(),
            Act::HealPages => self.world.pages.heal(),
            Act::HealAll => {
                for act in [Act::Heal(Pi::One), Act::Heal(Pi::Two), Act::HealWatcher, Act::HealPages] {
                    self.perform(act)?;
                }
            }
        }
        Ok(())
    }

    /// Notes something that happened now.
    pub fn note(&mut self, source: Source, what: String) {
        let at = self.clock.now() - self.began;
        let event = Event { at, source, what };
        (self.listener)(&event);
        self.picture.note(event);
    }

    fn refresh(&mut self) {
        while let Some(landed) = self.next_landed() {
            self.note_landed(&landed);
        }
        self.picture.at = self.clock.now() - self.began;
        self.picture.empty_answers = self.tally().empty();
        self.picture.fallback =
            if self.world.pages.is_broken() { Fallback::Broken } else { Fallback::Serving };
        self.refresh_watcher();
        for pi in Pi::BOTH {
            self.refresh_pi(pi);
        }
    }

    fn next_landed(&mut self) -> Option<Landed> {
        loop {
            match self.landed.try_recv() {
                Ok(landed) => return Some(landed),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => {
                    return None;
                }
            }
        }
    }

    /// Tells a change of addresses; the marks of owners are not told.
    fn note_landed(&mut self, landed: &Landed) {
        for change in landed.changes.iter().filter(|change| change.kind == RecordType::A) {
            let name = change.name.to_ascii();
            let name = name.trim_end_matches('.');
            let members = change.after.iter().flat_map(|set| &set.members);
            let address = |data: &RData| if let RData::A(a) = data { Some(IpAddr::V4(a.0)) } else { None };
            let addresses: BTreeSet<IpAddr> = members.filter_map(address).collect();
            self.note(Source::Dns, format!("{name} leads to {}", whom(&addresses)));
            if name == SITE {
                self.picture.record.since = Some(self.clock.now() - self.began);
                self.picture.record.addresses = addresses;
            }
        }
    }

    fn refresh_watcher(&mut self) {
        let process = self.watcher.state();
        if std::mem::replace(&mut self.picture.watcher.process, process) != process {
            self.note(Source::Watcher, format!("its process is {}", process.describe()));
        }
        let said = self.observers.watcher.borrow_and_update().clone();
        let happened = said.as_ref().map(|status| self.teller.news(&status.timeline)).unwrap_or_default();
        told::fill(&mut self.picture, said.as_ref());
        for what in happened {
            self.note(Source::Watcher, what);
        }
    }

    fn refresh_pi(&mut self, pi: Pi) {
        let process = self.pis[pi as usize].state();
        let line = self.world.router(pi).line();
        let at = self.picture.at;
        let said = self.observers.agents[pi as usize].borrow_and_update().clone();
        let picture = self.picture.pi_mut(pi);
        let before = std::mem::replace(&mut picture.process, process);
        picture.line = line;
        picture.address = said.as_ref().and_then(told::address);
        let (shown, shown_before) = (said.as_ref().map(shown), picture.shown.map(|(shown, _)| shown));
        if shown != shown_before {
            picture.shown = shown.map(|shown| (shown, at));
        }
        if before != process {
            self.note(Source::Pi(pi), format!("its process is {}", process.describe()));
        }
        if shown != shown_before {
            self.note(Source::Pi(pi), told::lamps(shown));
        }
    }

    /// How every process is, and where its log is: for the last words of a demo that failed.
    pub fn last_words(&mut self) -> String {
        let places = self.world.places.clone();
        let mut all: Vec<(&str, State)> = vec![("watcher", self.watcher.state())];
        all.extend(Pi::BOTH.map(|pi| (pi.name(), self.pis[pi as usize].state())));
        let line = |(role, state): (&str, State)| {
            format!("{role:<8} {:<8} log {}\n", state.describe(), places.log(role).display())
        };
        all.into_iter().map(line).collect()
    }
}

fn recipe(program: &Path, command: &str, role: &str, places: &Places) -> Recipe {
    let config = places.config(role).display().to_string();
    Recipe {
        program: program.to_owned(),
        arguments: tied(&[command, "--config", &config]),
        log: places.log(role),
    }
}

impl Stage for System {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn act(&mut self, act: Act) -> io::Result<()> {
        System::act(self, act)
    }

    async fn look(&mut self) -> Result<Sight, AskError> {
        let sight = self.visitor.look().await;
        self.refresh();
        sight
    }

    fn tell(&mut self, news: &News) {
        // What is done is noted where it is done.
        if !matches!(news, News::Done(_)) {
            self.note(Source::Visitor, news.to_string());
        }
    }
}
