//! What an engine has decided, in one number: two engines that decide the same at the same moments have the same.

use std::fmt::{self, Write as _};

use hearth::failover::event::Effect;
use hearth::moment::Moment;

/// The decisions of a story so far (FNV-1a, 64 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds what the engine wants, when it is a decision: looks and words are none.
    pub(crate) fn add(&mut self, now: Moment, effect: &Effect) {
        if matches!(effect, Effect::Write { .. } | Effect::Abandon { .. }) {
            write!(self, "{now} {effect:?}").expect("a number takes any text");
        }
    }

    /// Adds the decisions of another story.
    pub(crate) fn and(mut self, other: Self) -> Self {
        write!(self, "{other}").expect("a number takes any text");
        self
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let add = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.0 = text.bytes().fold(self.0, add);
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
