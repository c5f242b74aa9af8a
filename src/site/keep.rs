//! The last good copy of the site on local storage: what is served at the start while the mount is missing or hung.
//!
//! Never touches the mount, never writes what it holds already (SD cards wear out), and never hands out a byte that
//! its digest does not vouch for. Every function blocks on the disk: call them from `spawn_blocking`.
//!
//! ```text
//! KEEP/copy/manifest         the files, their stamps and digests; replaced whole, after everything that it names
//! KEEP/copy/objects/SHA256   each content once
//! KEEP/damaged/              a copy that was refused, for somebody to look at; the next one takes its place
//! ```

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, DirBuilder, File as DiskFile, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::generation::{Content, Digest, File, Files, Stamp};
use crate::host::state_file::{StateError, StateFile};

pub use crate::host::state_file::Saved;

/// The form of the manifest.
const FORM: u32 = 1;

/// A copy of a site, to be kept or as it was kept.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Of the generation: the same digest is the same content.
    pub generation: Digest,
    /// When the generation was deployed, seconds since 1970: what its `ETag`s are made of.
    pub deployed: u64,
    /// Where it was read.
    pub origin: Origin,
    /// What it is made of. A file that was left where it is has no content here either.
    pub files: Files,
}

/// The place that a copy was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The root.
    pub root: PathBuf,
    /// The type of its file system, as statfs(2) gives it.
    pub file_system: u64,
    /// The generation file.
    pub sentinel: Option<Stamp>,
}

/// Why a copy was not kept or not restored.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It was cut or changed.
    #[error("the kept copy of the site is damaged ({why}); it was moved to {aside} and is not served", aside = aside.display())]
    Damaged {
        /// Where it lies now.
        aside: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The disk refused.
    #[error("cannot {deed} {path}, part of the kept copy of the site: {source}", path = path.display())]
    Disk {
        /// What was tried.
        deed: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The manifest could not be read or written.
    #[error(transparent)]
    Manifest(#[from] StateError),
}

/// A directory with at most one copy. One process uses it.
#[derive(Debug)]
pub struct Keeper {
    directory: PathBuf,
    manifest: StateFile,
    /// The generation that is known to be kept.
    generation: Option<Digest>,
    /// The objects that are known to be whole: only what the manifest names is.
    whole: HashSet<Digest>,
}

/// The manifest as it is written.
#[derive(Serialize, Deserialize)]
struct Manifest {
    generation: Digest,
    deployed: u64,
    origin: Origin,
    files: BTreeMap<Box<str>, Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    stamp: Stamp,
    /// None: only the file's state is kept.
    content: Option<Digest>,
}

impl Keeper {
    /// Keeps in `directory`, which is made when it is needed. Nothing is read or written yet.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        let manifest = StateFile::new(directory.join("copy/manifest"), FORM);
        Self { directory, manifest, generation: None, whole: HashSet::new() }
    }

    /// The generation that is known to be kept.
    #[must_use]
    pub const fn generation(&self) -> Option<Digest> {
        self.generation
    }

    /// The copy, every byte of it verified; None when there is none.
    ///
    /// # Errors
    /// [`KeepError::Damaged`] once, after the copy was set aside. [`KeepError::Disk`] when it cannot be read.
    pub fn restore(&mut self) -> Result<Option<Copy>, KeepError> {
        let manifest: Manifest = match self.manifest.load() {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Ok(None),
            Err(error @ (StateError::Damaged { .. } | StateError::Version { .. })) => {
                return Err(self.set_aside(error.to_string()));
            }
            Err(error @ (StateError::Disk { .. } | StateError::Form { .. })) => return Err(error.into()),
        };
        let mut files = Files::new();
        for (name, kept) in manifest.files {
            let file = self.file(&name, &kept)?;
            self.whole.extend(kept.content);
            files.insert(name, Arc::new(file));
        }
        self.generation = Some(manifest.generation);
        let (deployed, origin) = (manifest.deployed, manifest.origin);
        Ok(Some(Copy { generation: manifest.generation, deployed, origin, files }))
    }

    fn file(&self, name: &str, kept: &Kept) -> Result<File, KeepError> {
        let Some(digest) = kept.content else { return Ok(File::left(kept.stamp)) };
        let path = self.object(digest);
        let content = match fs::read(&path) {
            Ok(content) => Bytes::from(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.set_aside(format!("the content of {name} is missing")));
            }
            Err(source) => return Err(KeepError::Disk { deed: "read", path, source }),
        };
        let file = File::held(kept.stamp, content);
        if file.digest == digest {
            Ok(file)
        } else {
            Err(self.set_aside(format!("the content of {name} is not what was kept")))
        }
    }

    /// Keeps a copy unless it is kept already. What it has in common with the one before is not written again; the one
    /// before is whole until the new one is.
    ///
    /// # Errors
    /// [`KeepError`]; the copy before stands, and the next call tries again.
    pub fn keep(&mut self, copy: &Copy) -> Result<Saved, KeepError> {
        if self.generation == Some(copy.generation) {
            return Ok(Saved::Unchanged);
        }
        let objects = self.objects();
        make_directory(&objects)?;
        let mut named = HashSet::new();
        for file in copy.files.values() {
            if let Content::Held { identity, .. } = &file.content
                && named.insert(file.digest)
                && !self.whole.contains(&file.digest)
            {
                self.write_object(file.digest, identity)?;
            }
        }
        // One flush for all: thousands of single ones would keep an SD card busy for minutes (syncfs(2)).
        sync(&objects)?;
        self.manifest.save(&Manifest::of(copy))?;
        self.generation = Some(copy.generation);
        self.whole = named;
        self.sweep();
        Ok(Saved::Written)
    }

    fn objects(&self) -> PathBuf {
        self.directory.join("copy/objects")
    }

    fn object(&self, digest: Digest) -> PathBuf {
        self.objects().join(digest.to_string())
    }

    fn write_object(&self, digest: Digest, content: &[u8]) -> Result<(), KeepError> {
        let path = self.object(digest);
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600).open(&path)?.write_all(content)
        };
        write().map_err(|source| KeepError::Disk { deed: "write", path: path.clone(), source })
    }

    /// Removes what the manifest does not name. What cannot be removed now is tried again after the next copy.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.objects()) else { return };
        for entry in entries.flatten() {
            let named = entry.file_name().to_str().and_then(Digest::from_hex);
            if named.is_none_or(|digest| !self.whole.contains(&digest)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Moves the copy out of the way, in place of one that was moved before.
    fn set_aside(&self, why: String) -> KeepError {
        let (copy, aside) = (self.directory.join("copy"), self.directory.join("damaged"));
        let moved = match fs::remove_dir_all(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::rename(&copy, &aside),
        };
        match moved {
            Ok(()) => KeepError::Damaged { aside, why },
            Err(source) => KeepError::Disk { deed: "move aside", path: copy, source },
        }
    }
}

impl Manifest {
    fn of(copy: &Copy) -> Self {
        let kept = |file: &Arc<File>| Kept {
            stamp: file.stamp,
            content: matches!(file.content, Content::Held { .. }).then_some(file.digest),
        };
        Self {
            generation: copy.generation,
            deployed: copy.deployed,
            origin: copy.origin.clone(),
            files: copy.files.iter().map(|(name, file)| (name.clone(), kept(file))).collect(),
        }
    }
}

fn make_directory(path: &Path) -> Result<(), KeepError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| KeepError::Disk { deed: "make", path: path.to_owned(), source })
}

fn sync(directory: &Path) -> Result<(), KeepError> {
    let sync = || DiskFile::open(directory).and_then(|opened| Ok(rustix::fs::syncfs(opened)?));
    sync().map_err(|source| KeepError::Disk { deed: "flush", path: directory.to_owned(), source })
}

#[cfg(test)]
mod tests;
