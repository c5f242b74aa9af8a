//! A real name server behind a relay, over TCP, so that updates and answers can be lost like those of the stand-ins.

use std::net::TcpStream;
use std::ops::Deref;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType, TSigner};

use super::serve::Wire;
use super::{Reply, Request, Row, Vendor};
use crate::support::bind::Bind;
use crate::support::dns_proxy::{UPDATE, operation, receive, send};
use crate::support::knot::Knot;
use crate::support::name_server::{ADMIN, NameServer, ZONE, ask};
use crate::support::powerdns::PowerDns;

/// A kind of server that can be started.
pub(crate) trait Kind: Deref<Target = NameServer> + Send + 'static {
    const CALLED: &'static str;
    fn start() -> Self;
}

macro_rules! kinds {
    ($($server:ident: $called:literal),*) => {
        $(impl Kind for $server {
            const CALLED: &'static str = $called;
            fn start() -> Self {
                Self::start()
            }
        })*
    };
}

kinds!(Knot: "Knot", Bind: "BIND", PowerDns: "PowerDNS");

/// The primary of a zone, of which one name is looked at.
pub(crate) struct Primary<K> {
    pub(crate) server: K,
    host: &'static str,
}

impl<K: Kind> Primary<K> {
    pub(crate) fn start(host: &'static str) -> Self {
        Self { server: K::start(), host }
    }

    /// Adds a record, as a person would who may do everything.
    pub(crate) fn put(&self, row: &Row) {
        let name = |text: &str| Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).unwrap();
        let data = match row.kind.as_str() {
            "A" => RData::A(A(row.value.parse().unwrap())),
            "AAAA" => RData::AAAA(AAAA(row.value.parse().unwrap())),
            "CNAME" => RData::CNAME(CNAME(name(&row.value))),
            "TXT" => RData::TXT(TXT::new(vec![row.value.trim_matches('"').to_owned()])),
            other => panic!("{other}"),
        };
        let mut update = Message::query();
        update.metadata.op_code = OpCode::Update;
        update.add_query(Query::query(name(ZONE), RecordType::SOA));
        update.add_authorities([Record::from_rdata(name(&format!("{}.{ZONE}", row.name)), row.ttl, data)]);
        let key = self.server.key(ADMIN);
        let (secret, algorithm) = (key.secret.expose().clone(), TsigAlgorithm::HmacSha256);
        let signer = TSigner::new(secret, algorithm, name(key.name.as_str()), 300).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        update.finalize(&signer, now).unwrap();
        let answer = self.relay(&update.to_vec().unwrap()).unwrap();
        let code = Message::from_vec(&answer).unwrap().metadata.response_code;
        assert_eq!(code, ResponseCode::NoError, "{row:?}");
    }

    fn relay(&self, question: &[u8]) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(self.server.address()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        send(&mut stream, question)?;
        receive(&mut stream)
    }

    fn shown(&self, kind: RecordType) -> Vec<Row> {
        let name = format!("{}.{ZONE}", self.host);
        let answer = (0..3).find_map(|_| ask(self.server.address(), &name, kind, Duration::from_secs(2)));
        let answer = answer.unwrap_or_else(|| panic!("{} does not answer for {name} {kind}", K::CALLED));
        let here = answer.answers.iter().filter(|record| record.record_type() == kind);
        let mut rows: Vec<Row> = here
            .map(|record| Row::new(self.host, &kind.to_string(), &record.data.to_string(), record.ttl))
            .collect();
        rows.sort_by(|one, other| one.value.cmp(&other.value));
        rows
    }
}

impl<K: Kind> Vendor for Primary<K> {
    const WIRE: Wire = Wire::Dns;

    fn answer(&mut self, request: &Request, _now: Duration) -> Reply {
        Reply::bytes(&self.relay(&request.body).unwrap())
    }

    fn writes(&self, request: &Request) -> bool {
        operation(&request.body) == UPDATE
    }

    fn rows(&self) -> Vec<Row> {
        let kinds = [RecordType::A, RecordType::AAAA, RecordType::CNAME, RecordType::TXT];
        kinds.into_iter().flat_map(|kind| self.shown(kind)).collect()
    }

    /// A server of one's own punishes nothing.
    fn penalties(&self) -> &[String] {
        &[]
    }
}
