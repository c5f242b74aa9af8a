//! The home router in front of a Pi: carries TCP in and out, and its line can be cut.
//!
//! Inwards it forwards the site's port of the public address to the Pi. Outwards it carries what the Pi asks for,
//! and the other side sees the public address, as behind address translation. On a cut line nothing gets an answer and
//! nothing is refused: connections stall, as when the plug is pulled at the other end of the street.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many connections one forwarder carries at most.
const CONNECTIONS: usize = 128;

/// The state of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It carries.
    Up,
    /// Everything on it stalls.
    Cut,
}

/// A running router. Dropping it closes everything that it carries.
pub struct Router {
    public: Ipv4Addr,
    line: watch::Sender<Line>,
    forwarders: JoinSet<()>,
}

impl Router {
    /// A router with this public address. It carries nothing yet.
    #[must_use]
    pub fn new(public: Ipv4Addr) -> Self {
        Self { public, line: watch::Sender::new(Line::Up), forwarders: JoinSet::new() }
    }

    /// Carries what comes in on `listener`, at the public address, to the Pi.
    pub fn inwards(&mut self, listener: TcpListener, to: SocketAddr) {
        self.forwarders.spawn(forward(listener, Way { to, from: None }, self.line.subscribe()));
    }

    /// Carries what the Pi sends to `listener`, behind the router, to somebody outside.
    pub fn outwards(&mut self, listener: TcpListener, to: SocketAddr) {
        let way = Way { to, from: Some(self.public) };
        self.forwarders.spawn(forward(listener, way, self.line.subscribe()));
    }

    /// Cuts the line.
    pub fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }

    /// Mends the line. What stalled goes on, unless somebody has given up on it.
    pub fn heal(&self) {
        self.line.send_replace(Line::Up);
    }

    /// The state of the line.
    #[must_use]
    pub fn line(&self) -> Line {
        *self.line.borrow()
    }
}

/// Where a forwarder leads, and from which address.
#[derive(Clone, Copy)]
struct Way {
    to: SocketAddr,
    from: Option<Ipv4Addr>,
}

async fn forward(listener: TcpListener, way: Way, mut line: watch::Receiver<Line>) {
    let mut open = JoinSet::new();
    while up(&mut line).await {
        tokio::select! {
            accepted = listener.accept(), if open.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(open.spawn(carry(stream, way, line.clone()))),
                // Out of file descriptors, most likely: some will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            _ = line.changed() => {}
            Some(_) = open.join_next() => {}
        }
    }
}

/// Waits until the line carries. False: the router is gone.
async fn up(line: &mut watch::Receiver<Line>) -> bool {
    line.wait_for(|line| *line == Line::Up).await.is_ok()
}

async fn carry(here: TcpStream, way: Way, line: watch::Receiver<Line>) {
    let Ok(there) = connect(way).await else {
        // Nobody listens there: say so as TCP does, with a reset.
        let _ = here.set_zero_linger();
        return;
    };
    let (here_read, here_write) = here.into_split();
    let (there_read, there_write) = there.into_split();
    let forth = pump(here_read, there_write, line.clone());
    let back = pump(there_read, here_write, line);
    // An error on either way ends both: the pair is one connection.
    let _ = tokio::try_join!(forth, back);
}

async fn connect(way: Way) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = way.from {
        socket.bind((from, 0).into())?;
    }
    socket.connect(way.to).await
}

/// Carries one direction. What was read while the line was cut waits in the buffer until it carries again.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut line: watch::Receiver<Line>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        if !up(&mut line).await {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
    }
}
