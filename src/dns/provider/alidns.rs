//! Alibaba Cloud DNS (<https://www.alibabacloud.com/help/en/dns/api-alidns-2015-01-09-overview>): everything in the query
//! of a signed POST, and lines by a word that is the same in every language.
//!
//! Never leaves out the line or the TTL of a record that it changes: what is left out falls back to a default. Weights and
//! remarks are kept by the service itself.

mod txt;
mod words;

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use super::authority;
use super::cloud::{self, Class, Cloud, Content, HostRecord, Place};
use super::sign::{AccessKey, acs3};
use super::web::{Intent, Web};
use super::{AlidnsSettings, Capabilities, ProviderError, WallClock};
use crate::dns::Name;
use crate::dns::plan::Plan;
use crate::dns::snapshot::Snapshot;
use crate::host::random;

/// The service.
pub const ENDPOINT: &str = "https://alidns.aliyuncs.com";

/// The version of the API.
const VERSION: &str = "2015-01-09";

/// Records of one page, of 100 at most.
const PAGE: u64 = 100;

/// More pages than any name has: the end of a service that counts wrongly.
const PAGES: u64 = 50;

/// A domain at Alibaba Cloud.
#[derive(Clone)]
pub struct Alidns {
    web: Web,
    server: String,
    zone: Name,
    name_servers: Vec<SocketAddr>,
    key: AccessKey,
    wall: WallClock,
}

impl fmt::Debug for Alidns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alidns({} at {})", self.zone, self.server)
    }
}

impl Alidns {
    /// The domain of these settings. `wall` tells the time that signatures carry.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn new(settings: &AlidnsSettings, wall: WallClock) -> Result<Self, ProviderError> {
        let web = Web::new(&settings.endpoint, concat!("hearth/", env!("CARGO_PKG_VERSION")))?
            .hiding(&settings.key.secret);
        Ok(Self {
            server: web.host(),
            web,
            zone: settings.zone.clone(),
            name_servers: settings.name_servers.clone(),
            key: settings.key.clone(),
            wall,
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
        cloud::CAPABILITIES
    }

    /// What stands at `name`, on all lines.
    ///
    /// # Errors
    /// When the service does not say.
    pub async fn observe(&self, name: &Name) -> Result<Snapshot, ProviderError> {
        cloud::snapshot::<Self>(&self.place(name), self.list(name).await?)
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

    async fn list(&self, name: &Name) -> Result<Vec<HostRecord>, ProviderError> {
        let mut rows: Vec<HostRecord> = Vec::new();
        for page in 1..=PAGES {
            let (page, size) = (page.to_string(), PAGE.to_string());
            let fields = [
                ("DomainName", self.zone.as_str()),
                ("SubDomain", name.as_str()),
                ("PageNumber", &page),
                ("PageSize", &size),
            ];
            let answer = self.ask(name, Intent::Read, "DescribeSubDomainRecords", &fields).await?;
            let last = answer.domain_records.record.is_empty();
            rows.extend(answer.domain_records.record.into_iter().map(HostRecord::from));
            if last || rows.len() as u64 >= answer.total_count {
                return Ok(rows);
            }
        }
        Err(Class::Passing.error(&self.place(name), format!("its list has more than {PAGES} pages")))
    }

    async fn ask(
        &self,
        name: &Name,
        intent: Intent,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<words::Answer, ProviderError> {
        let query = acs3::query(fields);
        let nonce = data_encoding::HEXLOWER.encode(&random::bytes::<16>());
        let signed = acs3::Request {
            host: &self.server,
            action,
            version: VERSION,
            query: &query,
            timestamp: (self.wall)().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            nonce: &nonce,
        };
        let mut url = self.web.url("");
        url.set_query(Some(&query));
        let request = acs3::headers(&self.key, &signed)
            .into_iter()
            .fold(self.web.post(url), |request, (header, value)| request.header(header, value));
        let place = self.place(name);
        let answer: words::Answer = self.web.send(&place, intent, request).await?.json(&place, intent)?;
        match &answer.code {
            None => Ok(answer),
            Some(code) => {
                Err(words::class(code).error(&place, format!("{action}: {code}, {}", answer.message)))
            }
        }
    }

    async fn write(
        &self,
        name: &Name,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<words::Answer, ProviderError> {
        self.ask(name, Intent::Write, action, fields).await
    }

    /// Calls `action` with a record's content, whole, and one field more.
    async fn tell(
        &self,
        name: &Name,
        action: &str,
        content: &Content<'_>,
        which: (&str, &str),
    ) -> Result<words::Answer, ProviderError> {
        let (host, kind) = (cloud::host(name, &self.zone), content.rdata.record_type().to_string());
        let (value, ttl) = (content.rdata.value(), content.ttl.as_secs().to_string());
        let fields = [
            which,
            ("RR", host.as_str()),
            ("Type", &kind),
            ("Value", &value),
            ("TTL", &ttl),
            ("Line", content.line),
        ];
        self.write(name, action, &fields).await
    }
}

impl Cloud for Alidns {
    const DEFAULT_LINE: &'static str = "default";

    async fn modify(&self, name: &Name, id: &str, content: &Content<'_>) -> Result<(), ProviderError> {
        self.tell(name, "UpdateDomainRecord", content, ("RecordId", id)).await.map(|_| ())
    }

    async fn create(&self, name: &Name, content: &Content<'_>) -> Result<String, ProviderError> {
        let zone = ("DomainName", self.zone.as_str());
        let answer = self.tell(name, "AddDomainRecord", content, zone).await?;
        answer.record_id.ok_or_else(|| {
            let server = self.server.clone();
            ProviderError::Unconfirmed {
                server,
                reason: "it does not say which record it created".to_owned(),
            }
        })
    }

    async fn remark(&self, name: &Name, id: &str, remark: &str) -> Result<(), ProviderError> {
        let fields = [("RecordId", id), ("Remark", remark)];
        self.write(name, "UpdateDomainRecordRemark", &fields).await.map(|_| ())
    }

    async fn delete(&self, name: &Name, id: &str) -> Result<(), ProviderError> {
        self.write(name, "DeleteDomainRecord", &[("RecordId", id)]).await.map(|_| ())
    }
}
