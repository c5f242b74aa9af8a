//! Whom a watcher tells; of URLs no more than where they are, of passwords nothing.

use super::{Page, quoted, time, word};
use crate::config::notify_key;
use crate::notify::settings::{MailSettings, NotifySettings, PingSettings, Shape, Way, WebhookSettings};

impl Page<'_> {
    /// The way with this number, from 1.
    pub(super) fn notify(&mut self, number: usize, notify: &NotifySettings) {
        self.table("[[watcher.notify]]");
        self.bare("from", word(&notify.from));
        match &notify.way {
            Way::Command(words) => self.bare("command", format_args!("{words:?}")),
            Way::Webhook(webhook) => self.notify_webhook(number, webhook),
            Way::Mail(mail) => self.mail(number, mail),
        }
    }

    fn notify_webhook(&mut self, number: usize, webhook: &WebhookSettings) {
        self.place("webhook.url", webhook.origin.as_deref(), &notify_key(number, "webhook.url"));
        match &webhook.shape {
            Shape::Preset(preset) => self.bare("webhook.preset", word(preset)),
            Shape::Template(template) => self.line(format_args!("# webhook.body, as JSON: {template}")),
        }
        if webhook.sign.is_some() {
            self.secret("webhook.sign", &notify_key(number, "webhook.sign"), "");
        }
    }

    fn place(&mut self, key: &str, origin: Option<&str>, of: &str) {
        match origin {
            Some(origin) => self.line(format_args!("{key} = \"{origin}/…\"  # what follows is not shown")),
            None => self.secret(key, of, ""),
        }
    }

    fn mail(&mut self, number: usize, mail: &MailSettings) {
        self.text("email.host", &mail.host);
        self.bare("email.port", mail.port);
        self.bare("email.tls", word(&mail.tls));
        if let Some((user, _)) = &mail.user {
            self.text("email.user", user);
            self.secret("email.password", &notify_key(number, "email.password"), "");
        }
        self.text("email.from", &mail.from);
        self.bare("email.to", quoted(&mail.to));
    }

    /// The ping.
    pub(super) fn ping(&mut self, ping: &PingSettings) {
        self.table("[watcher.ping]");
        self.place("url", ping.origin.as_deref(), "watcher.ping.url");
        self.text("every", time(ping.every));
        if let Some(fail) = &ping.fail {
            self.text("fail", fail);
        }
    }
}
