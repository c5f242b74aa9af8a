//! Texts at Tencent Cloud: records by id, also those that its list does not show yet.

use serde_json::{Value, json};

use super::{Intent, Tencent};
use crate::dns::Name;
use crate::dns::provider::cloud::Cloud;
use crate::dns::provider::txt::{self, TextChange};
use crate::dns::provider::{ProviderError, cloud};

impl Tencent {
    /// Puts a text or takes it away.
    pub(in crate::dns::provider) async fn change_text(
        &self,
        change: TextChange,
        name: &Name,
        text: &str,
    ) -> Result<(), ProviderError> {
        let ids = cloud::texts(&self.rows(name).await?, &cloud::host(name, &self.zone), text);
        match (change, ids.is_empty()) {
            (TextChange::Put, true) => self.create_text(name, text).await,
            (TextChange::Take, false) => cloud::delete_all(self, name, &ids).await,
            (TextChange::Put, false) | (TextChange::Take, true) => Ok(()),
        }
    }

    async fn create_text(&self, name: &Name, text: &str) -> Result<(), ProviderError> {
        let mut fields = self.about();
        let mut tell = |field: &str, value: Value| fields.insert(field.to_owned(), value);
        tell("SubDomain", json!(cloud::host(name, &self.zone)));
        tell("RecordType", json!("TXT"));
        tell("RecordLine", json!("默认"));
        tell("RecordLineId", json!(Self::DEFAULT_LINE));
        tell("Value", json!(text));
        tell("TTL", json!(txt::CLOUD.as_secs()));
        let answer = self.ask(name, Intent::Write, "CreateRecord", fields).await?;
        if let Some(id) = answer.and_then(|answer| answer.record_id) {
            self.recent.write(name, &id.to_string(), self.now());
        }
        Ok(())
    }
}
