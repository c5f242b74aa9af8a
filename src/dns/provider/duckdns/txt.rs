//! Texts at DuckDNS (<https://www.duckdns.org/spec.jsp>): each name has one, which is shown at every name below it too.

use super::{DuckDns, judge};
use crate::dns::Name;
use crate::dns::provider::txt::TextChange;
use crate::dns::provider::web::Intent;
use crate::dns::provider::{ProviderError, cloud};

impl DuckDns {
    /// Puts a text in the place of the one before, or takes whatever is there away.
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
            query.append_pair("txt", text).append_pair("verbose", "true");
            if change == TextChange::Take {
                query.append_pair("clear", "true");
            }
        }
        let place = self.place(name);
        let heard = self.web.send(&place, Intent::Write, self.web.get(url)).await?;
        judge(&place, &heard)
    }
}
