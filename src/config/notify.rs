//! What `notify = […]` and `ping = { … }` of a watcher mean.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::file::notify::{Email, Notify, NotifyWebhook, Ping};
use super::hook::{command, url};
use super::reading::Reading;
use super::value::At;
use crate::failover::event::Weight;
use crate::notify::settings::{
    MailSettings, MailTls, NotifySettings, PingSettings, Preset, Shape, Way, WebhookSettings,
};
use crate::secret::Secret;

/// Stands where a secret was not read.
const NOT_READ: &str = "not read";

/// The shortest time between two pings.
const SHORTEST: Duration = Duration::from_secs(1);

/// What a secret of the way with this number, from 1, is called.
#[must_use]
pub fn secret_key(number: usize, of: &str) -> String {
    format!("watcher.notify.{number}.{of}")
}

/// The ways that are written; one with a mistake is reported and left out.
pub(super) fn ways(reading: &mut Reading<'_>, written: Vec<Spanned<Notify>>) -> Vec<NotifySettings> {
    let one = |(index, written): (usize, Spanned<Notify>)| {
        let span = written.span();
        way(reading, index + 1, &span, written.into_inner())
    };
    written.into_iter().enumerate().filter_map(one).collect()
}

fn way(
    reading: &mut Reading<'_>,
    number: usize,
    span: &Range<usize>,
    written: Notify,
) -> Option<NotifySettings> {
    let way = match (written.webhook, written.email, written.command) {
        (Some(webhook), None, None) => self::webhook(reading, number, webhook).map(Way::Webhook),
        (None, Some(email), None) => mail(reading, number, email).map(|mail| Way::Mail(Box::new(mail))),
        (None, None, Some(words)) => command(reading, words).map(Way::Command),
        _ => {
            let hint = "write { webhook = { … } }, { email = { … } } or { command = […] }, each in braces of its own";
            reading.error(span, "a way to tell people is exactly one of webhook, email and command", hint);
            None
        }
    };
    Some(NotifySettings { way: way?, from: written.from.unwrap_or(Weight::Warning) })
}

fn webhook(reading: &mut Reading<'_>, number: usize, written: NotifyWebhook) -> Option<WebhookSettings> {
    let (url, origin) = url(reading, &secret_key(number, "webhook.url"), written.url)?;
    let preset = written.preset.as_ref().map_or(Preset::default(), |preset| *preset.get_ref());
    if let Some(source) =
        written.sign.as_ref().filter(|_| !matches!(preset, Preset::Feishu | Preset::DingTalk))
    {
        let hint = "remove `sign`, or write preset = \"feishu\" or preset = \"dingtalk\"";
        reading.error(&source.span(), "only Feishu and DingTalk want messages signed", hint);
    }
    let shape = match (written.body, written.preset) {
        (Some(body), Some(_)) => {
            reading.error(
                &body.span(),
                "a body of one's own and a preset exclude each other",
                "remove one of them",
            );
            return None;
        }
        (Some(body), None) => Shape::Template(serde_json::to_value(body.get_ref()).ok()?),
        (None, _) => Shape::Preset(preset),
    };
    let sign = match written.sign {
        Some(source) => Some(secret(reading, &secret_key(number, "webhook.sign"), source)?),
        None => None,
    };
    Some(WebhookSettings { url, origin, shape, sign })
}

fn secret(
    reading: &mut Reading<'_>,
    of: &str,
    source: Spanned<super::secret::SecretSource>,
) -> Option<Secret<String>> {
    Some(reading.secret(of, source)?.unwrap_or_else(|| Secret::new(NOT_READ.to_owned())))
}

fn mail(reading: &mut Reading<'_>, number: usize, written: Spanned<Email>) -> Option<MailSettings> {
    let span = written.span();
    let written = written.into_inner();
    let tls = written.tls.as_ref().map_or(MailTls::default(), |tls| *tls.get_ref());
    let host = written.host.value;
    let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if let Some(at) = written.tls.as_ref().filter(|_| tls == MailTls::None && !here) {
        let message = "anybody on the way can read these mails, and the password";
        reading.warn(&at.span(), message, "use tls = \"implicit\" or \"starttls\" where the host offers it");
    }
    reading.not_empty(&written.to, "`to`", "[\"me@example.com\"]");
    let user = match (written.user, written.password) {
        (Some(user), Some(source)) => {
            let password = secret(reading, &secret_key(number, "email.password"), source)?;
            Some((user.value, password))
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            reading.error(&span, "`user` and `password` belong together", "write both, or none");
            return None;
        }
    };
    Some(MailSettings {
        host,
        port: written.port.unwrap_or(tls.port()),
        tls,
        user,
        from: written.from.value.0,
        to: written.to.into_inner().into_iter().map(|at| at.value.0).collect(),
    })
}

/// The outer None: reported.
pub(super) fn ping(reading: &mut Reading<'_>, written: Option<Ping>) -> Option<Option<PingSettings>> {
    let Some(written) = written else { return Some(None) };
    let (url, origin) = url(reading, "watcher.ping.url", written.url)?;
    let every = written.every.as_ref().map_or(Duration::from_secs(60), |at: &At<Duration>| at.value);
    if let Some(at) = written.every.as_ref().filter(|at| at.value < SHORTEST) {
        reading.error(&at.span, "a ping goes out once a second at most", "write every = \"1m\"");
    }
    Some(Some(PingSettings { url, origin, every, fail: written.fail }))
}
