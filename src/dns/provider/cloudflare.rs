//! Cloudflare (<https://developers.cloudflare.com/api/>): records by id as JSON, several changes in one transaction.
//!
//! Whose a record is stands in its comment. Changes are PATCHes by id inside one batch, so that what is not spoken of
//! (proxied, tags, settings) stays, and all of a plan is made or none of it. Never writes to a zone that was not found
//! by its exact name, and never lists less than every page.

mod txt;
mod words;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;

pub(super) use self::words::LEAST_TTL;
use self::words::{Batch, Envelope, Found, Listed};
use super::cloud::Place;
use super::web::{Intent, Web, excerpt, garbled};
use super::{
    Aliases, Atomic, Capabilities, CloudflareSettings, CompareAndSet, Consistency, Lines, OwnerMarks,
    ProviderError, authority,
};
use crate::dns::Name;
use crate::dns::plan::Plan;
use crate::dns::snapshot::Snapshot;
use crate::secret::Secret;

/// The service.
pub const ENDPOINT: &str = "https://api.cloudflare.com/client/v4";

/// Records on one page.
const PAGE: usize = 100;

/// More pages of one name than this are no name's.
const PAGES: usize = 50;

/// A zone at Cloudflare.
#[derive(Clone)]
pub struct Cloudflare {
    web: Web,
    server: String,
    zone: Name,
    name_servers: Vec<SocketAddr>,
    token: Secret<String>,
    /// The zone's id, once it was asked.
    id: Arc<OnceLock<String>>,
}

impl fmt::Debug for Cloudflare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cloudflare({} at {})", self.zone, self.server)
    }
}

impl Cloudflare {
    /// The zone of these settings.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn new(settings: &CloudflareSettings) -> Result<Self, ProviderError> {
        let web = Web::new(&settings.endpoint, concat!("hearth/", env!("CARGO_PKG_VERSION")))?
            .hiding(&settings.token);
        Ok(Self {
            server: web.host(),
            web,
            zone: settings.zone.clone(),
            name_servers: settings.name_servers.clone(),
            token: settings.token.clone(),
            id: Arc::default(),
        })
    }

    /// The same zone, waited for this long at every step.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { web: self.web.with_patience(patience), ..self }
    }

    /// What this provider can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic: Atomic::Zone,
            compare_and_set: CompareAndSet::None,
            lines: Lines::None,
            owner_marks: OwnerMarks::Remark,
            min_ttl: Some(LEAST_TTL),
            consistency: Consistency::Strong,
            aliases: Aliases::Held,
        }
    }

    /// What stands at `name`.
    ///
    /// # Errors
    /// When Cloudflare does not say.
    pub async fn observe(&self, name: &Name) -> Result<Snapshot, ProviderError> {
        let place = self.place(name);
        let id = self.id(&place).await?;
        let mut records = Vec::new();
        for page in 1..=PAGES {
            let mut url = self.web.url(&format!("zones/{id}/dns_records"));
            url.query_pairs_mut()
                .append_pair("name", name.as_str())
                .append_pair("per_page", &PAGE.to_string())
                .append_pair("page", &page.to_string());
            let answer: Envelope<Vec<Listed>> = self.ask(&place, Intent::Read, self.web.get(url)).await?;
            let pages = answer.pages();
            for listed in answer.result.into_iter().flatten() {
                records.extend(listed.record(&place)?);
            }
            if page >= pages {
                let min_ttl = Some(LEAST_TTL);
                return Ok(Snapshot { min_ttl, ..Snapshot::with_remarks(name.clone(), records) });
            }
        }
        Err(garbled(&place, Intent::Read, format!("it lists more than {PAGES} pages for one name")))
    }

    /// Makes the changes of `plan` in one transaction, if what it starts from still stands.
    ///
    /// # Errors
    /// When they were not made, or when it is not known whether they were ([`ProviderError::Unconfirmed`]).
    pub async fn apply(&self, plan: &Plan) -> Result<(), ProviderError> {
        if plan.is_empty() {
            return Ok(());
        }
        let place = self.place(plan.name());
        let id = self.id(&place).await?;
        let url = self.web.url(&format!("zones/{id}/dns_records/batch"));
        let body = serde_json::to_string(&Batch::of(plan)).expect("a batch is JSON");
        let request = self.web.post(url).header("content-type", "application/json").body(body);
        let _: Envelope<serde_json::Value> = self.ask(&place, Intent::Write, request).await?;
        Ok(())
    }

    /// Every authoritative server of the zone, to be asked after a change.
    ///
    /// # Errors
    /// When they cannot be found.
    pub async fn name_servers(&self) -> Result<Vec<SocketAddr>, ProviderError> {
        authority::servers(&self.zone, &self.name_servers).await
    }

    fn place<'a>(&'a self, name: &'a Name) -> Place<'a> {
        Place { server: &self.server, key: "token", zone: &self.zone, name }
    }

    /// The zone's id. It is asked once.
    async fn id(&self, place: &Place<'_>) -> Result<&str, ProviderError> {
        if let Some(id) = self.id.get() {
            return Ok(id);
        }
        let mut url = self.web.url("zones");
        url.query_pairs_mut().append_pair("name", self.zone.as_str());
        let answer: Envelope<Vec<Found>> = self.ask(place, Intent::Read, self.web.get(url)).await?;
        let mut found = answer.result.into_iter().flatten().filter(|zone| zone.name == self.zone.as_str());
        let zone = found.next().ok_or_else(|| ProviderError::NotAuthoritative {
            server: self.server.clone(),
            zone: self.zone.clone(),
            reason: "the token sees no such zone; it needs Zone:Read for it".to_owned(),
        })?;
        Ok(self.id.get_or_init(|| zone.id))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        place: &Place<'_>,
        intent: Intent,
        request: RequestBuilder,
    ) -> Result<Envelope<T>, ProviderError> {
        let request = request.header("authorization", format!("Bearer {}", self.token.expose()));
        let heard = self.web.send(place, intent, request).await?;
        if heard.status >= 500 {
            return Err(garbled(place, intent, format!("HTTP {}, {}", heard.status, excerpt(&heard.body))));
        }
        let answer: Envelope<T> = heard.json(place, intent)?;
        match answer.failure(heard.status) {
            None => Ok(answer),
            Some((class, reason)) => Err(class.error(place, reason)),
        }
    }
}
