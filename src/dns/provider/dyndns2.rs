//! The protocol dyndns2, which dyn.com began and many services speak (<https://help.dyn.com/return-codes.html>): one
//! address of each family for a host, written with a GET, and a word for an answer.
//!
//! Never updates a host to what it has: that is what these services block an account for. Never lets the service take
//! the caller's address for the wanted one, and never leaves out the family that stays: some delete it then.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::cloud::{Class, Place};
use super::slots::{CAPABILITIES, Shown, Slots};
use super::web::{Heard, Intent, Web, excerpt, garbled};
use super::{Capabilities, Dyndns2Settings, ProviderError};
use crate::dns::Name;
use crate::dns::plan::Plan;
use crate::dns::snapshot::Snapshot;
use crate::secret::Secret;

/// How long a service with a fault of its own wants to be left alone.
const FAULT: Duration = Duration::from_secs(30 * 60);

/// Hosts at a service that speaks dyndns2.
#[derive(Clone)]
pub struct Dyndns2 {
    web: Web,
    server: String,
    user: String,
    password: Secret<String>,
    shown: Shown,
}

impl fmt::Debug for Dyndns2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dyndns2({} at {})", self.shown.zone(), self.server)
    }
}

impl Dyndns2 {
    /// The hosts of these settings.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn new(settings: &Dyndns2Settings) -> Result<Self, ProviderError> {
        // A general name, or none, is answered `badagent`.
        let agent = format!("hearth/{} {}", env!("CARGO_PKG_VERSION"), settings.contact);
        let web = Web::new(&settings.endpoint, &agent)?.hiding(&settings.password);
        let login = format!("{}:{}", settings.user, settings.password.expose());
        let web = web.hiding(&Secret::new(data_encoding::BASE64.encode(login.as_bytes())));
        Ok(Self {
            server: web.host(),
            web,
            user: settings.user.clone(),
            password: settings.password.clone(),
            shown: Shown::new(settings.zone.clone(), settings.name_servers.clone()),
        })
    }

    /// The same hosts, waited for this long at every step.
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
        Place { server: &self.server, key: &self.user, zone: self.shown.zone(), name }
    }

    async fn update(&self, name: &Name, slots: Slots) -> Result<(), ProviderError> {
        let addresses: Vec<String> = slots.iter().map(|address| address.to_string()).collect();
        let mut url = self.web.endpoint();
        // Commas stay as they are: some services do not decode them.
        url.set_query(Some(&format!("hostname={name}&myip={}", addresses.join(","))));
        let request = self.web.get(url).basic_auth(&self.user, Some(self.password.expose()));
        let place = self.place(name);
        let heard = self.web.send(&place, Intent::Write, request).await?;
        judge(&place, &heard, slots)
    }
}

/// What an answer means. It has a line for each host, so one; what is more counts as well.
fn judge(place: &Place<'_>, heard: &Heard, slots: Slots) -> Result<(), ProviderError> {
    if matches!(heard.status, 401 | 403) {
        return Err(Class::Auth.error(place, format!("HTTP {}, {}", heard.status, excerpt(&heard.body))));
    }
    let unreadable = || {
        let reason =
            format!("it answered {} with `{}`, which is no return code", heard.status, excerpt(&heard.body));
        garbled(place, Intent::Write, reason)
    };
    let mut lines = heard.body.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    if heard.status != 200 || lines.peek().is_none() {
        return Err(unreadable());
    }
    for line in lines {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match class(word) {
            Said::Taken if says_another(rest, slots) => return Err(unreadable()),
            Said::Taken => {}
            Said::Fault(class, why) => return Err(class.error(place, format!("`{word}`: {why}"))),
            Said::Nothing => return Err(unreadable()),
        }
    }
    Ok(())
}

/// Whether the address behind `good` is none of those that were sent. Some services say nothing there.
fn says_another(rest: &str, slots: Slots) -> bool {
    let said: Vec<IpAddr> = rest.split([',', ' ']).filter_map(|text| text.parse().ok()).collect();
    !said.is_empty() && !said.iter().any(|address| slots.iter().any(|sent| sent == *address))
}

enum Said {
    Taken,
    Fault(Class, &'static str),
    Nothing,
}

/// What a return code means. Whatever a person has to put right stops the updates of the host until then.
fn class(word: &str) -> Said {
    match word {
        "good" | "nochg" => Said::Taken,
        "badauth" => Said::Fault(Class::Auth, "name or password is wrong"),
        "!donator" => Said::Fault(Class::Auth, "this needs a paid account"),
        "badagent" => Said::Fault(Class::Auth, "the service does not want this program"),
        "abuse" => {
            Said::Fault(Class::Auth, "the host is blocked; have it unblocked on the service's web page")
        }
        "notfqdn" => Said::Fault(Class::Auth, "this is no host name there"),
        "nohost" | "!yours" => Said::Fault(Class::Auth, "the account has no such host"),
        "numhost" => Said::Fault(Class::Auth, "too many hosts at once"),
        "dnserr" | "911" => Said::Fault(Class::Wait(FAULT), "the service has a fault of its own"),
        "badip" | "badsys" => Said::Fault(Class::Input, "the service does not take such an update"),
        _ => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::guard::Setback;

    fn said(status: u16, body: &str) -> Result<(), ProviderError> {
        let (zone, name) = ("example.org".parse().unwrap(), "pi.example.org".parse().unwrap());
        let place = Place { server: "members.example.org", key: "me", zone: &zone, name: &name };
        let heard = Heard { status, retry_after: None, body: body.to_owned() };
        let slots = Slots { v4: Some("192.0.2.1".parse().unwrap()), v6: None };
        judge(&place, &heard, slots)
    }

    #[test]
    fn success_is_what_the_protocol_calls_so() {
        for body in
            ["good 192.0.2.1", "good", "nochg 192.0.2.1\r\n", "good 192.0.2.1,2001:db8::1\n", "good ok"]
        {
            assert_eq!(said(200, body), Ok(()), "{body}");
        }
    }

    #[test]
    fn whatever_a_person_has_to_put_right_stops() {
        for body in
            ["badauth", "!donator", "badagent", "abuse", "nohost", "notfqdn", "numhost", "good\nabuse"]
        {
            assert_eq!(said(200, body).unwrap_err().setback(), Setback::Auth, "{body}");
        }
        assert_eq!(said(401, "<html>").unwrap_err().setback(), Setback::Auth);
    }

    #[test]
    fn a_fault_of_the_services_own_is_left_alone_for_half_an_hour() {
        for body in ["911", "dnserr"] {
            assert_eq!(said(200, body).unwrap_err().setback(), Setback::Wait(FAULT), "{body}");
        }
    }

    #[test]
    fn what_is_no_return_code_is_read_back() {
        for (status, body) in
            [(200, ""), (200, "<html>good</html>"), (200, "good 198.51.100.7"), (502, "good")]
        {
            let doubt = said(status, body);
            assert!(matches!(doubt, Err(ProviderError::Unconfirmed { .. })), "{status} {body}: {doubt:?}");
        }
    }
}
