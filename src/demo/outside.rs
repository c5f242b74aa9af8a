//! A look at the site from outside, as a visitor takes it: ask the name server, then ask the address that it named.
//!
//! Knows nothing of the parts of the demo: it sees what is on the network and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use rustls::ClientConfig;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::config::Places;
use super::{SITE, pages, site};
use crate::host::tls::{BadRoot, client_config};

/// How long an answer may take. Loopback is quick; a stalled line is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the name server gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing came, or it could not be sent.
    #[error("the name server {0} gave no answer: {1}")]
    Silent(SocketAddr, std::io::Error),
    /// Something came that is not an answer.
    #[error("the name server {0} gave an answer that cannot be read")]
    Garbled(SocketAddr),
    /// An answer with an error.
    #[error("the name server {0} answered {1}")]
    Refused(SocketAddr, ResponseCode),
}

/// What a visitor got at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The site, from a Pi.
    FromPi,
    /// The site, from the stand-in for GitHub Pages.
    FromFallback,
    /// Something else, in words.
    Wrong(String),
    /// Nothing, and why.
    Nothing(String),
}

/// What a visitor sees: the addresses in the DNS, and the home page at each of them.
pub type Sight = BTreeMap<IpAddr, Page>;

/// Somebody who looks from outside.
#[derive(Clone, Debug)]
pub struct Visitor {
    name_server: SocketAddr,
    port: u16,
    url: String,
    tls: ClientConfig,
}

impl Visitor {
    /// A visitor who asks the name server there, and the site's port at every address: by HTTPS where there is any.
    ///
    /// # Errors
    /// When the root that is to be trusted is none.
    pub fn new(places: &Places) -> Result<Self, BadRoot> {
        let roots: Vec<_> = places.https.iter().map(|https| https.root.clone()).collect();
        let (name_server, (_, port)) = (places.name_server, places.way_in());
        Ok(Self { name_server, port, url: places.url(), tls: client_config(&roots)? })
    }

    /// The addresses of the site, as the name server gives them now. Empty: the name has none.
    ///
    /// # Errors
    /// When there is no answer that can be used.
    pub async fn addresses(&self) -> Result<BTreeSet<IpAddr>, AskError> {
        ask(self.name_server, SITE).await
    }

    /// Asks for the addresses and for the home page at each.
    ///
    /// # Errors
    /// When the name server gives no answer that can be used.
    pub async fn look(&self) -> Result<Sight, AskError> {
        let mut sight = Sight::new();
        for address in self.addresses().await? {
            sight.insert(address, self.page(address).await);
        }
        Ok(sight)
    }

    /// The home page at one address.
    pub async fn page(&self, address: IpAddr) -> Page {
        match self.fetch(address).await {
            Ok(page) => page,
            Err(error) => Page::Nothing(error.without_url().to_string()),
        }
    }

    /// A client for one page, to whom the name of the site leads to this address.
    fn client(&self, address: IpAddr) -> Result<reqwest::Client, reqwest::Error> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .resolve(SITE, SocketAddr::new(address, self.port))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
    }

    async fn fetch(&self, address: IpAddr) -> Result<Page, reqwest::Error> {
        let response = self.client(address)?.get(&self.url).send().await?;
        let status = response.status();
        let server = response.headers().get(reqwest::header::SERVER).cloned();
        let body = response.text().await?;
        if !status.is_success() {
            return Ok(Page::Wrong(format!("status {}", status.as_u16())));
        }
        if !body.contains(site::MARKER) {
            return Ok(Page::Wrong("not the home page of the site".to_owned()));
        }
        let fallback = server.is_some_and(|server| server == pages::SERVER_NAME);
        Ok(if fallback { Page::FromFallback } else { Page::FromPi })
    }
}

/// Asks `server` over UDP for the A records of `name`.
///
/// # Errors
/// When there is no answer that can be used.
pub async fn ask(server: SocketAddr, name: &str) -> Result<BTreeSet<IpAddr>, AskError> {
    let mut message = Message::query();
    let owner = Name::from_ascii(format!("{name}.")).map_err(|_| AskError::Garbled(server))?;
    message.add_query(Query::query(owner, RecordType::A));
    let question = message.to_vec().map_err(|_| AskError::Garbled(server))?;
    let bytes = exchange(server, &question).await.map_err(|error| AskError::Silent(server, error))?;
    let answer = Message::from_vec(&bytes).map_err(|_| AskError::Garbled(server))?;
    if answer.metadata.id != message.metadata.id {
        return Err(AskError::Garbled(server));
    }
    let code = answer.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Err(AskError::Refused(server, code));
    }
    Ok(addresses(&answer))
}

fn addresses(answer: &Message) -> BTreeSet<IpAddr> {
    let address = |data: &RData| if let RData::A(a) = data { Some(IpAddr::V4(a.0)) } else { None };
    answer.answers.iter().filter_map(|record| address(&record.data)).collect()
}

async fn exchange(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; 1232];
    let count = timeout(PATIENCE, socket.recv(&mut buffer)).await??;
    buffer.truncate(count);
    Ok(buffer)
}
