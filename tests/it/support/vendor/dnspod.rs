//! DNSPod's API as it was before Tencent Cloud's: forms in, status 200 always, and a code that says what happened.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::{Value, json};

use super::{HOUR, MINUTE, Reply, Request, Row, Vendor, Window, clash, fits};

/// Ids and names of the lines, as the service shows them since two were renamed.
const LINES: [(&str, &str); 5] =
    [("0", "默认"), ("7=0", "境内"), ("3=0", "境外"), ("10=0", "电信"), ("10=1", "联通")];
/// More changes in a minute, or requests in ten seconds, are a loop.
const CHANGES_A_MINUTE: usize = 30;
const REQUESTS_IN_TEN_SECONDS: usize = 100;
const REQUESTS_AN_HOUR: usize = 3_600;
const FAILED_LOGINS: usize = 30;
const SAME_VALUE_AN_HOUR: usize = 5;
/// A free domain's records of one name, type and line.
const ROUND_ROBIN: usize = 2;

/// The service with one account and one domain.
pub(crate) struct DnsPod {
    pub(crate) token: String,
    pub(crate) domain: String,
    pub(crate) min_ttl: u32,
    /// The most records of one page, whatever is asked for.
    pub(crate) page: usize,
    rows: Vec<Row>,
    next: u64,
    requests: Window,
    changes: Window,
    failed_logins: Window,
    same: HashMap<u64, Window>,
    locked: HashMap<u64, Duration>,
    login_blocked: Duration,
    banned: Duration,
    penalties: Vec<String>,
}

/// A code and what it says.
type Refusal = (&'static str, &'static str);
type Fields = BTreeMap<String, String>;

impl DnsPod {
    pub(crate) fn new(domain: &str, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            domain: domain.to_owned(),
            min_ttl: 600,
            page: 3_000,
            rows: Vec::new(),
            next: 16_894_439,
            requests: Window::default(),
            changes: Window::default(),
            failed_logins: Window::default(),
            same: HashMap::new(),
            locked: HashMap::new(),
            login_blocked: Duration::ZERO,
            banned: Duration::ZERO,
            penalties: Vec::new(),
        }
    }

    /// Puts a record in, as a person would on the web page, and says its id.
    pub(crate) fn put(&mut self, row: Row) -> u64 {
        self.next += 1;
        self.rows.push(Row { id: self.next, ..row });
        self.next
    }

    /// The account's API closes, as it does after too many calls.
    pub(crate) fn ban_now(&mut self, now: Duration) {
        self.banned = now + HOUR;
    }

    fn ban(&mut self, now: Duration, why: &str) -> Refusal {
        self.banned = now + HOUR;
        self.penalties.push(format!("API banned for an hour: {why}"));
        ("-2", "API usage is limited")
    }

    fn decide(&mut self, request: &Request, now: Duration) -> Result<Value, Refusal> {
        if request.method != "POST" {
            return Err(("2", "Only POST is allowed"));
        }
        self.admit(request, now)?;
        let fields = request.form();
        self.log_in(&fields, now)?;
        if fields.get("format").map(String::as_str) != Some("json") {
            // The default is XML; a client of JSON cannot read what follows.
            return Err(("xml", ""));
        }
        if fields.get("domain") != Some(&self.domain) {
            return Err(("13", "Domain name does not exist"));
        }
        match request.path.as_str() {
            "/Record.List" => self.list(&fields),
            "/Record.Create" => self.changing(now).and_then(|()| self.create(&fields, now)),
            "/Record.Modify" => self.changing(now).and_then(|()| self.modify(&fields, now)),
            "/Record.Remark" => self.changing(now).and_then(|()| self.remark(&fields)),
            "/Record.Remove" => self.changing(now).and_then(|()| self.remove(&fields)),
            _ => Err(("6", "Unknown action")),
        }
    }

    fn admit(&mut self, request: &Request, now: Duration) -> Result<(), Refusal> {
        if now < self.banned {
            self.penalties.push("called while banned".to_owned());
            return Err(("-2", "API usage is limited"));
        }
        if !names_program_and_contact(request.header("user-agent").unwrap_or("")) {
            return Err(self.ban(now, "the User-Agent is missing or a browser's"));
        }
        let busy = self.requests.note(now, Duration::from_secs(10)) > REQUESTS_IN_TEN_SECONDS;
        if busy || self.requests.count(now, HOUR) > REQUESTS_AN_HOUR {
            return Err(self.ban(now, "too many requests"));
        }
        Ok(())
    }

    fn log_in(&mut self, fields: &Fields, now: Duration) -> Result<(), Refusal> {
        if now < self.login_blocked {
            self.penalties.push("login tried while it was blocked".to_owned());
            return Err(("-8", "Login failed too many times, temporarily blocked"));
        }
        if fields.get("login_token") == Some(&self.token) {
            return Ok(());
        }
        if self.failed_logins.note(now, 5 * MINUTE) > FAILED_LOGINS {
            self.login_blocked = now + HOUR;
            self.penalties.push("login blocked for an hour".to_owned());
        }
        Err(("-1", "Login failed"))
    }

    fn changing(&mut self, now: Duration) -> Result<(), Refusal> {
        if self.changes.note(now, MINUTE) > CHANGES_A_MINUTE {
            return Err(self.ban(now, "too many changes in a short time"));
        }
        Ok(())
    }

    fn list(&self, fields: &Fields) -> Result<Value, Refusal> {
        let sub = fields.get("sub_domain");
        let kind = fields.get("record_type");
        let found: Vec<&Row> = self
            .rows
            .iter()
            .filter(|r| sub.is_none_or(|s| *s == r.name) && kind.is_none_or(|k| *k == r.kind))
            .collect();
        if found.is_empty() && fields.get("error_on_empty").map(String::as_str) != Some("no") {
            return Err(("10", "No records on the list"));
        }
        let number = |name: &str, otherwise: usize| {
            fields.get(name).map_or(Ok(otherwise), |n| n.parse().map_err(|_| ("6", "Parameter error")))
        };
        let (offset, length) = (number("offset", 0)?, number("length", 100)?);
        let page: Vec<Value> =
            found.iter().skip(offset).take(length.min(self.page)).map(|row| shown(row)).collect();
        Ok(json!({
            "domain": {
                "id": "2317346", "name": self.domain, "punycode": self.domain, "grade": "DP_Free",
                "owner": "me@example.com", "ext_status": "", "ttl": self.min_ttl, "min_ttl": self.min_ttl,
                "dnspod_ns": ["f1g1ns1.dnspod.net", "f1g1ns2.dnspod.net"], "status": "enable",
            },
            "info": {
                "sub_domains": "1", "record_total": found.len().to_string(),
                "records_num": page.len().to_string(),
            },
            "records": page,
        }))
    }

    fn create(&mut self, fields: &Fields, now: Duration) -> Result<Value, Refusal> {
        let row = Row { born: now, ..self.described(fields)? };
        self.check(&row)?;
        let id = self.put(row.clone());
        Ok(
            json!({ "record": { "id": id.to_string(), "name": row.name, "status": "enable", "weight": null } }),
        )
    }

    fn modify(&mut self, fields: &Fields, now: Duration) -> Result<Value, Refusal> {
        let at = self.position(fields)?;
        let id = self.rows[at].id;
        if self.locked.get(&id).is_some_and(|until| now < *until) {
            self.penalties.push(format!("record {id} changed while it was locked"));
            return Err(("21", "The record is locked"));
        }
        let asked = self.described(fields)?;
        if asked.value == self.rows[at].value
            && self.same.entry(id).or_default().note(now, HOUR) > SAME_VALUE_AN_HOUR
        {
            self.locked.insert(id, now + HOUR);
            self.penalties.push(format!("record {id} locked for an hour: changed to what it was"));
            return Err(("21", "The record is locked"));
        }
        let row = Row { id, remark: self.rows[at].remark.clone(), born: self.rows[at].born, ..asked };
        self.check(&row)?;
        self.rows[at] = row.clone();
        Ok(json!({ "record": { "id": id, "name": row.name, "value": row.value, "status": "enable" } }))
    }

    fn remark(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        let at = self.position(fields)?;
        self.rows[at].remark = fields.get("remark").cloned().unwrap_or_default();
        Ok(json!({}))
    }

    fn remove(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        let at = self.position(fields)?;
        self.rows.remove(at);
        Ok(json!({}))
    }

    fn position(&self, fields: &Fields) -> Result<usize, Refusal> {
        let id = fields.get("record_id").and_then(|id| id.parse::<u64>().ok());
        self.rows.iter().position(|r| Some(r.id) == id).ok_or(("8", "Record id invalid"))
    }

    /// The record that the fields describe. What is left out falls back, and so moves a record: the name to `@`, the
    /// line to everybody's, the TTL to the domain's, the weight to none.
    fn described(&self, fields: &Fields) -> Result<Row, Refusal> {
        let field = |name: &str| fields.get(name).map(String::as_str);
        let kind = field("record_type").ok_or(("27", "Record type invalid"))?;
        if !["A", "AAAA", "CNAME", "TXT", "MX"].contains(&kind) {
            return Err(("27", "Record type invalid"));
        }
        let value = field("value").filter(|value| fits(kind, value)).ok_or(("34", "Record value invalid"))?;
        let line = match (field("record_line_id"), field("record_line")) {
            (Some(id), _) => LINES.iter().find(|l| l.0 == id),
            (None, Some(name)) => LINES.iter().find(|l| l.1 == name),
            (None, None) => Some(&LINES[0]),
        };
        let ttl = field("ttl").map_or(Some(self.min_ttl), |ttl| ttl.parse().ok());
        let value =
            if kind == "CNAME" { format!("{}.", value.trim_end_matches('.')) } else { value.to_owned() };
        Ok(Row {
            line: line.ok_or(("26", "Record line invalid"))?.0.to_owned(),
            weight: field("weight").and_then(|weight| weight.parse().ok()),
            enabled: field("status") != Some("disable"),
            ..Row::new(field("sub_domain").unwrap_or("@"), kind, &value, ttl.ok_or(("32", "TTL invalid"))?)
        })
    }

    fn check(&self, row: &Row) -> Result<(), Refusal> {
        if row.ttl < self.min_ttl || row.ttl > 604_800 {
            return Err(("32", "Record TTL out of range"));
        }
        let beside = self
            .rows
            .iter()
            .filter(|r| r.id != row.id && r.name == row.name && r.line == row.line && r.enabled);
        let beside: Vec<&Row> = beside.collect();
        if beside.iter().any(|r| clash(&r.kind, &row.kind)) {
            return Err(("31", "Conflicting record: A, CNAME and URL cannot coexist"));
        }
        let same = beside.iter().filter(|r| r.kind == row.kind);
        if same.clone().any(|r| r.value == row.value) {
            return Err(("104", "The record already exists"));
        }
        match (same.count() >= ROUND_ROBIN && row.enabled, row.kind.as_str()) {
            (false, _) => Ok(()),
            (true, "AAAA") => Err(("33", "AAAA record limit")),
            (true, "CNAME") => Err(("500026", "CNAME round-robin limit")),
            (true, _) => Err(("500025", "A round-robin limit")),
        }
    }
}

impl Vendor for DnsPod {
    fn answer(&mut self, request: &Request, now: Duration) -> Reply {
        let (code, message, mut body) = match self.decide(request, now) {
            Ok(body) => ("1", "Action completed successful", body),
            Err(("xml", _)) => return Reply::new(200, "text/xml", "<?xml version=\"1.0\"?><dnspod/>"),
            Err((code, message)) => (code, message, json!({})),
        };
        body["status"] = json!({ "code": code, "message": message, "created_at": "2026-11-21 05:00:00" });
        Reply::new(200, "text/html; charset=UTF-8", body.to_string())
    }

    fn writes(&self, request: &Request) -> bool {
        request.path != "/Record.List"
    }

    fn rows(&self) -> Vec<Row> {
        self.rows.clone()
    }

    fn penalties(&self) -> &[String] {
        &self.penalties
    }
}

/// `Program/Version (contact@example.com)`, and no browser.
fn names_program_and_contact(agent: &str) -> bool {
    let contact = agent.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(c, _)| c);
    agent.contains('/') && !agent.starts_with("Mozilla") && contact.is_some_and(|c| c.contains('@'))
}

fn shown(row: &Row) -> Value {
    let line = LINES.iter().find(|l| l.0 == row.line).map_or("", |l| l.1);
    // The id of the line for everybody is a number in places, all others are texts.
    let line_id = if row.line == "0" { json!(0) } else { json!(row.line) };
    json!({
        "id": row.id.to_string(), "ttl": row.ttl.to_string(), "value": row.value,
        "enabled": if row.enabled { "1" } else { "0" }, "status": if row.enabled { "enabled" } else { "disabled" },
        "updated_on": "2026-11-20 10:00:00", "name": row.name, "line": line, "line_id": line_id,
        "type": row.kind, "weight": row.weight, "monitor_status": "", "remark": row.remark, "use_aqb": "no",
        "mx": "0",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn call(service: &mut DnsPod, now: Duration, action: &str, fields: &[(&str, &str)]) -> String {
        let fields: Vec<String> = fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let body = format!("login_token=1,good&format=json&domain=example.com&{}", fields.join("&"));
        let headers = vec![("User-Agent".to_owned(), "test/1 (me@example.com)".to_owned())];
        raw(service, now, action, headers, &body)
    }

    fn raw(
        service: &mut DnsPod,
        now: Duration,
        action: &str,
        headers: Vec<(String, String)>,
        body: &str,
    ) -> String {
        let request = Request {
            method: "POST".to_owned(),
            path: format!("/{action}"),
            headers,
            body: body.into(),
            ..Request::default()
        };
        let reply = service.answer(&request, now);
        assert_eq!(reply.status, 200);
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        body["status"]["code"].as_str().unwrap().to_owned()
    }

    fn service() -> DnsPod {
        DnsPod::new("example.com", "1,good")
    }

    const A: [(&str, &str); 3] = [("sub_domain", "www"), ("record_type", "A"), ("value", "192.0.2.1")];

    #[test]
    fn a_missing_or_browser_like_user_agent_is_banned_for_an_hour() {
        for agent in ["", "Mozilla/5.0 (me@example.com)", "test/1"] {
            let mut service = service();
            let headers = vec![("User-Agent".to_owned(), agent.to_owned())];
            let body = "login_token=1,good&format=json&domain=example.com";
            assert_eq!(raw(&mut service, NOW, "Record.List", headers, body), "-2");
            assert_eq!(call(&mut service, NOW + HOUR - MINUTE, "Record.List", &[]), "-2");
            assert_eq!(call(&mut service, NOW + HOUR, "Record.List", &[("error_on_empty", "no")]), "1");
        }
    }

    #[test]
    fn the_sixth_change_to_the_same_value_locks_the_record() {
        let mut service = service();
        let id = service.put(Row::new("www", "A", "192.0.2.1", 600)).to_string();
        let fields = [&A[..], &[("record_id", &id)]].concat();
        let codes: Vec<String> = (0..6).map(|_| call(&mut service, NOW, "Record.Modify", &fields)).collect();
        assert_eq!(codes, ["1", "1", "1", "1", "1", "21"]);
        let other = [("record_id", id.as_str()), A[0], A[1], ("value", "192.0.2.2")];
        assert_eq!(call(&mut service, NOW + MINUTE, "Record.Modify", &other), "21");
        assert_eq!(call(&mut service, NOW + HOUR, "Record.Modify", &other), "1");
    }

    #[test]
    fn the_thirty_first_failed_login_blocks_the_right_token_too() {
        let mut service = service();
        let headers = || vec![("User-Agent".to_owned(), "test/1 (me@example.com)".to_owned())];
        for _ in 0..31 {
            assert_eq!(
                raw(&mut service, NOW, "Record.List", headers(), "login_token=1,bad&format=json"),
                "-1"
            );
        }
        assert_eq!(call(&mut service, NOW, "Record.List", &[]), "-8");
        assert_eq!(call(&mut service, NOW + HOUR, "Record.List", &[]), "10");
    }

    #[test]
    fn a_third_record_a_low_ttl_a_clash_and_a_double_are_refused() {
        let mut service = service();
        assert_eq!(call(&mut service, NOW, "Record.Create", &A), "1");
        assert_eq!(call(&mut service, NOW, "Record.Create", &A), "104");
        assert_eq!(call(&mut service, NOW, "Record.Create", &[&A[..], &[("ttl", "60")]].concat()), "32");
        let with = |value| [A[0], A[1], ("value", value)];
        assert_eq!(call(&mut service, NOW, "Record.Create", &with("192.0.2.2")), "1");
        assert_eq!(call(&mut service, NOW, "Record.Create", &with("192.0.2.3")), "500025");
        let other_line = [&with("192.0.2.3")[..], &[("record_line_id", "3=0")]].concat();
        assert_eq!(call(&mut service, NOW, "Record.Create", &other_line), "1");
        let alias = [A[0], ("record_type", "CNAME"), ("value", "user.github.io")];
        assert_eq!(call(&mut service, NOW, "Record.Create", &alias), "31");
        assert_eq!(service.penalties(), [] as [&str; 0]);
    }

    #[test]
    fn a_loop_is_banned() {
        let mut service = service();
        let codes: Vec<String> = (0..102).map(|_| call(&mut service, NOW, "Record.List", &[])).collect();
        assert_eq!((codes[99].as_str(), codes[100].as_str()), ("10", "-2"));
        assert_eq!(service.penalties().len(), 2);
    }

    #[test]
    fn only_posts_for_json_are_answered_in_json_and_the_id_of_a_line_wins() {
        let mut service = service();
        let headers = vec![("User-Agent".to_owned(), "test/1 (me@example.com)".to_owned())];
        let get = Request { method: "GET".to_owned(), path: "/Record.List".to_owned(), ..Request::default() };
        assert!(service.answer(&get, NOW).body.contains("\"code\":\"2\""));
        let body = b"login_token=1,good&domain=example.com".to_vec();
        let xml = Request { method: "POST".to_owned(), headers, body, ..get };
        assert!(service.answer(&xml, NOW).body.starts_with("<?xml"));
        let both = [&A[..], &[("record_line", "默认"), ("record_line_id", "3=0")]].concat();
        assert_eq!(call(&mut service, NOW, "Record.Create", &both), "1");
        assert_eq!(service.rows()[0].line, "3=0");
        let renamed = [&A[..], &[("record_line", "国内")]].concat();
        assert_eq!(call(&mut service, NOW, "Record.Create", &renamed), "26");
    }

    #[test]
    fn a_record_that_is_switched_off_is_not_counted() {
        let mut service = service();
        for n in 1..=3 {
            service.put(Row { enabled: false, ..Row::new("www", "A", &format!("192.0.2.{}", 10 + n), 600) });
        }
        assert_eq!(call(&mut service, NOW, "Record.Create", &A), "1");
    }
}
