//! Texts at DNSPod: records by id.

use super::DnsPod;
use crate::dns::Name;
use crate::dns::provider::cloud::Cloud;
use crate::dns::provider::txt::{self, TextChange};
use crate::dns::provider::{ProviderError, cloud};

impl DnsPod {
    /// Puts a text or takes it away.
    pub(in crate::dns::provider) async fn change_text(
        &self,
        change: TextChange,
        name: &Name,
        text: &str,
    ) -> Result<(), ProviderError> {
        let listed = self.list(name).await?;
        let ids = cloud::texts(&listed.rows, &cloud::host(name, &self.zone), text);
        match (change, ids.is_empty()) {
            (TextChange::Put, true) => {
                let ttl = listed.min_ttl.unwrap_or(txt::CLOUD).max(txt::BRIEF).as_secs().to_string();
                let fields = [
                    ("record_type", "TXT"),
                    ("record_line_id", Self::DEFAULT_LINE),
                    ("value", text),
                    ("ttl", &ttl),
                ];
                self.write(name, "Record.Create", &fields).await.map(|_| ())
            }
            (TextChange::Take, false) => cloud::delete_all(self, name, &ids).await,
            (TextChange::Put, false) | (TextChange::Take, true) => Ok(()),
        }
    }
}
