//! The journal as the loop uses it: what could not be written down is not acted on, and the loop goes on all the same.
//!
//! A full disk is no reason to stop watching, and no reason to act without a memory either. While the journal cannot be
//! written, decisions are owed: they are carried out once a new segment holds the engine that made them, and only if it
//! has not decided otherwise since.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::block_in_place;

use super::actuate::Wish;
use super::journal::{Journal, JournalError, Step};
use crate::dns::Name;
use crate::failover::engine::Engine;
use crate::failover::event::Effect;
use crate::moment::Moment;

/// Between two attempts to write again.
const RETRY: Duration = Duration::from_secs(5);

/// A journal, and what is owed while it cannot be written.
pub(super) struct Ledger {
    journal: Journal,
    trouble: Option<Trouble>,
    owed: BTreeMap<Name, Wish>,
}

/// Why it cannot be written.
struct Trouble {
    why: String,
    again: Moment,
}

/// What became of the trouble.
pub(super) enum News {
    /// Nothing.
    None,
    /// From now on nothing can be written, and why.
    Lost(String),
    /// It can be written again, and these decisions are due.
    Found(Vec<(Name, Wish)>),
}

impl Ledger {
    pub(super) fn new(journal: Journal) -> Self {
        Self { journal, trouble: None, owed: BTreeMap::new() }
    }

    /// Why nothing can be written; None: it can.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| trouble.why.as_str())
    }

    /// Writes a step down; one that decides is on disk when this returns, unless there is trouble.
    pub(super) fn note(&mut self, step: Step) -> News {
        if self.trouble.is_some() {
            return News::None;
        }
        let at = step.at;
        let decides = step.effects.iter().any(|effect| matches!(effect, Effect::Write { .. }));
        let noted = self.journal.append(step);
        let on_disk =
            noted.and_then(|()| if decides { block_in_place(|| self.journal.sync()) } else { Ok(()) });
        self.judge(on_disk, at)
    }

    /// What is written every so often; after trouble, the attempt to write again.
    pub(super) fn tend(&mut self, engine: &Engine, now: Moment, wall_ms: u64) -> News {
        match &self.trouble {
            None => {
                let tended = block_in_place(|| {
                    self.journal.sync()?;
                    self.journal.rotate(engine, now, wall_ms)
                });
                self.judge(tended, now)
            }
            Some(trouble) if now < trouble.again => News::None,
            Some(_) => match block_in_place(|| self.journal.renew(engine, now, wall_ms)) {
                Ok(()) => {
                    self.trouble = None;
                    News::Found(std::mem::take(&mut self.owed).into_iter().collect())
                }
                Err(error) => {
                    self.trouble = Some(Trouble { why: error.to_string(), again: now + RETRY });
                    News::None
                }
            },
        }
    }

    /// A decision that is to be carried out: now, or it is owed. A newer one takes its place.
    pub(super) fn release(&mut self, site: &Name, wish: Option<Wish>) -> Option<Wish> {
        self.owed.remove(site);
        let wish = wish?;
        if self.trouble.is_none() {
            return Some(wish);
        }
        self.owed.insert(site.clone(), wish);
        None
    }

    /// At the end.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        self.journal.sync()
    }

    fn judge(&mut self, outcome: Result<(), JournalError>, now: Moment) -> News {
        let Err(error) = outcome else { return News::None };
        self.trouble = Some(Trouble { why: error.to_string(), again: now + RETRY });
        News::Lost(error.to_string())
    }
}
