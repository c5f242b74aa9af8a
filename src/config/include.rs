//! The part of the configuration that lives on a shared volume: `include = "/mnt/gluster1/hearth.toml"`.
//!
//! A volume can hang, be gone, or hold a file that somebody is just writing, so the file is read by a loader process
//! within a deadline, and the last good copy of it is kept on local storage. Whatever the shared file is, the node
//! starts: with what it says, else with the last good copy, else with what the local file says alone. The shared file
//! holds sites, records and watches; never a secret, a key, or what a node is called.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc;

use serde::Deserialize as _;
use toml::de::DeTable;

use super::error::{Problem, Source, of_parser};
use super::file::File;
use super::{Checked, ConfigErrors, Secrets, check_source};
use crate::site::load::process::{self, DEADLINE};
use crate::site::load::wire::{self, Ask, Tell};
use crate::status::{IncludeState, IncludeStatus};

/// The last good copy, in the directory for what must be remembered.
const COPY: &str = "shared.toml";

/// The tables that a shared file may hold.
const SHARED: [&str; 3] = ["record", "site", "watch"];

/// The largest shared file, in bytes.
const LARGEST: usize = 1 << 20;

/// The shared part of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// The shared file.
    pub path: PathBuf,
    /// Where its last good copy is.
    pub copy: PathBuf,
    /// What is in force.
    pub from: IncludeState,
    /// Why it is not the file as it stands; empty when it is.
    pub why: String,
    /// How many sites, records and watches the local file has itself; what follows them is shared.
    pub local: Counts,
    /// The text that is in force; empty when there is none.
    text: String,
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// `[site]` or `[[site]]`.
    pub sites: usize,
    /// `[[record]]`.
    pub records: usize,
    /// `[[watch]]`.
    pub watches: usize,
}

impl Included {
    /// What is in force, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self.from {
            IncludeState::Fresh => "as it stands".to_owned(),
            IncludeState::CopyOfUnread | IncludeState::CopyOfBroken => {
                format!("its last good copy, {}", self.copy.display())
            }
            IncludeState::Nothing => "nothing of it, since there is no good copy".to_owned(),
        }
    }

    /// What a person should know; None: the shared file is in force as it stands.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        let what = format!("in force of {} is {}", self.path.display(), self.describe());
        (self.from != IncludeState::Fresh).then(|| format!("{what}: {}", self.why))
    }

    /// The same for a status.
    #[must_use]
    pub fn status(&self) -> IncludeStatus {
        IncludeStatus {
            path: self.path.display().to_string(),
            state: self.from,
            why: self.remark().unwrap_or_default(),
        }
    }

    /// Keeps what is in force as the last good copy, if it is not that already.
    ///
    /// # Errors
    /// When it is not on the disk.
    pub fn keep(&self) -> io::Result<()> {
        if self.from != IncludeState::Fresh
            || fs::read_to_string(&self.copy).is_ok_and(|kept| kept == self.text)
        {
            return Ok(());
        }
        let directory = self.copy.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let next = self.copy.with_extension("toml.next");
        let mut file = fs::File::create(&next)?;
        file.write_all(self.text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, &self.copy)?;
        fs::File::open(directory)?.sync_all()
    }
}

/// Where a file says that its shared part is, and where the last good copy of that is kept. None: it has none, or
/// cannot be understood at all.
fn wanted(text: &str, file: &Path) -> Option<(File, PathBuf, PathBuf)> {
    let written = File::deserialize(toml::de::Deserializer::parse(text).ok()?).ok()?;
    let directory = file.parent().unwrap_or(Path::new(""));
    let shared = directory.join(written.include.as_ref()?.get_ref());
    let copy = directory.join(written.state()).join(COPY);
    Some((written, shared, copy))
}

/// Checks a file with its shared part, which is read by a loader started from `program`.
pub(super) fn check(
    text: &str,
    file: &Path,
    secrets: Secrets,
    program: &Path,
) -> Result<Checked, ConfigErrors> {
    let Some((written, shared, copy)) = wanted(text, file) else {
        return check_source(Source::alone(file, text), secrets);
    };
    let local =
        Counts { sites: written.site.0.len(), records: written.record.len(), watches: written.watch.len() };
    let included = |from, why: String, text: String| Included {
        path: shared.clone(),
        copy: copy.clone(),
        from,
        why,
        local,
        text,
    };
    let with = |part: &str| together(text, file, &shared, part, secrets);
    let (why, errors) = match read(program, &shared) {
        Ok(part) => match with(&part) {
            Ok(checked) => return Ok(checked.including(included(IncludeState::Fresh, String::new(), part))),
            Err(errors) => (errors.to_string(), Some(errors)),
        },
        Err(unread) => (format!("{}: {unread}", shared.display()), None),
    };
    let of_copy = if errors.is_some() { IncludeState::CopyOfBroken } else { IncludeState::CopyOfUnread };
    if let Ok(part) = fs::read_to_string(&copy)
        && let Ok(checked) = with(&part)
    {
        return Ok(checked.including(included(of_copy, why, part)));
    }
    match check_source(Source::alone(file, text), secrets) {
        Ok(checked) => Ok(checked.including(included(IncludeState::Nothing, why, String::new()))),
        Err(alone) => Err(errors.unwrap_or(alone)),
    }
}

/// Checks a file and its shared part as one text: every place keeps its file, and a table that is in both is told.
fn together(
    text: &str,
    file: &Path,
    shared: &Path,
    part: &str,
    secrets: Secrets,
) -> Result<Checked, ConfigErrors> {
    admit(&Source::alone(shared, part))?;
    let whole = format!("{text}\n{part}");
    check_source(Source { file, text: &whole, shared: Some((text.len() + 1, shared)) }, secrets)
}

/// Whether a shared file by itself holds only what it may, and anything at all: one that is just being written is
/// empty for a moment.
fn admit(source: &Source<'_>) -> Result<(), ConfigErrors> {
    let table = DeTable::parse(source.text).map_err(|error| of_parser(source, &error))?;
    if table.get_ref().is_empty() {
        let empty = Problem::of_file(source.file, "the shared file holds nothing");
        return Err(empty.hint("write it beside and rename it, so that it is never seen half").into());
    }
    let foreign = table.get_ref().keys().filter(|key| !SHARED.contains(&key.get_ref().as_ref()));
    let problem = |key: &toml::Spanned<toml::de::DeString<'_>>| {
        let message = format!("`{}` cannot be shared", key.get_ref());
        source
            .problem(&key.span(), message)
            .hint("a shared file holds [[site]], [[record]] and [[watch]]; the rest is each machine's own")
    };
    let problems: Vec<Problem> = foreign.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(ConfigErrors::of(problems)) }
}

/// Reads a file that may be on a mount that hangs.
fn read(program: &Path, path: &Path) -> Result<String, String> {
    let mut child =
        process::command(program).spawn().map_err(|error| format!("the loader process failed: {error}"))?;
    let answer = ask(&mut child, path);
    // An error: it has ended. One that hangs in the kernel ends when the mount answers.
    let _ = child.kill();
    String::from_utf8(answer?).map_err(|_| "it is not UTF-8".to_owned())
}

fn ask(child: &mut Child, path: &Path) -> Result<Vec<u8>, String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let question = Ask::Whole { path: path.as_os_str().as_bytes().to_vec() };
    let (mut input, output) =
        child.stdin.take().zip(child.stdout.take()).ok_or("a pipe to the loader is missing")?;
    input.write_all(&question.encode()).map_err(|error| format!("the loader process failed: {error}"))?;
    let (tell, answer) = mpsc::channel();
    // The thread hangs on the pipe at worst, and ends with the loader.
    std::thread::spawn(move || tell.send(whole(output)));
    answer
        .recv_timeout(DEADLINE)
        .map_err(|_| format!("the file system has not answered for {} s", DEADLINE.as_secs()))?
}

/// The content of the file, from the loader's answer.
fn whole(mut output: impl Read) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    loop {
        let frame = next(&mut output).map_err(|error| format!("the loader process failed: {error}"))?;
        match frame {
            Tell::Chunk(bytes) => content.extend_from_slice(&bytes),
            Tell::Done { before, after } if before == after && content.len() as u64 == after.size => {
                return Ok(content);
            }
            Tell::Done { .. } => return Err("it is being written just now".to_owned()),
            Tell::Failed { text, .. } => return Err(text),
            Tell::Alive
            | Tell::Root { .. }
            | Tell::Mounted(_)
            | Tell::Room { .. }
            | Tell::Listed { .. }
            | Tell::Same
            | Tell::End { .. } => return Err("the loader process answered out of turn".to_owned()),
        }
        if content.len() > LARGEST {
            return Err(format!("it is larger than {LARGEST} bytes"));
        }
    }
}

fn next(output: &mut impl Read) -> io::Result<Tell> {
    let mut head = [0; wire::HEAD];
    output.read_exact(&mut head)?;
    let (kind, length) = wire::head(head).map_err(io::Error::other)?;
    let mut payload = vec![0; length];
    output.read_exact(&mut payload)?;
    Tell::decode(kind, &payload).map_err(io::Error::other)
}
