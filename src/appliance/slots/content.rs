//! What is in the file of a system: its hashes, and, mounted read-only, what it says of itself.
//!
//! Never starts anything in it, and follows no link out of it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

use ring::digest::{Context, Digest, SHA256};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

use super::SystemVersion;
use crate::appliance::update::signature::Hasher;

/// What os-release(5) of the image says `IMAGE_ID` is.
const IMAGE: &str = "hearth-pi-arm64";

/// The hashes of a file, and its length.
#[derive(Clone, Debug)]
pub struct Measure {
    /// In bytes.
    pub length: u64,
    /// What its signature is over.
    pub signed: [u8; 64],
    /// What it is read back by: quicker.
    pub digest: Digest,
}

impl Measure {
    /// Reads the whole file, piece by piece.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(mut file: &File) -> io::Result<Self> {
        let (mut signed, mut digest, mut length) = (Hasher::default(), Context::new(&SHA256), 0);
        let mut piece = vec![0; 1 << 20];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(Self { length, signed: signed.finish(), digest: digest.finish() }),
                n => {
                    signed.update(&piece[..n]);
                    digest.update(&piece[..n]);
                    length += n as u64;
                }
            }
        }
    }
}

/// Why a system cannot be started on this Pi.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It cannot be mounted.
    #[error("{path} is no system: {said}; give the file whose name ends in .system", path = path.display())]
    NoSystem {
        /// The file.
        path: std::path::PathBuf,
        /// What mount(8) said.
        said: String,
    },
    /// It is something else.
    #[error("its os-release says that it is {found} and not {wanted}: sign what was built")]
    Another {
        /// What it says.
        found: String,
        /// What was signed.
        wanted: String,
    },
    /// It has no program to start.
    #[error("it has no /sbin/init: build it anew")]
    NoInit,
    /// The kernel on the card is not the one that it was made for.
    #[error(
        "it has no modules for the kernel on this card, {kernel}: write the card anew with the whole image, which brings its kernel"
    )]
    OtherKernel {
        /// The release of the running kernel.
        kernel: String,
    },
}

/// Looks into the system in `file`, which must be the one of this version and fit to the running kernel.
///
/// # Errors
/// [`Unfit`]
pub fn fits(file: &Path, version: SystemVersion) -> Result<(), Unfit> {
    let mounted = Mounted::new(file)?;
    let says = os_release(&mounted.read("usr/lib/os-release").unwrap_or_default());
    let wanted = says_of(IMAGE, version);
    let found = says.map_or_else(|| "nothing".to_owned(), |(image, version)| says_of(&image, version));
    if found != wanted {
        return Err(Unfit::Another { found, wanted });
    }
    if mounted.open("sbin/init", OFlags::PATH).is_err() {
        return Err(Unfit::NoInit);
    }
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    match mounted.open(&format!("usr/lib/modules/{kernel}/modules.dep"), OFlags::PATH) {
        Ok(_) => Ok(()),
        Err(_) => Err(Unfit::OtherKernel { kernel }),
    }
}

fn says_of(image: &str, version: impl ToString) -> String {
    format!("{image} {}", version.to_string())
}

/// The version of the system below `root`; None: it is none of an image.
#[must_use]
pub fn version(root: &Path) -> Option<SystemVersion> {
    let text = std::fs::read_to_string(root.join("usr/lib/os-release")).ok()?;
    os_release(&text).filter(|(image, _)| image == IMAGE)?.1.parse().ok()
}

/// `IMAGE_ID` and `IMAGE_VERSION` of os-release(5).
fn os_release(text: &str) -> Option<(String, String)> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    Some((value("IMAGE_ID")?, value("IMAGE_VERSION")?))
}

/// A system that can be looked into until this is dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// mount(8), because a file needs a loop device first.
    fn new(file: &Path) -> Result<Self, Unfit> {
        let no = |said: String| Unfit::NoSystem { path: file.to_owned(), said };
        let place = tempfile::tempdir().map_err(|error| no(error.to_string()))?;
        let done = Command::new("mount")
            .args(["-t", "squashfs", "-o", "ro,loop,nodev,nosuid,noexec"])
            .args([file, place.path()])
            .output()
            .map_err(|error| no(format!("mount: {error}")))?;
        if !done.status.success() {
            return Err(no(String::from_utf8_lossy(&done.stderr).trim().to_owned()));
        }
        Ok(Self(place))
    }

    /// Opens what lies at a path inside, where links lead as they do once it is the root.
    fn open(&self, path: &str, flags: OFlags) -> io::Result<File> {
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat2(CWD, self.0.path(), directory, Mode::empty(), ResolveFlags::empty())?;
        Ok(openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT)?.into())
    }

    fn read(&self, path: &str) -> io::Result<String> {
        io::read_to_string(self.open(path, OFlags::RDONLY)?)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let left = Command::new("umount").arg(self.0.path()).status();
        if !left.as_ref().is_ok_and(|status| status.success()) {
            tracing::warn!("{} stays mounted: {left:?}", self.0.path().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_says_in_its_os_release_which_it_is() {
        let says = |text: &str| {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(root.path().join("usr/lib")).unwrap();
            std::fs::write(root.path().join("usr/lib/os-release"), text).unwrap();
            version(root.path()).map(|version| version.to_string())
        };
        let image = "ID=debian\nIMAGE_ID=\"hearth-pi-arm64\"\nIMAGE_VERSION=0.2.0-20260131235959\n";
        assert_eq!(says(image).as_deref(), Some("0.2.0-20260131235959"));
        for none in ["", "ID=debian\n", &image.replace("pi-arm64", "other"), &image.replace("0.2.0", "two")] {
            assert_eq!(says(none), None, "{none}");
        }
    }
}
