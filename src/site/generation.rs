//! A generation: the whole site as it stood at one look, ready to be answered from.
//!
//! PURE and immutable. Never reads a file: what it is made of is handed in, and files that did not change are shared
//! with the generation before, bodies and encodings and all.

mod adopted;
mod date;
mod digest;
mod entry;
mod file;
mod head;
mod heads;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::adopted::Adopted;
pub use self::date::{date, unix};
pub use self::digest::{Digest, NoDigest};
pub use self::entry::{Entry, LeftFile, Representation, Stored};
pub use self::file::{Content, File, Files, Stamp};
pub use self::head::Describes;
pub(crate) use self::head::write_line;

use self::date::{seconds, since_1970};
pub(super) use self::digest::Summing;
use self::heads::{Answer, Writer};
use super::Rules;

/// The generation that is served; None until there is one.
pub type Current = Option<Arc<Generation>>;

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

impl Generation {
    /// Makes a generation of files. `previous` is the one before, which a different one never ties with in its date.
    #[must_use]
    pub fn build(files: &Files, rules: Rules, previous: Option<&Generation>) -> Self {
        Self::build_adopting(files, rules, previous, &Adopted::default())
    }

    /// The same, with the validators of a fallback for the files that it is known to have as well.
    #[must_use]
    pub fn build_adopting(
        files: &Files,
        rules: Rules,
        previous: Option<&Generation>,
        adopted: &Adopted,
    ) -> Self {
        let digest = digest_of(files);
        Self::assemble(files, rules, digest, deployed(files, digest, previous), adopted)
    }

    /// Makes the generation again that was deployed at `deployed`, seconds since 1970, with the validators of a fallback
    /// for the files that it is known to have as well.
    #[must_use]
    pub fn again(files: &Files, rules: Rules, deployed: u64, adopted: &Adopted) -> Self {
        Self::assemble(files, rules, digest_of(files), since_1970(deployed), adopted)
    }

    fn assemble(
        files: &Files,
        rules: Rules,
        digest: Digest,
        deployed: SystemTime,
        adopted: &Adopted,
    ) -> Self {
        // What the fallback does not have is dated after all that it has: no `ETag` of ours is one of its own for other
        // bytes, and nothing of ours looks older than what it replaced.
        let deployed = match adopted.deployed() {
            Some(theirs) => deployed.max(since_1970(theirs) + Duration::from_secs(1)),
            None => deployed,
        };
        let mut writer = Writer::new(rules, deployed, adopted);
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

    /// The files whose content is held: name, digest and size.
    pub fn held(&self) -> impl Iterator<Item = (&str, Digest, u64)> {
        self.entries.iter().filter_map(|(name, entry)| match &entry.identity()?.stored {
            Stored::Held(bytes) => Some((name.as_ref(), entry.digest, bytes.len() as u64)),
            Stored::Left(_) => None,
        })
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
    use std::sync::Arc;

    use bytes::Bytes;

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

    fn tag<'a>(site: &'a Generation, name: &str) -> &'a str {
        site.file(name).unwrap().identity().unwrap().etag.to_str().unwrap()
    }

    #[test]
    fn what_the_fallback_has_as_well_is_dated_as_there_and_nothing_else_is() {
        let files = files(&[("404.html", "?", 5), ("a", "x", 5), ("b", "yy", 5)]);
        let known = |list: &[(&str, &[u8])]| {
            Adopted::new(255, list.iter().map(|(name, text)| (Box::from(*name), Digest::of(text))).collect())
        };
        let own = Generation::build(&files, Rules::GithubPages, None);
        let adopted = known(&[("404.html", b"?"), ("a", b"x"), ("b", b"zz"), ("gone", b"y")]);
        let site = Generation::build_adopting(&files, Rules::GithubPages, Some(&own), &adopted);
        assert_eq!((tag(&site, "a"), unix(site.file("a").unwrap().modified)), ("\"ff-1\"", 255));
        assert_eq!(site.not_found().unwrap().identity().unwrap().etag, "\"ff-1\"");
        assert_eq!((tag(&site, "b"), unix(site.file("b").unwrap().modified)), ("\"100-2\"", 256));
        assert_eq!(site.digest(), own.digest());
        // Other rules have other tags, which no fallback shares.
        let spa = Generation::build_adopting(&files, Rules::Spa, None, &adopted);
        assert_eq!(tag(&spa, "a"), tag(&Generation::build(&files, Rules::Spa, None), "a"));
    }

    #[test]
    fn a_change_after_the_adoption_never_brings_a_tag_of_the_fallback_for_other_bytes() {
        let adopted = Adopted::new(9, [("a".into(), Digest::of(b"x"))].into());
        let first = Generation::build_adopting(&files(&[("a", "x", 5)]), Rules::GithubPages, None, &adopted);
        // Published in the very second of the fallback's deploy, in the same size.
        let second =
            Generation::build_adopting(&files(&[("a", "y", 9)]), Rules::GithubPages, Some(&first), &adopted);
        assert_eq!(tag(&first, "a"), "\"9-1\"");
        assert_ne!(tag(&second, "a"), "\"9-1\"");
        assert!(second.file("a").unwrap().modified > first.file("a").unwrap().modified);
        // What turns up at the fallback later is adopted as it comes.
        let third = Adopted::new(40, [("a".into(), Digest::of(b"y"))].into());
        let third =
            Generation::build_adopting(&files(&[("a", "y", 9)]), Rules::GithubPages, Some(&second), &third);
        assert_eq!(tag(&third, "a"), "\"28-1\"");
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
}
