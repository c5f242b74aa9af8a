//! The zone on the network: UDP and TCP on one port of loopback, UPDATE with TSIG (RFC 8945), and a word to everybody
//! who listens for each update that landed.
//!
//! Never decides what an update does: [`super::update`] does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Edns, LowerQuery, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{DNSClass, Name, Record, RecordType, TSigResponseContext, TSigner};
use hickory_proto::serialize::binary::BinEncoder;
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::broadcast;

use super::update::{Change, Rights, update};
use super::{Answer, Zone};

/// The largest answer over UDP that we offer (DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;

/// How long a TCP connection may be idle (RFC 7766 section 6.2.3).
const TCP_IDLE: Duration = Duration::from_secs(10);

/// A key that may update.
pub struct Key {
    /// Checks and signs.
    pub signer: TSigner,
    /// What it may write.
    pub rights: Rights,
}

/// An update that has just become visible.
#[derive(Clone, Debug)]
pub struct Landed {
    /// The serial number since then.
    pub serial: u32,
    /// The name of the key that signed it.
    pub by: Name,
    /// What changed.
    pub changes: Vec<Change>,
}

/// The running name server. Dropping it closes its sockets.
pub struct ZoneServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: Server<Handler>,
}

struct Shared {
    zone: Mutex<Zone>,
    keys: Vec<Key>,
    landed: broadcast::Sender<Landed>,
    watched: Name,
    emptied: AtomicU64,
}

impl ZoneServer {
    /// Serves `zone` on a free port of 127.0.0.1. `watched` is the name that must never lose its last address.
    ///
    /// # Errors
    /// When no port is free for both UDP and TCP.
    pub async fn start(zone: Zone, keys: Vec<Key>, watched: Name) -> io::Result<Self> {
        let (udp, tcp) = bind_both().await?;
        let address = udp.local_addr()?;
        let (landed, _) = broadcast::channel(256);
        let emptied = AtomicU64::new(0);
        let shared = Arc::new(Shared { zone: Mutex::new(zone), keys, landed, watched, emptied });
        let mut server = Server::new(Handler(shared.clone()));
        server.register_socket(udp);
        server.register_listener(tcp, TCP_IDLE, 32);
        Ok(Self { address, shared, _server: server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every update from now on.
    #[must_use]
    pub fn landed(&self) -> broadcast::Receiver<Landed> {
        self.shared.landed.subscribe()
    }

    /// How often an update took the last address, or alias, of the watched name away. Must stay zero.
    #[must_use]
    pub fn emptied(&self) -> u64 {
        self.shared.emptied.load(Ordering::Relaxed)
    }

    /// The zone as it stands.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.shared.read()
    }
}

/// A UDP and a TCP socket on the same free port.
async fn bind_both() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..16 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Shared {
    fn read(&self) -> Zone {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Applies an update under one lock, so that readers see the zone before or after it and nothing between.
    fn land(&self, key: &Key, prerequisites: &[Record], changes: &[Record]) -> ResponseCode {
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, changes) = match update(&zone, &key.rights, prerequisites, changes) {
            Ok(done) => done,
            Err(code) => return code,
        };
        if has_address(&zone, &self.watched) && !has_address(&next, &self.watched) {
            self.emptied.fetch_add(1, Ordering::Relaxed);
        }
        *zone = next;
        if !changes.is_empty() {
            let by = key.signer.signer_name().clone();
            // Nobody listening is fine: the zone is the truth, the word about it is for the view.
            let _ = self.landed.send(Landed { serial: zone.serial(), by, changes });
        }
        ResponseCode::NoError
    }

    /// Who signed the request, and how the response has to be signed (RFC 8945 section 5.2).
    fn authenticate(&self, request: &Request, now: u64) -> Signed<'_> {
        let Some(signature) = request.signature.as_deref() else { return Signed::Not };
        let (id, tsig) = (request.metadata.id, &signature.data);
        let Some(key) = self.keys.iter().find(|key| *key.signer.signer_name() == signature.name) else {
            return Signed::Badly(TSigResponseContext::unknown_key(id, now, signature.name.clone()));
        };
        let signer = key.signer.clone();
        // The library subtracts the fudge from the time, unchecked, before it returns the range.
        if tsig.time < u64::from(tsig.fudge) {
            return Signed::Badly(TSigResponseContext::bad_signature(id, now, signer));
        }
        match signer.verify_message_byte(request.as_slice(), None, true) {
            Ok((mac, _, range)) if range.contains(&now) => {
                Signed::By(key, TSigResponseContext::new(id, now, signer, mac, None))
            }
            Ok((mac, ..)) => {
                let late = Some(TsigError::BadTime);
                Signed::Badly(TSigResponseContext::new(id, now, signer, mac, late))
            }
            Err(_) => Signed::Badly(TSigResponseContext::bad_signature(id, now, signer)),
        }
    }

    fn reply(&self, request: &Request, now: u64) -> Reply {
        let signed = self.authenticate(request, now);
        let mut answer = match &signed {
            Signed::Badly(_) => just(ResponseCode::NotAuth),
            Signed::Not | Signed::By(..) if request.version() > 0 => just(ResponseCode::BADVERS),
            Signed::Not | Signed::By(..) => match (request.metadata.op_code, &signed) {
                (OpCode::Query, _) => self.ask(request.queries.queries()),
                (OpCode::Update, Signed::By(key, _)) => just(self.update(request, key)),
                (OpCode::Update, _) => just(ResponseCode::Refused),
                _ => just(ResponseCode::NotImp),
            },
        };
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = answer.code;
        let query = request.metadata.op_code == OpCode::Query;
        metadata.authoritative =
            query && matches!(answer.code, ResponseCode::NoError | ResponseCode::NXDomain);
        let (answers, authority) =
            (std::mem::take(&mut answer.answers), std::mem::take(&mut answer.authority));
        Reply { metadata, answers, authority, signing: signed.context() }
    }

    fn ask(&self, queries: &[LowerQuery]) -> Answer {
        match queries {
            [query] if query.query_class() == DNSClass::IN => {
                self.read().answer(&Name::from(query.name()), query.query_type())
            }
            [_] => just(ResponseCode::Refused),
            _ => just(ResponseCode::FormErr),
        }
    }

    /// RFC 2136 section 3.1: the zone section names exactly our zone.
    fn update(&self, request: &Request, key: &Key) -> ResponseCode {
        let [zone] = request.queries.queries() else { return ResponseCode::FormErr };
        if zone.query_type() != RecordType::SOA {
            return ResponseCode::FormErr;
        }
        if zone.query_class() != DNSClass::IN || Name::from(zone.name()) != *self.read().apex() {
            return ResponseCode::NotAuth;
        }
        self.land(key, &request.answers, &request.authorities)
    }
}

fn just(code: ResponseCode) -> Answer {
    Answer { code, answers: Vec::new(), authority: Vec::new() }
}

fn has_address(zone: &Zone, name: &Name) -> bool {
    zone.types_at(name).any(|kind| matches!(kind, RecordType::A | RecordType::AAAA | RecordType::CNAME))
}

/// How a request was signed.
enum Signed<'a> {
    Not,
    By(&'a Key, TSigResponseContext),
    Badly(TSigResponseContext),
}

impl Signed<'_> {
    fn context(self) -> Option<TSigResponseContext> {
        match self {
            Signed::Not => None,
            Signed::By(_, context) | Signed::Badly(context) => Some(context),
        }
    }
}

struct Reply {
    metadata: Metadata,
    answers: Vec<Record>,
    authority: Vec<Record>,
    signing: Option<TSigResponseContext>,
}

struct Handler(Arc<Shared>);

impl RequestHandler for Handler {
    // The trait is written with the `async_trait` macro; this is what the macro makes of it.
    fn handle_request<'life0, 'life1, 'async_trait, R, T>(
        &'life0 self,
        request: &'life1 Request,
        response_handle: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
        R: ResponseHandler + 'async_trait,
        T: Time + 'async_trait,
    {
        let reply = self.0.reply(request, T::current_time());
        Box::pin(send(request, reply, response_handle))
    }
}

async fn send(request: &Request, mut reply: Reply, mut to: impl ResponseHandler) -> ResponseInfo {
    let edns = request.edns.as_ref().map(|asked| {
        let mut edns = Edns::new();
        edns.set_max_payload(asked.max_payload().clamp(512, UDP_PAYLOAD));
        edns
    });
    let builder = || MessageResponseBuilder::new(&request.queries, edns.as_ref());
    let signature = reply.signing.take().and_then(|context| {
        let unsigned = builder().build(reply.metadata, &reply.answers, &reply.authority, [], []);
        let mut bytes = Vec::with_capacity(512);
        unsigned.destructive_emit(&mut BinEncoder::new(&mut bytes)).ok()?;
        context.sign(&bytes).ok()
    });
    let mut response = builder().build(reply.metadata, &reply.answers, &reply.authority, [], []);
    if let Some(signature) = signature {
        response.set_signature(signature);
    }
    let header = || hickory_proto::op::Header {
        metadata: reply.metadata,
        counts: hickory_proto::op::HeaderCounts::default(),
    };
    to.send_response(response).await.unwrap_or_else(|_| header().into())
}
