//! When a message that did not get through is tried again. PURE.

use std::time::Duration;

/// Before each further try, in seconds: half an hour in all, so that a provider's restart loses nothing.
const PAUSES: [u64; 7] = [2, 10, 30, 60, 180, 480, 1_080];

/// How long to wait after so many tries that failed. None: it is given up.
pub(super) fn pause(failed: usize) -> Option<Duration> {
    PAUSES.get(failed.checked_sub(1)?).copied().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<Duration> = (1..).map_while(pause).collect();
        assert!(pauses.is_sorted() && pauses.len() == PAUSES.len());
        assert!(pauses.iter().sum::<Duration>() < Duration::from_secs(3_600));
        assert_eq!(pause(0), None);
    }
}
