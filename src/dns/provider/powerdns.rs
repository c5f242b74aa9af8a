//! PowerDNS by its HTTP API (<https://doc.powerdns.com/authoritative/http-api/>): RRsets as JSON, whole.
//!
//! Marks are in the same TXT records as over RFC 2136, so that a node with a TSIG key and a watcher with an API key
//! understand each other. An RRset is written whole, with the members of others in it, and the last writer wins; so it is
//! read again right before. Never speaks of an RRset that the plan does not change.

mod txt;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::RequestBuilder;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::cloud::{Class, Place};
use super::web::{Heard, Intent, Web, excerpt, garbled};
use super::{
    Aliases, Atomic, Capabilities, CompareAndSet, Consistency, Lines, Marks, OwnerMarks, PowerDnsSettings,
    ProviderError, authority, sets,
};
use crate::dns::plan::Plan;
use crate::dns::snapshot::{Snapshot, TxtMarks};
use crate::dns::{Name, Ttl};
use crate::secret::Secret;

/// A zone of a PowerDNS server.
#[derive(Clone)]
pub struct PowerDns {
    web: Web,
    server: String,
    zone: Name,
    name_servers: Vec<SocketAddr>,
    key: Secret<String>,
    marks: Marks,
}

impl fmt::Debug for PowerDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PowerDns({} at {})", self.zone, self.server)
    }
}

/// The part of a zone that was asked for.
#[derive(Debug, Deserialize)]
struct Zone {
    #[serde(default)]
    rrsets: Vec<Set>,
}

/// An RRset. Names and targets end in a dot.
#[derive(Debug, Deserialize, Serialize)]
struct Set {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    ttl: u32,
    records: Vec<Member>,
    /// What is done with it; told, never heard.
    #[serde(skip_deserializing)]
    changetype: &'static str,
}

impl Set {
    fn is_at(&self, name: &Name) -> bool {
        self.name.strip_suffix('.').is_some_and(|text| text.eq_ignore_ascii_case(name.as_str()))
    }
}

/// A member of an RRset.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Member {
    content: String,
    #[serde(default)]
    disabled: bool,
}

impl PowerDns {
    /// The zone of these settings.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn new(settings: &PowerDnsSettings) -> Result<Self, ProviderError> {
        let web = Web::new(&settings.endpoint, concat!("hearth/", env!("CARGO_PKG_VERSION")))?
            .hiding(&settings.key);
        Ok(Self {
            server: web.host(),
            web,
            zone: settings.zone.clone(),
            name_servers: settings.name_servers.clone(),
            key: settings.key.clone(),
            marks: settings.marks,
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
            owner_marks: match self.marks {
                Marks::Txt => OwnerMarks::SiblingTxt,
                Marks::Off => OwnerMarks::None,
            },
            min_ttl: None,
            consistency: Consistency::Strong,
            aliases: Aliases::Held,
        }
    }

    /// What stands at `name`.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn observe(&self, name: &Name) -> Result<Snapshot, ProviderError> {
        let place = self.place(name);
        let mut sets = self.sets(&place, Some(name)).await?;
        if self.marks == Marks::Txt {
            sets.extend(self.sets(&place, Some(&sets::marks_place(name)?)).await?);
        }
        self.snapshot(name, &sets)
    }

    fn snapshot(&self, name: &Name, sets: &[Set]) -> Result<Snapshot, ProviderError> {
        let mut records = Vec::new();
        for set in sets.iter().filter(|set| set.is_at(name)) {
            // Disabled members are nobody's.
            let served = set.records.iter().filter(|member| !member.disabled);
            let values = served.map(|member| member.content.as_str());
            records.extend(sets::records(&self.place(name), (&set.kind, set.ttl), values)?);
        }
        if self.marks == Marks::Off {
            return Ok(Snapshot::unmarked(name.clone(), records));
        }
        let place = sets::marks_place(name)?;
        let txt = sets.iter().find(|set| set.is_at(&place) && set.kind == "TXT");
        let marks = txt.map(|set| TxtMarks {
            records: set.records.iter().map(|member| sets::txt(&member.content)).collect(),
            ttl: Some(Ttl::from_secs(set.ttl)),
        });
        Ok(Snapshot::with_txt_marks(name.clone(), records, marks.unwrap_or_default()))
    }

    /// Makes the changes of `plan` in one request, if what it starts from still stands.
    ///
    /// # Errors
    /// When they were not made, or when it is not known whether they were ([`ProviderError::Unconfirmed`]).
    pub async fn apply(&self, plan: &Plan) -> Result<(), ProviderError> {
        if plan.is_empty() {
            return Ok(());
        }
        let place = self.place(plan.name());
        // The whole zone: asked for one name, the server is silent about members that somebody switched off.
        let sets = self.sets(&place, None).await?;
        if self.snapshot(plan.name(), &sets)? != *plan.seen() {
            return Err(Class::Conflict.error(&place, "something else stands there now".to_owned()));
        }
        let body = json!({ "rrsets": written(plan, &sets)? }).to_string();
        let request = self.web.patch(self.url()).header("content-type", "application/json").body(body);
        self.send(&place, Intent::Write, request).await?;
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
        Place { server: &self.server, key: "X-API-Key", zone: &self.zone, name }
    }

    fn url(&self) -> reqwest::Url {
        self.web.url(&format!("api/v1/servers/localhost/zones/{}.", self.zone))
    }

    /// The sets at `name`, or all of the zone.
    async fn sets(&self, place: &Place<'_>, name: Option<&Name>) -> Result<Vec<Set>, ProviderError> {
        let mut url = self.url();
        if let Some(name) = name {
            url.query_pairs_mut().append_pair("rrset_name", &format!("{name}."));
        }
        let heard = self.send(place, Intent::Read, self.web.get(url)).await?;
        let zone: Zone = heard.json(place, Intent::Read)?;
        // An older server shows the whole zone in any case.
        Ok(zone.rrsets.into_iter().filter(|set| name.is_none_or(|name| set.is_at(name))).collect())
    }

    async fn send(
        &self,
        place: &Place<'_>,
        intent: Intent,
        request: RequestBuilder,
    ) -> Result<Heard, ProviderError> {
        let request = request.header("x-api-key", self.key.expose());
        let heard = self.web.send(place, intent, request).await?;
        // Errors are plain text or {"error": "…"}.
        let said = || format!("HTTP {}, {}", heard.status, excerpt(&heard.body));
        match heard.status {
            200..=299 if intent == Intent::Read || heard.status == 204 => Ok(heard),
            401 => Err(Class::Auth.error(place, said())),
            403 => Err(Class::Refused.error(place, said())),
            404 => Err(Class::NoZone.error(place, said())),
            409 => Err(Class::Conflict.error(place, said())),
            422 if heard.body.contains("onflict") => Err(Class::Conflict.error(place, said())),
            422 if heard.body.contains("Could not find domain") => Err(Class::NoZone.error(place, said())),
            400 | 422 => Err(Class::Input.error(place, said())),
            _ => Err(garbled(place, intent, said())),
        }
    }
}

/// The sets that change, whole: with the members that somebody switched off.
fn written(plan: &Plan, zone: &[Set]) -> Result<Vec<Set>, ProviderError> {
    let mut written = Vec::new();
    for (kind, (ttl, members)) in sets::touched(plan) {
        let kind = kind.to_string();
        let here = zone.iter().filter(|set| set.is_at(plan.name()) && set.kind == kind);
        let off = here.flat_map(|set| set.records.clone());
        let off: Vec<Member> = off.filter(|member| member.disabled).collect();
        let members = members.iter().map(|rdata| Member { content: sets::value(rdata), disabled: false });
        written.push(replaced(plan.name(), kind, ttl, members.chain(off).collect()));
    }
    if let Some((records, ttl)) = sets::marks(plan) {
        let texts = records.into_iter().map(|content| Member { content, disabled: false });
        let place = sets::marks_place(plan.name())?;
        written.push(replaced(&place, "TXT".to_owned(), ttl, texts.collect()));
    }
    Ok(written)
}

fn replaced(name: &Name, kind: String, ttl: Ttl, records: Vec<Member>) -> Set {
    let changetype = if records.is_empty() { "DELETE" } else { "REPLACE" };
    Set { name: format!("{name}."), kind, ttl: ttl.as_secs(), records, changetype }
}
