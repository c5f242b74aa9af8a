//! The authoritative name server of a stand-in: it shows what the stand-in holds, over UDP.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType, rdata};

use super::serve::Served;
use super::{Row, Vendor};

/// What a server shows instead of what the service holds: it is late.
type Late = Arc<Mutex<Option<Vec<Row>>>>;

/// A name server; its thread ends with the process.
pub(crate) struct Zone {
    pub(crate) address: SocketAddr,
    late: Late,
}

impl Zone {
    /// Shows the rows of `served`, whose names are whole names.
    pub(crate) fn start<V: Vendor>(served: &Served<V>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let late = Late::default();
        let (served, shared) = (served.clone(), Arc::clone(&late));
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer) {
                let rows = shared.lock().unwrap().clone();
                let rows = rows.unwrap_or_else(|| served.with(|service| service.rows()));
                if let Some(answer) = answer(&buffer[..length], &rows) {
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Self { address, late }
    }

    /// From now on shows these rows; None: what the service holds.
    pub(crate) fn show(&self, rows: Option<Vec<Row>>) {
        *self.late.lock().unwrap() = rows;
    }
}

fn answer(question: &[u8], rows: &[Row]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let mut answer = Message::query();
    answer.metadata.id = question.metadata.id;
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.authoritative = true;
    let name = query.name().to_ascii().trim_end_matches('.').to_owned();
    let mut sets: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    rows.iter().filter(|row| row.name == name).for_each(|row| sets.entry(&row.kind).or_default().push(row));
    if sets.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    for row in sets.values().flatten() {
        if let Some(data) = data(row).filter(|data| data.record_type() == query.query_type()) {
            answer.add_answer(Record::from_rdata(query.name().clone(), row.ttl, data));
        }
    }
    answer.add_query(query);
    answer.to_vec().ok()
}

fn data(row: &Row) -> Option<RData> {
    match row.kind.as_str() {
        "A" => Some(RData::A(rdata::A(row.value.parse().ok()?))),
        "AAAA" => Some(RData::AAAA(rdata::AAAA(row.value.parse().ok()?))),
        _ => None,
    }
    .filter(|data| matches!(data.record_type(), RecordType::A | RecordType::AAAA))
}
