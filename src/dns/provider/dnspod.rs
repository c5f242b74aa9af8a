//! DNSPod's API with a token (<https://docs.dnspod.cn/api/api-development-specification/>): forms in, and a code in the
//! body that says what happened.
//!
//! Never leaves out the line, the name, the TTL or the weight of a record that it changes: what is left out falls back to
//! a default, and so moves the record. Never calls `Record.Ddns`, which takes the caller's address for the wanted one.

mod txt;
mod words;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::authority;
use super::cloud::{self, Class, Cloud, Content, HostRecord, Place};
use super::web::{Intent, Web, form};
use super::{Capabilities, DnsPodSettings, ProviderError};
use crate::dns::plan::Plan;
use crate::dns::snapshot::Snapshot;
use crate::dns::{Name, Ttl};
use crate::secret::Secret;

/// The service of DNSPod in China.
pub const ENDPOINT: &str = "https://dnsapi.cn";

/// Records of one page, of 3000 at most.
const PAGE: u32 = 500;

/// More pages than any name has: the end of a service that counts wrongly.
const PAGES: u32 = 50;

/// A domain at DNSPod.
#[derive(Clone)]
pub struct DnsPod {
    web: Web,
    server: String,
    zone: Name,
    name_servers: Vec<SocketAddr>,
    token: Secret<String>,
    token_id: String,
}

impl fmt::Debug for DnsPod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DnsPod({} at {})", self.zone, self.server)
    }
}

/// What was listed.
struct Listed {
    rows: Vec<HostRecord>,
    min_ttl: Option<Ttl>,
}

impl DnsPod {
    /// The domain of these settings.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn new(settings: &DnsPodSettings) -> Result<Self, ProviderError> {
        // The form that DNSPod asks for; without it, calls may be blocked.
        let agent = format!("hearth/{} ({})", env!("CARGO_PKG_VERSION"), settings.contact);
        let web = Web::new(&settings.endpoint, &agent)?.hiding(&settings.token);
        let id = settings.token.expose().split(',').next().unwrap_or_default();
        Ok(Self {
            server: web.host(),
            web,
            zone: settings.zone.clone(),
            name_servers: settings.name_servers.clone(),
            token: settings.token.clone(),
            token_id: id.to_owned(),
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
    /// When DNSPod does not say.
    pub async fn observe(&self, name: &Name) -> Result<Snapshot, ProviderError> {
        let listed = self.list(name).await?;
        let seen = cloud::snapshot::<Self>(&self.place(name), listed.rows)?;
        Ok(Snapshot { min_ttl: listed.min_ttl, ..seen })
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
        Place { server: &self.server, key: &self.token_id, zone: &self.zone, name }
    }

    async fn list(&self, name: &Name) -> Result<Listed, ProviderError> {
        let mut listed = Listed { rows: Vec::new(), min_ttl: None };
        for _ in 0..PAGES {
            let offset = listed.rows.len().to_string();
            let fields =
                [("offset", offset.as_str()), ("length", &PAGE.to_string()), ("error_on_empty", "no")];
            let Some(answer) = self.ask(name, Intent::Read, "Record.List", &fields).await? else {
                return Ok(listed);
            };
            listed.min_ttl = answer.domain.and_then(|d| d.min_ttl).map(Ttl::from_secs).or(listed.min_ttl);
            let total = answer.info.and_then(|info| info.record_total);
            let last = answer.records.is_empty();
            listed.rows.extend(answer.records.into_iter().map(HostRecord::from));
            if last || total.is_some_and(|total| listed.rows.len() >= total as usize) {
                return Ok(listed);
            }
        }
        Err(Class::Passing.error(&self.place(name), format!("its list has more than {PAGES} pages")))
    }

    /// Calls `action` for `name`. None: there is nothing to list.
    async fn ask(
        &self,
        name: &Name,
        intent: Intent,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<Option<words::Answer>, ProviderError> {
        let host = cloud::host(name, &self.zone);
        let common = [
            ("login_token", self.token.expose().as_str()),
            ("format", "json"),
            ("lang", "en"),
            ("domain", self.zone.as_str()),
            ("sub_domain", &host),
        ];
        let form = form(common.iter().chain(fields).copied());
        let request = self.web.post(self.web.url(action));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let place = self.place(name);
        let answer: words::Answer = self.web.send(&place, intent, request).await?.json(&place, intent)?;
        match words::class(&answer.status.code) {
            None => Ok(Some(answer)),
            Some(Class::Empty) if intent == Intent::Read => Ok(None),
            Some(class) => {
                let said = format!("{action}: code {}, {}", answer.status.code, answer.status.message);
                Err(class.error(&place, said))
            }
        }
    }

    async fn write(
        &self,
        name: &Name,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<Option<words::Answer>, ProviderError> {
        self.ask(name, Intent::Write, action, fields).await
    }
}

impl Cloud for DnsPod {
    const DEFAULT_LINE: &'static str = "0";

    async fn modify(&self, name: &Name, id: &str, content: &Content<'_>) -> Result<(), ProviderError> {
        let told = Told::of(content);
        let fields = [&told.fields()[..], &[("record_id", id)]].concat();
        self.write(name, "Record.Modify", &fields).await.map(|_| ())
    }

    async fn create(&self, name: &Name, content: &Content<'_>) -> Result<String, ProviderError> {
        let answer = self.write(name, "Record.Create", &Told::of(content).fields()).await?;
        let id = answer.and_then(|answer| answer.record).map(|record| record.id);
        id.ok_or_else(|| {
            let server = self.server.clone();
            ProviderError::Unconfirmed {
                server,
                reason: "it does not say which record it created".to_owned(),
            }
        })
    }

    async fn remark(&self, name: &Name, id: &str, remark: &str) -> Result<(), ProviderError> {
        self.write(name, "Record.Remark", &[("record_id", id), ("remark", remark)]).await.map(|_| ())
    }

    async fn delete(&self, name: &Name, id: &str) -> Result<(), ProviderError> {
        self.write(name, "Record.Remove", &[("record_id", id)]).await.map(|_| ())
    }
}

/// A record's content as the words of fields.
struct Told<'a> {
    kind: String,
    value: String,
    ttl: String,
    line: &'a str,
    weight: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn of(content: &Content<'a>) -> Self {
        Self {
            kind: content.rdata.record_type().to_string(),
            value: content.rdata.value(),
            ttl: content.ttl.as_secs().to_string(),
            line: content.line,
            weight: content.weight,
        }
    }

    fn fields(&self) -> Vec<(&str, &str)> {
        let mut fields = vec![
            ("record_type", self.kind.as_str()),
            ("record_line_id", self.line),
            ("value", &self.value),
            ("ttl", &self.ttl),
        ];
        fields.extend(self.weight.map(|weight| ("weight", weight)));
        fields
    }
}
