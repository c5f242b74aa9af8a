//! One small file of state that survives a pulled plug: written whole or not at all, and known to be whole when read.
//!
//! Never deletes what it cannot read: a damaged file is moved aside and reported. Every function blocks on the disk;
//! on a runtime call them from `spawn_blocking`.
//!
//! The first line is a header of JSON with the version of the form, and the length and SHA-256 of what follows; the
//! rest is the state as JSON. A file that was cut anywhere, even to nothing, is told from one that is not there.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A file that holds one state. One process writes it.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    version: u32,
    /// Who may read and write it (chmod(2)).
    mode: u32,
    /// The header of what the file is known to hold.
    holds: Option<Header>,
}

/// What [`StateFile::save`] had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The file holds the state now, and will after a power cut.
    Written,
    /// It held the same before, and was not touched.
    Unchanged,
}

/// Why a state was not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file was cut or changed. It lies at `aside` now, and the next load finds no file.
    #[error("{path} is damaged ({why}); it was moved to {aside}, and the state starts anew", path = path.display(), aside = aside.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it was moved.
        aside: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file is whole, but of another form. It lies at `aside` now, and the next load finds no file.
    #[error(
        "{path} is of form {found}, this hearth knows {known}; it was moved to {aside}, move it back to use it with \
         the hearth that wrote it", path = path.display(), aside = aside.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Where it was moved.
        aside: PathBuf,
        /// The form of the file.
        found: u32,
        /// The form that was asked for.
        known: u32,
    },
    /// The disk refused.
    #[error("cannot {deed} {path}: {source}", path = path.display())]
    Disk {
        /// What was tried: `read`, `write`, `move aside`.
        deed: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The state has no JSON form: a map with keys that are not text, a number that is not one.
    #[error("the state for {path} cannot be written down: {source}", path = path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    form: u32,
    bytes: usize,
    sha256: String,
}

impl Header {
    fn of(form: u32, body: &[u8]) -> Self {
        let sha256 = data_encoding::HEXLOWER.encode(digest(&SHA256, body).as_ref());
        Self { form, bytes: body.len(), sha256 }
    }
}

impl StateFile {
    /// The file at `path`, in form `version`. Nothing is read or written yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, version: u32) -> Self {
        Self { path: path.into(), version, mode: 0o600, holds: None }
    }

    /// The same file, which others than its owner may read and write as far as `mode` says.
    #[must_use]
    pub fn with_mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the state; None when there is no file. Blocks.
    ///
    /// # Errors
    /// [`StateError::Damaged`] and [`StateError::Version`] once, after moving the file aside: whoever goes on starts
    /// anew and says so. [`StateError::Disk`] when the file cannot be read or moved.
    pub fn load<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StateError> {
        self.holds = None;
        let file = match fs::read(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.disk("read", source)),
        };
        let (header, body) = match whole(&file) {
            Ok(parts) => parts,
            Err(why) => return Err(self.damaged(why)),
        };
        if header.form != self.version {
            return Err(self.other_version(header.form));
        }
        match serde_json::from_slice(body) {
            Ok(state) => {
                self.holds = Some(header);
                Ok(Some(state))
            }
            Err(error) => Err(self.damaged(format!("its content does not fit: {error}"))),
        }
    }

    /// Reads the state and leaves the file as it is, whatever it holds: for whoever looks beside the process that
    /// writes it. None when there is no file. Blocks.
    ///
    /// # Errors
    /// [`StateError::Disk`] when it cannot be read, is damaged or of another form.
    pub fn peek<T: DeserializeOwned>(&self) -> Result<Option<T>, StateError> {
        let doubt = |why: String| self.disk("read", io::Error::new(io::ErrorKind::InvalidData, why));
        let file = match fs::read(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.disk("read", source)),
        };
        let (header, body) = whole(&file).map_err(doubt)?;
        if header.form != self.version {
            return Err(doubt(format!("it is of form {}, this hearth knows {}", header.form, self.version)));
        }
        serde_json::from_slice(body)
            .map(Some)
            .map_err(|error| doubt(format!("its content does not fit: {error}")))
    }

    /// Writes the state unless the file holds it already: a new file beside the old one, flushed to the disk, then
    /// put in its place, and the directory flushed as well (rename(2), fsync(2)). Blocks.
    ///
    /// # Errors
    /// [`StateError::Disk`]; the old state stands then, unless the very last step, flushing the directory, failed.
    pub fn save<T: Serialize>(&mut self, state: &T) -> Result<Saved, StateError> {
        let body = serde_json::to_vec(state)
            .map_err(|source| StateError::Form { path: self.path.clone(), source })?;
        let header = Header::of(self.version, &body);
        if self.holds.as_ref() == Some(&header) {
            return Ok(Saved::Unchanged);
        }
        self.holds = None;
        self.replace(&header, &body).map_err(|source| self.disk("write", source))?;
        self.holds = Some(header);
        Ok(Saved::Written)
    }

    fn replace(&self, header: &Header, body: &[u8]) -> io::Result<()> {
        let directory = self.directory();
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let fresh = beside(&self.path, "new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        // Past the umask of this process.
        file.set_permissions(Permissions::from_mode(self.mode))?;
        file.write_all(&serde_json::to_vec(header)?)?;
        file.write_all(b"\n")?;
        file.write_all(body)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        File::open(directory)?.sync_all()
    }

    fn directory(&self) -> &Path {
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn disk(&self, deed: &'static str, source: io::Error) -> StateError {
        StateError::Disk { deed, path: self.path.clone(), source }
    }

    fn damaged(&self, why: String) -> StateError {
        match self.move_aside("corrupt") {
            Ok(aside) => StateError::Damaged { path: self.path.clone(), aside, why },
            Err(source) => self.disk("move aside", source),
        }
    }

    fn other_version(&self, found: u32) -> StateError {
        match self.move_aside(&format!("form-{found}")) {
            Ok(aside) => StateError::Version { path: self.path.clone(), aside, found, known: self.version },
            Err(source) => self.disk("move aside", source),
        }
    }

    /// Moves the file to the first free name of `name.why-1`, `name.why-2`, …; the hard link is what refuses a name
    /// that is taken.
    fn move_aside(&self, why: &str) -> io::Result<PathBuf> {
        for n in 1..1000 {
            let aside = beside(&self.path, &format!("{why}-{n}"));
            match fs::hard_link(&self.path, &aside) {
                Ok(()) => return fs::remove_file(&self.path).map(|()| aside),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("a thousand damaged copies lie beside it already; look at them and remove them"))
    }
}

/// `path` with `.ending` after its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// The two parts of a file that is whole, or what is wrong with it.
fn whole(file: &[u8]) -> Result<(Header, &[u8]), String> {
    if file.is_empty() {
        return Err("it is empty".to_owned());
    }
    let end = file.iter().position(|byte| *byte == b'\n').ok_or("its first line has no end")?;
    let (line, body) = (&file[..end], &file[end + 1..]);
    let header: Header = serde_json::from_slice(line).map_err(|_| "its first line is not a header")?;
    if body.len() != header.bytes {
        return Err(format!("it has {} bytes of state, {} were written", body.len(), header.bytes));
    }
    let found = Header::of(header.form, body);
    if found == header { Ok((header, body)) } else { Err("its content is not what was written".to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Holdings = BTreeMap<String, u32>;

    fn some(n: u32) -> Holdings {
        BTreeMap::from([("a".to_owned(), n), ("b".to_owned(), 2)])
    }

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/state.json");
        (directory, path)
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path.parent().unwrap()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_saved_is_loaded_and_the_same_state_is_not_written_twice() {
        let (_keep, path) = scratch();
        let mut file = StateFile::new(&path, 1);
        assert_eq!(file.load::<Holdings>().unwrap(), None);
        assert_eq!(file.save(&some(1)).unwrap(), Saved::Written);
        assert_eq!(file.save(&some(1)).unwrap(), Saved::Unchanged);
        assert_eq!(file.save(&some(3)).unwrap(), Saved::Written);
        let mut again = StateFile::new(&path, 1);
        assert_eq!(again.load().unwrap(), Some(some(3)));
        assert_eq!(again.save(&some(3)).unwrap(), Saved::Unchanged);
        assert_eq!(names(&path), ["state.json"]);
    }

    #[test]
    fn a_file_cut_at_any_byte_is_moved_aside_and_said_to_be_damaged() {
        let (_keep, path) = scratch();
        let mut file = StateFile::new(&path, 1);
        file.save(&some(1)).unwrap();
        let good = fs::read(&path).unwrap();
        for cut in 0..good.len() {
            fs::write(&path, &good[..cut]).unwrap();
            let Err(StateError::Damaged { aside, .. }) = file.load::<Holdings>() else {
                panic!("cut at {cut}")
            };
            assert_eq!(fs::read(&aside).unwrap(), &good[..cut], "kept as it was");
            assert_eq!(file.load::<Holdings>().unwrap(), None, "and the next load starts anew");
        }
        assert_eq!(names(&path).len(), good.len());
    }

    #[test]
    fn a_look_leaves_the_file_as_it_is_even_when_it_is_damaged() {
        let (_keep, path) = scratch();
        let mut file = StateFile::new(&path, 1);
        assert_eq!(file.peek::<Holdings>().unwrap(), None);
        file.save(&some(1)).unwrap();
        assert_eq!(StateFile::new(&path, 1).peek().unwrap(), Some(some(1)));
        assert!(StateFile::new(&path, 2).peek::<Holdings>().is_err());
        fs::write(&path, "{").unwrap();
        let error = StateFile::new(&path, 1).peek::<Holdings>().unwrap_err();
        assert!(matches!(error, StateError::Disk { deed: "read", .. }), "{error}");
        assert_eq!((names(&path), fs::read(&path).unwrap()), (vec!["state.json".to_owned()], b"{".to_vec()));
    }

    #[test]
    fn a_byte_changed_anywhere_is_noticed() {
        let (_keep, path) = scratch();
        let mut file = StateFile::new(&path, 1);
        file.save(&some(1)).unwrap();
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x01;
            fs::write(&path, &bad).unwrap();
            assert!(file.load::<Holdings>().is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_damaged_file_is_replaced_by_the_next_save() {
        let (_keep, path) = scratch();
        let mut file = StateFile::new(&path, 1);
        file.save(&some(1)).unwrap();
        fs::write(&path, "{").unwrap();
        assert!(file.load::<Holdings>().is_err());
        assert_eq!(file.save(&some(1)).unwrap(), Saved::Written);
        assert_eq!(file.load().unwrap(), Some(some(1)));
        assert_eq!(names(&path), ["state.json", "state.json.corrupt-1"]);
    }

    #[test]
    fn a_state_of_another_form_is_kept_for_whoever_wrote_it() {
        let (_keep, path) = scratch();
        StateFile::new(&path, 2).save(&some(1)).unwrap();
        let error = StateFile::new(&path, 1).load::<Holdings>().unwrap_err();
        assert!(matches!(error, StateError::Version { found: 2, known: 1, .. }), "{error}");
        fs::rename(path.with_extension("json.form-2-1"), &path).unwrap();
        assert_eq!(StateFile::new(&path, 2).load().unwrap(), Some(some(1)));
    }

    #[test]
    fn a_half_written_new_file_of_a_process_that_died_is_harmless() {
        let (_keep, path) = scratch();
        let mut file = StateFile::new(&path, 1);
        file.save(&some(1)).unwrap();
        fs::write(beside(&path, "new"), "{\"form\":1,").unwrap();
        let mut next = StateFile::new(&path, 1);
        assert_eq!(next.load().unwrap(), Some(some(1)));
        assert_eq!(next.save(&some(2)).unwrap(), Saved::Written);
        assert_eq!(names(&path), ["state.json"]);
    }

    #[test]
    fn the_state_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (_keep, path) = scratch();
        StateFile::new(&path, 1).save(&some(1)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
