//! What a failed request means. The HTTP client wraps its causes; they are found by going down to them.

use std::error::Error;
use std::io::{self, ErrorKind};

use super::Failure;

/// The longest TLS text that is kept, in characters: part of it is the stranger's certificate.
const MAX_TEXT: usize = 200;

/// The meaning of an error of the HTTP client.
pub(super) fn failure(error: &reqwest::Error) -> Failure {
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => Failure::ConnectTimeout,
        (true, false) => Failure::Timeout,
        (false, connecting) => match (tls_cause(error), connecting) {
            (Some(text), _) => Failure::Tls(text),
            (None, true) => connecting_failed(io_cause(error), scheme(error)),
            (None, false) => Failure::Garbled,
        },
    }
}

/// Of what was asked for. Nothing is asked for without one.
fn scheme(error: &reqwest::Error) -> &str {
    error.url().map_or("", reqwest::Url::scheme)
}

/// Without a connection: refused, a handshake that broke off, or no way there. Without TLS there is no handshake, and a
/// reset that comes while connecting is a refusal.
fn connecting_failed(kind: Option<ErrorKind>, scheme: &str) -> Failure {
    match kind {
        Some(ErrorKind::ConnectionRefused) => Failure::Refused,
        Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) if scheme == "http" => Failure::Refused,
        Some(ErrorKind::TimedOut) => Failure::ConnectTimeout,
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            Failure::Tls("the handshake broke off".to_owned())
        }
        Some(_) | None => Failure::Unreachable,
    }
}

fn tls_cause(error: &(dyn Error + 'static)) -> Option<String> {
    let text = find(error, |e| e.downcast_ref::<rustls::Error>().map(ToString::to_string))?;
    Some(text.escape_debug().take(MAX_TEXT).collect())
}

/// What the system said. The client's own wrappers have no kind.
fn io_cause(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    find(error, |e| {
        e.downcast_ref::<io::Error>().map(io::Error::kind).filter(|kind| *kind != ErrorKind::Other)
    })
}

/// The first hit on the way down. An I/O error that wraps another does not name it as its source, so it is opened.
fn find<T>(error: &(dyn Error + 'static), hit: impl Fn(&(dyn Error + 'static)) -> Option<T>) -> Option<T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = hit(error) {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_a_failed_handshake_only_where_there_is_one() {
        let failed = |scheme| connecting_failed(Some(ErrorKind::ConnectionReset), scheme);
        assert_eq!(failed("http"), Failure::Refused);
        assert_eq!(failed("https"), Failure::Tls("the handshake broke off".to_owned()));
    }
}
