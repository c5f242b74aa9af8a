//! Flaps as a digest: the first messages on a site are told as they come, and what follows too fast is told as one.
//! PURE.
//!
//! Never holds back the first of a kind: an alarm after many warnings goes out at once. Never holds anything for longer
//! than [`SPAN`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Message, News};
use crate::failover::event::Weight;
use crate::moment::Moment;

/// The span that messages are counted over, and the longest that one is held back.
pub(super) const SPAN: Duration = Duration::from_secs(10 * 60);

/// So many messages of one weight on one site are told as they come.
const BURST: usize = 4;

/// What was told of late, and what is held back; for each site and weight.
#[derive(Debug, Default)]
pub(super) struct Digest(BTreeMap<(String, Weight), Heap>);

#[derive(Debug, Default)]
struct Heap {
    told: VecDeque<Moment>,
    held: Option<Held>,
}

/// What is held back.
#[derive(Debug)]
struct Held {
    since: Moment,
    count: u64,
    last: Message,
}

impl Digest {
    /// Takes a message; gives it back when it is to be told now.
    pub(super) fn take(&mut self, now: Moment, message: Message) -> Option<Message> {
        let heap = self.0.entry((message.site.clone(), message.event.weight())).or_default();
        heap.told.retain(|at| now - *at < SPAN);
        if let Some(held) = &mut heap.held {
            held.count += 1;
            held.last = message;
            return None;
        }
        if heap.told.len() >= BURST {
            heap.held = Some(Held { since: now, count: 1, last: message });
            return None;
        }
        heap.told.push_back(now);
        Some(message)
    }

    /// When something that is held back is due.
    pub(super) fn due(&self) -> Option<Moment> {
        self.0.values().filter_map(|heap| Some(heap.held.as_ref()?.since + SPAN)).min()
    }

    /// What is held back and due; called again, the next.
    pub(super) fn ripe(&mut self, now: Moment) -> Option<Message> {
        let due = |heap: &&mut Heap| heap.held.as_ref().is_some_and(|held| now >= held.since + SPAN);
        let heap = self.0.values_mut().find(due)?;
        let held = heap.held.take()?;
        // A digest is a message: what goes on flapping is told every ten minutes, and not four times more.
        heap.told.extend([now; BURST]);
        Some(held.told())
    }

    /// All that is held back, due or not: it is over.
    pub(super) fn rest(&mut self) -> Vec<Message> {
        self.0.values_mut().filter_map(|heap| heap.held.take()).map(Held::told).collect()
    }
}

impl Held {
    fn told(self) -> Message {
        match self.count {
            1 => self.last,
            count => {
                let minutes = SPAN.as_secs() / 60;
                let last = self.last;
                let text = format!(
                    "{count} more messages within {minutes} min; the last: {}: {}",
                    last.event.word(),
                    last.text
                );
                Message { event: News::Digest, text, ..last }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: News, text: &str) -> Message {
        let (watcher, site) = ("watcher".to_owned(), "www.example.com".to_owned());
        Message { event, watcher, site, time_ms: 0, text: text.to_owned() }
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_flapping_site_is_told_four_times_and_then_every_ten_minutes() {
        let mut digest = Digest::default();
        let mut told = Vec::new();
        for second in (0..3_600).step_by(30) {
            while let Some(ripe) = digest.ripe(at(second)) {
                told.push((second, ripe));
            }
            told.extend(digest.take(at(second), message(News::Warning, "pi1")).map(|m| (second, m)));
        }
        let times: Vec<u64> = told.iter().map(|(second, _)| *second).collect();
        assert_eq!(times, [0, 30, 60, 90, 720, 1_320, 1_920, 2_520, 3_120]);
        let (_, first) = &told[4];
        assert_eq!(first.event, News::Digest);
        assert_eq!(first.text, "20 more messages within 10 min; the last: warning: pi1");
    }

    #[test]
    fn an_alarm_is_told_at_once_however_many_warnings_came_before() {
        let mut digest = Digest::default();
        for second in 0..100 {
            digest.take(at(second), message(News::Warning, "pi1"));
        }
        assert!(digest.take(at(100), message(News::Alarm, "all")).is_some());
        assert!(digest.take(at(101), message(News::Recovery, "all")).is_some());
    }

    #[test]
    fn one_message_that_was_held_back_is_told_as_it_was_and_nothing_is_lost_at_the_end() {
        let mut digest = Digest::default();
        let sent = (0..5).filter_map(|n| digest.take(at(n), message(News::Info, &n.to_string()))).count();
        assert_eq!((sent, digest.due()), (4, Some(at(4) + SPAN)));
        assert_eq!(digest.ripe(at(600)), None);
        assert_eq!(digest.rest(), [message(News::Info, "4")]);
        assert_eq!((digest.due(), digest.rest()), (None, vec![]));
    }
}
