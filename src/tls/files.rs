//! A certificate in files that somebody else keeps up to date: certbot, lego, a person.
//!
//! Looks at them again and again, and shows what is new as soon as it is whole. Never writes to them, and never gives a
//! good certificate up for one that is not: a key that is a moment younger than its certificate is waited for.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ring::digest::{Context, SHA256};

use super::certificate::{Certificate, CertificateError};
use super::settings::CertificateFiles;
use super::shelf::Shelf;
use crate::host::time::rest;
use crate::secret::Secret;
use crate::status::CertificateStatus;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(4);

/// More than a chain or a key has, in bytes.
const MOST: u64 = 256 * 1024;

/// Why files give no certificate.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// One of them cannot be read.
    #[error("{path} cannot be read: {why}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        why: std::io::Error,
    },
    /// What is in them is no good.
    #[error("{path}: {why}", path = .path.display())]
    Bad {
        /// The one that is meant.
        path: PathBuf,
        /// What is wrong.
        why: CertificateError,
    },
}

/// Reads a certificate. Blocks.
///
/// # Errors
/// When a file cannot be read, or the two do not fit together.
pub fn read(files: &CertificateFiles) -> Result<Certificate, FilesError> {
    Ok(look(files, None)?.expect("there was no look before it to be the same as").1)
}

/// The digest of what was read, to know it again.
type Seen = [u8; 32];

/// Reads a certificate, unless it is the one that was `seen`.
fn look(files: &CertificateFiles, seen: Option<Seen>) -> Result<Option<(Seen, Certificate)>, FilesError> {
    let (chain, key) = (read_file(&files.certificate)?, Secret::new(read_file(&files.key)?));
    let mut both = Context::new(&SHA256);
    [&chain, &b"\0"[..], key.expose()].into_iter().for_each(|piece| both.update(piece));
    let now_seen = both.finish().as_ref().try_into().expect("SHA-256 has 32 bytes");
    if seen == Some(now_seen) {
        return Ok(None);
    }
    let certificate = Certificate::read(&chain, key.expose()).map_err(|why| {
        let path = if matches!(why, CertificateError::Key(_)) { &files.key } else { &files.certificate };
        FilesError::Bad { path: path.clone(), why }
    })?;
    Ok(Some((now_seen, certificate)))
}

fn read_file(path: &Path) -> Result<Vec<u8>, FilesError> {
    let unreadable = |why| FilesError::Unreadable { path: path.to_owned(), why };
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(unreadable)?.take(MOST).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// What keeps the certificate of one site as its files have it.
#[derive(Debug)]
pub struct Follower {
    /// Where it is.
    pub files: CertificateFiles,
    /// The number of the site.
    pub site: usize,
    /// What it must be for.
    pub hosts: Vec<String>,
    /// Where it is shown.
    pub shelf: Arc<Shelf>,
    /// Tells whether it is good now.
    pub wall: fn() -> SystemTime,
}

impl Follower {
    /// Looks for ever, and reports whenever something is otherwise than before.
    pub async fn run(self, report: impl AsyncFn(CertificateStatus)) {
        let (mut seen, mut told) = (None, None);
        loop {
            let files = self.files.clone();
            let looked = tokio::task::spawn_blocking(move || look(&files, seen)).await;
            let why = match looked {
                Ok(Ok(Some((fresh, certificate)))) => {
                    seen = Some(fresh);
                    self.offer(certificate)
                }
                Ok(Ok(None)) => self.judge_what_stands(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => format!("the look at the files failed: {error}"),
            };
            let status = self.status(why);
            if told.as_ref() != Some(&status) {
                told = Some(status.clone());
                report(status).await;
            }
            rest(EVERY).await;
        }
    }

    fn offer(&self, certificate: Certificate) -> String {
        let offered = self.shelf.offer(self.site, certificate, &self.hosts, (self.wall)());
        self.wrong(offered)
    }

    fn judge_what_stands(&self) -> String {
        let stands = self.shelf.certificate(self.site);
        self.wrong(stands.map_or(Ok(()), |certificate| certificate.check(&self.hosts, (self.wall)())))
    }

    fn wrong(&self, judged: Result<(), CertificateError>) -> String {
        judged.map_or_else(|why| format!("{}: {why}", self.files.certificate.display()), |()| String::new())
    }

    fn status(&self, why: String) -> CertificateStatus {
        let shown = self.shelf.certificate(self.site);
        CertificateStatus {
            hosts: self.hosts.clone(),
            from: self.files.certificate.display().to_string(),
            until: shown.map(|certificate| certificate.validity().until),
            needs_person: !why.is_empty(),
            why,
        }
    }
}
