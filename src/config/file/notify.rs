//! What is written about whom a watcher tells: `notify = […]` and `ping = { … }`.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::hook::HookUrl;
use crate::config::endpoint::Contact;
use crate::config::secret::SecretSource;
use crate::config::value::At;
use crate::failover::event::Weight;
use crate::notify::settings::{MailTls, Preset};

/// One way of `notify = […]`.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "one of { webhook = { … } }, { email = { … } } and { command = […] }"
)]
pub(crate) struct Notify {
    /// Where messages are POSTed to. This, `email` or `command` is required.
    pub(crate) webhook: Option<NotifyWebhook>,
    /// A mail.
    pub(crate) email: Option<Spanned<Email>>,
    /// A program, by its whole path, and its arguments.
    pub(crate) command: Option<Spanned<Vec<String>>>,
    /// What is told at least: `info`, `warning` (default) or `alarm`.
    pub(crate) from: Option<Weight>,
}

/// `webhook = { … }`
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "{ preset = \"ntfy\", url = \"https://…\" }"
)]
pub(crate) struct NotifyWebhook {
    /// The URL, or where it is kept. Required.
    pub(crate) url: Spanned<HookUrl>,
    /// The service whose shape the message has: `plain` (default), `ntfy`, `slack`, `feishu`, `dingtalk`, `wecom`.
    pub(crate) preset: Option<Spanned<Preset>>,
    /// The secret that Feishu or DingTalk wants messages signed with. Default: they are not.
    pub(crate) sign: Option<Spanned<SecretSource>>,
    /// A shape of one's own, instead of a preset: a table whose texts have `{title}`, `{text}` and so on in them.
    pub(crate) body: Option<Spanned<toml::Table>>,
}

/// `email = { … }`
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "{ host = \"mail.example.com\", from = \"…\", to = [\"…\"] }"
)]
pub(crate) struct Email {
    /// The host that takes it. Required.
    pub(crate) host: At<String>,
    /// Default: 465 for `implicit`, 587 for `starttls`, 25 for `none`.
    pub(crate) port: Option<u16>,
    /// `implicit` (default), `starttls` or `none`.
    pub(crate) tls: Option<Spanned<MailTls>>,
    /// The name that the host wants to know, with `password`. Default: nobody asks.
    pub(crate) user: Option<At<String>>,
    /// Where its password is kept.
    pub(crate) password: Option<Spanned<SecretSource>>,
    /// Who it is from. Required.
    pub(crate) from: At<Contact>,
    /// Who it is to. Required, at least one.
    pub(crate) to: Spanned<Vec<At<Contact>>>,
}

/// `ping = { … }`
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "{ url = \"https://…\", every = \"1m\" }"
)]
pub(crate) struct Ping {
    /// The URL, or where it is kept. Required.
    pub(crate) url: Spanned<HookUrl>,
    /// Between two pings. Default: `1m`.
    pub(crate) every: Option<At<Duration>>,
    /// What is added to the URL when the watcher runs and cannot decide. Default: nothing, and no ping then.
    pub(crate) fail: Option<String>,
}
