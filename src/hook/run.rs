//! The hooks at work: each has a task and a short queue of its own.
//!
//! Whoever tells them of a change goes on at once. A hook does one thing at a time; one that hangs holds up nobody but
//! itself. Never ends before it is told to.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::letterbox::Letterbox;
use super::web::Webhook;
use super::{Change, Deed, HookSettings, Subject, command};
use crate::host::shutdown::stopped;

/// How many changes wait for one hook at most.
const LONGEST: usize = 16;

/// How long what waits may still take at the end. What is not done by then is not done.
const PARTING: Duration = Duration::from_secs(3);

/// What is told of changes. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Hooks(Vec<Arc<Post>>);

/// Where changes wait for one hook.
#[derive(Debug)]
struct Post {
    on: BTreeSet<Subject>,
    waiting: Letterbox<Change>,
}

/// One hook; to be run by a task of its own.
#[derive(Debug)]
pub struct Hook {
    /// What it is called in the log.
    label: String,
    work: Work,
    limit: Duration,
    post: Arc<Post>,
    /// How many changes have not come through since the last that did.
    lost: u64,
}

#[derive(Debug)]
enum Work {
    Command(Vec<String>),
    Webhook(Webhook),
}

/// The hooks, and what to tell them by.
#[must_use]
pub fn hooks(settings: Vec<HookSettings>) -> (Hooks, Vec<Hook>) {
    let hooks: Vec<Hook> =
        settings.into_iter().enumerate().map(|(index, one)| Hook::new(index + 1, one)).collect();
    (Hooks(hooks.iter().map(|hook| Arc::clone(&hook.post)).collect()), hooks)
}

impl Hooks {
    /// Tells every hook that wants to know. Never waits.
    pub fn tell(&self, changes: &[Change]) {
        for change in changes {
            for post in self.0.iter().filter(|post| post.on.contains(&change.event)) {
                post.waiting.put(change.clone());
            }
        }
    }
}

impl Hook {
    fn new(number: usize, settings: HookSettings) -> Self {
        let HookSettings { deed, on, timeout: limit } = settings;
        let label = format!("hook {number} ({deed})");
        let work = match deed {
            Deed::Command(words) => Work::Command(words),
            Deed::Webhook { url, .. } => Work::Webhook(Webhook::new(url, limit)),
        };
        let post = Arc::new(Post { on, waiting: Letterbox::new(LONGEST) });
        Self { label, work, limit, post, lost: 0 }
    }

    /// Works until `close`, and off what waits then, within a few seconds.
    pub async fn run(mut self, mut close: watch::Receiver<bool>) {
        let mut closed = close.clone();
        let mut parting = pin!(async {
            stopped(&mut closed).await;
            sleep(PARTING).await;
        });
        let post = Arc::clone(&self.post);
        loop {
            let (change, dropped) = tokio::select! {
                biased;
                next = post.waiting.next() => next,
                () = stopped(&mut close) => return,
            };
            self.tell_dropped(dropped);
            tokio::select! {
                biased;
                () = self.act(&change) => {}
                () = &mut parting => return tracing::warn!("{} was cut off by the stop", self.label),
            }
        }
    }

    async fn act(&mut self, change: &Change) {
        match &self.work {
            Work::Command(words) => match command::run(words, &change.facts(), self.limit).await {
                Ok(said) => tracing::debug!("{}: run, since {change}: {said}", self.label),
                Err(error) => tracing::warn!("{}: run, since {change}: {error}", self.label),
            },
            Work::Webhook(webhook) => {
                let delivered = webhook.deliver(&change.to_json()).await;
                self.note(change, delivered);
            }
        }
    }

    /// An outage is told when it begins and when it ends.
    fn note(&mut self, change: &Change, delivered: Result<(), String>) {
        let (label, lost) = (&self.label, self.lost);
        match &delivered {
            Ok(()) if lost > 0 => tracing::info!("{label}: told again; {lost} changes had not come through"),
            Ok(()) => tracing::debug!("{label}: told that {change}"),
            Err(why) if lost > 0 => tracing::debug!("{label}: not told that {change}: {why}"),
            Err(why) => {
                tracing::warn!(
                    "{label}: not told that {change}: {why}; nothing more is said until it answers"
                );
            }
        }
        self.lost = if delivered.is_ok() { 0 } else { lost + 1 };
    }

    fn tell_dropped(&mut self, dropped: u64) {
        if dropped > 0 && self.lost > 0 {
            self.lost += dropped;
        } else if dropped > 0 {
            tracing::warn!("{}: {dropped} changes were dropped; it is slower than they come", self.label);
        }
    }
}
