//! The `[[watch]]` tables of the page.

use super::{Page, quoted, time, ttl, word};
use crate::config::{FallbackSettings, WatchSettings};
use crate::policy::Policy;
use crate::probe::PageCheck;

impl Page<'_> {
    pub(super) fn watch(&mut self, origin: &str, watch: &WatchSettings) {
        self.table(format_args!("[[watch]]{origin}"));
        self.text("site", &watch.site);
        self.text("provider", &watch.provider);
        self.bare("record", word(&watch.shape));
        self.lines(&watch.lines);
        self.list("nodes", &watch.nodes);
        self.text("ttl", ttl(watch.ttl));
        self.page_check(&watch.check);
        self.fallback(&watch.fallback);
        self.policy(&watch.policy);
    }

    fn page_check(&mut self, check: &PageCheck) {
        self.bare("scheme", word(&check.scheme));
        self.bare("port", check.port);
        self.text("page", &check.path);
        if let Some(contains) = &check.contains {
            self.text("contains", contains);
        }
    }

    fn fallback(&mut self, fallback: &FallbackSettings) {
        let name = fallback.name.as_ref().map_or(String::new(), |name| format!("name = \"{name}\", "));
        let (scheme, port) = (word(&fallback.check.scheme), fallback.check.port);
        let addresses = quoted(&fallback.addresses);
        let value = format_args!("{{ {name}addresses = {addresses}, scheme = {scheme}, port = {port} }}");
        self.bare("fallback", value);
    }

    /// Every number of the policy, whatever they are: by its serialised form.
    fn policy(&mut self, policy: &Policy) {
        self.table("[watch.policy]");
        let serde_json::Value::Object(fields) = serde_json::to_value(policy).unwrap_or_default() else {
            return;
        };
        for (field, value) in fields {
            let key = field.replace('_', "-");
            match serde_json::from_value(value.clone()) {
                Ok(span) => self.text(&key, time(span)),
                Err(_) => self.bare(&key, value),
            }
        }
    }
}
