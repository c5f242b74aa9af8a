//! Validators of a fallback: what it was found to serve, and since when it has.
//!
//! GitHub Pages dates every file by the second of the deploy and makes its `ETag` of that second and the file's size.
//! Where the same bytes are served here, the same second may be used here, so that what a visitor holds from one stays
//! good at the other. PURE. Never vouches for a file whose bytes were not compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::date::LAST_SECOND;
use super::digest::Digest;

/// What a fallback was found to serve. The default: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// The second of its deploy, since 1970.
    deployed: u64,
    /// The files that were compared byte for byte, by name.
    files: BTreeMap<Box<str>, Digest>,
}

impl Adopted {
    /// Files that were found with these contents, all of one deploy.
    #[must_use]
    pub fn new(deployed: u64, files: BTreeMap<Box<str>, Digest>) -> Self {
        Self { deployed: deployed.min(LAST_SECOND), files }
    }

    /// The second of the deploy; None when nothing was found.
    #[must_use]
    pub fn deployed(&self) -> Option<u64> {
        (!self.files.is_empty()).then_some(self.deployed)
    }

    /// The files that were found, by name.
    #[must_use]
    pub const fn files(&self) -> &BTreeMap<Box<str>, Digest> {
        &self.files
    }

    /// How many files were found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The second that a file of this name and content is dated by at the fallback; None when it is not known there.
    #[must_use]
    pub fn date_of(&self, name: &str, digest: Digest) -> Option<u64> {
        (self.files.get(name) == Some(&digest)).then_some(self.deployed)
    }
}
