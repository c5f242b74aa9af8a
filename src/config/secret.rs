//! Where a secret is kept, and reading it: a file, a systemd credential or the environment.
//!
//! A secret never stands in the configuration itself, and never in an error.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::secret::Secret;

/// What a secret must look like in the file.
const WRITE_THIS: &str = "write { file = \"/path/to/it\" }, { credential = \"name\" } or { env = \"NAME\" }";

/// The largest secret that is read, in bytes.
const MAX_SECRET: u64 = 64 * 1024;

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file; a relative path starts at the directory of the configuration file.
    File(PathBuf),
    /// A file of this name in `$CREDENTIALS_DIRECTORY` (systemd's `LoadCredential=`).
    Credential(String),
    /// An environment variable.
    Env(String),
}

impl SecretSource {
    /// The same source, with a relative path resolved against `base`.
    pub(super) fn resolved(&self, base: &Path) -> Self {
        match self {
            SecretSource::File(path) => SecretSource::File(base.join(path)),
            SecretSource::Credential(_) | SecretSource::Env(_) => self.clone(),
        }
    }

    /// The file that it is in.
    ///
    /// # Errors
    /// When it is in none.
    #[expect(clippy::disallowed_methods, reason = "one of the three places that read the environment")]
    pub(super) fn path(&self) -> Result<PathBuf, SecretError> {
        match self {
            SecretSource::File(path) => Ok(path.clone()),
            SecretSource::Credential(name) => {
                let directory =
                    std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(SecretError::NoCredentials)?;
                Ok(Path::new(&directory).join(name))
            }
            SecretSource::Env(name) => Err(SecretError::NoFile(name.clone())),
        }
    }

    /// Reads the secret; white space around it is not part of it.
    ///
    /// # Errors
    /// When it is not there, cannot be read, is empty or is not text.
    #[expect(clippy::disallowed_methods, reason = "one of the three places that read the environment")]
    pub(super) fn read(&self) -> Result<Found, SecretError> {
        match self {
            SecretSource::File(path) => {
                let (text, mode) = read_file(path)?;
                let exposure = if mode & 0o077 == 0 { None } else { Some(Exposure(path.clone())) };
                Ok(Found { secret: text, exposure })
            }
            SecretSource::Credential(_) => {
                let (secret, _) = read_file(&self.path()?)?;
                Ok(Found { secret, exposure: None })
            }
            SecretSource::Env(name) => {
                let value = std::env::var_os(name).ok_or_else(|| SecretError::NoVariable(name.clone()))?;
                let text = value.into_string().map_err(|_| SecretError::NotText)?;
                Ok(Found { secret: not_empty(&text)?, exposure: None })
            }
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::File(path) => write!(f, "file {}", path.display()),
            SecretSource::Credential(name) => write!(f, "credential {name}"),
            SecretSource::Env(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// A secret that was read.
pub(super) struct Found {
    pub(super) secret: Secret<String>,
    /// Set when others on this machine can read it too.
    pub(super) exposure: Option<Exposure>,
}

/// A file with a secret that others than its owner can use.
pub(super) struct Exposure(PathBuf);

/// Whether a file with a secret can be used by others than its owner; one that cannot be looked at is told elsewhere.
pub(super) fn exposure(path: &Path) -> Option<Exposure> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| Exposure(path.to_owned()))
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is open to others than its owner", self.0.display())
    }
}

impl Exposure {
    /// What to do about it.
    pub(super) fn remedy(&self) -> String {
        format!("chmod 600 {}", self.0.display())
    }
}

/// Why a secret could not be read. Never holds the secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    #[error("there are no credentials: systemd sets CREDENTIALS_DIRECTORY for a unit with LoadCredential=")]
    NoCredentials,
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    #[error("the environment variable {0} is none, and cannot change while hearth runs")]
    NoFile(String),
    #[error("the secret is empty")]
    Empty,
    #[error("the secret is not text, or is larger than 64 KiB")]
    NotText,
}

/// The text of a file and its permission bits, both of the one file that was opened.
fn read_file(path: &Path) -> Result<(Secret<String>, u32), SecretError> {
    let unreadable = |error| SecretError::Unreadable(path.to_owned(), error);
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_SECRET {
        return Err(SecretError::NotText);
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NotText)?;
    Ok((not_empty(&text)?, metadata.permissions().mode()))
}

fn not_empty(text: &str) -> Result<Secret<String>, SecretError> {
    match text.trim() {
        "" => Err(SecretError::Empty),
        text => Ok(Secret::new(text.to_owned())),
    }
}

/// As it is written: exactly one of the three.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenSource {
    file: Option<PathBuf>,
    credential: Option<String>,
    env: Option<String>,
}

impl WrittenSource {
    fn source(self) -> Result<SecretSource, String> {
        match (self.file, self.credential, self.env) {
            (Some(path), None, None) => Ok(SecretSource::File(path)),
            (None, Some(name), None) if name.is_empty() || name.contains('/') => {
                Err("the name of a credential is one word without a slash".to_owned())
            }
            (None, Some(name), None) => Ok(SecretSource::Credential(name)),
            (None, None, Some(name)) if name.is_empty() || name.contains(['=', '\0']) => {
                Err("this cannot name an environment variable".to_owned())
            }
            (None, None, Some(name)) => Ok(SecretSource::Env(name)),
            _ => Err(format!("a secret has exactly one source; {WRITE_THIS}")),
        }
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of a secret, such as { file = \"/path/to/it\" }")
    }

    fn visit_str<E: Error>(self, _literal: &str) -> Result<SecretSource, E> {
        Err(E::custom(format!("a secret is never written here; {WRITE_THIS}")))
    }

    fn visit_i64<E: Error>(self, _literal: i64) -> Result<SecretSource, E> {
        self.visit_str("")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretSource, A::Error> {
        WrittenSource::deserialize(MapAccessDeserializer::new(map))?.source().map_err(A::Error::custom)
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_trimmed_and_one_that_others_can_read_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, "  hunter2\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let found = SecretSource::File(path.clone()).read().unwrap();
        assert_eq!(found.secret.expose(), "hunter2");
        assert!(found.exposure.is_some());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(SecretSource::File(path).read().unwrap().exposure.is_none());
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let cases: [(&str, &[u8]); 3] =
            [("empty", b" \n"), ("binary", b"\xff\xfe"), ("huge", &[b'a'; 65_537])];
        for (name, content) in cases {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            assert!(SecretSource::File(path).read().is_err(), "{name}");
        }
        assert!(SecretSource::Env("HEARTH_TEST_THAT_IS_NEVER_SET".to_owned()).read().is_err());
    }
}
