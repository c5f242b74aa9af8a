//! Alibaba Cloud DNS: everything in the query of a signed POST, errors with an HTTP status, lines by name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde_json::{Value, json};

use super::hash::{hex, mac, part, sha};
use super::{Reply, Request, Row, Vendor, Window, clash, decode, fits};

const LINES: [&str; 5] = ["default", "oversea", "telecom", "unicom", "mobile"];
const CLOCK: u64 = 900;

/// The service with one account and one domain.
pub(crate) struct Alidns {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) domain: String,
    pub(crate) min_ttl: u32,
    /// The most records of one page, whatever is asked for.
    pub(crate) page: usize,
    rows: Vec<Row>,
    next: u64,
    calls: HashMap<String, Window>,
    nonces: BTreeSet<String>,
    penalties: Vec<String>,
}

type Refusal = (u16, &'static str, &'static str);
type Fields = BTreeMap<String, String>;

impl Alidns {
    pub(crate) fn new(domain: &str, id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            domain: domain.to_owned(),
            min_ttl: 600,
            page: 100,
            rows: Vec::new(),
            next: 9_999_985,
            calls: HashMap::new(),
            nonces: BTreeSet::new(),
            penalties: Vec::new(),
        }
    }

    /// Puts a record in, as a person would on the web page, and says its id.
    pub(crate) fn put(&mut self, row: Row) -> u64 {
        self.next += 1;
        self.rows.push(Row { id: self.next, ..row });
        self.next
    }

    /// The lists of the next seconds are used up, by another client of the account.
    pub(crate) fn exhaust(&mut self, now: Duration) {
        let of_late = self.calls.entry("DescribeSubDomainRecords".to_owned()).or_default();
        for second in (0..5).map(Duration::from_secs) {
            (0..300).for_each(|_| _ = of_late.note(now + second, Duration::from_secs(1)));
        }
    }

    fn decide(&mut self, request: &Request, now: Duration) -> Result<Value, Refusal> {
        self.log_in(request, now)?;
        let action = request.header("x-acs-action").unwrap_or("");
        if request.header("x-acs-version") != Some("2015-01-09") {
            return Err((400, "InvalidVersion", "Specified parameter Version is not valid."));
        }
        let limit = match action {
            "DescribeSubDomainRecords" => 300,
            "DescribeDomainRecords" => 100,
            _ => 60,
        };
        let of_late = self.calls.entry(action.to_owned()).or_default();
        if of_late.note(now, Duration::from_secs(1)) > limit {
            return Err((400, "Throttling.User", "Request was denied due to user flow control."));
        }
        let fields = request.fields();
        match action {
            "DescribeSubDomainRecords" => self.list(&fields),
            "AddDomainRecord" => self.add(&fields, now),
            "UpdateDomainRecord" => self.update(&fields),
            "UpdateDomainRecordRemark" => self.remark(&fields),
            "DeleteDomainRecord" => self.delete(&fields),
            _ => Err((404, "InvalidAction.NotFound", "Specified api is not found.")),
        }
    }

    fn log_in(&mut self, request: &Request, now: Duration) -> Result<(), Refusal> {
        let nonce = request.header("x-acs-signature-nonce").unwrap_or("").to_owned();
        check_signature(request, now, &self.id, &self.secret).inspect_err(|refusal| {
            if refusal.1 != "InvalidTimeStamp.Expired" {
                self.penalties.push(refusal.1.to_owned());
            }
        })?;
        if self.nonces.insert(nonce) {
            return Ok(());
        }
        Err((400, "SignatureNonceUsed", "Specified signature nonce was used already."))
    }

    fn owned(&self, fields: &Fields) -> Result<(), Refusal> {
        if fields.get("DomainName") == Some(&self.domain) {
            return Ok(());
        }
        Err((400, "InvalidDomainName.NoExist", "The specified domain name does not exist."))
    }

    fn list(&self, fields: &Fields) -> Result<Value, Refusal> {
        self.owned(fields)?;
        let sub = fields.get("SubDomain").map_or("", String::as_str);
        let full = |r: &Row| match r.name.as_str() {
            "@" => self.domain.clone(),
            name => format!("{name}.{}", self.domain),
        };
        let wanted = |field: &str, own: &str| fields.get(field).is_none_or(|w| w.eq_ignore_ascii_case(own));
        let found: Vec<&Row> = self
            .rows
            .iter()
            .filter(|r| full(r) == sub && wanted("Type", &r.kind) && wanted("Line", &r.line))
            .collect();
        let number =
            |name: &str, otherwise: usize| fields.get(name).and_then(|n| n.parse().ok()).unwrap_or(otherwise);
        let (page, size) = (number("PageNumber", 1), number("PageSize", 20).min(self.page));
        let shown: Vec<Value> =
            found.iter().skip((page - 1) * size).take(size).map(|r| self.shown(r)).collect();
        Ok(json!({
            "TotalCount": found.len(), "PageNumber": page, "PageSize": size, "DomainRecords": { "Record": shown },
        }))
    }

    fn shown(&self, row: &Row) -> Value {
        let mut shown = json!({
            "DomainName": self.domain, "RecordId": row.id.to_string(), "RR": row.name, "Type": row.kind,
            "Value": row.value, "Line": row.line, "TTL": row.ttl, "Locked": false,
            "Status": if row.enabled { "ENABLE" } else { "DISABLE" },
        });
        if !row.remark.is_empty() {
            shown["Remark"] = json!(row.remark);
        }
        if let Some(weight) = row.weight {
            shown["Weight"] = json!(weight);
        }
        shown
    }

    fn add(&mut self, fields: &Fields, now: Duration) -> Result<Value, Refusal> {
        self.owned(fields)?;
        let row = Row { born: now, ..self.described(fields)? };
        self.check(&row)?;
        Ok(json!({ "RecordId": self.put(row).to_string() }))
    }

    fn update(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        let at = self.position(fields)?;
        let old = self.rows[at].clone();
        let row = self.described(fields)?;
        let row = Row {
            id: old.id,
            remark: old.remark.clone(),
            weight: old.weight,
            born: old.born,
            enabled: old.enabled,
            ..row
        };
        if row == old {
            self.penalties.push("an update that changed nothing".to_owned());
            return Err((400, "DomainRecordDuplicate", "The DNS record already exists."));
        }
        self.check(&row)?;
        self.rows[at] = row;
        Ok(json!({ "RecordId": old.id.to_string() }))
    }

    fn remark(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        let at = self.position(fields)?;
        self.rows[at].remark = fields.get("Remark").cloned().unwrap_or_default();
        Ok(json!({}))
    }

    fn delete(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        let at = self.position(fields)?;
        Ok(json!({ "RecordId": self.rows.remove(at).id.to_string() }))
    }

    fn position(&self, fields: &Fields) -> Result<usize, Refusal> {
        let id = fields.get("RecordId").and_then(|id| id.parse::<u64>().ok());
        let at = self.rows.iter().position(|r| Some(r.id) == id);
        at.ok_or((400, "DomainRecordNotBelongToUser", "The domain name record does not belong to the user."))
    }

    /// The record that the fields describe. What is left out falls back: the line to everybody's, the TTL to 600.
    fn described(&self, fields: &Fields) -> Result<Row, Refusal> {
        let field = |name: &str| fields.get(name).map(String::as_str);
        let (Some(name), Some(kind), Some(value)) = (field("RR"), field("Type"), field("Value")) else {
            return Err((400, "MissingParameter", "RR, Type and Value are needed."));
        };
        if !fits(kind, value) {
            return Err((400, "InvalidRecordValue", "The value does not fit the type."));
        }
        let line = field("Line").unwrap_or("default");
        if !LINES.contains(&line) {
            return Err((400, "InvalidLine", "The line is not known."));
        }
        let ttl = field("TTL").map_or(Some(600), |ttl| ttl.parse().ok());
        let ttl =
            ttl.filter(|ttl| *ttl >= self.min_ttl).ok_or((400, "InvalidTTL", "The TTL is out of range."))?;
        let value = value.trim_end_matches('.');
        Ok(Row { line: line.to_owned(), ..Row::new(name, kind, value, ttl) })
    }

    fn check(&self, row: &Row) -> Result<(), Refusal> {
        let mut beside =
            self.rows.iter().filter(|r| r.id != row.id && r.name == row.name && r.line == row.line);
        if beside.clone().any(|r| r.kind == row.kind && r.value == row.value) {
            return Err((400, "DomainRecordDuplicate", "The DNS record already exists."));
        }
        if beside.any(|r| clash(&r.kind, &row.kind)) {
            return Err((400, "DomainRecordConflict", "The DNS record conflicts with another one."));
        }
        Ok(())
    }
}

impl Vendor for Alidns {
    fn answer(&mut self, request: &Request, now: Duration) -> Reply {
        let (status, mut body) = match self.decide(request, now) {
            Ok(body) => (200, body),
            Err((status, code, message)) => {
                (status, json!({ "Code": code, "Message": message, "HostId": "alidns.aliyuncs.com" }))
            }
        };
        body["RequestId"] = json!("536E9CAD-DB30-4647-AC87-AA5CC38C5382");
        Reply::json(status, &body)
    }

    fn writes(&self, request: &Request) -> bool {
        !request.header("x-acs-action").unwrap_or("").starts_with("Describe")
    }

    fn rows(&self) -> Vec<Row> {
        self.rows.clone()
    }

    fn penalties(&self) -> &[String] {
        &self.penalties
    }
}

/// The V3 signature as documented: everything is taken from the request as it came.
fn check_signature(request: &Request, now: Duration, id: &str, secret: &str) -> Result<(), Refusal> {
    let header = request.header("authorization").unwrap_or("");
    let (Some(who), Some(names), Some(signature)) =
        (part(header, "Credential"), part(header, "SignedHeaders"), part(header, "Signature"))
    else {
        return Err((400, "IncompleteSignature", "The request signature is incomplete."));
    };
    if !within(request.header("x-acs-date").unwrap_or(""), now) {
        return Err((400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."));
    }
    if who != id {
        return Err((404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."));
    }
    let all = [
        "host",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-version",
    ];
    let covered = all.iter().all(|needed| names.split(';').any(|name| name == *needed));
    let body = request.header("x-acs-content-sha256") == Some(&sha(&request.body));
    if covered
        && body
        && header.starts_with("ACS3-HMAC-SHA256 ")
        && signature_of(request, names, secret) == signature
    {
        return Ok(());
    }
    Err((400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation."))
}

fn signature_of(request: &Request, names: &str, secret: &str) -> String {
    let mut lines = vec![request.method.clone(), request.path.clone(), canonical_query(&request.query)];
    lines
        .extend(names.split(';').map(|name| format!("{name}:{}", request.header(name).unwrap_or("").trim())));
    lines.extend([String::new(), names.to_owned(), sha(&request.body)]);
    hex(&mac(secret.as_bytes(), &format!("ACS3-HMAC-SHA256\n{}", sha(lines.join("\n").as_bytes()))))
}

/// Decoded, sorted, and encoded again: whatever order and encoding it came in.
fn canonical_query(query: &str) -> String {
    let encode = |text: &str| -> String {
        let byte = |b: u8| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        };
        decode(text).bytes().map(byte).collect()
    };
    let pairs = query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, "")));
    let mut pairs: Vec<String> = pairs.map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
    pairs.sort();
    pairs.join("&")
}

/// Whether the time of the request is at most a quarter of an hour off.
fn within(date: &str, now: Duration) -> bool {
    let near = (0..=2 * CLOCK).map(|n| now.as_secs() + n - CLOCK);
    near.map(hearth::dns::provider::sign::date::second).any(|known| known == date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)], query: &str) -> Request {
        Request {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: query.to_owned(),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            ..Request::default()
        }
    }

    #[test]
    fn the_published_signature_is_recomputed() {
        let headers = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", &sha(b"")),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ];
        let query = "RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd";
        let names = headers.map(|(name, _)| name).join(";");
        assert_eq!(
            signature_of(&request(&headers, query), &names, "YourAccessKeySecret"),
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    const NOW: Duration = Duration::from_secs(1_698_315_752);

    fn call(service: &mut Alidns, nonce: &str, date: &str, action: &str, query: &str) -> Value {
        let mut headers = vec![
            ("host", "alidns.aliyuncs.com"),
            ("x-acs-action", action),
            ("x-acs-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("x-acs-date", date),
            ("x-acs-signature-nonce", nonce),
            ("x-acs-version", "2015-01-09"),
        ];
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let signature = signature_of(&request(&headers, query), &names, "secret");
        let header = format!("ACS3-HMAC-SHA256 Credential=AK,SignedHeaders={names},Signature={signature}");
        headers.push(("authorization", &header));
        serde_json::from_str(&service.answer(&request(&headers, query), NOW).body).unwrap()
    }

    const DATE: &str = "2023-10-26T10:22:32Z";

    #[test]
    fn a_used_nonce_an_old_date_and_a_wrong_secret_are_refused() {
        let mut service = Alidns::new("example.com", "AK", "secret");
        let list = "DomainName=example.com&SubDomain=www.example.com";
        assert_eq!(call(&mut service, "1", DATE, "DescribeSubDomainRecords", list)["TotalCount"], 0);
        assert_eq!(
            call(&mut service, "1", DATE, "DescribeSubDomainRecords", list)["Code"],
            "SignatureNonceUsed"
        );
        let old = call(&mut service, "2", "2023-10-26T10:07:31Z", "DescribeSubDomainRecords", list);
        assert_eq!(old["Code"], "InvalidTimeStamp.Expired");
        service.secret = "another".to_owned();
        assert_eq!(
            call(&mut service, "3", DATE, "DescribeSubDomainRecords", list)["Code"],
            "SignatureDoesNotMatch"
        );
    }

    #[test]
    fn a_double_a_clash_and_a_change_to_the_same_are_refused_and_a_missing_line_falls_back() {
        let mut service = Alidns::new("example.com", "AK", "secret");
        let id = service.put(Row { line: "oversea".to_owned(), ..Row::new("www", "A", "192.0.2.1", 1_200) });
        let same = format!("RecordId={id}&RR=www&Type=A&Value=192.0.2.1&Line=oversea&TTL=1200");
        assert_eq!(
            call(&mut service, "1", DATE, "UpdateDomainRecord", &same)["Code"],
            "DomainRecordDuplicate"
        );
        let moved = format!("RecordId={id}&RR=www&Type=A&Value=192.0.2.1");
        assert_eq!(call(&mut service, "2", DATE, "UpdateDomainRecord", &moved)["RecordId"], id.to_string());
        assert_eq!((service.rows()[0].line.as_str(), service.rows()[0].ttl), ("default", 600));
        let alias = "DomainName=example.com&RR=www&Type=CNAME&Value=user.github.io";
        assert_eq!(call(&mut service, "3", DATE, "AddDomainRecord", alias)["Code"], "DomainRecordConflict");
        let double = "DomainName=example.com&RR=www&Type=A&Value=192.0.2.1";
        assert_eq!(call(&mut service, "4", DATE, "AddDomainRecord", double)["Code"], "DomainRecordDuplicate");
    }
}
