//! What supervisor and loader say to each other over a pipe: frames of one kind byte, a length and a payload.
//!
//! PURE. Never trusts a length: a frame larger than [`LARGEST`] or a payload that does not add up is an error.

use crate::mount::Access;
use crate::site::generation::Stamp;

/// The largest payload.
pub const LARGEST: usize = 128 * 1024;

/// Before every payload: its kind, and its length in network order.
pub const HEAD: usize = 5;

/// What the supervisor asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// What is there? Answered by `Root`, then `Same`, or `Listed` for each file and `End`.
    Look {
        /// The directory.
        root: Vec<u8>,
        /// The generation file as it was taken last: while it is the same, nothing else is looked at.
        sentinel: Option<Stamp>,
        /// The fingerprint of the listing that is known: while it is the same, it is not sent again.
        known: Option<[u8; 32]>,
    },
    /// What is in this file? Answered by `Chunk`s and `Done`.
    Read {
        /// Its name under the root of the last look.
        name: Vec<u8>,
    },
    /// What is in this part of a file? Answered by `Chunk`s and `Done`.
    Piece {
        /// The directory; no look comes before.
        root: Vec<u8>,
        /// The file's name under it.
        name: Vec<u8>,
        /// The state that it must have.
        stamp: Stamp,
        /// Where the part begins.
        start: u64,
        /// How long it is.
        length: u64,
    },
    /// What is mounted there, and does it answer? Answered by `Mounted` before it is touched and again after, then
    /// `Room`.
    Mount {
        /// The mount point.
        path: Vec<u8>,
        /// Whether a small file is written there and removed.
        access: Access,
    },
    /// What is in this file, wherever it is? Answered by `Chunk`s and `Done`.
    Whole {
        /// The file.
        path: Vec<u8>,
    },
}

/// What the loader tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Still at work.
    Alive,
    /// The directory answers.
    Root {
        /// The type of its file system, as statfs(2) gives it.
        file_system: u64,
        /// The generation file.
        sentinel: Option<Stamp>,
        /// The same type as the table of mounts has it, such as `fuse.glusterfs`; empty when it could not be found.
        kind: String,
    },
    /// The line of the table of mounts (proc_pid_mountinfo(5)); empty: nothing is mounted there.
    Mounted(Vec<u8>),
    /// The file system answers: how full it is.
    Room {
        /// Bytes in all.
        total: u64,
        /// Bytes that an ordinary user may still write.
        free: u64,
        /// Why it could not be written; empty: it could, or was not tried.
        unwritable: String,
    },
    /// A file.
    Listed {
        /// Its name under the root.
        name: Vec<u8>,
        /// Its state.
        stamp: Stamp,
    },
    /// Nothing changed since the last look.
    Same,
    /// That was all.
    End {
        /// Of the listing.
        fingerprint: [u8; 32],
        /// Names that were passed over: links that lead out, devices, unreadable directories, names that no address has.
        skipped: u64,
    },
    /// A piece of a file.
    Chunk(Vec<u8>),
    /// The file was read.
    Done {
        /// Its state when it was opened.
        before: Stamp,
        /// Its state when its end was reached.
        after: Stamp,
    },
    /// It could not be done.
    Failed {
        /// What kind of failure.
        kind: Failure,
        /// In words.
        text: String,
    },
}

/// Why a look or a reading failed, by what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is not there, or not inside the root.
    Missing,
    /// It is there and not a regular file, or may not be read.
    Refused,
    /// The file system does not answer properly. Says nothing about what is there.
    Unreachable,
    /// More files than any site has.
    TooMany,
}

/// A frame that cannot be read: the other side is not what we think it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of the loader cannot be read: kind {kind}, {length} bytes")]
pub struct Garbled {
    /// The kind byte.
    pub kind: u8,
    /// The length of the payload.
    pub length: usize,
}

/// Splits a frame's head into kind and length.
///
/// # Errors
/// [`Garbled`] for a payload larger than any.
pub fn head(head: [u8; HEAD]) -> Result<(u8, usize), Garbled> {
    let [kind, length @ ..] = head;
    let length = u32::from_be_bytes(length) as usize;
    if length > LARGEST { Err(Garbled { kind, length }) } else { Ok((kind, length)) }
}

impl Ask {
    /// As a frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Look { root, sentinel, known } => {
                Frame::new(1).stamp_or_none(*sentinel).digest_or_none(*known).rest(root).done()
            }
            Self::Read { name } => Frame::new(2).rest(name).done(),
            Self::Piece { root, name, stamp, start, length } => Frame::new(3)
                .stamp(*stamp)
                .number(*start)
                .number(*length)
                .number(root.len() as u64)
                .rest(root)
                .rest(name)
                .done(),
            Self::Mount { path, access } => Frame::new(4).number(*access as u64).rest(path).done(),
            Self::Whole { path } => Frame::new(5).rest(path).done(),
        }
    }

    /// From a frame.
    ///
    /// # Errors
    /// [`Garbled`] for anything that [`encode`](Self::encode) does not make.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, Garbled> {
        let mut fields = Fields(payload);
        let ask = match kind {
            1 => fields.stamp_or_none().zip(fields.digest_or_none()).map(|(sentinel, known)| Self::Look {
                root: fields.rest(),
                sentinel,
                known,
            }),
            2 => Some(Self::Read { name: fields.rest() }),
            3 => fields.piece(),
            4 => fields.mount(),
            5 => Some(Self::Whole { path: fields.rest() }),
            _ => None,
        };
        ask.ok_or(Garbled { kind, length: payload.len() })
    }
}

impl Tell {
    /// As a frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Alive => Frame::new(1).done(),
            Self::Root { file_system, sentinel, kind } => {
                Frame::new(2).number(*file_system).stamp_or_none(*sentinel).rest(kind.as_bytes()).done()
            }
            Self::Listed { name, stamp } => Frame::new(3).stamp(*stamp).rest(name).done(),
            Self::Same => Frame::new(4).done(),
            Self::End { fingerprint, skipped } => Frame::new(5).number(*skipped).rest(fingerprint).done(),
            Self::Chunk(bytes) => Frame::new(6).rest(bytes).done(),
            Self::Done { before, after } => Frame::new(7).stamp(*before).stamp(*after).done(),
            Self::Failed { kind, text } => Frame::new(8).number(*kind as u64).rest(text.as_bytes()).done(),
            Self::Mounted(line) => Frame::new(9).rest(line).done(),
            Self::Room { total, free, unwritable } => {
                Frame::new(10).number(*total).number(*free).rest(unwritable.as_bytes()).done()
            }
        }
    }

    /// From a frame.
    ///
    /// # Errors
    /// [`Garbled`] for anything that [`encode`](Self::encode) does not make.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, Garbled> {
        Self::fields(kind, Fields(payload)).ok_or(Garbled { kind, length: payload.len() })
    }

    fn fields(kind: u8, mut fields: Fields<'_>) -> Option<Self> {
        Some(match kind {
            1 => Self::Alive,
            2 => Self::Root {
                file_system: fields.number()?,
                sentinel: fields.stamp_or_none()?,
                kind: fields.text(),
            },
            3 => Self::Listed { stamp: fields.stamp()?, name: fields.rest() },
            4 => Self::Same,
            5 => Self::End { skipped: fields.number()?, fingerprint: fields.rest().try_into().ok()? },
            6 => Self::Chunk(fields.rest()),
            7 => Self::Done { before: fields.stamp()?, after: fields.stamp()? },
            8 => Self::Failed { kind: Failure::from_number(fields.number()?)?, text: fields.text() },
            9 => Self::Mounted(fields.rest()),
            10 => Self::Room { total: fields.number()?, free: fields.number()?, unwritable: fields.text() },
            _ => return None,
        })
    }
}

impl Failure {
    fn from_number(number: u64) -> Option<Self> {
        [Self::Missing, Self::Refused, Self::Unreachable, Self::TooMany]
            .into_iter()
            .find(|f| *f as u64 == number)
    }
}

/// A frame in the making.
struct Frame(Vec<u8>);

impl Frame {
    fn new(kind: u8) -> Self {
        Self(vec![kind, 0, 0, 0, 0])
    }

    fn number(self, number: u64) -> Self {
        self.rest(&number.to_be_bytes())
    }

    fn stamp(self, stamp: Stamp) -> Self {
        self.number(stamp.inode)
            .number(stamp.size)
            .rest(&stamp.mtime.to_be_bytes())
            .rest(&stamp.ctime.to_be_bytes())
    }

    fn stamp_or_none(self, stamp: Option<Stamp>) -> Self {
        match stamp {
            Some(stamp) => self.rest(&[1]).stamp(stamp),
            None => self.rest(&[0]),
        }
    }

    fn digest_or_none(self, digest: Option<[u8; 32]>) -> Self {
        match digest {
            Some(digest) => self.rest(&[1]).rest(&digest),
            None => self.rest(&[0]),
        }
    }

    fn rest(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn done(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - HEAD).expect("a path or a chunk is far below 4 GiB");
        self.0[1..HEAD].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// A payload, read from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp {
            inode: self.number()?,
            size: self.number()?,
            mtime: self.bytes().map(i64::from_be_bytes)?,
            ctime: self.bytes().map(i64::from_be_bytes)?,
        })
    }

    #[allow(clippy::option_option, reason = "the outer None is a frame that ends too early")]
    fn stamp_or_none(&mut self) -> Option<Option<Stamp>> {
        match self.bytes()? {
            [0] => Some(None),
            [1] => self.stamp().map(Some),
            _ => None,
        }
    }

    #[allow(clippy::option_option, reason = "the outer None is a frame that ends too early")]
    fn digest_or_none(&mut self) -> Option<Option<[u8; 32]>> {
        match self.bytes()? {
            [0] => Some(None),
            [1] => self.bytes().map(Some),
            _ => None,
        }
    }

    fn piece(&mut self) -> Option<Ask> {
        let (stamp, start, length) = (self.stamp()?, self.number()?, self.number()?);
        let end_of_root = usize::try_from(self.number()?).ok()?;
        let (root, name) = self.0.split_at_checked(end_of_root)?;
        Some(Ask::Piece { root: root.to_vec(), name: name.to_vec(), stamp, start, length })
    }

    fn mount(&mut self) -> Option<Ask> {
        let number = self.number()?;
        let access = [Access::Read, Access::Write].into_iter().find(|access| *access as u64 == number)?;
        Some(Ask::Mount { path: self.rest(), access })
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.rest()).into_owned()
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp() -> impl Strategy<Value = Stamp> {
        any::<(u64, u64, i64, i64)>().prop_map(|(inode, size, mtime, ctime)| Stamp {
            inode,
            size,
            mtime,
            ctime,
        })
    }

    fn tell() -> impl Strategy<Value = Tell> {
        prop_oneof![
            Just(Tell::Alive),
            Just(Tell::Same),
            (any::<u64>(), proptest::option::of(stamp()), "[a-z.]*")
                .prop_map(|(file_system, sentinel, kind)| Tell::Root { file_system, sentinel, kind }),
            any::<Vec<u8>>().prop_map(Tell::Mounted),
            (any::<(u64, u64)>(), "[a-z ]*").prop_map(|((total, free), unwritable)| Tell::Room {
                total,
                free,
                unwritable
            }),
            (any::<Vec<u8>>(), stamp()).prop_map(|(name, stamp)| Tell::Listed { name, stamp }),
            any::<([u8; 32], u64)>().prop_map(|(fingerprint, skipped)| Tell::End { fingerprint, skipped }),
            any::<Vec<u8>>().prop_map(Tell::Chunk),
            (stamp(), stamp()).prop_map(|(before, after)| Tell::Done { before, after }),
            "[a-z ]*".prop_map(|text| Tell::Failed { kind: Failure::Unreachable, text }),
        ]
    }

    fn split(frame: &[u8]) -> (u8, &[u8]) {
        let (kind, length) = head(frame[..HEAD].try_into().unwrap()).unwrap();
        assert_eq!(length, frame.len() - HEAD);
        (kind, &frame[HEAD..])
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_is_heard(tell in tell()) {
            let frame = tell.encode();
            let (kind, payload) = split(&frame);
            prop_assert_eq!(Tell::decode(kind, payload).unwrap(), tell);
        }

        #[test]
        fn what_is_asked_is_what_is_heard(
            root: Vec<u8>,
            name: Vec<u8>,
            sentinel in proptest::option::of(stamp()),
            known: Option<[u8; 32]>,
            (start, length) in any::<(u64, u64)>(),
        ) {
            let stamp = sentinel.unwrap_or_default();
            for ask in [
                Ask::Look { root: root.clone(), sentinel, known },
                Ask::Read { name: name.clone() },
                Ask::Mount { path: root.clone(), access: Access::Read },
                Ask::Mount { path: root.clone(), access: Access::Write },
                Ask::Whole { path: root.clone() },
                Ask::Piece { root, name, stamp, start, length },
            ] {
                let frame = ask.encode();
                let (kind, payload) = split(&frame);
                prop_assert_eq!(Ask::decode(kind, payload).unwrap(), ask);
            }
        }

        #[test]
        fn garbage_is_refused_and_nothing_more(kind: u8, payload: Vec<u8>) {
            let _ = (Tell::decode(kind, &payload), Ask::decode(kind, &payload));
        }
    }

    #[test]
    fn a_frame_larger_than_any_is_garbled() {
        assert!(head([6, 0xff, 0, 0, 0]).is_err());
    }
}
