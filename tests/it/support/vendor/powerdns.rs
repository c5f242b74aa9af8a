//! A real PowerDNS behind a relay, so that its answers can be lost like those of the stand-ins.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Reply, Request, Row, Vendor};
use crate::support::name_server::ZONE;
use crate::support::powerdns::{API_KEY, PowerDns};

/// A server of one's own, with its zone.
pub(crate) struct PowerDnsApi {
    pub(crate) server: PowerDns,
}

impl PowerDnsApi {
    pub(crate) fn start() -> Self {
        Self { server: PowerDns::start() }
    }

    /// Asks the API directly, with the right key.
    pub(crate) fn ask(&self, method: &str, query: &str, body: &str) -> Value {
        let request = Request {
            method: method.to_owned(),
            path: format!("/api/v1/servers/localhost/zones/{ZONE}."),
            query: query.to_owned(),
            headers: vec![("X-API-Key".to_owned(), API_KEY.to_owned())],
            body: body.as_bytes().to_vec(),
        };
        let reply = relay(self.server.api(), &request);
        assert!((200..300).contains(&reply.status), "{reply:?}");
        serde_json::from_str(&reply.body).unwrap_or(Value::Null)
    }

    /// The RRsets of the zone as the API shows them.
    pub(crate) fn sets(&self) -> Vec<Value> {
        self.ask("GET", "", "")["rrsets"].as_array().cloned().unwrap()
    }

    /// Writes one RRset whole.
    pub(crate) fn replace(&self, set: &Value) {
        let mut set = set.clone();
        set["changetype"] = json!("REPLACE");
        self.ask("PATCH", "", &json!({ "rrsets": [set] }).to_string());
    }

    /// Adds a record, as a person would.
    pub(crate) fn put(&self, row: &Row) {
        let (name, content) =
            (format!("{}.{ZONE}.", row.name), json!({ "content": row.value, "disabled": !row.enabled }));
        let same = |set: &Value| set["name"] == json!(name) && set["type"] == json!(row.kind);
        let mut set = self
            .sets()
            .into_iter()
            .find(same)
            .unwrap_or_else(|| json!({ "name": name, "type": row.kind, "ttl": row.ttl, "records": [] }));
        set["records"].as_array_mut().unwrap().push(content);
        self.replace(&set);
    }
}

/// One request to the real server and its answer.
fn relay(to: SocketAddr, request: &Request) -> Reply {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let target = if request.query.is_empty() {
        request.path.clone()
    } else {
        format!("{}?{}", request.path, request.query)
    };
    let key = request.header("x-api-key").unwrap_or("");
    let head = format!(
        "{} {target} HTTP/1.0\r\nHost: {to}\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        request.method,
        request.body.len()
    );
    stream.write_all(&[head.as_bytes(), &request.body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, headers: Vec::new(), body: body.to_owned() }
}

impl Vendor for PowerDnsApi {
    fn answer(&mut self, request: &Request, _now: Duration) -> Reply {
        relay(self.server.api(), request)
    }

    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = BTreeMap::new();
        for set in self.sets() {
            let name = set["name"].as_str().unwrap().trim_end_matches('.');
            let host = name.strip_suffix(ZONE).unwrap().trim_end_matches('.');
            let (kind, ttl) =
                (set["type"].as_str().unwrap(), u32::try_from(set["ttl"].as_u64().unwrap()).unwrap());
            for record in set["records"].as_array().unwrap() {
                let value = record["content"].as_str().unwrap();
                let row =
                    Row { enabled: record["disabled"] != json!(true), ..Row::new(host, kind, value, ttl) };
                rows.insert((host.to_owned(), kind.to_owned(), value.to_owned()), row);
            }
        }
        rows.into_values().collect()
    }

    /// A server of one's own punishes nothing.
    fn penalties(&self) -> &[String] {
        &[]
    }
}
