//! Cloudflare: a zone by its id, pages, changes in one transaction, and one lock for everything after too many calls.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{MINUTE, Reply, Request, Row, Vendor, Window, clash, fits};

/// The id of the one zone.
pub(crate) const ZONE_ID: &str = "023e105f4ecef8ad9ca31a8372d0c353";
/// Calls of a user in five minutes; one more and all are refused for five minutes.
const CALLS: usize = 1_200;
const SPAN: Duration = Duration::from_secs(300);
/// Calls with a wrong token after which even the reason is another one.
const FAILED_LOGINS: usize = 3;

/// The service with one account and one zone.
pub(crate) struct Cloudflare {
    pub(crate) token: String,
    pub(crate) zone: String,
    /// The most records of one page, whatever is asked for.
    pub(crate) page: usize,
    /// Which records are proxied.
    pub(crate) proxied: Vec<u64>,
    rows: Vec<Row>,
    next: u64,
    calls: Window,
    failed: Window,
    locked_until: Duration,
    penalties: Vec<String>,
}

/// A status, a code and words.
type Refusal = (u16, u32, &'static str);

impl Cloudflare {
    pub(crate) fn new(zone: &str, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            zone: zone.to_owned(),
            page: 100,
            proxied: Vec::new(),
            rows: Vec::new(),
            next: 372_000,
            calls: Window::default(),
            failed: Window::default(),
            locked_until: Duration::ZERO,
            penalties: Vec::new(),
        }
    }

    /// Puts a record in, as a person would in the dashboard, and says its id.
    pub(crate) fn put(&mut self, row: Row) -> u64 {
        self.next += 1;
        self.rows.push(Row { id: self.next, ..row });
        self.next
    }

    /// The calls of the next minutes are used up, by the dashboard and other tokens of the user.
    pub(crate) fn exhaust(&mut self, now: Duration) {
        (0..CALLS).for_each(|_| _ = self.calls.note(now, SPAN));
    }

    fn decide(&mut self, request: &Request, now: Duration) -> Result<Value, Refusal> {
        if request.header("authorization") != Some(&format!("Bearer {}", self.token)) {
            if self.failed.note(now, 10 * MINUTE) > FAILED_LOGINS {
                self.penalties.push("too many wrong tokens".to_owned());
                return Err((
                    403,
                    9_109,
                    "Max auth failures reached, please check your Authorization header.",
                ));
            }
            return Err((403, 10_000, "Authentication error"));
        }
        let rest = request.path.strip_prefix("/client/v4/").unwrap_or("");
        let records = format!("zones/{ZONE_ID}/dns_records");
        match (request.method.as_str(), rest) {
            ("GET", "zones") => Ok(self.zones(&request.fields())),
            ("GET", path) if path == records => Ok(self.list(&request.fields())),
            ("POST", path) if path == format!("{records}/batch") => self.batch(&request.body),
            _ => Err((404, 7_003, "Could not route to the path, perhaps your object identifier is invalid?")),
        }
    }

    fn zones(&self, fields: &BTreeMap<String, String>) -> Value {
        let found = fields.get("name").is_none_or(|name| *name == self.zone);
        let zones = if found {
            vec![json!({ "id": ZONE_ID, "name": self.zone, "status": "active" })]
        } else {
            vec![]
        };
        let info = json!({ "page": 1, "per_page": 20, "count": zones.len(), "total_count": zones.len(), "total_pages": 1 });
        json!({ "result": zones, "result_info": info })
    }

    fn full(&self, name: &str) -> String {
        if name == "@" { self.zone.clone() } else { format!("{name}.{}", self.zone) }
    }

    fn list(&self, fields: &BTreeMap<String, String>) -> Value {
        let wanted = |field: &str, own: &str| fields.get(field).is_none_or(|wanted| wanted == own);
        let found: Vec<&Row> = self
            .rows
            .iter()
            .filter(|r| wanted("name", &self.full(&r.name)) && wanted("type", &r.kind))
            .collect();
        let number =
            |name: &str, otherwise| fields.get(name).and_then(|n| n.parse().ok()).unwrap_or(otherwise);
        let (page, size): (usize, usize) = (number("page", 1), number("per_page", 100).min(self.page));
        let shown: Vec<Value> =
            found.iter().skip((page - 1) * size).take(size).map(|r| self.shown(r)).collect();
        let info = json!({
            "page": page, "per_page": size, "count": shown.len(), "total_count": found.len(),
            "total_pages": found.len().div_ceil(size),
        });
        json!({ "result": shown, "result_info": info })
    }

    fn shown(&self, row: &Row) -> Value {
        let proxied = self.proxied.contains(&row.id);
        json!({
            "id": row.id.to_string(), "name": self.full(&row.name), "type": row.kind, "content": row.value,
            "ttl": if proxied { 1 } else { row.ttl }, "proxied": proxied, "proxiable": row.kind != "TXT",
            "comment": if row.remark.is_empty() { Value::Null } else { json!(row.remark) },
            "tags": row.weight.iter().map(|w| format!("weight:{w}")).collect::<Vec<_>>(), "settings": {}, "meta": {},
            "created_on": "2014-01-01T05:20:00.12345Z", "modified_on": "2014-01-01T05:20:00.12345Z",
        })
    }

    /// Deletes, patches, puts, posts: all or nothing.
    fn batch(&mut self, body: &[u8]) -> Result<Value, Refusal> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| (400, 9_207, "Request body is invalid."))?;
        let (rows, proxied, next) = (self.rows.clone(), self.proxied.clone(), self.next);
        let made = self.make(&body);
        if made.is_err() {
            (self.rows, self.proxied, self.next) = (rows, proxied, next);
        } else if self.rows == rows {
            self.penalties.push("a batch that changed nothing".to_owned());
        }
        made.map(|()| json!({ "result": { "deletes": [], "patches": [], "puts": [], "posts": [] } }))
    }

    fn make(&mut self, body: &Value) -> Result<(), Refusal> {
        let part = |name: &str| body[name].as_array().cloned().unwrap_or_default();
        for delete in part("deletes") {
            let at = self.position(&delete)?;
            self.rows.remove(at);
        }
        for patch in part("patches") {
            let at = self.position(&patch)?;
            let row = described(&patch, self.rows[at].clone())?;
            self.rows.remove(at);
            self.check(&row)?;
            self.rows.insert(at, row);
        }
        if !part("puts").is_empty() {
            self.penalties.push("a PUT, which resets what it does not say".to_owned());
        }
        for post in part("posts") {
            let name = post["name"].as_str().unwrap_or("");
            let host = name.strip_suffix(&format!(".{}", self.zone)).unwrap_or(if name == self.zone {
                "@"
            } else {
                ""
            });
            let kind = post["type"].as_str().unwrap_or("");
            let row = described(&post, Row::new(host, kind, "", 1))?;
            self.check(&row)?;
            let id = self.put(row);
            if post["proxied"] == json!(true) {
                self.proxied.push(id);
            }
        }
        Ok(())
    }

    fn position(&self, change: &Value) -> Result<usize, Refusal> {
        let id = change["id"].as_str().unwrap_or("");
        let found = self.rows.iter().position(|row| row.id.to_string() == id);
        found.ok_or((404, 81_044, "Record does not exist."))
    }

    /// Whether `row` can stand beside the others.
    fn check(&self, row: &Row) -> Result<(), Refusal> {
        if row.name.is_empty() || !fits(&row.kind, &row.value) {
            return Err((400, 9_005, "Content for the record is invalid."));
        }
        if row.ttl != 1 && !(60..=86_400).contains(&row.ttl) {
            return Err((400, 9_021, "TTL must be between 60 and 86400 seconds, or 1 for Automatic."));
        }
        if row.remark.contains('\n') || row.remark.chars().count() > 100 {
            return Err((400, 9_210, "The comment is invalid."));
        }
        let mut here = self.rows.iter().filter(|r| r.name == row.name);
        if here.clone().any(|r| (&r.kind, &r.value) == (&row.kind, &row.value)) {
            return Err((400, 81_058, "An identical record already exists."));
        }
        match here.find(|r| clash(&r.kind, &row.kind) || (row.kind == "CNAME" && r.kind == "CNAME")) {
            Some(_) if row.kind == "CNAME" => {
                Err((400, 81_053, "An A, AAAA, or CNAME record with that host already exists."))
            }
            Some(_) => Err((400, 81_054, "A CNAME record with that host already exists.")),
            None => Ok(()),
        }
    }
}

/// `row` with what is said of it; what is not said stays.
fn described(said: &Value, row: Row) -> Result<Row, Refusal> {
    let text = |name: &str| said[name].as_str().map(str::to_owned);
    let ttl = said["ttl"].as_u64().map(|ttl| u32::try_from(ttl).unwrap_or(0));
    Ok(Row {
        value: text("content").unwrap_or(row.value),
        ttl: ttl.unwrap_or(row.ttl),
        remark: text("comment").unwrap_or(row.remark),
        ..row
    })
}

impl Vendor for Cloudflare {
    fn answer(&mut self, request: &Request, now: Duration) -> Reply {
        if self.calls.note(now, SPAN) > CALLS && self.locked_until < now {
            self.locked_until = now + SPAN;
            self.penalties.push("locked for five minutes".to_owned());
        }
        if now < self.locked_until {
            let wait = (self.locked_until - now).as_secs() + 1;
            let body = json!({ "success": false, "errors": [{ "code": 971, "message": "Please wait" }], "result": null });
            return Reply::json(429, &body).with("retry-after", wait.to_string());
        }
        match self.decide(request, now) {
            Ok(mut body) => {
                (body["success"], body["errors"], body["messages"]) = (json!(true), json!([]), json!([]));
                Reply::json(200, &body)
            }
            Err((status, code, message)) => {
                let errors = json!([{ "code": code, "message": message }]);
                Reply::json(
                    status,
                    &json!({ "success": false, "errors": errors, "messages": [], "result": null }),
                )
            }
        }
    }

    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    fn rows(&self) -> Vec<Row> {
        self.rows.clone()
    }

    fn penalties(&self) -> &[String] {
        &self.penalties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn batch(service: &mut Cloudflare, now: Duration, body: &Value) -> (u16, u64) {
        let request = Request {
            method: "POST".to_owned(),
            path: format!("/client/v4/zones/{ZONE_ID}/dns_records/batch"),
            headers: vec![("authorization".to_owned(), "Bearer t".to_owned())],
            body: body.to_string().into_bytes(),
            ..Request::default()
        };
        let reply = service.answer(&request, now);
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        (reply.status, body["errors"][0]["code"].as_u64().unwrap_or(0))
    }

    fn post(content: &str) -> Value {
        json!({ "name": "www.example.com", "type": "A", "content": content, "ttl": 300 })
    }

    #[test]
    fn a_batch_is_made_whole_or_not_at_all_and_a_record_is_not_made_twice() {
        let mut service = Cloudflare::new("example.com", "t");
        assert_eq!(batch(&mut service, NOW, &json!({ "posts": [post("192.0.2.1")] })), (200, 0));
        let again = json!({ "posts": [post("192.0.2.2"), post("192.0.2.1")] });
        assert_eq!(batch(&mut service, NOW, &again), (400, 81_058));
        assert_eq!(service.rows().len(), 1);
    }

    #[test]
    fn one_call_too_many_locks_everything_for_five_minutes() {
        let mut service = Cloudflare::new("example.com", "t");
        service.exhaust(NOW);
        assert_eq!(batch(&mut service, NOW, &json!({ "posts": [post("192.0.2.1")] })).0, 429);
        assert_eq!(batch(&mut service, NOW + SPAN - MINUTE, &json!({ "posts": [] })).0, 429);
        assert_eq!(batch(&mut service, NOW + SPAN + MINUTE, &json!({ "posts": [post("192.0.2.1")] })).0, 200);
    }
}
