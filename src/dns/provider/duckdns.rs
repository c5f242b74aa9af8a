//! DuckDNS (<https://www.duckdns.org/spec.jsp>): one A, one AAAA and one TXT record for a name, written with a GET.
//!
//! Never touches the TXT record, never clears a name, and never lets the service take the caller's address for the wanted
//! one. Its token stands in the URL, so no URL is ever printed.

mod txt;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::cloud::{self, Class, Place};
use super::slots::{CAPABILITIES, Shown, Slots};
use super::web::{Heard, Intent, Web, excerpt, garbled};
use super::{Capabilities, DuckDnsSettings, ProviderError};
use crate::dns::Name;
use crate::dns::plan::Plan;
use crate::dns::snapshot::Snapshot;
use crate::secret::Secret;

/// The service.
pub const ENDPOINT: &str = "https://www.duckdns.org";

/// The zone that all its names lie in.
pub const ZONE: &str = "duckdns.org";

/// Names at DuckDNS.
#[derive(Clone)]
pub struct DuckDns {
    web: Web,
    server: String,
    token: Secret<String>,
    shown: Shown,
}

impl fmt::Debug for DuckDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DuckDns({})", self.server)
    }
}

impl DuckDns {
    /// The names of these settings.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn new(settings: &DuckDnsSettings) -> Result<Self, ProviderError> {
        let web = Web::new(&settings.endpoint, concat!("hearth/", env!("CARGO_PKG_VERSION")))?
            .hiding(&settings.token);
        Ok(Self {
            server: web.host(),
            web,
            token: settings.token.clone(),
            shown: Shown::new(settings.zone.clone(), settings.name_servers.clone()),
        })
    }

    /// The same names, waited for this long at every step.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { web: self.web.with_patience(patience), shown: self.shown.with_patience(patience), ..self }
    }

    /// What this provider can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    /// What the name servers show of `name`: the service itself says nothing.
    ///
    /// # Errors
    /// When they do not say.
    pub async fn observe(&self, name: &Name) -> Result<Snapshot, ProviderError> {
        self.shown.observe(&self.place(name)).await
    }

    /// Sends the addresses that the name has after `plan`.
    ///
    /// # Errors
    /// When they were not taken, or when it is not known whether they were ([`ProviderError::Unconfirmed`]).
    pub async fn apply(&self, plan: &Plan) -> Result<(), ProviderError> {
        if plan.is_empty() {
            return Ok(());
        }
        self.update(plan.name(), Slots::after(plan, &self.server)?).await
    }

    /// Every authoritative server of the zone, to be asked after a change.
    ///
    /// # Errors
    /// When they cannot be found.
    pub async fn name_servers(&self) -> Result<Vec<SocketAddr>, ProviderError> {
        self.shown.name_servers().await
    }

    fn place<'a>(&'a self, name: &'a Name) -> Place<'a> {
        Place { server: &self.server, key: "token", zone: self.shown.zone(), name }
    }

    async fn update(&self, name: &Name, slots: Slots) -> Result<(), ProviderError> {
        let mut url = self.web.url("update");
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("domains", &cloud::host(name, self.shown.zone()));
            query.append_pair("token", self.token.expose());
            slots.v4.iter().for_each(|v4| _ = query.append_pair("ip", &v4.to_string()));
            slots.v6.iter().for_each(|v6| _ = query.append_pair("ipv6", &v6.to_string()));
            query.append_pair("verbose", "true");
        }
        let place = self.place(name);
        let heard = self.web.send(&place, Intent::Write, self.web.get(url)).await?;
        judge(&place, &heard)
    }
}

/// `OK`, then the addresses and whether they were new; or `KO`, and nothing that says why.
fn judge(place: &Place<'_>, heard: &Heard) -> Result<(), ProviderError> {
    let mut lines = heard.body.lines().map(str::trim);
    match (heard.status, lines.next()) {
        (200, Some("OK")) if lines.any(|line| matches!(line, "UPDATED" | "NOCHANGE")) => Ok(()),
        (200, Some("KO")) => {
            let reason =
                "it answered `KO`: the token is wrong, or the name is not one of its account".to_owned();
            Err(Class::Auth.error(place, reason))
        }
        (status, _) => {
            let said = format!("it answered {status} with `{}`", excerpt(&heard.body));
            Err(garbled(place, Intent::Write, said))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::guard::Setback;

    fn said(status: u16, body: &str) -> Result<(), ProviderError> {
        let (zone, name) = ("duckdns.org".parse().unwrap(), "pi.duckdns.org".parse().unwrap());
        let place = Place { server: "www.duckdns.org", key: "token", zone: &zone, name: &name };
        judge(&place, &Heard { status, retry_after: None, body: body.to_owned() })
    }

    #[test]
    fn answers_are_taken_whole() {
        assert_eq!(said(200, "OK\n192.0.2.1\n\nUPDATED"), Ok(()));
        assert_eq!(said(200, "OK\n192.0.2.1\n2001:db8::1\nNOCHANGE"), Ok(()));
        assert_eq!(said(200, "KO").unwrap_err().setback(), Setback::Auth);
        for (status, body) in
            [(200, "OK\n192."), (200, ""), (200, "<html>OK</html>"), (500, "OK\n\n\nUPDATED")]
        {
            let doubt = said(status, body);
            assert!(matches!(doubt, Err(ProviderError::Unconfirmed { .. })), "{status} {body}: {doubt:?}");
        }
    }
}
