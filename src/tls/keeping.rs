//! Who keeps a certificate on the shelf: whoever writes its files, or we ourselves by an authority.

use std::path::PathBuf;
use std::sync::Arc;

use super::files::Follower;
use super::settings::CertificateSource;
use super::shelf::Shelf;
use crate::acme::Keeper;
use crate::dns::account_book::AccountBook;
use crate::host::time::{Timeline, wall_clock};
use crate::status::CertificateStatus;

/// Where certificates are kept, and by whom.
#[derive(Clone, Debug)]
pub struct Household {
    /// Who this is, among those that share a certificate.
    pub node: String,
    /// Where things are kept on this machine.
    pub state: PathBuf,
    /// Where certificates are shown.
    pub shelf: Arc<Shelf>,
    /// What the accounts of DNS providers put up with.
    pub book: AccountBook,
    /// What time it is.
    pub line: Timeline,
}

/// Who keeps one certificate.
#[derive(Debug)]
pub enum Keeping {
    /// Somebody else does, and we follow.
    Files(Follower),
    /// We do.
    Acme(Box<Keeper>),
}

impl Keeping {
    /// Keeps the certificate of the site with this number for `hosts`.
    #[must_use]
    pub fn of(source: &CertificateSource, site: usize, hosts: Vec<String>, house: &Household) -> Self {
        let Household { node, state, shelf, book, line } = house.clone();
        match source {
            CertificateSource::Files(files) => {
                Self::Files(Follower { files: files.clone(), site, hosts, shelf, wall: wall_clock })
            }
            CertificateSource::Acme(settings) => {
                let settings = settings.clone();
                Self::Acme(Box::new(Keeper { settings, site, hosts, shelf, node, state, book, line }))
            }
        }
    }

    /// Keeps it for ever, and reports whenever something is otherwise than before.
    pub async fn run(self, report: impl AsyncFn(CertificateStatus)) {
        match self {
            Self::Files(follower) => follower.run(report).await,
            Self::Acme(keeper) => keeper.run(report).await,
        }
    }
}
