//! The stage: plays one state on every place that has lamps, and goes dark when its lease is over.
//!
//! A place that cannot be reached is tried again every [`RETRY`] and said by name; the others play on. Never decides what
//! is shown, and never shows a state for longer than [`LEASE`] after somebody last stood for it.

use std::time::Duration;

use super::Shown;
use super::settings::Place;
use super::sink::Sink;
use super::words::LEASE;
use crate::status::LampPlace;

/// Between two attempts to open a place.
pub const RETRY: Duration = Duration::from_secs(10);

/// Opens a place; the error says what is wrong and what to do.
pub type Opener = Box<dyn Fn(&Place) -> Result<Box<dyn Sink>, String>>;

/// All places, and what is played on them. Every time is on one line.
pub struct Stage {
    open: Opener,
    places: Vec<Seat>,
    playing: Option<Playing>,
}

/// What is played.
#[derive(Clone, Copy)]
struct Playing {
    shown: Shown,
    /// Since when.
    began: Duration,
    /// When somebody stood for it last.
    heard: Duration,
}

/// One place.
struct Seat {
    place: Place,
    sink: Option<Box<dyn Sink>>,
    trouble: String,
    /// When it is to be shown or opened next. None: when the state changes.
    due: Option<Duration>,
}

impl Stage {
    /// Places that are opened when they are first drawn.
    #[must_use]
    pub fn new(places: Vec<Place>, open: Opener) -> Self {
        let seat = |place| Seat { place, sink: None, trouble: String::new(), due: Some(Duration::ZERO) };
        Self { open, places: places.into_iter().map(seat).collect(), playing: None }
    }

    /// Somebody stands for this state. A new one begins its rhythm; the same one goes on in it.
    pub fn take(&mut self, shown: Shown, now: Duration) {
        match &mut self.playing {
            Some(playing) if playing.shown == shown => playing.heard = now,
            other => {
                *other = Some(Playing { shown, began: now, heard: now });
                self.places.iter_mut().for_each(|seat| seat.due = seat.due_at_a_change(now));
            }
        }
    }

    /// Draws what is due, and says when something will be. None: not before [`take`](Self::take).
    pub fn draw(&mut self, now: Duration) -> Option<Duration> {
        if self.playing.is_some_and(|playing| now.saturating_sub(playing.heard) >= LEASE) {
            self.dark("the agent has not said anything for too long; it may hang");
        }
        for seat in self.places.iter_mut().filter(|seat| seat.due.is_some_and(|due| due <= now)) {
            seat.open(&self.open, now);
            if let Some(playing) = self.playing {
                seat.show(playing.shown, now.saturating_sub(playing.began), now);
            }
        }
        let lease = self.playing.map(|playing| playing.heard + LEASE);
        self.places.iter().filter_map(|seat| seat.due).chain(lease).min()
    }

    /// Puts out every lamp.
    pub fn dark(&mut self, why: &str) {
        self.playing = None;
        self.places.iter_mut().for_each(|seat| seat.dark(why));
    }

    /// How each place stands.
    #[must_use]
    pub fn places(&self) -> Vec<LampPlace> {
        let place = |seat: &Seat| LampPlace { what: seat.place.to_string(), trouble: seat.trouble.clone() };
        self.places.iter().map(place).collect()
    }
}

impl Seat {
    /// A place that is open is shown a change at once; one that is not waits for its next attempt.
    fn due_at_a_change(&self, now: Duration) -> Option<Duration> {
        if self.sink.is_some() { Some(now) } else { self.due }
    }

    fn open(&mut self, open: &Opener, now: Duration) {
        if self.sink.is_none() {
            match open(&self.place) {
                Ok(sink) => (self.sink, self.trouble, self.due) = (Some(sink), String::new(), None),
                Err(trouble) => (self.trouble, self.due) = (trouble, Some(now + RETRY)),
            }
        }
    }

    fn show(&mut self, shown: Shown, elapsed: Duration, now: Duration) {
        let Some(sink) = &mut self.sink else { return };
        match sink.show(shown, elapsed) {
            Ok(again) => self.due = again.map(|span| now + span),
            Err(error) => {
                (self.sink, self.trouble) = (None, format!("the lamps are out of reach: {error}"));
                self.due = Some(now + RETRY);
            }
        }
    }

    fn dark(&mut self, why: &str) {
        let Some(sink) = &mut self.sink else { return };
        self.due = None;
        if let Err(error) = sink.dark(why) {
            // Dropped, its lines go back to the kernel.
            (self.sink, self.trouble) = (None, format!("the lamps are out of reach: {error}"));
            self.due = Some(Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests;
