//! Files as they were read: what a generation is made of.
//!
//! PURE. Never opens one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::digest::{Digest, Summing};
use crate::site::negotiate::Coding;

/// What tells one state of a file from another without reading it. GlusterFS gives the same four on every node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The inode: a rename over a file brings another one.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Content last changed, nanoseconds since 1970. Can be set back by anybody.
    pub mtime: i64,
    /// Anything last changed, nanoseconds since 1970. Cannot be set.
    pub ctime: i64,
}

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct File {
    /// Its state when it was read.
    pub stamp: Stamp,
    /// Of the content; of the stamp when the content is not held.
    pub digest: Digest,
    /// What is in it.
    pub content: Content,
}

/// What is known of a file's content.
#[derive(Clone, Debug)]
pub enum Content {
    /// All of it, and what was made of it so far.
    Held {
        /// As it is.
        identity: Bytes,
        /// Compressed, where that is smaller. None: not tried yet.
        encoded: Option<Arc<[(Coding, Bytes)]>>,
    },
    /// Nothing: it does not fit into the memory that the site may take.
    Left,
}

impl File {
    /// A file whose content is held and not compressed yet.
    #[must_use]
    pub fn held(stamp: Stamp, identity: Bytes) -> Self {
        Self { stamp, digest: Digest::of(&identity), content: Content::Held { identity, encoded: None } }
    }

    /// Says that compressing is not worth trying.
    pub fn leave_as_it_is(&mut self) {
        if let Content::Held { encoded, .. } = &mut self.content {
            *encoded = Some(Arc::from([]));
        }
    }

    /// A file whose content is left where it is.
    #[must_use]
    pub fn left(stamp: Stamp) -> Self {
        let mut sum = Summing::new();
        for number in [stamp.inode, stamp.size, stamp.mtime.cast_unsigned(), stamp.ctime.cast_unsigned()] {
            sum.add(&number.to_be_bytes());
        }
        Self { stamp, digest: sum.done(), content: Content::Left }
    }
}

/// The files of a site by name: segments joined by slashes, no slash at either end.
pub type Files = BTreeMap<Box<str>, Arc<File>>;
