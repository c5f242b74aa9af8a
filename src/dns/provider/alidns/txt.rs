//! Texts at Alibaba Cloud DNS: records by id.

use super::Alidns;
use crate::dns::Name;
use crate::dns::provider::cloud::Cloud;
use crate::dns::provider::txt::{self, TextChange};
use crate::dns::provider::{ProviderError, cloud};

impl Alidns {
    /// Puts a text or takes it away.
    pub(in crate::dns::provider) async fn change_text(
        &self,
        change: TextChange,
        name: &Name,
        text: &str,
    ) -> Result<(), ProviderError> {
        let host = cloud::host(name, &self.zone);
        let ids = cloud::texts(&self.list(name).await?, &host, text);
        match (change, ids.is_empty()) {
            (TextChange::Put, true) => {
                let ttl = txt::CLOUD.as_secs().to_string();
                let fields = [
                    ("DomainName", self.zone.as_str()),
                    ("RR", &host),
                    ("Type", "TXT"),
                    ("Value", text),
                    ("TTL", &ttl),
                    ("Line", Self::DEFAULT_LINE),
                ];
                self.write(name, "AddDomainRecord", &fields).await.map(|_| ())
            }
            (TextChange::Take, false) => cloud::delete_all(self, name, &ids).await,
            (TextChange::Put, false) | (TextChange::Take, true) => Ok(()),
        }
    }
}
