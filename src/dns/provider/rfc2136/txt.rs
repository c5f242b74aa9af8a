//! Texts by UPDATE: one record is added to its set, or removed from it (RFC 2136 sections 2.5.1 and 2.5.4).

use super::Rfc2136;
use crate::dns::Name;
use crate::dns::provider::txt::{self, TextChange};
use crate::dns::provider::{ProviderError, update};

impl Rfc2136 {
    /// Puts a text or takes it away.
    pub(in crate::dns::provider) async fn change_text(
        &self,
        change: TextChange,
        name: &Name,
        text: &str,
    ) -> Result<(), ProviderError> {
        self.check_zone(name)?;
        let mut message = update::of_text(change, &self.zone, name, &txt::data(text));
        let mut verifier = self.sign(&mut message)?;
        let mut connection = self.connect().await?;
        let bytes = connection.exchange(&message).await.map_err(|e| self.failed_update(e))?;
        self.judge(name, message.metadata.id, &bytes, &mut verifier)
    }
}
