//! A generation: the whole site as it stood at one look, ready to be answered from.
//!
//! PURE and immutable. Never reads a file: what it is made of is handed in, and files that did not change are shared
//! with the generation before, bodies and encodings and all.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, EXPIRES, HeaderValue, LAST_MODIFIED, VARY,
};
use serde::{Deserialize, Serialize};

use super::Rules;
use super::media;
use super::negotiate::{Accepted, Coding};

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

/// A SHA-256 digest. Written in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hex digits")]
pub struct NoDigest;

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Self, NoDigest> {
        Self::from_hex(&text).ok_or(NoDigest)
    }
}

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut sum = Summing::new();
        sum.add(bytes);
        sum.done()
    }

    /// From what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A digest in the making.
struct Summing(ring::digest::Context);

impl Summing {
    fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn done(self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        Digest(digest)
    }
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

/// The whole site as it stood at one look.
#[derive(Debug)]
pub struct Generation {
    entries: HashMap<Box<str>, Entry>,
    directories: HashSet<Box<str>>,
    not_found: Option<Entry>,
    digest: Digest,
    content: Digest,
    bytes: u64,
    deployed: SystemTime,
    rules: Rules,
}

/// One file, ready to be answered with.
#[derive(Debug)]
pub struct Entry {
    /// `Last-Modified`, whole seconds.
    pub modified: SystemTime,
    /// The same as it is sent.
    modified_text: HeaderValue,
    /// The content's digest.
    pub digest: Digest,
    /// Identity first, then the compressed ones.
    representations: Vec<Representation>,
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
    length: HeaderValue,
    head: Arc<HeaderMap>,
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

impl Generation {
    /// Makes a generation of files. `previous` is the one before, which a different one never ties with in its date.
    #[must_use]
    pub fn build(files: &Files, rules: Rules, previous: Option<&Generation>) -> Self {
        let digest = digest_of(files);
        Self::assemble(files, rules, digest, deployed(files, digest, previous))
    }

    /// Makes the generation again that was deployed at `deployed`, seconds since 1970.
    #[must_use]
    pub fn again(files: &Files, rules: Rules, deployed: u64) -> Self {
        // A date that no clock shows is no reason to fail: it only names the deploy.
        let since = Duration::from_secs(deployed.min(LAST_SECOND));
        Self::assemble(files, rules, digest_of(files), SystemTime::UNIX_EPOCH + since)
    }

    fn assemble(files: &Files, rules: Rules, digest: Digest, deployed: SystemTime) -> Self {
        let mut writer = Writer::new(rules, deployed);
        let entries =
            files.iter().map(|(name, file)| (name.clone(), writer.entry(name, file, Answer::Page))).collect();
        let not_found = (rules == Rules::GithubPages)
            .then(|| files.get("404.html"))
            .flatten()
            .map(|file| writer.entry("404.html", file, Answer::NotFound));
        Self {
            entries,
            directories: files.keys().flat_map(|name| parents(name)).map(Box::from).collect(),
            not_found,
            digest,
            content: content_of(files),
            bytes: files.values().map(|file| file.stamp.size).sum(),
            deployed,
            rules,
        }
    }

    /// SHA-256 over the sorted names and the digests of the files: another one is another generation on this node.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// SHA-256 over the sorted names and the contents: the same site has the same one on every node, whatever inodes
    /// and times it was given there. Of a file that is not held only the size counts, so nodes of one site should hold
    /// the same files: give them the same `memory`.
    #[must_use]
    pub const fn content(&self) -> Digest {
        self.content
    }

    /// How many files.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.entries.len() as u64
    }

    /// How many bytes, uncompressed.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When it was deployed, whole seconds: what GitHub Pages calls the last modification of every file.
    #[must_use]
    pub const fn deployed(&self) -> SystemTime {
        self.deployed
    }

    /// The rules that its heads were made for.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        self.rules
    }

    /// The file of exactly this name.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether there is anything under this name.
    #[must_use]
    pub fn is_directory(&self, name: &str) -> bool {
        self.directories.contains(name)
    }

    /// The site's own page for what is missing.
    #[must_use]
    pub const fn not_found(&self) -> Option<&Entry> {
        self.not_found.as_ref()
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
        let best = acceptable.max_by_key(|r| (accepted.weight(r.coding), std::cmp::Reverse(r.stored.size())));
        best.or(self.identity())
    }
}

impl Representation {
    /// The head of an answer with the whole of it; `expires` is ten minutes ahead, where the rules want it.
    #[must_use]
    pub fn head(&self, entry: &Entry, expires: &HeaderValue) -> HeaderMap {
        let mut head = HeaderMap::clone(&self.head);
        // The names are in the head already, so that nothing grows here.
        for (name, value) in [
            (&CONTENT_LENGTH, &self.length),
            (&ETAG, &self.etag),
            (&LAST_MODIFIED, &entry.modified_text),
            (&EXPIRES, expires),
        ] {
            if let Some(slot) = head.get_mut(name) {
                slot.clone_from(value);
            }
        }
        head
    }
}

/// Which answer a head is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Answer {
    Page,
    NotFound,
}

/// Writes heads; those of the same kind are shared.
struct Writer {
    rules: Rules,
    deployed: SystemTime,
    heads: HashMap<(HeaderValue, Coding, Answer), Arc<HeaderMap>>,
}

impl Writer {
    fn new(rules: Rules, deployed: SystemTime) -> Self {
        Self { rules, deployed, heads: HashMap::new() }
    }

    fn entry(&mut self, name: &str, file: &File, answer: Answer) -> Entry {
        let modified = match self.rules {
            Rules::GithubPages => self.deployed,
            Rules::Spa | Rules::Files => seconds(file.stamp.mtime),
        };
        let content_type = media::content_type(name);
        let stored = stored(name, file).into_iter().map(|(coding, stored)| Representation {
            coding,
            etag: self.etag(file, coding),
            length: HeaderValue::from(stored.size()),
            stored,
            head: self.head(&content_type, coding, answer),
        });
        let representations = stored.collect();
        Entry { modified, modified_text: date(modified), digest: file.digest, representations }
    }

    /// GitHub Pages: hex time of the deploy, hex size; so that what it has answered is still good here. Otherwise the
    /// content's digest.
    fn etag(&self, file: &File, coding: Coding) -> HeaderValue {
        let opaque = match self.rules {
            Rules::GithubPages => format!("{:x}-{:x}", unix(self.deployed), file.stamp.size),
            Rules::Spa | Rules::Files => data_encoding::HEXLOWER.encode(&file.digest.0[..12]),
        };
        let weak = if coding == Coding::Identity { "" } else { "W/" };
        HeaderValue::from_str(&format!("{weak}\"{opaque}\""))
            .expect("hex digits and a dash are visible ASCII")
    }

    fn head(&mut self, content_type: &HeaderValue, coding: Coding, answer: Answer) -> Arc<HeaderMap> {
        let rules = self.rules;
        let key = (content_type.clone(), coding, answer);
        Arc::clone(
            self.heads.entry(key).or_insert_with(|| Arc::new(new_head(content_type, coding, answer, rules))),
        )
    }
}

/// Every encoding that there is of a file.
fn stored(name: &str, file: &File) -> Vec<(Coding, Stored)> {
    match &file.content {
        Content::Held { identity, encoded } => {
            let compressed = encoded.iter().flat_map(|e| e.iter().cloned());
            let all = std::iter::once((Coding::Identity, identity.clone())).chain(compressed);
            all.map(|(coding, bytes)| (coding, Stored::Held(bytes))).collect()
        }
        Content::Left => {
            let left = LeftFile { name: name.into(), stamp: file.stamp };
            vec![(Coding::Identity, Stored::Left(Arc::new(left)))]
        }
    }
}

/// A head with room for what differs from file to file and from second to second.
fn new_head(content_type: &HeaderValue, coding: Coding, answer: Answer, rules: Rules) -> HeaderMap {
    let empty = HeaderValue::from_static("");
    let mut head = HeaderMap::with_capacity(12);
    head.insert(CONTENT_TYPE, content_type.clone());
    head.insert(CONTENT_LENGTH, empty.clone());
    head.insert(ETAG, empty.clone());
    head.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if coding != Coding::Identity {
        head.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    if rules == Rules::GithubPages {
        head.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if answer == Answer::Page {
        head.insert(LAST_MODIFIED, empty.clone());
        head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if rules == Rules::GithubPages {
            head.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=600"));
            head.insert(EXPIRES, empty);
        }
    }
    head
}

/// The end of the year 9999: an HTTP date holds none after it, and nothing before 1970.
const LAST_SECOND: u64 = 253_402_300_799;

/// An HTTP date as a header value.
#[must_use]
pub fn date(at: SystemTime) -> HeaderValue {
    let within = at.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(LAST_SECOND));
    HeaderValue::from_str(&httpdate::fmt_http_date(within)).expect("an HTTP date is visible ASCII")
}

/// The newest change of any file. A generation with other content is never dated at or before the one it follows, or
/// a file that kept its size would keep its `ETag`.
fn deployed(files: &Files, digest: Digest, previous: Option<&Generation>) -> SystemTime {
    let newest = files.values().map(|file| file.stamp.ctime.max(file.stamp.mtime)).max().unwrap_or(0);
    let newest = seconds(newest);
    match previous {
        Some(same) if same.digest == digest => same.deployed,
        Some(other) => newest.max(other.deployed + Duration::from_secs(1)),
        None => newest,
    }
}

/// Whole seconds of a time stamp; 1970 for what is before it.
fn seconds(nanos: i64) -> SystemTime {
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Whole seconds since 1970.
#[must_use]
pub fn unix(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn digest_of(files: &Files) -> Digest {
    sum(files, |file| file.digest)
}

fn content_of(files: &Files) -> Digest {
    sum(files, |file| match file.content {
        Content::Held { .. } => file.digest,
        Content::Left => Digest::of(&file.stamp.size.to_be_bytes()),
    })
}

fn sum(files: &Files, of: impl Fn(&File) -> Digest) -> Digest {
    let mut sum = Summing::new();
    for (name, file) in files {
        // The length keeps a name apart from what follows it.
        sum.add(&(name.len() as u64).to_be_bytes());
        sum.add(name.as_bytes());
        sum.add(&of(file).0);
    }
    sum.done()
}

/// The directories above a file, the root as the empty name.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(name.match_indices('/').map(|(at, _)| &name[..at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(size: usize, at: i64) -> Stamp {
        Stamp { inode: 1, size: size as u64, mtime: at * 1_000_000_000, ctime: at * 1_000_000_000 }
    }

    fn files(list: &[(&str, &'static str, i64)]) -> Files {
        let file = |text: &'static str, at| {
            Arc::new(File::held(stamp(text.len(), at), Bytes::from_static(text.as_bytes())))
        };
        list.iter().map(|(name, text, at)| (Box::from(*name), file(text, *at))).collect()
    }

    #[test]
    fn the_digest_is_of_names_and_contents_and_nothing_else() {
        let of =
            |list: &[(&str, &'static str, i64)]| Generation::build(&files(list), Rules::Files, None).digest();
        let one = of(&[("a", "x", 1), ("b", "y", 1)]);
        assert_eq!(one, of(&[("b", "y", 7), ("a", "x", 9)]));
        assert_ne!(one, of(&[("a", "y", 1), ("b", "x", 1)]));
        assert_ne!(one, of(&[("ab", "x", 1)]));
        assert_eq!(
            Digest::of(b"").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn the_content_is_the_same_on_every_node_even_of_what_is_not_held() {
        let left = |size, at| Arc::new(File::left(Stamp { inode: 40 + at as u64, ..stamp(size, at) }));
        let of = |size, at| {
            let mut all = files(&[("a", "x", at)]);
            all.insert("film.mp4".into(), left(size, at));
            Generation::build(&all, Rules::Files, None)
        };
        assert_eq!(of(7, 1).content(), of(7, 9).content());
        assert_ne!(of(7, 1).digest(), of(7, 9).digest(), "on one node it is another state of the file");
        assert_ne!(of(7, 1).content(), of(8, 1).content());
    }

    #[test]
    fn every_file_of_a_pages_site_is_dated_by_its_deploy() {
        let site = Generation::build(&files(&[("a", "xx", 16), ("b/c", "y", 255)]), Rules::GithubPages, None);
        let entry = site.file("a").unwrap();
        assert_eq!(entry.identity().unwrap().etag, "\"ff-2\"");
        assert_eq!(entry.modified, site.deployed());
        assert!(site.is_directory("b") && site.is_directory("") && !site.is_directory("a"));
    }

    #[test]
    fn other_content_never_keeps_its_etag() {
        let first = Generation::build(&files(&[("a", "x", 5)]), Rules::GithubPages, None);
        let second = Generation::build(&files(&[("a", "y", 5)]), Rules::GithubPages, Some(&first));
        assert!(second.deployed() > first.deployed());
        let again = Generation::build(&files(&[("a", "y", 5)]), Rules::GithubPages, Some(&second));
        assert_eq!(again.deployed(), second.deployed());
    }

    #[test]
    fn a_file_that_did_not_change_keeps_its_bytes() {
        let old = files(&[("a", "x", 5), ("b", "y", 5)]);
        let mut new = old.clone();
        new.insert("b".into(), Arc::new(File::held(stamp(1, 6), Bytes::from_static(b"z"))));
        let (first, second) =
            (Generation::build(&old, Rules::Files, None), Generation::build(&new, Rules::Files, None));
        let held = |site: &Generation| match &site.file("a").unwrap().identity().unwrap().stored {
            Stored::Held(bytes) => bytes.as_ptr(),
            Stored::Left(left) => panic!("{left:?}"),
        };
        assert_eq!(held(&first), held(&second));
    }

    #[test]
    fn dates_before_the_epoch_and_after_the_calendar_do_no_harm() {
        assert_eq!(seconds(-5), SystemTime::UNIX_EPOCH);
        assert_eq!(date(SystemTime::UNIX_EPOCH - Duration::from_secs(9)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert!(
            date(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50)).to_str().unwrap().contains("9999")
        );
    }
}
