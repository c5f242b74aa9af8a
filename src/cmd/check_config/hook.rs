//! The `[[hook]]` tables of the page; of a webhook's URL no more than where it is.

use super::{Page, time};
use crate::config;
use crate::hook::{Deed, HookSettings, Subject};

impl Page<'_> {
    /// The hook with this number, from 1.
    pub(super) fn hook(&mut self, number: usize, hook: &HookSettings) {
        self.table("[[hook]]");
        match &hook.deed {
            Deed::Command(words) => self.bare("command", format_args!("{words:?}")),
            Deed::Webhook { origin: Some(origin), .. } => {
                self.line(format_args!("webhook.url = \"{origin}/…\"  # what follows is not shown"));
            }
            Deed::Webhook { origin: None, .. } => {
                self.secret("webhook.url", &config::hook_url_key(number), "");
            }
        }
        self.list("on", &hook.on.iter().copied().collect::<Vec<Subject>>());
        self.text("timeout", time(hook.timeout));
    }
}
