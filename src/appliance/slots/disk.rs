//! The two slots and the sector, on the card: read, and written in an order that a pulled plug cannot make worse.
//!
//! Never leaves half a system that could be mounted: the head of a slot, where a squashfs says what it is, goes first and comes
//! last, after everything behind it was read back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ring::digest::{Context, Digest, SHA256};
use rustix::fs::{Advice, FlockOperation, fadvise, flock};

use super::content::Measure;
use super::sector::{self, SIZE};
use super::{Slot, Standing, SystemVersion};

/// Where the first file system says which slot it started, and where both are.
pub const STARTED: &str = "run/hearth-slots";

/// What is written last, in bytes.
const HEAD: usize = 64 << 10;

/// What is read and written at a time, in bytes.
const PIECE: usize = 1 << 20;

/// A write that must survive a pulled plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What is in force goes into the sector.
    Sector,
    /// What lies in the slot is made unmountable.
    Clear,
    /// The system goes into the slot, all but its head.
    Body,
    /// Its head follows.
    Head,
}

/// Told before each [`Step`]; an error ends it there. Tests pull the plug with it.
pub type Before<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

/// Why a slot or the sector was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum SlotsError {
    /// This system was not started from a slot.
    #[error("this system does not run from a card with two slots ({path}: {source}); write the card anew with the image", path = path.display())]
    None {
        /// What is missing.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It does not fit.
    #[error(
        "the system has {length} bytes and slot {slot} room for {room}; write the card anew with an image whose slots are larger"
    )]
    TooLarge {
        /// Of the system, in bytes.
        length: u64,
        /// Which slot.
        slot: Slot,
        /// Its size, in bytes.
        room: u64,
    },
    /// Another one is on its way there.
    #[error(
        "another system is being written to slot {slot}: wait until it is there, and this Pi starts anew"
    )]
    Busy {
        /// Which slot.
        slot: Slot,
    },
    /// What was written is not what comes back.
    #[error(
        "slot {slot} does not hold what was written to it: take a new card; the system that runs stays in force"
    )]
    ReadBack {
        /// Which.
        slot: Slot,
    },
    /// The card refused.
    #[error("{path}: {source}; the system that runs stays in force", path = path.display())]
    Disk {
        /// Which partition.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The slots of the card that this system was started from.
pub struct Slots<'a> {
    directory: PathBuf,
    running: Slot,
    before: Before<'a>,
}

impl<'a> Slots<'a> {
    /// Those that the first file system told of below `root`.
    ///
    /// # Errors
    /// [`SlotsError::None`]
    pub fn below(root: &Path, before: Before<'a>) -> Result<Self, SlotsError> {
        let directory = root.join(STARTED);
        let running = running(&directory)?;
        Ok(Self { directory, running, before })
    }

    /// What is in force below `root` and which slot runs, for whoever only looks; None: there are no slots.
    #[must_use]
    pub fn peek(root: &Path) -> Option<(Standing, Slot)> {
        let directory = root.join(STARTED);
        Some((standing(&directory).ok()?, running(&directory).ok()?))
    }

    /// The slot that this system was started from.
    #[must_use]
    pub fn running(&self) -> Slot {
        self.running
    }

    /// What the sector says.
    ///
    /// # Errors
    /// [`SlotsError::Disk`]
    pub fn standing(&self) -> Result<Standing, SlotsError> {
        standing(&self.directory).map_err(|source| self.refused("disk", source))
    }

    /// Writes the sector, unless it says so already.
    ///
    /// # Errors
    /// [`SlotsError::Disk`]
    pub fn keep(&mut self, standing: &Standing) -> Result<(), SlotsError> {
        let sector = sector::encode(standing);
        let path = self.directory.join("disk");
        if read_sector(&path).is_ok_and(|old| old == sector) {
            return Ok(());
        }
        (self.before)(Step::Sector)
            .and_then(|()| write_at(&open(&path)?, &sector, sector::AT))
            .map_err(|source| self.refused("disk", source))
    }

    /// Puts a system into the slot beside the one that runs, and on trial from the next start on. `served` sites have content now.
    ///
    /// # Errors
    /// [`SlotsError`]; what runs is in force then, and nothing is on trial.
    pub fn install(
        &mut self,
        system: &File,
        measure: &Measure,
        version: SystemVersion,
        served: usize,
    ) -> Result<(), SlotsError> {
        let (slot, length) = (self.running.beside(), measure.length);
        let path = self.directory.join(slot.letter());
        let refused = |source| SlotsError::Disk { path: path.clone(), source };
        let place = open(&path).map_err(refused)?;
        let room = (&place).seek(SeekFrom::End(0)).map_err(refused)?;
        if length > room {
            return Err(SlotsError::TooLarge { length, slot, room });
        }
        // Whoever lost the connection may try again while the first one still writes.
        flock(&place, FlockOperation::NonBlockingLockExclusive).map_err(|_| SlotsError::Busy { slot })?;
        let vacated = Standing::vacate(self.running);
        self.keep(&vacated)?;
        if fill(&place, system, measure, self.before).map_err(refused)? == Filled::Otherwise {
            return Err(SlotsError::ReadBack { slot });
        }
        self.keep(&vacated.offer(version, served))
    }

    fn refused(&self, name: &str, source: io::Error) -> SlotsError {
        SlotsError::Disk { path: self.directory.join(name), source }
    }
}

/// Whether a slot holds what was written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    Whole,
    Otherwise,
}

fn fill(place: &File, system: &File, measure: &Measure, before: Before<'_>) -> io::Result<Filled> {
    let mut head = vec![0; HEAD.min(usize::try_from(measure.length).unwrap_or(HEAD))];
    system.read_exact_at(&mut head, 0)?;
    before(Step::Clear)?;
    write_at(place, &vec![0; head.len()], 0)?;
    before(Step::Body)?;
    copy(system, place, head.len() as u64, measure.length)?;
    if digest_of(&head, place, measure.length)?.as_ref() != measure.digest.as_ref() {
        return Ok(Filled::Otherwise);
    }
    before(Step::Head)?;
    write_at(place, &head, 0)?;
    forgotten(place)?;
    let mut back = vec![0; head.len()];
    place.read_exact_at(&mut back, 0)?;
    Ok(if back == head { Filled::Whole } else { Filled::Otherwise })
}

fn running(directory: &Path) -> Result<Slot, SlotsError> {
    let path = directory.join("running");
    let said = fs::read_to_string(&path).and_then(|text| {
        text.trim_end().parse().map_err(|no| io::Error::new(io::ErrorKind::InvalidData, no))
    });
    said.map_err(|source| SlotsError::None { path, source })
}

fn standing(directory: &Path) -> io::Result<Standing> {
    Ok(sector::decode(&read_sector(&directory.join("disk"))?).unwrap_or_default())
}

fn read_sector(disk: &Path) -> io::Result<[u8; SIZE]> {
    let mut sector = [0; SIZE];
    File::open(disk)?.read_exact_at(&mut sector, sector::AT)?;
    Ok(sector)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)?;
    file.sync_data()
}

/// All of `from` between two places, to the same place of `to`. Flushed now and then, so that memory does not fill with what a
/// card takes minutes to write.
fn copy(from: &File, to: &File, begin: u64, end: u64) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut at = begin;
    while at < end {
        let length = PIECE.min(usize::try_from(end - at).unwrap_or(PIECE));
        from.read_exact_at(&mut piece[..length], at)?;
        to.write_all_at(&piece[..length], at)?;
        at += length as u64;
        if at % (16 * PIECE as u64) < PIECE as u64 {
            to.sync_data()?;
        }
    }
    to.sync_data()
}

/// The digest of `head` and of what a slot holds behind it.
fn digest_of(head: &[u8], slot: &File, length: u64) -> io::Result<Digest> {
    forgotten(slot)?;
    let mut digest = Context::new(&SHA256);
    digest.update(head);
    let mut rest = slot;
    rest.seek(SeekFrom::Start(head.len() as u64))?;
    let mut rest = rest.take(length - head.len() as u64);
    let mut piece = vec![0; PIECE];
    loop {
        match rest.read(&mut piece)? {
            0 => return Ok(digest.finish()),
            n => digest.update(&piece[..n]),
        }
    }
}

/// What is read next comes from the card and not from memory.
fn forgotten(file: &File) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}
