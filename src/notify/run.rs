//! The ways at work: each has a task, a short queue and a digest of its own.
//!
//! Whoever has something to tell goes on at once. A way that hangs holds up nobody but itself. Never ends before it is
//! told to, and never says in the log what a secret URL is.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use super::digest::Digest;
use super::settings::{NotifySettings, Way};
use super::{Message, mail, preset, retry};
use crate::failover::event::Weight;
use crate::hook::command;
use crate::hook::letterbox::Letterbox;
use crate::hook::one_line;
use crate::hook::web::{Missed, Webhook};
use crate::host::random;
use crate::host::shutdown::stopped;
use crate::host::time::Timeline;

/// How long one try may take.
pub const LIMIT: Duration = Duration::from_secs(5);

/// How many messages wait for one way at most.
const LONGEST: usize = 64;

/// How long what waits may still take at the end.
const PARTING: Duration = Duration::from_secs(3);

/// What is told of things to tell. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Notices(Vec<Arc<Post>>);

/// Where messages wait for one way, and how they fared.
#[derive(Debug)]
struct Post {
    label: String,
    from: Weight,
    waiting: Letterbox<Message>,
    sent: AtomicU64,
    lost: AtomicU64,
}

/// How a way has fared since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fared {
    /// What it is called.
    pub label: String,
    /// Messages that were taken.
    pub sent: u64,
    /// Messages that were given up.
    pub lost: u64,
}

/// One way; to be run by a task of its own.
#[derive(Debug)]
pub struct Notifier {
    post: Arc<Post>,
    work: Work,
    line: Timeline,
    digest: Digest,
    /// How many messages have not come through since the last that did.
    missing: u64,
}

#[derive(Debug)]
enum Work {
    Command(Vec<String>),
    Webhook(super::settings::WebhookSettings, Webhook),
    Mail(Box<super::settings::MailSettings>),
}

/// The ways, and what to tell them by.
#[must_use]
pub fn notifiers(settings: &[NotifySettings], line: Timeline) -> (Notices, Vec<Notifier>) {
    let all: Vec<Notifier> =
        settings.iter().enumerate().map(|(index, one)| Notifier::new(index + 1, one, line)).collect();
    (Notices(all.iter().map(|one| Arc::clone(&one.post)).collect()), all)
}

impl Notices {
    /// Tells every way that wants to know. Never waits.
    pub fn tell(&self, message: &Message) {
        for post in self.0.iter().filter(|post| message.event.weight() >= post.from) {
            post.waiting.put(message.clone());
        }
    }

    /// How each has fared.
    #[must_use]
    pub fn fared(&self) -> Vec<Fared> {
        let one = |post: &Arc<Post>| Fared {
            label: post.label.clone(),
            sent: post.sent.load(Ordering::Relaxed),
            lost: post.lost.load(Ordering::Relaxed),
        };
        self.0.iter().map(one).collect()
    }
}

impl Notifier {
    fn new(number: usize, settings: &NotifySettings, line: Timeline) -> Self {
        let label = format!("notify {number} ({})", settings.way);
        let work = match &settings.way {
            Way::Command(words) => Work::Command(words.clone()),
            Way::Webhook(webhook) => Work::Webhook(webhook.clone(), Webhook::new(webhook.url.clone(), LIMIT)),
            Way::Mail(mail) => Work::Mail(mail.clone()),
        };
        let waiting = Letterbox::new(LONGEST);
        let (sent, lost) = (AtomicU64::new(0), AtomicU64::new(0));
        let post = Arc::new(Post { label, from: settings.from, waiting, sent, lost });
        Self { post, work, line, digest: Digest::default(), missing: 0 }
    }

    /// What it is called.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.post.label
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
            let due = self.digest.due();
            let ripe = async {
                match due {
                    Some(due) => sleep_until(self.line.at(due)).await,
                    None => std::future::pending().await,
                }
            };
            let message = tokio::select! {
                biased;
                (message, dropped) = post.waiting.next() => {
                    self.count_dropped(dropped);
                    self.digest.take(self.line.now(), message)
                }
                () = ripe => self.digest.ripe(self.line.now()),
                () = stopped(&mut close) => break,
            };
            let Some(message) = message else { continue };
            tokio::select! {
                biased;
                () = self.see_through(&message) => {}
                () = &mut parting => return self.cut_off(),
            }
        }
        for message in self.digest.rest() {
            tokio::select! {
                biased;
                () = self.see_through(&message) => {}
                () = &mut parting => return self.cut_off(),
            }
        }
    }

    fn cut_off(&self) {
        tracing::warn!("{} was cut off by the stop", self.label());
    }

    fn count_dropped(&mut self, dropped: u64) {
        if dropped > 0 {
            self.post.lost.fetch_add(dropped, Ordering::Relaxed);
            self.missing += dropped;
            tracing::warn!("{}: {dropped} messages were dropped; it is slower than they come", self.label());
        }
    }

    /// Tries until it is told or given up. An outage is told in the log when it begins and when it ends.
    async fn see_through(&mut self, message: &Message) {
        let message = self.with_missing(message);
        for failed in 1.. {
            let missed = match self.once(&message).await {
                Ok(said) => {
                    tracing::debug!("{}: told that {message}: {said}", self.label());
                    self.post.sent.fetch_add(1, Ordering::Relaxed);
                    self.missing = 0;
                    return;
                }
                Err(missed) => missed,
            };
            let again = match &missed {
                Missed::Passing(_) => retry::pause(failed),
                Missed::Refused(_) => None,
            };
            let why = missed.words();
            let Some(pause) = again else {
                tracing::warn!("{}: given up to tell that {message}: {why}", self.label());
                self.post.lost.fetch_add(1, Ordering::Relaxed);
                self.missing += 1;
                return;
            };
            match failed {
                1 => tracing::warn!("{}: not told that {message}: {why}; it is tried again", self.label()),
                _ => tracing::debug!("{}: not told that {message}: {why}", self.label()),
            }
            sleep(random::jitter(pause, 0.2)).await;
        }
    }

    /// A message that comes through after others did not says so.
    fn with_missing(&self, message: &Message) -> Message {
        let mut message = message.clone();
        if self.missing > 0 {
            message.text =
                format!("{} ({} messages before this one did not come through)", message.text, self.missing);
        }
        message
    }

    /// Tries once; what was answered.
    ///
    /// # Errors
    /// Why it was not told, in words without a secret.
    pub async fn try_once(&self, message: &Message) -> Result<String, String> {
        self.once(message).await.map_err(|missed| missed.words().to_owned())
    }

    async fn once(&self, message: &Message) -> Result<String, Missed> {
        match &self.work {
            Work::Command(words) => {
                let ran = command::run(words, &message.facts(), LIMIT).await;
                ran.map(|said| format!("it ran; it said: {said}"))
                    .map_err(|error| Missed::Passing(error.to_string()))
            }
            Work::Mail(settings) => mail::send(settings, message, LIMIT).await,
            Work::Webhook(settings, webhook) => {
                let post = preset::post(settings, message, self.line.wall_ms());
                let post = post.map_err(|unfit| Missed::Refused(unfit.to_string()))?;
                let (status, answer) = webhook.tell(&post.url, &post.body.to_string()).await?;
                preset::verdict(&settings.shape, &answer).map_err(Missed::Refused)?;
                Ok(format!("{status} {}", one_line(answer.chars().take(200).collect::<String>().trim())))
            }
        }
    }
}

#[cfg(test)]
mod tests;
