//! A role as a real process of its own: started, killed, hung, continued.
//!
//! Signals nobody but its own child, and never leaves one behind: dropping it kills the child and waits for it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// How a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It was stopped by SIGSTOP: it is there, and does nothing.
    Hung,
    /// It is gone.
    Dead,
}

impl State {
    /// In one word.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Hung => "hung",
            State::Dead => "dead",
        }
    }
}

/// How to start a process.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The file that it writes its log to; added to when it is started again.
    pub log: PathBuf,
}

/// A process that was started, and can be started again.
pub struct Process {
    recipe: Recipe,
    child: Child,
    state: State,
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// When the program or the log cannot be opened.
    pub fn start(recipe: Recipe) -> io::Result<Self> {
        let child = spawn(&recipe)?;
        Ok(Self { recipe, child, state: State::Running })
    }

    /// How it is now. A process that ended by itself is dead, too.
    pub fn state(&mut self) -> State {
        if self.state != State::Dead && matches!(self.child.try_wait(), Ok(Some(_))) {
            self.state = State::Dead;
        }
        self.state
    }

    /// Ends it at once, without a chance to say goodbye (SIGKILL).
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        if self.state() != State::Dead {
            self.child.kill()?;
            self.child.wait()?;
            self.state = State::Dead;
        }
        Ok(())
    }

    /// Stops it where it stands (SIGSTOP). A dead one stays dead.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn hang(&mut self) -> io::Result<()> {
        if self.state() == State::Running {
            kill_process(Pid::from_child(&self.child), Signal::STOP)?;
            self.state = State::Hung;
        }
        Ok(())
    }

    /// Lets it go on, or starts it again.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn heal(&mut self) -> io::Result<()> {
        match self.state() {
            State::Running => {}
            State::Hung => kill_process(Pid::from_child(&self.child), Signal::CONT)?,
            State::Dead => self.child = spawn(&self.recipe)?,
        }
        self.state = State::Running;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the child of a program that ends is adopted by init.
        let _ = self.kill();
    }
}

fn spawn(recipe: &Recipe) -> io::Result<Child> {
    let log: File = OpenOptions::new().create(true).append(true).open(&recipe.log)?;
    Command::new(&recipe.program)
        .args(&recipe.arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // What systemd told the demo is not meant for its children.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        // A group of its own: Ctrl-C on the terminal reaches the demo, which ends its children itself.
        .process_group(0)
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(directory: &tempfile::TempDir) -> Process {
        let recipe = Recipe {
            program: "/bin/sh".into(),
            arguments: ["-c", "echo started; exec sleep 600"].map(str::to_owned).to_vec(),
            log: directory.path().join("log"),
        };
        Process::start(recipe).unwrap()
    }

    /// The state letter of the kernel (proc(5)); None: there is no such process.
    fn letter(id: u32) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    #[test]
    fn a_hung_process_is_stopped_and_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = sleeper(&directory);
        process.hang().unwrap();
        assert_eq!(process.state(), State::Hung);
        let id = process.child.id();
        // A signal to another process is delivered soon, not at once.
        let stopped = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            letter(id) == Some('T')
        });
        assert!(stopped, "{:?}", letter(id));
        process.heal().unwrap();
        assert_eq!((process.state(), process.child.id()), (State::Running, id));
    }

    #[test]
    fn a_killed_process_is_gone_and_starts_again_with_its_log_added_to() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = sleeper(&directory);
        let first = process.child.id();
        process.kill().unwrap();
        assert_eq!((process.state(), letter(first)), (State::Dead, None));
        process.hang().unwrap();
        assert_eq!(process.state(), State::Dead);
        process.heal().unwrap();
        assert_eq!(process.state(), State::Running);
        assert_ne!(process.child.id(), first);
    }

    #[test]
    fn a_hung_process_does_not_outlive_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = sleeper(&directory);
        process.hang().unwrap();
        let id = process.child.id();
        drop(process);
        assert_eq!(letter(id), None);
    }
}
