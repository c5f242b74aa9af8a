//! A generation: the whole site as it stood at one look, ready to be answered from.
//!
//! PURE and immutable. Never reads a file: what it is made of is handed in, and files that did not change are shared
//! with the generation before, bodies and encodings and all.

mod date;
mod digest;
mod entry;
mod file;
mod head;
mod heads;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

pub use self::date::{date, unix};
pub use self::digest::{Digest, NoDigest};
pub use self::entry::{Entry, LeftFile, Representation, Stored};
pub use self::file::{Content, File, Files, Stamp};
pub use self::head::Describes;
pub(crate) use self::head::write_line;

use self::date::{LAST_SECOND, seconds};
use self::digest::Summing;
use self::heads::{Answer, Writer};
use super::Rules;

/// The whole site as it stood at one look.
#[derive(Debug)]
pub struct Generation {
    entries: HashMap<Box<str>, Entry>,
    directories: HashSet<Box<str>>,
    not_found: Option<Entry>,
    digest: Digest,
    bytes: u64,
    deployed: SystemTime,
    rules: Rules,
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
            bytes: files.values().map(|file| file.stamp.size).sum(),
            deployed,
            rules,
        }
    }

    /// SHA-256 over the sorted names and the digests of the contents: the same site has the same one everywhere.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
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
    let mut sum = Summing::new();
    for (name, file) in files {
        // The length keeps a name apart from what follows it.
        sum.add(&(name.len() as u64).to_be_bytes());
        sum.add(name.as_bytes());
        sum.add(&file.digest.0);
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
}
