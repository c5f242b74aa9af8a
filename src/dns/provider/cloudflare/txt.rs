//! Texts at Cloudflare: records by id.

use serde::Deserialize;
use serde_json::{Value, json};

use super::words::{Envelope, LEAST_TTL};
use super::{Cloudflare, PAGE, PAGES};
use crate::dns::Name;
use crate::dns::provider::cloud::Place;
use crate::dns::provider::txt::{self, TextChange};
use crate::dns::provider::web::{Intent, garbled};
use crate::dns::provider::{ProviderError, sets};

/// A record that was listed.
#[derive(Deserialize)]
struct Listed {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    content: String,
}

impl Listed {
    /// The service shows a text with quotation marks or without, as it was written.
    fn is(&self, name: &Name, text: &str) -> bool {
        let here = self.kind == "TXT" && self.name.eq_ignore_ascii_case(name.as_str());
        here && (self.content == text || sets::txt(&self.content) == txt::data(text))
    }
}

impl Cloudflare {
    /// Puts a text or takes it away.
    pub(in crate::dns::provider) async fn change_text(
        &self,
        change: TextChange,
        name: &Name,
        text: &str,
    ) -> Result<(), ProviderError> {
        let place = self.place(name);
        let standing = self.texts(&place).await?.into_iter().filter(|listed| listed.is(name, text));
        let ids: Vec<Value> = standing.map(|listed| json!({ "id": listed.id })).collect();
        let body = match (change, ids.is_empty()) {
            (TextChange::Put, true) => {
                let content = sets::quoted(&txt::data(text));
                let ttl = LEAST_TTL.as_secs();
                json!({ "posts": [{ "name": name.as_str(), "type": "TXT", "content": content, "ttl": ttl }] })
            }
            (TextChange::Take, false) => json!({ "deletes": ids }),
            (TextChange::Put, false) | (TextChange::Take, true) => return Ok(()),
        };
        let url = self.web.url(&format!("zones/{}/dns_records/batch", self.id(&place).await?));
        let request = self.web.post(url).header("content-type", "application/json").body(body.to_string());
        let _: Envelope<Value> = self.ask(&place, Intent::Write, request).await?;
        Ok(())
    }

    /// Every record of the name.
    async fn texts(&self, place: &Place<'_>) -> Result<Vec<Listed>, ProviderError> {
        let url = self.web.url(&format!("zones/{}/dns_records", self.id(place).await?));
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let mut url = url.clone();
            url.query_pairs_mut()
                .append_pair("name", place.name.as_str())
                .append_pair("per_page", &PAGE.to_string())
                .append_pair("page", &page.to_string());
            let answer: Envelope<Vec<Listed>> = self.ask(place, Intent::Read, self.web.get(url)).await?;
            let pages = answer.pages();
            all.extend(answer.result.into_iter().flatten());
            if page >= pages {
                return Ok(all);
            }
        }
        Err(garbled(place, Intent::Read, format!("it lists more than {PAGES} pages for one name")))
    }
}
