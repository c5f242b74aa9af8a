//! A service of the dyndns2 protocol: one line for each host, and a block for whoever asks for nothing again and again.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use super::{HOUR, MINUTE, Reply, Request, Row, Vendor, Window};

/// What a server takes for the caller's address when the caller does not say one.
pub(crate) const GUESSED: &str = "198.51.100.99";
/// An update that changes nothing is forgiven once an hour; another one blocks.
const FORGIVEN: usize = 1;

/// The service with one account.
pub(crate) struct Dyndns2 {
    pub(crate) user: String,
    pub(crate) password: String,
    /// Hosts of the account, with the address of each family.
    pub(crate) hosts: BTreeMap<String, Vec<IpAddr>>,
    /// pubyun's rule: updates of one host keep this distance, and the third violation in a row blocks.
    pub(crate) spacing: Duration,
    /// A fault of the service's own, said once for all hosts: `911` or `dnserr`; and how long it lasts.
    ailing: Option<(&'static str, Duration)>,
    /// Records of the zone that the protocol cannot reach.
    pub(crate) extra: Vec<Row>,
    /// Whether a family that is left out is deleted, as deSEC's host does.
    pub(crate) forgets: bool,
    nochg: HashMap<String, Window>,
    last: HashMap<String, Duration>,
    strikes: u32,
    failed_logins: Window,
    blocked: bool,
    penalties: Vec<String>,
}

impl Dyndns2 {
    pub(crate) fn new(user: &str, password: &str, hosts: &[&str]) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            hosts: hosts.iter().map(|host| ((*host).to_owned(), Vec::new())).collect(),
            spacing: Duration::ZERO,
            ailing: None,
            extra: Vec::new(),
            forgets: false,
            nochg: HashMap::new(),
            last: HashMap::new(),
            strikes: 0,
            failed_logins: Window::default(),
            blocked: false,
            penalties: Vec::new(),
        }
    }

    /// The service has a fault of its own until then.
    pub(crate) fn ail_until(&mut self, code: &'static str, until: Duration) {
        self.ailing = Some((code, until));
    }

    fn block(&mut self, why: &str) -> String {
        self.blocked = true;
        self.penalties.push(format!("blocked: {why}"));
        "abuse".to_owned()
    }

    fn decide(&mut self, request: &Request, now: Duration) -> String {
        if request.path != "/nic/update" || request.method != "GET" {
            return "badsys".to_owned();
        }
        if let Some((code, until)) = self.ailing
            && now < until
        {
            return code.to_owned();
        }
        let agent = request.header("user-agent").unwrap_or("");
        if ["", "Mozilla", "curl", "reqwest"].iter().any(|generic| agent.split('/').next() == Some(generic)) {
            self.penalties.push(format!("the User-Agent is `{agent}`"));
            return "badagent".to_owned();
        }
        if !self.logged_in(request) {
            let again = self.failed_logins.note(now, HOUR) > 3;
            return if again { self.block("bad logins") } else { "badauth".to_owned() };
        }
        if self.blocked {
            self.penalties.push("called while blocked".to_owned());
            return "abuse".to_owned();
        }
        self.update(&request.fields(), now)
    }

    fn logged_in(&self, request: &Request) -> bool {
        let text = format!("{}:{}", self.user, self.password);
        let expected = format!("Basic {}", data_encoding::BASE64.encode(text.as_bytes()));
        request.header("authorization") == Some(&expected)
    }

    fn update(&mut self, fields: &BTreeMap<String, String>, now: Duration) -> String {
        let Some(hosts) = fields.get("hostname").filter(|hosts| !hosts.is_empty()) else {
            return "notfqdn".to_owned();
        };
        let said = fields.get("myip").map_or(GUESSED, String::as_str);
        let addresses: Vec<IpAddr> = said.split(',').filter_map(|text| text.parse().ok()).collect();
        if addresses.is_empty() {
            return "badip".to_owned();
        }
        let lines: Vec<String> =
            hosts.split(',').map(|host| self.update_host(host, &addresses, now)).collect();
        lines.join("\n")
    }

    fn update_host(&mut self, host: &str, addresses: &[IpAddr], now: Duration) -> String {
        if !host.contains('.') {
            return "notfqdn".to_owned();
        }
        let Some(had) = self.hosts.get(host).cloned() else { return "nohost".to_owned() };
        let early = self.last.insert(host.to_owned(), now).is_some_and(|last| now < last + self.spacing);
        self.strikes = if early { self.strikes + 1 } else { 0 };
        if self.strikes >= 3 {
            return self.block("three updates in a row came too early");
        }
        let said: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        if addresses.iter().all(|a| had.contains(a)) && (!self.forgets || had.len() == addresses.len()) {
            if self.nochg.entry(host.to_owned()).or_default().note(now, HOUR) > FORGIVEN {
                return self.block("updates that change nothing");
            }
            return format!("nochg {}", said.join(","));
        }
        let kept =
            had.into_iter().filter(|h| !self.forgets && addresses.iter().all(|a| a.is_ipv4() != h.is_ipv4()));
        let now_there = kept.chain(addresses.iter().copied()).collect();
        self.hosts.insert(host.to_owned(), now_there);
        format!("good {}", said.join(","))
    }
}

impl Vendor for Dyndns2 {
    fn answer(&mut self, request: &Request, now: Duration) -> Reply {
        let body = self.decide(request, now);
        Reply::text(if body == "badauth" { 401 } else { 200 }, body)
    }

    fn writes(&self, request: &Request) -> bool {
        request.path == "/nic/update"
    }

    fn rows(&self) -> Vec<Row> {
        let rows = self.hosts.iter().flat_map(|(host, addresses)| {
            addresses
                .iter()
                .map(move |a| Row::new(host, if a.is_ipv4() { "A" } else { "AAAA" }, &a.to_string(), 60))
        });
        rows.chain(self.extra.clone()).collect()
    }

    fn penalties(&self) -> &[String] {
        &self.penalties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn service() -> Dyndns2 {
        Dyndns2::new("me", "pw", &["a.example.org", "b.example.org"])
    }

    fn ask(service: &mut Dyndns2, now: Duration, agent: &str, password: &str, query: &str) -> String {
        let login = data_encoding::BASE64.encode(format!("me:{password}").as_bytes());
        let headers = [("user-agent", agent), ("authorization", &format!("Basic {login}"))];
        let request = Request {
            method: "GET".to_owned(),
            path: "/nic/update".to_owned(),
            query: query.to_owned(),
            headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
            ..Request::default()
        };
        service.answer(&request, now).body
    }

    fn update(service: &mut Dyndns2, now: Duration, query: &str) -> String {
        ask(service, now, "test/1 me@example.com", "pw", query)
    }

    #[test]
    fn a_repeated_update_that_changes_nothing_blocks_the_account() {
        let mut service = service();
        let query = "hostname=a.example.org&myip=192.0.2.1";
        let said: Vec<String> = (0..4).map(|_| update(&mut service, NOW, query)).collect();
        assert_eq!(said, ["good 192.0.2.1", "nochg 192.0.2.1", "abuse", "abuse"]);
        assert_eq!(update(&mut service, NOW + 24 * HOUR, "hostname=a.example.org&myip=192.0.2.2"), "abuse");
    }

    #[test]
    fn generic_agents_wrong_passwords_and_unknown_hosts_are_refused() {
        let mut service = service();
        let query = "hostname=a.example.org,c.example.org,x&myip=192.0.2.1";
        for agent in ["", "curl/8.0", "Mozilla/5.0"] {
            assert_eq!(ask(&mut service, NOW, agent, "pw", query), "badagent");
        }
        assert_eq!(ask(&mut service, NOW, "test/1", "wrong", query), "badauth");
        assert_eq!(update(&mut service, NOW, query), "good 192.0.2.1\nnohost\nnotfqdn");
        service.ail_until("911", NOW + MINUTE);
        assert_eq!(update(&mut service, NOW, query), "911");
    }

    #[test]
    fn the_third_update_in_a_row_that_comes_too_early_blocks() {
        let mut service = service();
        service.spacing = MINUTE;
        let query = |n: u32| format!("hostname=a.example.org&myip=192.0.2.{n}");
        let said: Vec<String> = (1..=4).map(|n| update(&mut service, NOW, &query(n))).collect();
        assert_eq!(said[3], "abuse");
        assert!(said[..3].iter().all(|said| said.starts_with("good")), "{said:?}");
    }

    #[test]
    fn without_an_address_the_callers_is_taken_and_some_forget_the_other_family() {
        let mut service = service();
        assert_eq!(update(&mut service, NOW, "hostname=a.example.org"), format!("good {GUESSED}"));
        update(&mut service, NOW, "hostname=a.example.org&myip=2001:db8::1");
        assert_eq!(service.rows().len(), 2);
        service.forgets = true;
        update(&mut service, NOW, "hostname=a.example.org&myip=2001:db8::2");
        assert_eq!(service.rows().len(), 1);
    }
}
