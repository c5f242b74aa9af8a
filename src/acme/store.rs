//! What is kept of an authority, in files of a directory: the account, the certificate with its key, the last tries.
//!
//! Never deletes what it cannot read: a damaged file is moved aside, and what was in it is had anew. Every function
//! blocks on the disk.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::AcmeError;
use super::settings::AcmeSettings;
use crate::host::state_file::{StateError, StateFile};
use crate::tls::{Certificate, CertificateError};

/// The form of the files.
const FORM: u32 = 1;

/// A certificate with its key, both PEM, in one file: neither is ever without the other.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) chain: String,
    pub(super) key: String,
}

impl Kept {
    pub(super) fn certificate(&self) -> Result<Certificate, CertificateError> {
        Certificate::read(self.chain.as_bytes(), self.key.as_bytes())
    }
}

/// How the last tries went; kept, because a process that starts again and again must not ask again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tries {
    /// Failures in a row.
    pub(super) failures: u32,
    /// Nothing is tried before then, in seconds since 1970.
    pub(super) not_before: u64,
}

/// The names of the files.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) account: String,
    pub(super) certificate: String,
    pub(super) tries: String,
    pub(super) lease: String,
}

impl Names {
    /// Another authority or other hosts mean other files.
    pub(super) fn of(settings: &AcmeSettings, hosts: &[String]) -> Self {
        let name = |kind: &str, of: &[u8]| {
            let digest = digest(&SHA256, of);
            format!("{kind}-{}.json", HEXLOWER.encode(&digest.as_ref()[..8]))
        };
        let (authority, both) =
            (settings.directory.as_str(), format!("{}\0{}", settings.directory, hosts.join("\0")));
        Self {
            account: name("account", authority.as_bytes()),
            certificate: name("certificate", both.as_bytes()),
            tries: name("tries", both.as_bytes()),
            lease: name("lease", both.as_bytes()),
        }
    }
}

/// A directory.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) directory: PathBuf,
}

impl Store {
    /// What is in the file `name`; None when there is no such file, or it is damaged.
    pub(super) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, AcmeError> {
        let path = self.directory.join(name);
        match StateFile::new(&path, FORM).load() {
            Ok(found) => Ok(found),
            Err(error @ (StateError::Damaged { .. } | StateError::Version { .. })) => {
                tracing::warn!("{error}");
                Ok(None)
            }
            Err(error) => Err(disk(&path, error.to_string())),
        }
    }

    /// Writes the file `name`. Who may read the directory may read it, others never.
    pub(super) fn save<T: Serialize>(&self, name: &str, what: &T) -> Result<(), AcmeError> {
        let path = self.directory.join(name);
        let mode = self.prepare()? & 0o660;
        let saved = StateFile::new(&path, FORM).with_mode(mode).save(what);
        saved.map(|_| ()).map_err(|error| disk(&path, error.to_string()))
    }

    /// Moves the file `name` out of the way; the one that lay there before goes.
    pub(super) fn set_aside(&self, name: &str) -> Result<(), AcmeError> {
        let path = self.directory.join(name);
        match std::fs::rename(&path, self.directory.join(format!("{name}.old"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk(&path, error.to_string())),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes the directory, or looks at it; its mode.
    pub(super) fn prepare(&self) -> Result<u32, AcmeError> {
        let wrong = |why: std::io::Error| disk(&self.directory, why.to_string());
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).map_err(wrong)?;
        let mode = std::fs::metadata(&self.directory).map_err(wrong)?.permissions().mode();
        if mode & 0o007 != 0 {
            let why =
                format!("keys would be open to everybody here; chmod o-rwx {}", self.directory.display());
            return Err(disk(&self.directory, why));
        }
        Ok(mode)
    }
}

pub(super) fn disk(path: &Path, why: String) -> AcmeError {
    AcmeError::Disk { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};

    use super::*;

    fn kept() -> Kept {
        Kept { chain: "chain".to_owned(), key: "key".to_owned() }
    }

    #[test]
    fn what_is_kept_is_for_whom_the_directory_is_and_never_for_everybody() {
        let parent = tempfile::tempdir().unwrap();
        let store = Store { directory: parent.path().join("acme") };
        store.save("a", &kept()).unwrap();
        let mode =
            |name: &str| std::fs::metadata(store.directory.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("a")), (0o700, 0o600));
        set_permissions(&store.directory, Permissions::from_mode(0o2770)).unwrap();
        store.save("b", &kept()).unwrap();
        assert_eq!(mode("b"), 0o660);
        set_permissions(&store.directory, Permissions::from_mode(0o755)).unwrap();
        let open = store.save("c", &kept()).unwrap_err().to_string();
        assert!(open.contains("chmod o-rwx"), "{open}");
    }

    #[test]
    fn a_damaged_file_is_moved_aside_and_what_was_in_it_is_had_anew() {
        let parent = tempfile::tempdir().unwrap();
        let store = Store { directory: parent.path().join("acme") };
        assert!(store.load::<Kept>("a").unwrap().is_none());
        store.save("a", &kept()).unwrap();
        assert!(store.load::<Kept>("a").unwrap() == Some(kept()));
        let path = store.directory.join("a");
        let text = std::fs::read_to_string(&path).unwrap();
        write(&path, text.replace("chain", "chaos")).unwrap();
        assert!(store.load::<Kept>("a").unwrap().is_none());
        assert!(!path.exists(), "it was moved");
    }
}
