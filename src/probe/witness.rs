//! A witness as whoever beats holds it: errands come with answers, testimonies go with beats.
//!
//! A beat that is not answered ends all looks, and what they met is forgotten: the line itself may be what is down.

use std::sync::Arc;

use tokio::sync::watch;

use super::rounds::{Rounds, Sightings, testimonies};
use super::{Prober, ProberSettings};
use crate::heartbeat::witness::{Errand, Testimony};
use crate::heartbeat::{Beat, MAX_BODY};
use crate::host::time::Timeline;
use crate::host::tls::BadRoot;
use crate::moment::Moment;

/// The near end of the rounds.
#[derive(Debug)]
pub struct Witness {
    line: Timeline,
    errands: watch::Sender<Errand>,
    seen: watch::Receiver<Sightings>,
    /// What was known then has been told.
    told: Moment,
}

impl Witness {
    /// A witness, and the rounds that have to run for it.
    ///
    /// # Errors
    /// When a root is not a certificate.
    pub fn new(line: Timeline, settings: &ProberSettings) -> Result<(Self, Rounds), BadRoot> {
        let prober = Prober::new(settings, Arc::new(move || line.now()))?;
        let (told, seen) = watch::channel(Sightings::new());
        let rounds = Rounds::new(prober, line, told);
        Ok((Self { line, errands: watch::Sender::default(), seen, told: line.now() }, rounds))
    }

    /// Where the rounds hear of errands.
    #[must_use]
    pub fn errands(&self) -> watch::Receiver<Errand> {
        self.errands.subscribe()
    }

    /// Puts what was seen since the last answered beat into `beat`, as far as there is room; and the point up to which it
    /// is told then.
    pub fn testify(&self, beat: &mut Beat) -> Moment {
        let now = self.line.now();
        let bare = serde_json::to_vec(beat).map_or(MAX_BODY, |text| text.len());
        // The name of the field takes some bytes, too.
        let room = MAX_BODY.saturating_sub(bare + 32);
        beat.testimonies = Testimony::fitting(testimonies(&self.seen.borrow(), self.told, now), room);
        now
    }

    /// A beat was answered that told what was known at `told`.
    pub fn heard(&mut self, told: Moment, errand: Errand) {
        self.told = told;
        self.errands.send_if_modified(|last| {
            let other = *last != errand;
            *last = errand;
            other
        });
    }

    /// A beat was not answered.
    pub fn unheard(&self) {
        self.errands.send_if_modified(|last| {
            let some = !last.is_empty();
            *last = Errand::default();
            some
        });
    }
}
