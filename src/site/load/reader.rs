//! The loader itself: the one process that touches the mount.
//!
//! Answers questions on standard input by frames on standard output until its input ends. Every call that it makes may
//! hang; then it is abandoned, and nothing is lost with it: it holds no state, no secret and no socket. It never
//! follows a link out of the root, never opens what is not a regular file, and never writes but the small file by which a
//! mount is tried that is to be written.

use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::wire::{self, Ask, Failure, Tell};
use crate::host::time::Timeline;
use crate::mount::{Access, look};
use crate::site::generation::Stamp;
use crate::site::path::WELL_KNOWN;

/// Touched last by a publisher: while it is there, only its change brings a new generation.
const SENTINEL: &str = ".hearth-generation";

/// Deeper than any site, and what ends a loop that got past the check of ancestors.
const DEEPEST: usize = 64;

/// More files than any site.
const MOST: usize = 250_000;

/// Between two signs of life in a walk: well below [`DEADLINE`](super::process::DEADLINE), and longer than most walks take.
const BREATH: Duration = Duration::from_millis(500);

/// How much of a file is sent at once.
const CHUNK: usize = 64 * 1024;

/// Answers until standard input ends.
///
/// # Errors
/// Those of the two pipes; the supervisor is gone then.
pub fn run(input: impl io::Read, output: impl Write) -> io::Result<()> {
    let mut input = io::BufReader::new(input);
    let output = io::BufWriter::with_capacity(2 * CHUNK, output);
    let mut session = Session { output, root: None, line: Timeline::start(None), breathed: Duration::ZERO };
    while let Some(ask) = next(&mut input)? {
        session.breathed = session.line.uptime();
        match ask {
            Ask::Look { root, sentinel, known } => session.look(&root, sentinel, known)?,
            Ask::Read { name } => session.read(&name)?,
            Ask::Piece { root, name, stamp, start, length } => {
                session.piece(&root, &name, stamp, start..start.saturating_add(length))?;
            }
            Ask::Mount { path, access } => session.mount(&path, access)?,
            Ask::Whole { path } => session.whole(&path)?,
        }
        session.output.flush()?;
    }
    Ok(())
}

/// The next question; None at the end.
fn next(input: &mut impl io::Read) -> io::Result<Option<Ask>> {
    let mut head = [0; wire::HEAD];
    match input.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let (kind, length) = wire::head(head).map_err(io::Error::other)?;
    let mut payload = vec![0; length];
    input.read_exact(&mut payload)?;
    Ask::decode(kind, &payload).map(Some).map_err(io::Error::other)
}

/// What a loader holds between two questions.
struct Session<W: Write> {
    output: io::BufWriter<W>,
    root: Option<OwnedFd>,
    line: Timeline,
    /// When it was seen alive last.
    breathed: Duration,
}

/// A question that could not be answered.
struct Refused(Failure, String);

impl Refused {
    fn new(errno: Errno, what: &[u8]) -> Self {
        Self(meaning(errno), format!("{}: {errno}", String::from_utf8_lossy(what)))
    }
}

/// What follows from an error of the file system. Only what is known to mean "not there" is called missing.
fn meaning(errno: Errno) -> Failure {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG => Failure::Missing,
        Errno::ACCESS | Errno::PERM | Errno::ISDIR | Errno::NXIO | Errno::INVAL => Failure::Refused,
        _ => Failure::Unreachable,
    }
}

impl<W: Write> Session<W> {
    fn tell(&mut self, tell: &Tell) -> io::Result<()> {
        self.output.write_all(&tell.encode())
    }

    /// A sign of life that is seen at once; not more often than every [`BREATH`].
    fn breathe(&mut self) -> io::Result<()> {
        let now = self.line.uptime();
        if now.saturating_sub(self.breathed) < BREATH {
            return Ok(());
        }
        self.breathed = now;
        self.tell(&Tell::Alive)?;
        self.output.flush()
    }

    fn look(&mut self, root: &[u8], sentinel: Option<Stamp>, known: Option<[u8; 32]>) -> io::Result<()> {
        let (fd, file_system, seen) = match open_root(root) {
            Ok(opened) => opened,
            Err(Refused(kind, text)) => return self.tell(&Tell::Failed { kind, text }),
        };
        let kind = look::kind_of(&fd).unwrap_or_default();
        self.tell(&Tell::Root { file_system, sentinel: seen, kind })?;
        if seen.is_some() && seen == sentinel {
            self.root = Some(fd);
            return self.tell(&Tell::Same);
        }
        let walked = Walk::new(&fd).run(self)?;
        self.root = Some(fd);
        match walked {
            Ok(listing) => self.tell_listing(listing, known),
            Err(Refused(kind, text)) => self.tell(&Tell::Failed { kind, text }),
        }
    }

    fn tell_listing(&mut self, mut listing: Listing, known: Option<[u8; 32]>) -> io::Result<()> {
        listing.files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let fingerprint = fingerprint(&listing.files);
        if known == Some(fingerprint) {
            return self.tell(&Tell::Same);
        }
        for (name, stamp) in listing.files {
            self.tell(&Tell::Listed { name, stamp })?;
        }
        self.tell(&Tell::End { fingerprint, skipped: listing.skipped })
    }

    fn read(&mut self, name: &[u8]) -> io::Result<()> {
        // A file that another node has just replaced is gone under its old handle: the second try finds the new one.
        let outcome = match self.read_once(name)? {
            Err((Errno::STALE, 0)) => self.read_once(name)?,
            other => other,
        };
        match outcome {
            Ok((before, after)) => self.tell(&Tell::Done { before, after }),
            Err((errno, _)) => self.tell_failed(errno, name),
        }
    }

    /// Sends a part of a file, if it is in the state that is known.
    fn piece(&mut self, root: &[u8], name: &[u8], known: Stamp, part: Range<u64>) -> io::Result<()> {
        let opened = open_directory(root).and_then(|root| open_regular(&root, name));
        let (file, before) = match opened {
            Ok(opened) => opened,
            Err(errno) => return self.tell_failed(errno, name),
        };
        if before != known {
            let text = format!("{}: it has changed", String::from_utf8_lossy(name));
            return self.tell(&Tell::Failed { kind: Failure::Missing, text });
        }
        let mut buffer = vec![0; CHUNK];
        let mut at = part.start;
        while at < part.end {
            let room = usize::try_from(part.end - at).unwrap_or(CHUNK).min(CHUNK);
            match rustix::io::pread(&file, &mut buffer[..room], at) {
                Ok(0) => break,
                Ok(count) => {
                    self.tell(&Tell::Chunk(buffer[..count].to_vec()))?;
                    at += count as u64;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return self.tell_failed(errno, name),
            }
        }
        match rustix::fs::fstat(&file) {
            Ok(stat) => self.tell(&Tell::Done { before, after: stamp(&stat) }),
            Err(errno) => self.tell_failed(errno, name),
        }
    }

    /// Says what is mounted at `path` before that is touched, so that it is known while it hangs.
    fn mount(&mut self, path: &[u8], access: Access) -> io::Result<()> {
        self.tell(&Tell::Mounted(look::line_at(path)?))?;
        self.output.flush()?;
        let room = look::room(path, access);
        self.tell(&Tell::Mounted(look::line_at(path)?))?;
        match room {
            Ok(room) => self.tell(&room),
            Err(errno) => self.tell_failed(errno, path),
        }
    }

    /// Sends a file that is no part of a site.
    fn whole(&mut self, path: &[u8]) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(std::ffi::OsStr::from_bytes(path), flags, Mode::empty());
        let outcome = match opened.and_then(regular) {
            Ok((file, before)) => self.send(&file, before)?,
            Err(errno) => Err((errno, 0)),
        };
        match outcome {
            Ok((before, after)) => self.tell(&Tell::Done { before, after }),
            Err((errno, _)) => self.tell_failed(errno, path),
        }
    }

    fn tell_failed(&mut self, errno: Errno, name: &[u8]) -> io::Result<()> {
        let Refused(kind, text) = Refused::new(errno, name);
        self.tell(&Tell::Failed { kind, text })
    }

    /// Sends a file's content. The error comes with how much was sent before it.
    #[allow(clippy::type_complexity, reason = "the pipe's error is not the file's")]
    fn read_once(&mut self, name: &[u8]) -> io::Result<Result<(Stamp, Stamp), (Errno, u64)>> {
        let Some(root) = &self.root else { return Ok(Err((Errno::NOENT, 0))) };
        match open_regular(root, name) {
            Ok((file, before)) => self.send(&file, before),
            Err(errno) => Ok(Err((errno, 0))),
        }
    }

    /// Sends what is in a file, and how it stood before and after.
    #[allow(clippy::type_complexity, reason = "the pipe's error is not the file's")]
    fn send(&mut self, file: &OwnedFd, before: Stamp) -> io::Result<Result<(Stamp, Stamp), (Errno, u64)>> {
        let mut buffer = vec![0; CHUNK];
        let mut sent = 0;
        loop {
            match rustix::io::read(file, &mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    self.tell(&Tell::Chunk(buffer[..count].to_vec()))?;
                    self.output.flush()?;
                    sent += count as u64;
                    // It grows faster than it is read, or has no end: the stamps will not agree.
                    if sent > before.size {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Ok(Err((errno, sent))),
            }
        }
        Ok(rustix::fs::fstat(file).map(|stat| (before, stamp(&stat))).map_err(|errno| (errno, sent)))
    }
}

/// Opens the root, and says on what file system it is and how its generation file stands.
fn open_root(path: &[u8]) -> Result<(OwnedFd, u64, Option<Stamp>), Refused> {
    let fail = |errno| Refused::new(errno, path);
    let fd = open_directory(path).map_err(fail)?;
    let file_system = rustix::fs::fstatfs(&fd).map_err(fail)?.f_type;
    #[allow(
        clippy::cast_sign_loss,
        reason = "a magic number: its bits matter, and its type differs by architecture"
    )]
    let file_system = file_system as u64;
    let sentinel = match rustix::fs::statat(&fd, SENTINEL, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Some(stamp(&stat)),
        Err(Errno::NOENT) => None,
        Err(errno) => return Err(fail(errno)),
    };
    Ok((fd, file_system, sentinel))
}

fn open_directory(path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(std::ffi::OsStr::from_bytes(path), flags, Mode::empty())
}

/// Opens a file beneath the root, and only then looks at what it is: there is no moment between check and use. The
/// kernel refuses every way out, over links or `..` (openat2(2)); a FIFO does not block.
fn open_regular(root: &OwnedFd, name: &[u8]) -> Result<(OwnedFd, Stamp), Errno> {
    regular(open_beneath(root, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?)
}

/// A file that was opened, if it is one, and how it stands.
fn regular(file: OwnedFd) -> Result<(OwnedFd, Stamp), Errno> {
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode).is_file() { Ok((file, stamp(&stat))) } else { Err(Errno::INVAL) }
}

fn open_beneath(root: &OwnedFd, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let open = || rustix::fs::openat2(root.as_fd(), name, flags | OFlags::CLOEXEC, Mode::empty(), resolve);
    match open() {
        // A rename elsewhere in the tree makes the kernel unsure, once (openat2(2), EAGAIN); another node's, ESTALE.
        Err(Errno::AGAIN | Errno::STALE | Errno::INTR) => open(),
        other => other,
    }
}

/// Everything under a root.
#[derive(Default)]
struct Listing {
    files: Vec<(Vec<u8>, Stamp)>,
    skipped: u64,
}

/// Device and inode of a directory.
type Identity = (u64, u64);

/// A walk through the tree.
struct Walk<'a> {
    root: &'a OwnedFd,
    listing: Listing,
    looked_at: usize,
    /// The directories above: a link back to one of them is a loop.
    above: Vec<Identity>,
}

/// What a name in a directory turned out to be.
enum Kind {
    File(Stamp),
    Directory,
    Other,
}

impl<'a> Walk<'a> {
    fn new(root: &'a OwnedFd) -> Self {
        Self { root, listing: Listing::default(), looked_at: 0, above: Vec::new() }
    }

    /// The outer error is the pipe's, the inner one the file system's.
    fn run<W: Write>(mut self, session: &mut Session<W>) -> io::Result<Result<Listing, Refused>> {
        Ok(self.directory(b".", b"", session)?.map(|()| self.listing))
    }

    /// Lists one directory: `path` to open it by, `prefix` before its names.
    fn directory<W: Write>(
        &mut self,
        path: &[u8],
        prefix: &[u8],
        session: &mut Session<W>,
    ) -> io::Result<Result<(), Refused>> {
        session.breathe()?;
        let opened = match self.open(path) {
            Ok(Some(opened)) => opened,
            Ok(None) => {
                self.listing.skipped += 1;
                return Ok(Ok(()));
            }
            Err(errno) => return Ok(Err(Refused::new(errno, path))),
        };
        let (dir, identity) = opened;
        self.above.push(identity);
        for name in dir {
            let name = match name {
                Ok(entry) => entry.file_name().to_bytes().to_vec(),
                Err(errno) => return Ok(Err(Refused::new(errno, path))),
            };
            if let Err(refused) = self.name(&name, prefix, session)? {
                return Ok(Err(refused));
            }
        }
        self.above.pop();
        Ok(Ok(()))
    }

    /// Opens a directory; None when it is passed over: gone meanwhile, forbidden, leading out, or a loop.
    fn open(&self, path: &[u8]) -> Result<Option<(Dir, Identity)>, Errno> {
        let is_root = self.above.is_empty();
        let fd = match open_beneath(self.root, path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(fd) => fd,
            Err(errno) if !is_root && meaning(errno) != Failure::Unreachable => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let stat = rustix::fs::fstat(&fd)?;
        #[allow(clippy::useless_conversion, reason = "st_dev and st_ino are narrower on some architectures")]
        let identity = (u64::from(stat.st_dev), u64::from(stat.st_ino));
        if self.above.contains(&identity) || self.above.len() >= DEEPEST {
            return Ok(None);
        }
        Ok(Some((Dir::read_from(&fd)?, identity)))
    }

    fn name<W: Write>(
        &mut self,
        name: &[u8],
        prefix: &[u8],
        session: &mut Session<W>,
    ) -> io::Result<Result<(), Refused>> {
        if !is_served(name, prefix) {
            return Ok(Ok(()));
        }
        self.looked_at += 1;
        if self.looked_at > MOST {
            return Ok(Err(Refused(Failure::TooMany, format!("more than {MOST} files"))));
        }
        session.breathe()?;
        let path = if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() };
        match self.kind(&path) {
            Ok(Kind::File(stamp)) if is_an_address(&path) => self.listing.files.push((path, stamp)),
            Ok(Kind::Directory) => return self.directory(&path, &path, session),
            Ok(Kind::File(_) | Kind::Other) => self.listing.skipped += 1,
            Err(errno) if meaning(errno) == Failure::Unreachable => {
                return Ok(Err(Refused::new(errno, &path)));
            }
            Err(_) => self.listing.skipped += 1,
        }
        Ok(Ok(()))
    }

    /// What a name is; a link is followed as far as it stays beneath the root.
    fn kind(&self, path: &[u8]) -> Result<Kind, Errno> {
        let stat = rustix::fs::fstat(open_beneath(self.root, path, OFlags::PATH)?)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        Ok(if kind.is_file() {
            Kind::File(stamp(&stat))
        } else if kind.is_dir() {
            Kind::Directory
        } else {
            Kind::Other
        })
    }
}

/// Names with a leading dot are not of the site, except what RFC 8615 puts at its root.
fn is_served(name: &[u8], prefix: &[u8]) -> bool {
    !name.starts_with(b".") || (prefix.is_empty() && name == WELL_KNOWN.as_bytes())
}

/// Whether a name can be asked for at all: UTF-8 without what `site::path` refuses.
fn is_an_address(path: &[u8]) -> bool {
    std::str::from_utf8(path)
        .is_ok_and(|text| !text.contains(['\\', '\x7f']) && !text.contains(|c: char| c < ' '))
}

#[allow(clippy::useless_conversion, reason = "fields of stat(2) are narrower on some architectures")]
#[allow(clippy::cast_sign_loss, reason = "sizes are not negative")]
fn stamp(stat: &Stat) -> Stamp {
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Stamp {
        inode: u64::from(stat.st_ino),
        size: stat.st_size as u64,
        mtime: nanos(i64::from(stat.st_mtime), stat.st_mtime_nsec as i64),
        ctime: nanos(i64::from(stat.st_ctime), stat.st_ctime_nsec as i64),
    }
}

/// Changes with every name and every stamp.
fn fingerprint(files: &[(Vec<u8>, Stamp)]) -> [u8; 32] {
    let mut sum = ring::digest::Context::new(&ring::digest::SHA256);
    for (name, stamp) in files {
        sum.update(&Tell::Listed { name: name.clone(), stamp: *stamp }.encode());
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(sum.finish().as_ref());
    fingerprint
}
