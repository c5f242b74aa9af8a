//! Where lamps are: each kind of LED is one file here.
//!
//! Never decides what is shown.

pub mod terminal;

use std::io;

use super::Shown;
use super::rhythm::Lamps;

/// Something that lamps can be seen on.
pub trait Sink {
    /// Shows these lamps. `shown` is what they stand for, for a sink that has words.
    ///
    /// # Errors
    /// When the lamps cannot be reached. The next call tries again.
    fn show(&mut self, shown: Shown, lamps: Lamps) -> io::Result<()>;

    /// Puts all lamps out, because nobody stands for what they would say. Doing so twice does no harm.
    ///
    /// # Errors
    /// When the lamps cannot be reached.
    fn dark(&mut self, why: &str) -> io::Result<()>;

    /// How often the sink wants to be shown something.
    fn pace(&self) -> Pace;
}

/// How often a sink wants to be shown something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At every step of the rhythm.
    Steps,
    /// When the state changes.
    Changes,
}
