//! Entries: files ready to be answered with, in every encoding that there is of them.
//!
//! PURE. Never holds a copy of a body: entries of several generations share it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::HeaderValue;

use super::digest::Digest;
use super::file::Stamp;
use super::head::{Describes, Head, Slot};
use crate::site::negotiate::{Accepted, Coding};

/// One file, ready to be answered with.
#[derive(Debug)]
pub struct Entry {
    /// `Last-Modified`, whole seconds.
    pub modified: SystemTime,
    /// The same as it is sent.
    pub(super) modified_text: HeaderValue,
    /// The content's digest.
    pub digest: Digest,
    /// Identity first, then the compressed ones.
    pub(super) representations: Vec<Representation>,
}

/// One encoding of one file, ready to be answered with.
#[derive(Debug)]
pub struct Representation {
    /// How it is encoded.
    pub coding: Coding,
    /// What is sent.
    pub stored: Stored,
    /// Strong for identity; weak for what was compressed, as GitHub Pages has it.
    pub etag: HeaderValue,
    pub(super) length: HeaderValue,
    pub(super) head: Arc<Head>,
}

/// Where what is sent is to be had.
#[derive(Clone, Debug)]
pub enum Stored {
    /// Here.
    Held(Bytes),
    /// Where it was found: it does not fit into the memory that the site may take.
    Left(Arc<LeftFile>),
}

/// A file that is not held.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftFile {
    /// Its name under the root.
    pub name: Box<str>,
    /// Its state: with another one it is another file.
    pub stamp: Stamp,
}

impl Stored {
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Left(file) => file.stamp.size,
        }
    }
}

impl Entry {
    /// The file as it is.
    #[must_use]
    pub fn identity(&self) -> Option<&Representation> {
        self.representations.first()
    }

    /// The representation that a client likes best; of those that it likes the same, the smallest.
    #[must_use]
    pub fn best(&self, accepted: &Accepted) -> Option<&Representation> {
        let acceptable = self.representations.iter().filter(|r| accepted.weight(r.coding) > 0);
        let best = acceptable.max_by_key(|r| (accepted.weight(r.coding), Reverse(r.stored.size())));
        best.or(self.identity())
    }
}

impl Representation {
    /// The head of an answer with the whole of it; `expires` is ten minutes ahead, where the rules want it.
    #[must_use]
    pub fn head(&self, entry: &Entry, expires: &HeaderValue) -> HeaderMap {
        let mut head = self.head.fields.clone();
        // The names are in the head already, so that nothing grows here.
        for slot in &self.head.slots {
            if let Some(value) = head.get_mut(slot.name()) {
                value.clone_from(self.value(*slot, entry, expires));
            }
        }
        head
    }

    /// Appends the lines of the same head, as HTTP/1.1 sends them.
    pub fn write_head(&self, entry: &Entry, expires: &HeaderValue, describes: Describes, out: &mut Vec<u8>) {
        self.head.write(describes, |slot| self.value(slot, entry, expires), out);
    }

    const fn value<'a>(&'a self, slot: Slot, entry: &'a Entry, expires: &'a HeaderValue) -> &'a HeaderValue {
        match slot {
            Slot::Length => &self.length,
            Slot::Tag => &self.etag,
            Slot::Modified => &entry.modified_text,
            Slot::Expires => expires,
        }
    }
}
