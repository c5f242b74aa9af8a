//! deSEC: whole RRsets, several of them in one step, a floor under the TTL, and a limit on everything.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{HOUR, MINUTE, Reply, Request, Row, Vendor, Window, clash, fits};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
/// Changes of one domain (<https://desec.readthedocs.io/en/latest/rate-limits.html>).
const WRITES: [(usize, Duration); 4] = [(2, SECOND), (15, MINUTE), (100, HOUR), (300, DAY)];
/// Everything else.
const READS: [(usize, Duration); 2] = [(10, SECOND), (50, MINUTE)];

/// An RRset: its TTL and its members.
type Sets = BTreeMap<(String, String), (u32, Vec<String>)>;

/// The service with one account and one domain.
pub(crate) struct Desec {
    pub(crate) token: String,
    pub(crate) domain: String,
    pub(crate) min_ttl: u32,
    /// By the name below the domain (empty: the domain itself) and the type.
    pub(crate) sets: Sets,
    writes: Window,
    reads: Window,
    penalties: Vec<String>,
}

impl Desec {
    pub(crate) fn new(domain: &str, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            domain: domain.to_owned(),
            min_ttl: 3_600,
            sets: Sets::new(),
            writes: Window::default(),
            reads: Window::default(),
            penalties: Vec::new(),
        }
    }

    /// Puts a set in, as a person would on the web page.
    pub(crate) fn put(&mut self, name: &str, kind: &str, ttl: u32, members: &[&str]) {
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        self.sets.insert((name.to_owned(), kind.to_owned()), (ttl, members));
    }

    /// The changes of this hour are used up, by another client of the account.
    pub(crate) fn exhaust(&mut self, now: Duration) {
        (0..100).for_each(|_| _ = self.writes.note(now, DAY));
    }

    fn throttled(&mut self, request: &Request, now: Duration) -> Option<Reply> {
        let (window, limits) = if request.method == "GET" {
            (&mut self.reads, &READS[..])
        } else {
            (&mut self.writes, &WRITES[..])
        };
        let wait = limits
            .iter()
            .filter(|(limit, span)| window.count(now, *span) >= *limit)
            .map(|(limit, span)| window.wait(now, *span, *limit))
            .max();
        let Some(wait) = wait else {
            window.note(now, DAY);
            return None;
        };
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.penalties.push(format!("throttled: {} for {seconds} s", request.method));
        let detail = format!("Request was throttled. Expected available in {seconds} second.");
        Some(Reply::json(429, &json!({ "detail": detail })).with("retry-after", seconds.to_string()))
    }

    fn decide(&mut self, request: &Request, now: Duration) -> Reply {
        let refused = |status, detail: &str| Reply::json(status, &json!({ "detail": detail }));
        if request.header("authorization") != Some(&format!("Token {}", self.token)) {
            self.penalties.push("a wrong token".to_owned());
            return refused(401, "Invalid token.");
        }
        if let Some(reply) = self.throttled(request, now) {
            return reply;
        }
        let domain = format!("/api/v1/domains/{}/", self.domain);
        let Some(rest) = request.path.strip_prefix(&domain) else {
            return refused(404, "No Domain matches the given query.");
        };
        match (request.method.as_str(), rest) {
            ("GET", "") => Reply::json(200, &json!({ "name": self.domain, "minimum_ttl": self.min_ttl })),
            ("GET", "rrsets/") => self.list(&request.fields()),
            ("PATCH", "rrsets/") => self.patch(&request.body),
            _ => refused(405, "Method not allowed."),
        }
    }

    /// Of more than 500 sets none is shown without a cursor.
    fn list(&self, fields: &BTreeMap<String, String>) -> Reply {
        let wanted = |field: &str, own: &str| fields.get(field).is_none_or(|wanted| wanted == own);
        let found = self.sets.iter().filter(|((n, k), _)| wanted("subname", n) && wanted("type", k));
        let shown: Vec<Value> =
            found.map(|((name, kind), (ttl, members))| self.shown(name, kind, *ttl, members)).collect();
        if shown.len() > 500 {
            let link =
                format!("<https://desec.io/api/v1/domains/{}/rrsets/?cursor=>; rel=\"first\"", self.domain);
            return Reply::json(400, &json!({ "detail": "Pagination required." })).with("link", link);
        }
        Reply::json(200, &Value::Array(shown))
    }

    fn shown(&self, name: &str, kind: &str, ttl: u32, members: &[String]) -> Value {
        let full =
            if name.is_empty() { format!("{}.", self.domain) } else { format!("{name}.{}.", self.domain) };
        json!({
            "created": "2019-09-18T16:32:16.510368Z", "domain": self.domain, "subname": name, "name": full,
            "type": kind, "records": members, "ttl": ttl, "touched": "2020-04-06T09:24:09.987436Z",
        })
    }

    /// All of the list or none of it.
    fn patch(&mut self, body: &[u8]) -> Reply {
        let Ok(Value::Array(changes)) = serde_json::from_slice::<Value>(body) else {
            return Reply::json(400, &json!({ "non_field_errors": ["Expected a list of items."] }));
        };
        let mut sets = self.sets.clone();
        let errors: Vec<Value> = changes.iter().map(|change| self.change(&mut sets, change)).collect();
        if errors.iter().any(|e| *e != json!({})) {
            return Reply::json(400, &Value::Array(errors));
        }
        for (name, kind) in sets.keys() {
            if let Some((_, other)) = sets.keys().find(|(n, k)| n == name && clash(kind, k)) {
                let text = format!(
                    "RRset with conflicting type present: {other}. (No other RRsets are allowed alongside CNAME.)"
                );
                return Reply::json(400, &json!([{ "non_field_errors": [text] }]));
            }
        }
        self.sets = sets;
        Reply::json(200, &Value::Array(changes))
    }

    fn change(&self, sets: &mut Sets, change: &Value) -> Value {
        let (Some(name), Some(kind)) = (change["subname"].as_str(), change["type"].as_str()) else {
            return json!({ "type": ["This field is required."] });
        };
        let key = (name.to_owned(), kind.to_owned());
        let had = sets.get(&key).cloned();
        let members: Option<Vec<String>> = change["records"]
            .as_array()
            .map(|records| records.iter().filter_map(|r| r.as_str().map(str::to_owned)).collect())
            .or_else(|| had.clone().map(|had| had.1));
        let ttl = change["ttl"].as_u64().or(had.map(|had| u64::from(had.0)));
        let Some(members) = members else { return json!({ "records": ["This field is required."] }) };
        if members.is_empty() {
            sets.remove(&key);
            return json!({});
        }
        let Some(ttl) = ttl else { return json!({ "ttl": ["This field is required."] }) };
        if ttl < u64::from(self.min_ttl) || ttl > 86_400 {
            return json!({ "ttl": [format!("Ensure this value is greater than or equal to {}.", self.min_ttl)] });
        }
        let dotted = |m: &String| kind != "CNAME" || m.ends_with('.');
        let quoted = |m: &String| kind != "TXT" || (m.starts_with('"') && m.ends_with('"'));
        if !members.iter().all(|m| fits(kind, m) && dotted(m) && quoted(m)) {
            return json!({ "records": ["Record content malformed."] });
        }
        sets.insert(key, (u32::try_from(ttl).unwrap(), members));
        json!({})
    }
}

impl Vendor for Desec {
    fn answer(&mut self, request: &Request, now: Duration) -> Reply {
        self.decide(request, now)
    }

    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    fn rows(&self) -> Vec<Row> {
        let rows = self.sets.iter().flat_map(|((name, kind), (ttl, members))| {
            let name = if name.is_empty() { "@" } else { name };
            members.iter().map(move |member| Row::new(name, kind, member, *ttl))
        });
        rows.collect()
    }

    fn penalties(&self) -> &[String] {
        &self.penalties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn patch(service: &mut Desec, now: Duration, body: &Value) -> Reply {
        let request = Request {
            method: "PATCH".to_owned(),
            path: "/api/v1/domains/example.com/rrsets/".to_owned(),
            headers: vec![("Authorization".to_owned(), "Token t".to_owned())],
            body: body.to_string().into_bytes(),
            ..Request::default()
        };
        service.answer(&request, now)
    }

    fn set(kind: &str, ttl: u32, members: &[&str]) -> Value {
        json!({ "subname": "www", "type": kind, "ttl": ttl, "records": members })
    }

    #[test]
    fn a_list_of_changes_is_made_whole_or_not_at_all() {
        let mut service = Desec::new("example.com", "t");
        let low = json!([set("A", 3_600, &["192.0.2.1"]), set("AAAA", 60, &["2001:db8::1"])]);
        assert_eq!(patch(&mut service, NOW, &low).status, 400);
        assert_eq!(service.rows(), []);
        let both = json!([set("A", 3_600, &["192.0.2.1"]), set("AAAA", 3_600, &["2001:db8::1"])]);
        assert_eq!(patch(&mut service, NOW, &both).status, 200);
        assert_eq!(service.rows().len(), 2);
        let alias = json!([set("CNAME", 3_600, &["user.github.io."])]);
        let refused = patch(&mut service, NOW + SECOND, &alias);
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains("conflicting type"), "{}", refused.body);
    }

    #[test]
    fn the_third_change_in_a_second_and_the_hundred_and_first_in_an_hour_wait() {
        let mut service = Desec::new("example.com", "t");
        let change = |n: u64| json!([set("A", 3_600, &[&format!("192.0.2.{}", n % 250)])]);
        let status = |service: &mut Desec, now, n| patch(service, now, &change(n)).status;
        assert_eq!([0, 1, 2].map(|n| status(&mut service, NOW, n)), [200, 200, 429]);
        let mut service = Desec::new("example.com", "t");
        for n in 0..100 {
            assert_eq!(status(&mut service, NOW + Duration::from_secs(30 * n), n), 200, "{n}");
        }
        let refused = patch(&mut service, NOW + Duration::from_secs(3_000), &change(7));
        assert_eq!(refused.headers.last().unwrap(), &("retry-after", "600".to_owned()));
    }
}
