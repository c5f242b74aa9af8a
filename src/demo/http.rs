//! The smallest HTTP server that the demo's stand-ins need: one answer for each request, worked out on the spot.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How long a client may take to shake hands, and to send the head of a request.
const HEAD: Duration = Duration::from_secs(5);

/// How many connections are open at most.
const CONNECTIONS: usize = 256;

/// A server that runs until it is dropped.
pub struct Serving {
    _tasks: JoinSet<()>,
}

/// Answers every request on `listener` with what `answer` makes of it and of the client's address.
pub fn serve<F>(listener: TcpListener, answer: F) -> Serving
where
    F: Fn(SocketAddr, &Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let mut tasks = JoinSet::new();
    tasks.spawn(accept(listener, None, Arc::new(answer)));
    Serving { _tasks: tasks }
}

/// The same through TLS.
pub fn serve_tls<F>(listener: TcpListener, config: Arc<ServerConfig>, answer: F) -> Serving
where
    F: Fn(SocketAddr, &Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let mut tasks = JoinSet::new();
    tasks.spawn(accept(listener, Some(config.into()), Arc::new(answer)));
    Serving { _tasks: tasks }
}

async fn accept<F>(listener: TcpListener, tls: Option<TlsAcceptor>, answer: Arc<F>)
where
    F: Fn(SocketAddr, &Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if open.len() < CONNECTIONS => match accepted {
                Ok((stream, client)) => drop(open.spawn(connection(stream, tls.clone(), client, answer.clone()))),
                // Out of file descriptors, most likely: some will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

async fn connection<F>(stream: TcpStream, tls: Option<TlsAcceptor>, client: SocketAddr, answer: Arc<F>)
where
    F: Fn(SocketAddr, &Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    match tls {
        None => converse(stream, client, answer).await,
        Some(tls) => {
            // A handshake that fails is the client's business, as is one that takes too long.
            if let Ok(Ok(stream)) = timeout(HEAD, tls.accept(stream)).await {
                converse(stream, client, answer).await;
            }
        }
    }
}

async fn converse<S, F>(stream: S, client: SocketAddr, answer: Arc<F>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(SocketAddr, &Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let service = service_fn(move |request| {
        let response = answer(client, &request);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD);
    // A client that goes away is its own business.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}
