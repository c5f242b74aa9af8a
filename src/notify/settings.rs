//! The ways on which people are told, as they are configured. PURE.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failover::event::Weight;
use crate::secret::Secret;

/// One way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifySettings {
    /// How.
    pub way: Way,
    /// What matters less is not told on it.
    pub from: Weight,
}

/// How people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A program, by its whole path, and its arguments. No shell reads them.
    Command(Vec<String>),
    /// A POST of JSON.
    Webhook(WebhookSettings),
    /// A mail.
    Mail(Box<MailSettings>),
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where to.
    pub url: Secret<String>,
    /// The part of the URL that may be seen: scheme and host. None: nothing of it may.
    pub origin: Option<String>,
    /// What shape the message has there.
    pub shape: Shape,
    /// What messages are signed with, where the service asks for it.
    pub sign: Option<Secret<String>>,
}

/// The shape of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The one that a service wants.
    Preset(Preset),
    /// A JSON value of one's own, whose texts have `{title}`, `{text}`, `{site}`, `{event}`, `{watcher}` and `{time_ms}`
    /// in them.
    Template(serde_json::Value),
}

/// A service whose shape is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The facts, as they are.
    #[default]
    Plain,
    /// ntfy; the URL ends with the topic.
    Ntfy,
    /// Slack and what understands it: Mattermost, Rocket.Chat, Discord with `/slack`.
    Slack,
    /// Feishu and Lark, a custom bot, signed or not.
    Feishu,
    /// DingTalk, a custom bot, signed or not.
    DingTalk,
    /// WeCom, a group bot.
    WeCom,
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailSettings {
    /// The host that takes it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is kept secret.
    pub tls: MailTls,
    /// Who asks, when the host wants to know.
    pub user: Option<(String, Secret<String>)>,
    /// Who it is from.
    pub from: String,
    /// Who it is to: at least one.
    pub to: Vec<String>,
}

/// How the way to a mail host is kept secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS from the first byte (RFC 8314).
    #[default]
    Implicit,
    /// TLS after STARTTLS, and no mail without it (RFC 3207).
    Starttls,
    /// Not at all: for a host on this machine.
    None,
}

impl MailTls {
    /// The port that it usually has.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            MailTls::Implicit => 465,
            MailTls::Starttls => 587,
            MailTls::None => 25,
        }
    }
}

/// A ping that goes out while the watcher decides: whoever takes it tells people when it stays away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingSettings {
    /// Where to.
    pub url: Secret<String>,
    /// The part of the URL that may be seen.
    pub origin: Option<String>,
    /// Between two pings.
    pub every: Duration,
    /// What is added to the URL when the watcher runs and cannot decide, such as `/fail`. None: no ping then.
    pub fail: Option<String>,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Command(words) => f.write_str(words.first().map_or("", String::as_str)),
            Way::Mail(mail) => write!(f, "mail to {} through {}", mail.to.join(", "), mail.host),
            Way::Webhook(webhook) => match &webhook.origin {
                Some(origin) => write!(f, "the webhook at {origin}"),
                None => f.write_str("the webhook with a secret URL"),
            },
        }
    }
}
