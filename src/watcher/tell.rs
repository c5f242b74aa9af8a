//! What happened, as a message to people: notes as they are, and what is well again. PURE.

use super::history::{Standing, Turn};
use crate::failover::event::Note;
use crate::failover::lane::words;
use crate::notify::{Message, News};

/// The message of a note.
pub(super) fn of_note(watcher: &str, time_ms: u64, note: &Note) -> Message {
    let site = note.site.as_ref().map(ToString::to_string).unwrap_or_default();
    Message { event: note.weight.into(), watcher: watcher.to_owned(), site, time_ms, text: note.text.clone() }
}

/// The message that something is well again. None: it is not, or was not told to be otherwise.
pub(super) fn of_turn(watcher: &str, time_ms: u64, turn: &Turn) -> Option<Message> {
    if turn.to != Standing::Well || turn.after_ms == 0 {
        return None;
    }
    let span = words(std::time::Duration::from_millis(turn.after_ms));
    let text = match &turn.node {
        Some(node) => format!("{node} is up again after {span}"),
        None => format!("visitors are sent to all nodes again after {span}"),
    };
    let (watcher, site) = (watcher.to_owned(), turn.site.to_string());
    Some(Message { event: News::Recovery, watcher, site, time_ms, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::event::Weight;

    #[test]
    fn a_note_keeps_its_words_and_only_what_is_well_again_is_a_recovery() {
        let site: crate::dns::Name = "www.example.com".parse().unwrap();
        let note = Note { site: Some(site.clone()), weight: Weight::Alarm, text: "no node is up".to_owned() };
        let message = of_note("watcher", 7, &note);
        assert_eq!(message.whole(), "[hearth] www.example.com: ALARM: no node is up");
        let turn = |to, after_ms| Turn { site: site.clone(), node: None, from: Standing::Away, to, after_ms };
        let told = of_turn("watcher", 7, &turn(Standing::Well, 180_000)).unwrap();
        assert_eq!(
            told.whole(),
            "[hearth] www.example.com: well again: visitors are sent to all nodes again after 3 min"
        );
        assert_eq!(of_turn("watcher", 7, &turn(Standing::Reduced, 1)), None);
        assert_eq!(of_turn("watcher", 7, &turn(Standing::Well, 0)), None);
    }
}
