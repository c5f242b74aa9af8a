//! The `[[heartbeat.fail-back]]` tables of the page, each with what it allows.

use super::{Page, time, ttl};
use crate::config::{FailBackSettings, Hairpin};

impl Page<'_> {
    pub(super) fn fail_back(&mut self, right: &FailBackSettings) {
        self.table("[[heartbeat.fail-back]]");
        let (site, after) = (&right.site, time(right.after));
        self.line(format_args!(
            "# When no watcher has answered for {after} and {site} leads to the fallback, this node"
        ));
        self.line("# sends visitors back to itself, once; it never sends anybody away.");
        self.text("site", site);
        self.text("provider", &right.provider);
        self.text("watcher", &right.owner);
        self.text("after", after);
        self.text("ttl", ttl(right.ttl));
        let hairpin = match right.hairpin {
            Hairpin::Required => "required",
            Hairpin::Unavailable => "unavailable",
        };
        self.text("hairpin", hairpin);
        self.text("scheme", right.check.scheme);
        self.bare("port", right.check.port);
        self.text("page", &right.check.path);
        self.list("fallback.addresses", &right.fallback);
    }
}
