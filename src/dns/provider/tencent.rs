//! Tencent Cloud's DNSPod, API 3.0 (<https://cloud.tencent.com/document/api/1427>): JSON, every request signed.
//!
//! Its list lags behind its records by up to half a minute, so a record that was just written is asked for by its id, and
//! nothing is decided while a record may stand that the list does not show yet. Never leaves out the line, the name, the
//! TTL or the weight of a record that it changes: what is left out falls back to a default.

mod recent;
mod txt;
mod words;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use self::recent::Recent;
use super::authority;
use super::cloud::{self, Class, Cloud, Content, HostRecord, Place};
use super::sign::{AccessKey, tc3};
use super::web::{Intent, Web};
use super::{Capabilities, Consistency, ProviderError, TencentSettings, WallClock};
use crate::dns::plan::Plan;
use crate::dns::snapshot::Snapshot;
use crate::dns::{Name, Rdata};

/// The service in China; abroad it is `https://dnspod.intl.tencentcloudapi.com`.
pub const ENDPOINT: &str = "https://dnspod.tencentcloudapi.com";

/// The product, in the scope of a signature.
const SERVICE: &str = "dnspod";

/// The version of the API.
const VERSION: &str = "2021-03-23";

/// The longest list of one page.
const PAGE: usize = 3_000;

/// More pages than any name has: the end of a service that counts wrongly.
const PAGES: u32 = 50;

/// A domain at Tencent Cloud.
#[derive(Clone)]
pub struct Tencent {
    web: Web,
    server: String,
    zone: Name,
    name_servers: Vec<SocketAddr>,
    key: AccessKey,
    wall: WallClock,
    recent: Arc<Recent>,
}

impl fmt::Debug for Tencent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tencent({} at {})", self.zone, self.server)
    }
}

impl Tencent {
    /// The domain of these settings. `wall` tells the time that signatures carry.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn new(settings: &TencentSettings, wall: WallClock) -> Result<Self, ProviderError> {
        let web = Web::new(&settings.endpoint, concat!("hearth/", env!("CARGO_PKG_VERSION")))?
            .hiding(&settings.key.secret);
        Ok(Self {
            server: web.host(),
            web,
            zone: settings.zone.clone(),
            name_servers: settings.name_servers.clone(),
            key: settings.key.clone(),
            wall,
            recent: Arc::default(),
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
        Capabilities { consistency: Consistency::Delayed(recent::LAG), ..cloud::CAPABILITIES }
    }

    /// What stands at `name`, on all lines.
    ///
    /// # Errors
    /// When the service does not say, or cannot say yet: a creation whose outcome is unknown shows in its list late.
    pub async fn observe(&self, name: &Name) -> Result<Snapshot, ProviderError> {
        let now = (self.wall)();
        if let Some(wait) = self.recent.blind(name, now) {
            let reason = "a record may have been created that its list does not show yet".to_owned();
            return Err(Class::Wait(wait).error(&self.place(name), reason));
        }
        cloud::snapshot::<Self>(&self.place(name), self.rows(name).await?)
    }

    /// Makes the changes of `plan`, one record at a time.
    ///
    /// # Errors
    /// When one was not made, or when it is not known whether it was ([`ProviderError::Unconfirmed`]).
    pub async fn apply(&self, plan: &Plan) -> Result<(), ProviderError> {
        cloud::apply(self, plan).await
    }

    /// Every authoritative server of the domain, to be asked after a change.
    ///
    /// # Errors
    /// When they cannot be found.
    pub async fn name_servers(&self) -> Result<Vec<SocketAddr>, ProviderError> {
        authority::servers(&self.zone, &self.name_servers).await
    }

    fn place<'a>(&'a self, name: &'a Name) -> Place<'a> {
        Place { server: &self.server, key: &self.key.id, zone: &self.zone, name }
    }

    /// What its list shows, and what it does not show yet.
    async fn rows(&self, name: &Name) -> Result<Vec<HostRecord>, ProviderError> {
        let now = self.now();
        let mut rows = self.list(name).await?;
        rows.retain(|row| !self.recent.is_gone(&row.id, now));
        for id in self.recent.written(name, now) {
            rows.retain(|row| row.id != id);
            rows.extend(self.one(name, &id).await?);
        }
        Ok(rows)
    }

    async fn list(&self, name: &Name) -> Result<Vec<HostRecord>, ProviderError> {
        let mut rows: Vec<HostRecord> = Vec::new();
        for _ in 0..PAGES {
            // In a list the name is spelled with a small d.
            let mut fields = self.about();
            fields.insert("Subdomain".to_owned(), json!(cloud::host(name, &self.zone)));
            fields.insert("Offset".to_owned(), json!(rows.len()));
            fields.insert("Limit".to_owned(), json!(PAGE));
            let Some(answer) = self.ask(name, Intent::Read, "DescribeRecordList", fields).await? else {
                return Ok(rows);
            };
            let last = answer.record_list.is_empty();
            rows.extend(answer.record_list.into_iter().map(HostRecord::from));
            let total = answer.record_count_info.map(|count| count.total_count);
            if last || total.is_some_and(|total| rows.len() as u64 >= total) {
                return Ok(rows);
            }
        }
        Err(Class::Passing.error(&self.place(name), format!("its list has more than {PAGES} pages")))
    }

    /// The record `id`. None: it is not there any more.
    async fn one(&self, name: &Name, id: &str) -> Result<Option<HostRecord>, ProviderError> {
        let fields = self.with_id(name, id)?;
        match self.ask(name, Intent::Read, "DescribeRecord", fields).await {
            Ok(answer) => Ok(answer.and_then(|answer| answer.record_info).map(HostRecord::from)),
            Err(ProviderError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The domain, as a field.
    fn about(&self) -> Map<String, Value> {
        Map::from_iter([("Domain".to_owned(), json!(self.zone.as_str()))])
    }

    fn with_id(&self, name: &Name, id: &str) -> Result<Map<String, Value>, ProviderError> {
        let id: u64 = id.parse().map_err(|_| {
            ProviderError::Unusable(format!("{name}: `{id}` is no record id of {}", self.server))
        })?;
        let mut fields = self.about();
        fields.insert("RecordId".to_owned(), json!(id));
        Ok(fields)
    }

    /// A record's content, whole. The id of the line is taken before its name, which still has to be there.
    fn told(&self, name: &Name, content: &Content<'_>) -> Map<String, Value> {
        let mut fields = self.about();
        let mut tell = |field: &str, value: Value| fields.insert(field.to_owned(), value);
        tell("SubDomain", json!(cloud::host(name, &self.zone)));
        tell("RecordType", json!(content.rdata.record_type().to_string()));
        tell("RecordLine", json!("默认"));
        tell("RecordLineId", json!(content.line));
        tell("Value", json!(value(content.rdata)));
        tell("TTL", json!(content.ttl.as_secs()));
        if let Some(weight) = content.weight.and_then(|weight| weight.parse::<u32>().ok()) {
            tell("Weight", json!(weight));
        }
        fields
    }

    /// Calls `action` for `name`. None: there is nothing to list.
    async fn ask(
        &self,
        name: &Name,
        intent: Intent,
        action: &str,
        fields: Map<String, Value>,
    ) -> Result<Option<words::Answer>, ProviderError> {
        let body = Value::Object(fields).to_string();
        let timestamp = (self.wall)().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let host = self.server.as_str();
        let signed = tc3::Request { host, service: SERVICE, action, body: body.as_bytes(), timestamp };
        let authorization = tc3::authorization(&self.key, &signed);
        let request = self
            .web
            .post(self.web.url(""))
            .header("content-type", tc3::CONTENT_TYPE)
            .header("x-tc-action", action)
            .header("x-tc-version", VERSION)
            .header("x-tc-timestamp", timestamp)
            .header("authorization", authorization)
            .body(body);
        let place = self.place(name);
        let envelope: words::Envelope = self.web.send(&place, intent, request).await?.json(&place, intent)?;
        let Some(fault) = envelope.response.error else { return Ok(Some(envelope.response)) };
        let class = words::class(&fault.code);
        if class == Class::Empty && intent == Intent::Read {
            return Ok(None);
        }
        Err(class.error(&place, format!("{action}: {}, {}", fault.code, fault.message)))
    }

    fn now(&self) -> SystemTime {
        (self.wall)()
    }
}

impl Cloud for Tencent {
    const DEFAULT_LINE: &'static str = "0";

    async fn modify(&self, name: &Name, id: &str, content: &Content<'_>) -> Result<(), ProviderError> {
        let mut fields = self.told(name, content);
        fields.extend(self.with_id(name, id)?);
        self.recent.write(name, id, self.now());
        self.ask(name, Intent::Write, "ModifyRecord", fields).await.map(|_| ())
    }

    async fn create(&self, name: &Name, content: &Content<'_>) -> Result<String, ProviderError> {
        let fields = self.told(name, content);
        let answer = self.ask(name, Intent::Write, "CreateRecord", fields).await;
        if let Err(ProviderError::Unconfirmed { .. }) = answer {
            self.recent.doubt(name, self.now());
        }
        let Some(id) = answer?.and_then(|answer| answer.record_id) else {
            self.recent.doubt(name, self.now());
            let reason = "it does not say which record it created".to_owned();
            return Err(ProviderError::Unconfirmed { server: self.server.clone(), reason });
        };
        let id = id.to_string();
        self.recent.write(name, &id, self.now());
        Ok(id)
    }

    async fn remark(&self, name: &Name, id: &str, remark: &str) -> Result<(), ProviderError> {
        let mut fields = self.with_id(name, id)?;
        fields.insert("Remark".to_owned(), json!(remark));
        self.recent.write(name, id, self.now());
        self.ask(name, Intent::Write, "ModifyRecordRemark", fields).await.map(|_| ())
    }

    async fn delete(&self, name: &Name, id: &str) -> Result<(), ProviderError> {
        self.ask(name, Intent::Write, "DeleteRecord", self.with_id(name, id)?).await?;
        self.recent.remove(id, self.now());
        Ok(())
    }
}

/// The data, with the final dot on a name.
fn value(rdata: &Rdata) -> String {
    match rdata {
        Rdata::A(_) | Rdata::Aaaa(_) => rdata.value(),
        Rdata::Cname(_) => format!("{}.", rdata.value()),
    }
}
