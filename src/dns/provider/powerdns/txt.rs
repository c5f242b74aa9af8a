//! Texts at PowerDNS: the set at the name is read, and written with one member more or less.

use serde_json::json;

use super::{Member, PowerDns, replaced};
use crate::dns::provider::txt::{self, TextChange, changed};
use crate::dns::provider::web::Intent;
use crate::dns::provider::{ProviderError, sets};
use crate::dns::{Name, Ttl};

impl PowerDns {
    /// Puts a text or takes it away.
    pub(in crate::dns::provider) async fn change_text(
        &self,
        change: TextChange,
        name: &Name,
        text: &str,
    ) -> Result<(), ProviderError> {
        let place = self.place(name);
        // The whole zone, as for every change: asked for one name, the server is silent about members that are off.
        let all = self.sets(&place, None).await?;
        let stands = all.iter().find(|set| set.is_at(name) && set.kind == "TXT");
        let (data, members) = (txt::data(text), stands.map_or(&[][..], |set| &set.records));
        let is = |member: &Member| !member.disabled && sets::txt(&member.content) == data;
        let make = || Member { content: sets::quoted(&data), disabled: false };
        let Some(members) = changed(change, members, is, make) else { return Ok(()) };
        let ttl = stands.map_or(txt::BRIEF, |set| Ttl::from_secs(set.ttl));
        let body = json!({ "rrsets": [replaced(name, "TXT".to_owned(), ttl, members)] }).to_string();
        let request = self.web.patch(self.url()).header("content-type", "application/json").body(body);
        self.send(&place, Intent::Write, request).await.map(|_| ())
    }
}
