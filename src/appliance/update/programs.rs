//! The programs on the persistent partition: their files, which of them is in force, and the link that says so.
//!
//! Never in an order that a pulled plug could make worse: a file is whole before the state names it, the state is kept before
//! the program is started, and files go only when no state names them any more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use super::{NotTaken, Older, Program, Standing, Verdict, Version};
use crate::appliance::store::write_whole;
use crate::host::state_file::{StateError, StateFile};

/// The form of [`Standing`] on the disk.
const FORM: u32 = 2;

/// A write that must survive a pulled plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A program goes onto the disk.
    Program,
    /// What is in force goes onto the disk.
    State,
    /// A file that nothing needs any more goes.
    Sweep,
}

/// Told before each [`Step`]; an error ends it there. Tests pull the plug with it.
pub type Before<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ProgramsError {
    /// The program was not taken.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// The disk refused.
    #[error("{path}: {source}", path = path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The state cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The kept programs and the image's own.
pub struct Programs<'a> {
    directory: PathBuf,
    state: StateFile,
    own: Version,
    before: Before<'a>,
}

impl<'a> Programs<'a> {
    /// Those in `directory`, where the image's own program is of version `own`.
    #[must_use]
    pub fn new(directory: &Path, own: Version, before: Before<'a>) -> Self {
        Self { directory: directory.to_owned(), state: state(directory), own, before }
    }

    /// What is in force, for whoever looks beside the process that changes it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn peek(directory: &Path) -> Result<Standing, StateError> {
        Ok(state(directory).peek()?.unwrap_or_default())
    }

    /// What is in force. A state that was damaged is told in it, and the image's own program is in force.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn standing(&mut self) -> Result<Standing, ProgramsError> {
        match self.state.load() {
            Ok(standing) => Ok(standing.unwrap_or_default()),
            Err(error @ StateError::Disk { .. }) => Err(error.into()),
            Err(damaged) => Ok(Standing { turned_down: Some(damaged.to_string()), ..Standing::default() }),
        }
    }

    /// Keeps a program whose signature holds, and puts it on trial at the next start. `served` sites have content now.
    ///
    /// # Errors
    /// [`ProgramsError`]; what was in force still is.
    pub fn take(
        &mut self,
        version: Version,
        bytes: &[u8],
        served: usize,
        older: Older,
    ) -> Result<(), ProgramsError> {
        let program = Program { version, digest: hex(bytes), beside: self.own };
        let path = self.path(&program);
        let standing = self.standing()?;
        // The file of a program in force is never written over with other bytes.
        if standing.needs().any(|kept| kept.version == version && kept.digest != program.digest) {
            return Err(NotTaken::SameVersion { version }.into());
        }
        let standing = standing.offer(program, served, self.own, older)?;
        (self.before)(Step::Program)
            .and_then(|()| write_whole(&path, bytes, 0o755))
            .map_err(|source| ProgramsError::Disk { path, source })?;
        self.keep(&standing)
    }

    /// What is in force from this start on.
    ///
    /// # Errors
    /// [`ProgramsError`]; the image's own program is to be started then.
    pub fn start(&mut self) -> Result<Standing, ProgramsError> {
        let directory = self.directory.clone();
        let whole = |program: &Program| {
            fs::read(directory.join(program.file())).is_ok_and(|bytes| hex(&bytes) == program.digest)
        };
        let before = self.standing()?;
        let standing = before.clone().start(&whole);
        if standing != before {
            self.keep(&standing)?;
        }
        self.sweep(&standing)?;
        Ok(standing)
    }

    /// Does what the program on trial deserves.
    ///
    /// # Errors
    /// [`ProgramsError`]
    pub fn settle(&mut self, standing: Standing, verdict: Verdict) -> Result<Standing, ProgramsError> {
        let standing = match verdict {
            Verdict::Wait => return Ok(standing),
            Verdict::Commit => standing.commit(),
            Verdict::TurnDown(why) => standing.turn_down(why),
        };
        self.keep(&standing)?;
        Ok(standing)
    }

    /// The file of a program.
    #[must_use]
    pub fn path(&self, program: &Program) -> PathBuf {
        self.directory.join(program.file())
    }

    fn keep(&mut self, standing: &Standing) -> Result<(), ProgramsError> {
        let path = self.state.path().to_owned();
        (self.before)(Step::State).map_err(|source| ProgramsError::Disk { path, source })?;
        self.state.save(standing)?;
        Ok(())
    }

    /// Removes every file that `standing` does not need. Once a start, when none of them runs.
    fn sweep(&mut self, standing: &Standing) -> Result<(), ProgramsError> {
        let needed: Vec<String> = standing.needs().map(Program::file).collect();
        let disk = |path: &Path, source| ProgramsError::Disk { path: path.to_owned(), source };
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(disk(&self.directory, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| disk(&self.directory, error))?;
            let name = entry.file_name();
            let is_program = name.to_str().is_some_and(|name| name.starts_with("hearth-"));
            if is_program && !needed.iter().any(|needed| name == **needed) {
                (self.before)(Step::Sweep)
                    .and_then(|()| fs::remove_file(entry.path()))
                    .map_err(|error| disk(&entry.path(), error))?;
            }
        }
        Ok(())
    }
}

fn state(directory: &Path) -> StateFile {
    StateFile::new(directory.join("standing.json"), FORM)
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}
