//! The certificates of the sites: who keeps which, and what the board is told of it.
//!
//! Never keeps a site from being served: without a certificate it is served without TLS.

use tokio::sync::{mpsc, watch};

use super::event::Event;
use crate::host::shutdown::stopped;
use crate::site::SiteSettings;
use crate::status::CertificateStatus;
use crate::tls::keeping::{Household, Keeping};
use crate::tls::{TlsSettings, public_hosts};

/// What is said of certificates before they were looked at, in the order of [`keepings`].
pub(super) fn before_the_first_look(sites: &[SiteSettings]) -> Vec<CertificateStatus> {
    let unseen = |(_, site, tls): (usize, &SiteSettings, &TlsSettings)| CertificateStatus {
        hosts: public_hosts(&site.hosts),
        from: tls.certificate.to_string(),
        until: None,
        why: "not looked at yet".to_owned(),
        needs_person: false,
    };
    with_tls(sites).map(unseen).collect()
}

/// The tasks that keep the certificates, one for each site that has any.
pub(super) fn keepings(sites: &[SiteSettings], house: &Household) -> Vec<Task> {
    let task = |(number, (site, settings, tls)): (usize, (usize, &SiteSettings, &TlsSettings))| {
        let keeping = Keeping::of(&tls.certificate, site, public_hosts(&settings.hosts), house);
        Task { number, keeping }
    };
    with_tls(sites).enumerate().map(task).collect()
}

fn with_tls(sites: &[SiteSettings]) -> impl Iterator<Item = (usize, &SiteSettings, &TlsSettings)> {
    sites.iter().enumerate().filter_map(|(number, site)| Some((number, site, site.tls.as_ref()?)))
}

/// Keeps one certificate, and tells the board of it.
pub(super) struct Task {
    number: usize,
    keeping: Keeping,
}

impl Task {
    /// Keeps it until `close`.
    pub(super) async fn run(self, events: mpsc::Sender<Event>, mut close: watch::Receiver<bool>) {
        let number = self.number;
        let report = async move |status| {
            // Without a board the process is on its way out.
            let _ = events.send(Event::Certificate(number, status)).await;
        };
        tokio::select! {
            biased;
            () = stopped(&mut close) => {}
            () = self.keeping.run(report) => {}
        }
    }
}
