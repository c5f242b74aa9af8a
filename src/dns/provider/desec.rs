//! deSEC (<https://desec.readthedocs.io/>): RRsets as JSON, several of them in one step, and a limit on every call.
//!
//! An RRset is written whole, with the members of others in it, so it is read again right before; who writes in between
//! loses. Never writes a TTL below the domain's floor, and never writes what stands: there are 300 writes in a day.

mod txt;
mod words;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(super) use self::words::USUAL_FLOOR;
use self::words::{Domain, Set};
use super::authority;
use super::cloud::{self, Class, Place};
use super::web::{Heard, Intent, Web, excerpt, garbled};
use super::{
    Aliases, Atomic, Capabilities, CompareAndSet, Consistency, DesecSettings, Lines, Marks, OwnerMarks,
    ProviderError, sets,
};
use crate::dns::plan::Plan;
use crate::dns::snapshot::{Snapshot, TxtMarks};
use crate::dns::{Name, Ttl};
use crate::secret::Secret;

/// The service.
pub const ENDPOINT: &str = "https://desec.io";

/// A pause that is waited for at once, before a reading is asked for once more.
const SHORT: Duration = Duration::from_secs(2);

/// A domain at deSEC.
#[derive(Clone)]
pub struct Desec {
    web: Web,
    server: String,
    zone: Name,
    name_servers: Vec<SocketAddr>,
    token: Secret<String>,
    marks: Marks,
    /// The smallest TTL of the domain, once it was asked.
    floor: Arc<OnceLock<Ttl>>,
}

impl fmt::Debug for Desec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desec({} at {})", self.zone, self.server)
    }
}

impl Desec {
    /// The domain of these settings.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn new(settings: &DesecSettings) -> Result<Self, ProviderError> {
        let web = Web::new(&settings.endpoint, concat!("hearth/", env!("CARGO_PKG_VERSION")))?
            .hiding(&settings.token);
        Ok(Self {
            server: web.host(),
            web,
            zone: settings.zone.clone(),
            name_servers: settings.name_servers.clone(),
            token: settings.token.clone(),
            marks: settings.marks,
            floor: Arc::default(),
        })
    }

    /// The same domain, waited for this long at every step.
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
            owner_marks: match self.marks {
                Marks::Txt => OwnerMarks::SiblingTxt,
                Marks::Off => OwnerMarks::None,
            },
            min_ttl: Some(words::USUAL_FLOOR),
            consistency: Consistency::Strong,
            aliases: Aliases::Held,
        }
    }

    /// What stands at `name`.
    ///
    /// # Errors
    /// When deSEC does not say.
    pub async fn observe(&self, name: &Name) -> Result<Snapshot, ProviderError> {
        let place = self.place(name);
        let min_ttl = Some(self.floor(&place).await?);
        let sets = self.sets(&place, name).await?;
        let mut records = Vec::new();
        for set in &sets {
            let values = set.records.iter().map(String::as_str);
            records.extend(sets::records(&place, (&set.kind, set.ttl), values)?);
        }
        if self.marks == Marks::Off {
            return Ok(Snapshot { min_ttl, ..Snapshot::unmarked(name.clone(), records) });
        }
        let txt =
            self.sets(&place, &sets::marks_place(name)?).await?.into_iter().find(|set| set.kind == "TXT");
        let marks = txt.map(|set| TxtMarks {
            records: set.records.iter().map(|r| sets::txt(r)).collect(),
            ttl: Some(Ttl::from_secs(set.ttl)),
        });
        Ok(Snapshot { min_ttl, ..Snapshot::with_txt_marks(name.clone(), records, marks.unwrap_or_default()) })
    }

    /// Makes the changes of `plan` in one step, if what it starts from still stands.
    ///
    /// # Errors
    /// When they were not made, or when it is not known whether they were ([`ProviderError::Unconfirmed`]).
    pub async fn apply(&self, plan: &Plan) -> Result<(), ProviderError> {
        if plan.is_empty() {
            return Ok(());
        }
        let place = self.place(plan.name());
        if self.observe(plan.name()).await? != *plan.seen() {
            return Err(Class::Conflict.error(&place, "something else stands there now".to_owned()));
        }
        let body = serde_json::to_string(&self.written(plan)?).expect("sets are JSON");
        let request =
            self.web.patch(self.url("rrsets/")).header("content-type", "application/json").body(body);
        let heard = self.send(&place, Intent::Write, request).await?;
        let _: Vec<Set> = heard.json(&place, Intent::Write)?;
        Ok(())
    }

    /// Every authoritative server of the domain, to be asked after a change.
    ///
    /// # Errors
    /// When they cannot be found.
    pub async fn name_servers(&self) -> Result<Vec<SocketAddr>, ProviderError> {
        authority::servers(&self.zone, &self.name_servers).await
    }

    fn place<'a>(&'a self, name: &'a Name) -> Place<'a> {
        Place { server: &self.server, key: "token", zone: &self.zone, name }
    }

    fn url(&self, path: &str) -> reqwest::Url {
        self.web.url(&format!("api/v1/domains/{}/{path}", self.zone))
    }

    /// The smallest TTL of the domain. It is asked once: reads are few as well.
    async fn floor(&self, place: &Place<'_>) -> Result<Ttl, ProviderError> {
        if let Some(floor) = self.floor.get() {
            return Ok(*floor);
        }
        let domain: Domain = self.get(place, "").await?.json(place, Intent::Read)?;
        Ok(*self.floor.get_or_init(|| Ttl::from_secs(domain.minimum_ttl)))
    }

    /// The sets at `name`.
    async fn sets(&self, place: &Place<'_>, name: &Name) -> Result<Vec<Set>, ProviderError> {
        let sets = self.get(place, &format!("rrsets/?subname={}", self.below(name))).await?;
        let sets: Vec<Set> = sets.json(place, Intent::Read)?;
        Ok(sets.into_iter().filter(|set| set.subname == self.below(name)).collect())
    }

    /// `name` below the zone; empty is the zone itself.
    fn below(&self, name: &Name) -> String {
        let host = cloud::host(name, &self.zone);
        if host == "@" { String::new() } else { host }
    }

    async fn get(&self, place: &Place<'_>, path: &str) -> Result<Heard, ProviderError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut url = self.url(path);
        url.set_query((!query.is_empty()).then_some(query));
        let ask = || self.send(place, Intent::Read, self.web.get(url.clone()));
        match ask().await {
            // Ten reads a second are allowed, and a change takes seven.
            Err(error) if error.retry_after().is_some_and(|wait| wait <= SHORT) => {
                tokio::time::sleep(SHORT).await;
                ask().await
            }
            answer => answer,
        }
    }

    async fn send(
        &self,
        place: &Place<'_>,
        intent: Intent,
        request: reqwest::RequestBuilder,
    ) -> Result<Heard, ProviderError> {
        let request = request.header("authorization", format!("Token {}", self.token.expose()));
        let heard = self.web.send(place, intent, request).await?;
        let said = || format!("HTTP {}, {}", heard.status, excerpt(&heard.body));
        match heard.status {
            200 => Ok(heard),
            401 => Err(Class::Auth.error(place, said())),
            403 => Err(Class::Refused.error(place, said())),
            404 => Err(Class::NoZone.error(place, said())),
            400 if heard.body.contains("conflicting") => Err(Class::Conflict.error(place, said())),
            400 if serde_json::from_str::<serde_json::Value>(&heard.body).is_ok() => {
                Err(Class::Input.error(place, said()))
            }
            _ => Err(garbled(place, intent, said())),
        }
    }

    /// The sets that change, whole.
    fn written(&self, plan: &Plan) -> Result<Vec<Set>, ProviderError> {
        let subname = self.below(plan.name());
        let touched = sets::touched(plan);
        let mut sets: Vec<Set> = touched
            .iter()
            .map(|(kind, (ttl, members))| Set {
                subname: subname.clone(),
                kind: kind.to_string(),
                ttl: ttl.as_secs(),
                records: members.iter().map(sets::value).collect(),
            })
            .collect();
        if let Some((records, ttl)) = sets::marks(plan) {
            let least = plan.seen().min_ttl.unwrap_or(words::USUAL_FLOOR);
            sets.push(Set {
                subname: self.below(&sets::marks_place(plan.name())?),
                kind: "TXT".to_owned(),
                ttl: ttl.max(least).as_secs(),
                records,
            });
        }
        Ok(sets)
    }
}
