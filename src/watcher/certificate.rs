//! The watcher's own certificate: who keeps it, and what the log is told of it.
//!
//! Never keeps the watcher from deciding: without a certificate nobody gets an answer by HTTPS, and nothing else is wrong.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::config::WatcherTls;
use crate::dns::account_book::AccountBook;
use crate::host::time::Timeline;
use crate::status::CertificateStatus;
use crate::tls::certificate::day;
use crate::tls::keeping::{Household, Keeping};
use crate::tls::{Shelf, server};

/// What connections are opened with, and what keeps its certificate as long as it is polled.
///
/// # Errors
/// When the kernel gives no random numbers.
pub(super) fn keep(
    tls: WatcherTls,
    state: &Path,
    book: AccountBook,
    line: Timeline,
) -> Result<(Arc<ServerConfig>, impl Future<Output = ()> + use<>), rustls::Error> {
    let shelf = Arc::new(Shelf::default());
    let config = server::config(Arc::clone(&shelf), vec![0], &[b"http/1.1"])?;
    let house = Household { node: "watcher".to_owned(), state: state.to_owned(), shelf, book, line };
    let keeping = Keeping::of(&tls.certificate, 0, tls.hosts, &house);
    Ok((config, keeping.run(tell)))
}

async fn tell(status: CertificateStatus) {
    match (status.why.as_str(), status.until) {
        ("", Some(until)) => {
            tracing::info!("the watcher's certificate from {} is good until {}", status.from, day(until));
        }
        ("", None) => {}
        (why, _) if status.needs_person => tracing::error!("the watcher's certificate: {why}"),
        (why, _) => tracing::warn!("the watcher's certificate: {why}"),
    }
}
