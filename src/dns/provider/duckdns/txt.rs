//! Texts at DuckDNS (<https://www.duckdns.org/spec.jsp>): each name has one, which is shown at every name below it too.

use super::{DuckDns, judge};
use crate::dns::Name;
use crate::dns::provider::txt::TextChange;
use crate::dns::provider::web::Intent;
use crate::dns::provider::{ProviderError, cloud};

/// What stands in the place of a text that was taken away: `clear` would take the addresses with it.
const REMOVED: &str = "removed";

impl DuckDns {
    /// Puts a text in the place of the one before, or a word that means nothing.
    pub(in crate::dns::provider) async fn change_text(
        &self,
        change: TextChange,
        name: &Name,
        text: &str,
    ) -> Result<(), ProviderError> {
        let below = cloud::host(name, self.shown.zone());
        // `_acme-challenge.pi` is shown what is told of `pi`.
        let domain = below.rsplit('.').next().unwrap_or_default();
        let mut url = self.web.url("update");
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("domains", domain).append_pair("token", self.token.expose());
            let text = if change == TextChange::Put { text } else { REMOVED };
            query.append_pair("txt", text).append_pair("verbose", "true");
        }
        let place = self.place(name);
        let heard = self.web.send(&place, Intent::Write, self.web.get(url)).await?;
        judge(&place, &heard)
    }
}
