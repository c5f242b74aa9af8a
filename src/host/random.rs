//! Randomness from the kernel, and spans spread by it.
//!
//! Never seeds a generator of its own.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

/// `N` random bytes, good enough for keys and nonces (getrandom(2)).
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("getrandom fails on no kernel that hearth runs on");
    bytes
}

/// `span` made longer or shorter by up to `fraction` of itself, so that many nodes do not ask at the same instant.
///
/// A fraction beyond 0 to 1 counts as the nearer of the two.
#[must_use]
pub fn jitter(span: Duration, fraction: f64) -> Duration {
    spread(span, fraction, u32::from_ne_bytes(bytes()))
}

/// `span` moved by `fraction` of itself: down with the smallest `dice`, up with the largest.
fn spread(span: Duration, fraction: f64, dice: u32) -> Duration {
    let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
    let centred = f64::from(dice) / f64::from(u32::MAX) * 2.0 - 1.0;
    Duration::try_from_secs_f64(span.as_secs_f64() * (1.0 + fraction * centred)).unwrap_or(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(bytes::<16>(), bytes::<16>());
    }

    #[test]
    fn a_span_is_spread_over_the_whole_fraction_and_not_beyond() {
        let span = Duration::from_secs(10);
        for (fraction, dice, ms) in
            [(0.1, 0, 9_000), (0.1, u32::MAX, 11_000), (5.0, 0, 0), (-1.0, 0, 10_000), (f64::NAN, 0, 10_000)]
        {
            let spread = spread(span, fraction, dice).as_millis();
            assert_eq!(spread, ms, "{fraction} {dice}");
        }
        assert_eq!(jitter(Duration::MAX, 0.0).as_secs(), Duration::MAX.as_secs());
    }
}
