//! What a failed request means. The HTTP client wraps its causes; they are found by going down to them.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::CertificateError;

use super::Failure;
use crate::tls::certificate::day;

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
    let text = find(error, |e| e.downcast_ref::<rustls::Error>().map(told))?;
    Some(text.escape_debug().take(MAX_TEXT).collect())
}

/// A TLS error in words that are the same at the next look, unless something else is wrong then.
fn told(error: &rustls::Error) -> String {
    if let rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) = error {
        return format!("the certificate ended on {}", day(not_after.as_secs()));
    }
    if let rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) = error
    {
        return format!("the certificate is good from {} on", day(not_before.as_secs()));
    }
    // What hearth itself says of a certificate.
    if let rustls::Error::General(text) = error { text.clone() } else { error.to_string() }
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
    fn what_is_wrong_with_a_certificate_reads_the_same_at_every_look() {
        let at =
            |seconds| rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let ended = |time| CertificateError::ExpiredContext { time: at(time), not_after: at(86_400) };
        let words = |time| told(&rustls::Error::InvalidCertificate(ended(time)));
        assert_eq!(words(100_000), "the certificate ended on 1970-01-02 00:00 UTC");
        assert_eq!(words(100_000), words(100_001));
    }

    #[test]
    fn a_reset_is_a_failed_handshake_only_where_there_is_one() {
        let failed = |scheme| connecting_failed(Some(ErrorKind::ConnectionReset), scheme);
        assert_eq!(failed("http"), Failure::Refused);
        assert_eq!(failed("https"), Failure::Tls("the handshake broke off".to_owned()));
    }
}
