//! Texts at deSEC: the set at the name is read, and written with one member more or less.

use super::Desec;
use super::words::Set;
use crate::dns::Name;
use crate::dns::provider::txt::{self, TextChange, changed};
use crate::dns::provider::web::Intent;
use crate::dns::provider::{ProviderError, sets};

impl Desec {
    /// Puts a text or takes it away.
    pub(in crate::dns::provider) async fn change_text(
        &self,
        change: TextChange,
        name: &Name,
        text: &str,
    ) -> Result<(), ProviderError> {
        let place = self.place(name);
        let floor = self.floor(&place).await?;
        let stands = self.sets(&place, name).await?.into_iter().find(|set| set.kind == "TXT");
        let (data, members) = (txt::data(text), stands.as_ref().map_or(&[][..], |set| &set.records));
        let after = changed(change, members, |member| sets::txt(member) == data, || sets::quoted(&data));
        let Some(records) = after else { return Ok(()) };
        let ttl = stands.as_ref().map_or_else(|| floor.max(txt::BRIEF).as_secs(), |set| set.ttl);
        let set = Set { subname: self.below(name), kind: "TXT".to_owned(), ttl, records };
        let body = serde_json::to_string(&[set]).expect("sets are JSON");
        let request =
            self.web.patch(self.url("rrsets/")).header("content-type", "application/json").body(body);
        self.send(&place, Intent::Write, request).await.map(|_| ())
    }
}
