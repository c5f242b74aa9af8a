//! What bears on a verdict beside the target's own evidence: what is at stake, who else looked, how sure the watcher is
//! of itself. PURE.

use std::time::Duration;

use crate::policy::Policy;

/// How quickly a target may be given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stakes {
    /// It is the last one that is up: losing it moves the whole site.
    #[default]
    LastOne,
    /// Another published target is up: dropping this one is cheap.
    HasSibling,
}

/// What witnesses say of a target that fails for this watcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accord {
    /// No witness has looked lately.
    #[default]
    Alone,
    /// Most of those who looked, this watcher among them, and at least one witness, say that it is down.
    Agreed,
    /// As many or more say that it is up.
    Disputed,
}

/// The grounds of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// How quickly the target may be given up.
    pub stakes: Stakes,
    /// What witnesses say.
    pub accord: Accord,
    /// What thresholds are multiplied with while the watcher doubts itself: 1 to 8.
    pub patience: u32,
}

impl Grounds {
    /// How long a silent target must have met no success.
    ///
    /// One of several leaves without a vote: if the witnesses are right that costs little, and if they are not visitors
    /// would meet a dead address meanwhile.
    #[must_use]
    pub fn hard(&self, policy: &Policy) -> Duration {
        match self.stakes {
            Stakes::LastOne => self.settled(policy.hard * self.patience, policy),
            Stakes::HasSibling => policy.hard.min(policy.hard_with_sibling) * self.patience,
        }
    }

    /// How long a target that still beats must have met no success.
    #[must_use]
    pub fn gray(&self, policy: &Policy) -> Duration {
        let span = match self.accord {
            Accord::Agreed => policy.gray.min(policy.gray_agreed),
            Accord::Alone | Accord::Disputed => policy.gray,
        };
        self.settled(span * self.patience, policy)
    }

    /// A dispute is not waited for without an end: a witness may lie, or look from a place that visitors do not share.
    fn settled(&self, span: Duration, policy: &Policy) -> Duration {
        if self.accord == Accord::Disputed { span.max(policy.dissent) } else { span }
    }
}
