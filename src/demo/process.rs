//! A role as a real process of its own: started, killed, hung, continued.
//!
//! Signals nobody but its own child, and never leaves one behind: dropping it kills the child and waits for it. When
//! the owner cannot do that, being killed itself, the kernel does it for a child that began with [`tied_to_parent`].

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};

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

    /// The number that the system knows it by.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
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

/// The first argument of a process that begins with [`tied_to_parent`].
pub const TIED: &str = "demo-child";

/// The arguments that make this program run `command` and die with the process that calls this.
#[must_use]
pub fn tied(command: &[&str]) -> Vec<String> {
    let own = [TIED.to_owned(), std::process::id().to_string()];
    own.into_iter().chain(command.iter().map(|&word| word.to_owned())).collect()
}

/// Asks the kernel to kill this process when the thread that started it ends, and becomes `hearth` with the rest of
/// `arguments`; the first is the process id of the parent. The wish outlives an exec, but not the reverse order: set by
/// the parent between fork and exec it would need unsafe code (PR_SET_PDEATHSIG(2const)).
///
/// # Errors
/// Always, when it returns: the parent is gone already, or the program cannot be run.
pub fn tied_to_parent(arguments: impl IntoIterator<Item = OsString>) -> io::Error {
    let mut arguments = arguments.into_iter();
    let parent = arguments.next().and_then(|id| id.to_str()?.parse::<i32>().ok());
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // A parent that ended before the wish was heard is not noticed any more.
    if parent.is_none() || getppid().map(|pid| pid.as_raw_nonzero().get()) != parent {
        return io::Error::other("the demo that wanted this is gone");
    }
    match std::env::current_exe() {
        Ok(program) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
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
