//! Tencent Cloud's DNSPod, API 3.0: JSON in and out, every request signed, and a list that lags behind.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::hash::{hex, mac, part, sha};
use super::{MINUTE, Reply, Request, Row, Vendor, Window, clash, fits};

const LINES: [(&str, &str); 4] = [("0", "默认"), ("7=0", "境内"), ("3=0", "境外"), ("10=0", "电信")];
/// A new record is missing from the list for so long.
pub(crate) const INDEX_DELAY: Duration = Duration::from_secs(30);
const CLOCK: u64 = 300;
const FAILED_LOGINS: usize = 30;
const ROUND_ROBIN: usize = 2;

/// Each action: calls a second, the parameters it must be given, and those that it may be given besides.
const ACTIONS: [(&str, usize, &[&str], &[&str]); 6] = [
    (
        "DescribeRecordList",
        100,
        &["Domain"],
        &["Subdomain", "RecordType", "RecordLine", "RecordLineId", "Offset", "Limit", "ErrorOnEmpty"],
    ),
    ("DescribeRecord", 200, &["Domain", "RecordId"], &[]),
    (
        "CreateRecord",
        500,
        &["Domain", "RecordType", "RecordLine", "Value"],
        &["SubDomain", "RecordLineId", "TTL", "Weight", "Status", "Remark", "MX"],
    ),
    (
        "ModifyRecord",
        500,
        &["Domain", "RecordId", "RecordType", "RecordLine", "Value"],
        &["SubDomain", "RecordLineId", "TTL", "Weight", "Status", "Remark", "MX"],
    ),
    ("ModifyRecordRemark", 20, &["Domain", "RecordId"], &["Remark"]),
    ("DeleteRecord", 500, &["Domain", "RecordId"], &[]),
];

/// The service with one account and one domain.
pub(crate) struct Tencent {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) domain: String,
    pub(crate) min_ttl: u32,
    /// The most records of one page, whatever is asked for.
    pub(crate) page: usize,
    rows: Vec<Row>,
    next: u64,
    calls: HashMap<String, Window>,
    failed_logins: Window,
    penalties: Vec<String>,
}

type Refusal = (&'static str, &'static str);

impl Tencent {
    pub(crate) fn new(domain: &str, id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            domain: domain.to_owned(),
            min_ttl: 600,
            page: 3_000,
            rows: Vec::new(),
            next: 556_507_778,
            calls: HashMap::new(),
            failed_logins: Window::default(),
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
        let of_late = self.calls.entry("DescribeRecordList".to_owned()).or_default();
        for second in (0..5).map(Duration::from_secs) {
            (0..100).for_each(|_| _ = of_late.note(now + second, Duration::from_secs(1)));
        }
    }

    fn decide(&mut self, request: &Request, now: Duration) -> Result<Value, Refusal> {
        self.log_in(request, now)?;
        let action = request.header("x-tc-action").ok_or(("MissingParameter", "X-TC-Action"))?;
        if request.header("x-tc-version") != Some("2021-03-23") {
            return Err(("InvalidParameter", "X-TC-Version"));
        }
        let known =
            ACTIONS.iter().find(|known| known.0 == action).ok_or(("InvalidAction", "no such action"))?;
        let of_late = self.calls.entry(action.to_owned()).or_default();
        if of_late.note(now, Duration::from_secs(1)) > known.1 {
            return Err(("RequestLimitExceeded", "Too many requests in this second"));
        }
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|_| ("InvalidParameter", "the body is not JSON"))?;
        let fields = body.as_object().ok_or(("InvalidParameter", "the body is not an object"))?;
        spelled(fields, known.2, known.3)?;
        if fields["Domain"].as_str() != Some(&self.domain) {
            return Err(("InvalidParameterValue.DomainNotExists", "The domain does not exist"));
        }
        match action {
            "DescribeRecordList" => self.list(fields, now),
            "DescribeRecord" => self.position(fields).map(|at| json!({ "RecordInfo": info(&self.rows[at]) })),
            "CreateRecord" => self.create(fields, now),
            "ModifyRecord" => self.modify(fields),
            "ModifyRecordRemark" => self.remark(fields),
            _ => self.position(fields).map(|at| _ = self.rows.remove(at)).map(|()| json!({})),
        }
    }

    fn log_in(&mut self, request: &Request, now: Duration) -> Result<(), Refusal> {
        if self.failed_logins.count(now, 5 * MINUTE) > FAILED_LOGINS {
            self.penalties.push("called while logins were blocked".to_owned());
            return Err(("LimitExceeded.FailedLoginLimitExceeded", "Too many failed logins"));
        }
        let checked = check_signature(request, now, &self.id, &self.secret);
        if let Err((code, _)) = checked
            && code != "AuthFailure.SignatureExpire"
            && self.failed_logins.note(now, 5 * MINUTE) > FAILED_LOGINS
        {
            self.penalties.push("logins blocked".to_owned());
        }
        checked
    }

    fn list(&self, fields: &Map<String, Value>, now: Duration) -> Result<Value, Refusal> {
        let wanted = |field: &str, own: &str| fields.get(field).is_none_or(|wanted| wanted == own);
        let found: Vec<&Row> = self
            .rows
            .iter()
            .filter(|r| now.saturating_sub(r.born) >= INDEX_DELAY)
            .filter(|r| wanted("Subdomain", &r.name) && wanted("RecordType", &r.kind))
            .filter(|r| wanted("RecordLineId", &r.line))
            .collect();
        if found.is_empty() && fields.get("ErrorOnEmpty") != Some(&json!("no")) {
            return Err(("ResourceNotFound.NoDataOfRecord", "The record list is empty"));
        }
        let number = |name: &str, otherwise: u64| fields.get(name).map_or(Some(otherwise), Value::as_u64);
        let (Some(offset), Some(limit)) = (number("Offset", 0), number("Limit", 100)) else {
            return Err(("InvalidParameter", "Offset and Limit are integers"));
        };
        if limit > 3_000 {
            return Err(("InvalidParameterValue.LimitInvalid", "Limit is at most 3000"));
        }
        let limit = usize::try_from(limit).unwrap().min(self.page);
        let page: Vec<Value> =
            found.iter().skip(usize::try_from(offset).unwrap()).take(limit).map(|r| listed(r)).collect();
        let count = json!({ "SubdomainCount": 1, "TotalCount": found.len(), "ListCount": page.len() });
        Ok(json!({ "RecordCountInfo": count, "RecordList": page }))
    }

    fn create(&mut self, fields: &Map<String, Value>, now: Duration) -> Result<Value, Refusal> {
        let row = Row { born: now, ..self.described(fields)? };
        self.check(&row)?;
        Ok(json!({ "RecordId": self.put(row) }))
    }

    fn modify(&mut self, fields: &Map<String, Value>) -> Result<Value, Refusal> {
        let at = self.position(fields)?;
        let asked = self.described(fields)?;
        let old = &self.rows[at];
        let remark = if fields.contains_key("Remark") { asked.remark.clone() } else { old.remark.clone() };
        let row = Row { id: old.id, born: old.born, remark, ..asked };
        self.check(&row)?;
        self.rows[at] = row;
        Ok(json!({ "RecordId": self.rows[at].id }))
    }

    fn remark(&mut self, fields: &Map<String, Value>) -> Result<Value, Refusal> {
        let at = self.position(fields)?;
        self.rows[at].remark = remark_of(fields)?;
        Ok(json!({}))
    }

    fn position(&self, fields: &Map<String, Value>) -> Result<usize, Refusal> {
        let id = fields["RecordId"].as_u64().ok_or(("InvalidParameter", "RecordId is an integer"))?;
        self.rows
            .iter()
            .position(|r| r.id == id)
            .ok_or(("InvalidParameter.RecordIdInvalid", "The record id is wrong"))
    }

    /// The record that the fields describe. What is left out falls back: the name to `@`, the TTL to the domain's, the
    /// weight to none.
    fn described(&self, fields: &Map<String, Value>) -> Result<Row, Refusal> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let number =
            |name: &str| fields.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let kind = text("RecordType").unwrap_or("");
        if !["A", "AAAA", "CNAME", "TXT"].contains(&kind) {
            return Err(("InvalidParameter.RecordTypeInvalid", "The record type is wrong"));
        }
        let value = text("Value").filter(|value| fits(kind, value));
        let value = value.ok_or(("InvalidParameter.RecordValueInvalid", "The record value is wrong"))?;
        let line = match text("RecordLineId") {
            Some(id) => LINES.iter().find(|l| l.0 == id),
            None => LINES.iter().find(|l| Some(l.1) == text("RecordLine")),
        };
        let line = line.ok_or(("InvalidParameter.RecordLineInvalid", "The record line is wrong"))?;
        let value =
            if kind == "CNAME" { format!("{}.", value.trim_end_matches('.')) } else { value.to_owned() };
        Ok(Row {
            line: line.0.to_owned(),
            weight: number("Weight"),
            enabled: text("Status") != Some("DISABLE"),
            remark: remark_of(fields)?,
            ..Row::new(
                text("SubDomain").unwrap_or("@"),
                kind,
                &value,
                fields.get("TTL").map_or(Some(600), |_| number("TTL")).unwrap_or(0),
            )
        })
    }

    fn check(&self, row: &Row) -> Result<(), Refusal> {
        if row.ttl < self.min_ttl || row.ttl > 604_800 {
            return Err(("LimitExceeded.RecordTtlLimit", "The TTL is out of the range of the plan"));
        }
        let beside = self
            .rows
            .iter()
            .filter(|r| r.id != row.id && r.name == row.name && r.line == row.line && r.enabled);
        let beside: Vec<&Row> = beside.collect();
        let same = beside.iter().filter(|r| r.kind == row.kind);
        let double = same.clone().any(|r| r.value == row.value);
        if double || beside.iter().any(|r| clash(&r.kind, &row.kind)) {
            return Err(("InvalidParameter.DomainRecordExist", "A conflicting record exists"));
        }
        match (same.count() >= ROUND_ROBIN && row.enabled, row.kind.as_str()) {
            (false, _) => Ok(()),
            (true, "AAAA") => Err(("LimitExceeded.AAAACountLimit", "Too many AAAA records")),
            (true, _) => Err(("LimitExceeded.SubdomainRollLimit", "Too many records in round robin")),
        }
    }
}

impl Vendor for Tencent {
    fn answer(&mut self, request: &Request, now: Duration) -> Reply {
        let mut body = match self.decide(request, now) {
            Ok(body) => body,
            Err((code, message)) => json!({ "Error": { "Code": code, "Message": message } }),
        };
        body["RequestId"] = json!("ab4f1426-ea15-42ea-8183-dc1b44151166");
        Reply::json(200, &json!({ "Response": body }))
    }

    fn writes(&self, request: &Request) -> bool {
        !request.header("x-tc-action").unwrap_or("").starts_with("Describe")
    }

    fn rows(&self) -> Vec<Row> {
        self.rows.clone()
    }

    fn penalties(&self) -> &[String] {
        &self.penalties
    }
}

/// Parameters are known by their exact spelling.
fn spelled(fields: &Map<String, Value>, needed: &[&str], optional: &[&str]) -> Result<(), Refusal> {
    if needed.iter().any(|name| !fields.contains_key(*name)) {
        return Err(("MissingParameter", "A parameter is missing"));
    }
    if fields.keys().any(|name| !needed.contains(&name.as_str()) && !optional.contains(&name.as_str())) {
        return Err(("UnknownParameter", "A parameter is not known"));
    }
    Ok(())
}

fn remark_of(fields: &Map<String, Value>) -> Result<String, Refusal> {
    let remark = fields.get("Remark").and_then(Value::as_str).unwrap_or("");
    if remark.chars().count() > 200 {
        return Err(("InvalidParameter.RemarkTooLong", "The remark has more than 200 characters"));
    }
    Ok(remark.to_owned())
}

/// <https://cloud.tencent.com/document/api/1427/56189>: the header names what was signed; everything is taken from the
/// request as it came.
fn check_signature(request: &Request, now: Duration, id: &str, secret: &str) -> Result<(), Refusal> {
    const WRONG: Refusal = ("AuthFailure.SignatureFailure", "The signature is wrong");
    let header = request.header("authorization").unwrap_or("");
    let time = request.header("x-tc-timestamp").unwrap_or("");
    let (Some(credential), Some(names), Some(signature)) =
        (part(header, "Credential"), part(header, "SignedHeaders"), part(header, "Signature"))
    else {
        return Err(("AuthFailure.InvalidAuthorization", "The Authorization header is malformed"));
    };
    let (Some((who, scope)), Ok(sent)) = (credential.split_once('/'), time.parse::<u64>()) else {
        return Err(("AuthFailure.InvalidAuthorization", "The credential is malformed"));
    };
    if sent.abs_diff(now.as_secs()) > CLOCK {
        return Err(("AuthFailure.SignatureExpire", "The timestamp is more than five minutes off"));
    }
    if who != id {
        return Err(("AuthFailure.SecretIdNotFound", "The SecretId is not found"));
    }
    let (day, rest) = scope.split_once('/').unwrap_or((scope, ""));
    if rest != "dnspod/tc3_request" || !header.starts_with("TC3-HMAC-SHA256 ") {
        return Err(WRONG);
    }
    if !["content-type", "host"].iter().all(|needed| names.split(';').any(|name| name == *needed)) {
        return Err(WRONG);
    }
    let of_day = mac(format!("TC3{secret}").as_bytes(), day);
    if signature_of(request, names, time, scope, &of_day) == signature { Ok(()) } else { Err(WRONG) }
}

fn signature_of(request: &Request, names: &str, time: &str, scope: &str, of_day: &[u8]) -> String {
    let signing = scope.split('/').skip(1).fold(of_day.to_vec(), |key, word| mac(&key, word));
    let digest = sha(canonical(request, names).as_bytes());
    hex(&mac(&signing, &["TC3-HMAC-SHA256", time, scope, &digest].join("\n")))
}

fn canonical(request: &Request, names: &str) -> String {
    let mut lines = vec![request.method.clone(), request.path.clone(), request.query.clone()];
    for name in names.split(';') {
        let value = request.header(name).unwrap_or("").trim().to_lowercase();
        lines.push(format!("{name}:{value}"));
    }
    lines.extend([String::new(), names.to_owned(), sha(&request.body)]);
    lines.join("\n")
}

fn listed(row: &Row) -> Value {
    let line = LINES.iter().find(|l| l.0 == row.line).map_or("", |l| l.1);
    json!({
        "RecordId": row.id, "Value": row.value, "Status": if row.enabled { "ENABLE" } else { "DISABLE" },
        "UpdatedOn": "2021-03-28 11:27:09", "Name": row.name, "Line": line, "LineId": row.line, "Type": row.kind,
        "Weight": row.weight, "MonitorStatus": "", "Remark": row.remark, "TTL": row.ttl, "MX": 0,
        "DefaultNS": false,
    })
}

/// The same record, in the other words that the call for one record has.
fn info(row: &Row) -> Value {
    let line = LINES.iter().find(|l| l.0 == row.line).map_or("", |l| l.1);
    json!({
        "Id": row.id, "SubDomain": row.name, "RecordType": row.kind, "RecordLine": line,
        "RecordLineId": row.line, "Value": row.value, "Weight": row.weight, "MX": 0, "TTL": row.ttl,
        "Enabled": u8::from(row.enabled), "MonitorStatus": "Ok", "Remark": row.remark,
        "UpdatedOn": "2021-03-31 11:38:02", "DomainId": 62,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_551_113_065);

    /// The request that the documentation works through, with its digests and the key of its day.
    #[test]
    fn the_published_signature_is_recomputed() {
        let headers = [
            ("Content-Type", "application/json; charset=utf-8"),
            ("Host", "cvm.tencentcloudapi.com"),
            ("X-TC-Action", "DescribeInstances"),
        ];
        let request = Request {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
            body:
                br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#
                    .into(),
            ..Request::default()
        };
        let names = "content-type;host;x-tc-action";
        assert_eq!(
            sha(canonical(&request, names).as_bytes()),
            "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84"
        );
        let of_day = (0..32).map(|i| {
            let text = "da98fb70dcf6b112dc21038d1eeeb3a95c74b4dcb12c1131f864f6066bd02be0";
            u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()
        });
        assert_eq!(
            signature_of(
                &request,
                names,
                "1551113065",
                "2019-02-25/cvm/tc3_request",
                &of_day.collect::<Vec<_>>()
            ),
            "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
        );
    }

    fn call(service: &mut Tencent, now: Duration, sent: Duration, action: &str, body: &Value) -> Value {
        let (time, day) = (sent.as_secs().to_string(), "2019-02-25");
        let names = "content-type;host";
        let mut request = Request {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            body: body.to_string().into_bytes(),
            ..Request::default()
        };
        for (name, value) in [
            ("content-type", "application/json"),
            ("host", "dnspod.tencentcloudapi.com"),
            ("x-tc-action", action),
            ("x-tc-version", "2021-03-23"),
            ("x-tc-timestamp", &time),
        ] {
            request.headers.push((name.to_owned(), value.to_owned()));
        }
        let scope = format!("{day}/dnspod/tc3_request");
        let signature = signature_of(&request, names, &time, &scope, &mac(b"TC3secret", day));
        let header =
            format!("TC3-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={names}, Signature={signature}");
        request.headers.push(("authorization".to_owned(), header));
        let reply = service.answer(&request, now);
        serde_json::from_str::<Value>(&reply.body).unwrap()["Response"].take()
    }

    fn code(answer: &Value) -> &str {
        answer["Error"]["Code"].as_str().unwrap_or("")
    }

    #[test]
    fn a_new_record_is_missing_from_the_list_for_thirty_seconds() {
        let mut service = Tencent::new("example.com", "AKID", "secret");
        let record = json!({ "Domain": "example.com", "SubDomain": "www", "RecordType": "A", "RecordLine": "默认", "Value": "192.0.2.1" });
        let made = call(&mut service, NOW, NOW, "CreateRecord", &record);
        assert_eq!(
            code(&call(&mut service, NOW, NOW, "CreateRecord", &record)),
            "InvalidParameter.DomainRecordExist"
        );
        let list = json!({ "Domain": "example.com", "Subdomain": "www" });
        let empty = call(&mut service, NOW, NOW, "DescribeRecordList", &list);
        assert_eq!(code(&empty), "ResourceNotFound.NoDataOfRecord");
        let later = NOW + INDEX_DELAY;
        let shown = call(&mut service, later, later, "DescribeRecordList", &list);
        assert_eq!(shown["RecordList"][0]["RecordId"], made["RecordId"]);
    }

    #[test]
    fn spelling_lines_and_a_missing_ttl_are_taken_at_their_word() {
        let mut service = Tencent::new("example.com", "AKID", "secret");
        let wrong = json!({ "Domain": "example.com", "SubDomain": "www" });
        assert_eq!(code(&call(&mut service, NOW, NOW, "DescribeRecordList", &wrong)), "UnknownParameter");
        let lineless = json!({ "Domain": "example.com", "RecordType": "A", "Value": "192.0.2.1" });
        assert_eq!(code(&call(&mut service, NOW, NOW, "CreateRecord", &lineless)), "MissingParameter");
        let id = service.put(Row::new("www", "A", "192.0.2.1", 7_200));
        let modify = json!({
            "Domain": "example.com", "SubDomain": "www", "RecordId": id, "RecordType": "A", "RecordLine": "默认",
            "Value": "192.0.2.2"
        });
        assert_eq!(code(&call(&mut service, NOW, NOW, "ModifyRecord", &modify)), "");
        assert_eq!(service.rows()[0].ttl, 600);
    }

    #[test]
    fn a_clock_five_minutes_off_and_a_wrong_secret_are_refused() {
        let mut service = Tencent::new("example.com", "AKID", "secret");
        let list = json!({ "Domain": "example.com", "ErrorOnEmpty": "no" });
        let off = |seconds| NOW + Duration::from_secs(seconds);
        assert_eq!(
            code(&call(&mut service, off(301), NOW, "DescribeRecordList", &list)),
            "AuthFailure.SignatureExpire"
        );
        assert_eq!(code(&call(&mut service, off(300), NOW, "DescribeRecordList", &list)), "");
        service.secret = "another".to_owned();
        for _ in 0..=FAILED_LOGINS {
            assert_eq!(
                code(&call(&mut service, NOW, NOW, "DescribeRecordList", &list)),
                "AuthFailure.SignatureFailure"
            );
        }
        let blocked = call(&mut service, NOW, NOW, "DescribeRecordList", &list);
        assert_eq!(code(&blocked), "LimitExceeded.FailedLoginLimitExceeded");
    }

    #[test]
    fn more_calls_than_a_second_allows_are_refused() {
        let mut service = Tencent::new("example.com", "AKID", "secret");
        let remark = json!({ "Domain": "example.com", "RecordId": service.put(Row::new("www", "A", "192.0.2.1", 600)) });
        let codes: Vec<String> = (0..21)
            .map(|_| code(&call(&mut service, NOW, NOW, "ModifyRecordRemark", &remark)).to_owned())
            .collect();
        assert_eq!((codes[19].as_str(), codes[20].as_str()), ("", "RequestLimitExceeded"));
    }
}
