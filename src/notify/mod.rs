//! What people are told of: one message for each thing that happened, on the ways that they chose.
//!
//! A webhook, a mail or a command. Never decides what is worth telling, never holds up whoever tells it, and hands on
//! nothing but the message: no key, no token, nothing of the configuration.

mod digest;
mod mail;
pub mod ping;
mod preset;
mod retry;
pub mod run;
pub mod settings;

use serde::Serialize;

use crate::failover::event::Weight;
use crate::hook::command::Facts;

/// What kind of news a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// Worth knowing, and no more.
    Info,
    /// Somebody should look when there is time.
    Warning,
    /// Somebody should look now.
    Alarm,
    /// What was told to be wrong is well again.
    Recovery,
    /// Many messages in one.
    Digest,
    /// A person tries whether it arrives.
    Test,
}

impl News {
    /// As it is written in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            News::Info => "info",
            News::Warning => "warning",
            News::Alarm => "ALARM",
            News::Recovery => "well again",
            News::Digest => "unsteady",
            News::Test => "test",
        }
    }

    /// How much it matters: a way that is for alarms only gets these, and that they are over.
    #[must_use]
    pub const fn weight(self) -> Weight {
        match self {
            News::Info => Weight::Info,
            News::Warning => Weight::Warning,
            News::Alarm | News::Recovery | News::Digest | News::Test => Weight::Alarm,
        }
    }
}

impl From<Weight> for News {
    fn from(weight: Weight) -> Self {
        match weight {
            Weight::Info => News::Info,
            Weight::Warning => News::Warning,
            Weight::Alarm => News::Alarm,
        }
    }
}

/// One message. As JSON, this is what a command and a webhook without a preset get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// What kind of news.
    pub event: News,
    /// The watcher that says so.
    pub watcher: String,
    /// The site, when it is about one; else empty.
    pub site: String,
    /// When, by the watcher's clock: milliseconds since 1970.
    pub time_ms: u64,
    /// What happened, in a sentence.
    pub text: String,
}

impl Message {
    /// What it is about, in a few words.
    #[must_use]
    pub fn title(&self) -> String {
        let about = if self.site.is_empty() { self.watcher.as_str() } else { self.site.as_str() };
        format!("{about}: {}", self.event.word())
    }

    /// Title and text, for a way that has no titles.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("[hearth] {}: {}", self.title(), self.text)
    }

    /// A message by which a person tries a way.
    #[must_use]
    pub fn test(watcher: &str, time_ms: u64) -> Self {
        let text = "this is a test; when it arrives, messages do".to_owned();
        Self { event: News::Test, watcher: watcher.to_owned(), site: String::new(), time_ms, text }
    }

    fn facts(&self) -> Facts {
        let variables = vec![
            ("HEARTH_EVENT", self.event.word().to_owned()),
            ("HEARTH_WATCHER", self.watcher.clone()),
            ("HEARTH_SITE", self.site.clone()),
            ("HEARTH_TIME_MS", self.time_ms.to_string()),
            ("HEARTH_TEXT", self.text.clone()),
        ];
        Facts::new(serde_json::to_string(self).expect("texts are JSON"), variables)
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.title())
    }
}
