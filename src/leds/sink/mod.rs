//! Where lamps are: each kind of LED is one file here.
//!
//! Never decides what is shown.

pub mod kernel;
pub mod lines;
pub mod rppal;
pub mod terminal;

use std::io;
use std::time::Duration;

use super::Shown;
use super::choice::{Machine, Way, way};
use super::settings::Place;

/// Something that lamps can be seen on.
pub trait Sink {
    /// Shows a state, this long after it began. Says after how long it wants to be called again if the state stays; None:
    /// only when it changes.
    ///
    /// # Errors
    /// When the lamps cannot be reached.
    fn show(&mut self, shown: Shown, elapsed: Duration) -> io::Result<Option<Duration>>;

    /// Puts all lamps out, because nobody stands for what they would say. Doing so twice does no harm.
    ///
    /// # Errors
    /// When the lamps cannot be reached.
    fn dark(&mut self, why: &str) -> io::Result<()>;
}

/// Opens a place. What was opened goes dark and gives back what it took when it is dropped.
///
/// # Errors
/// What is wrong, with which lamps, and what to do about it.
pub fn open(place: &Place) -> Result<Box<dyn Sink>, String> {
    match place {
        Place::Terminal => Ok(Box::new(terminal::Terminal::on_stderr())),
        Place::Kernel(leds) => kernel_leds(leds),
        Place::Pins(pins) => match way(pins, &Machine::this()).map_err(|error| error.to_string())? {
            Way::Lines(device) => Ok(Box::new(lines::Lines::open(&device, pins).map_err(|e| e.to_string())?)),
            Way::Rppal => rppal::open(pins),
            Way::Kernel(leds) => kernel_leds(&leds),
        },
    }
}

fn kernel_leds(leds: &super::settings::KernelLeds) -> Result<Box<dyn Sink>, String> {
    let root = std::path::Path::new(kernel::LEDS);
    let opened = kernel::Kernel::open(root, leds).map_err(|error| error.to_string())?;
    Ok(Box::new(opened))
}
