//! The task that looks after one mount: looks through a loader process, judges, and mends as far as it may.
//!
//! Never holds anything up: nobody waits for it, and it waits for the mount at most [`DEADLINE`].

use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::act::{Anew, By, Hands, release};
use super::info::Mounted;
use super::judge::{Answer, Judge, Look, read};
use super::retry::{Retry, Todo};
use super::{Access, MountSettings};
use crate::heartbeat::SourceState;
use crate::host::time::{Timeline, rest};
use crate::site::load::process::{DEADLINE, Loaders, Silence};
use crate::site::load::wire::{Ask, Failure, Tell};
use crate::status::{MountStatus, Room};

/// Between two tries whether it can be written.
const WRITES: Duration = Duration::from_secs(60);

/// What is said before the first look.
const NOT_LOOKED_AT: &str = "not looked at yet";

/// How a mount stands before it was looked at.
#[must_use]
pub fn not_looked_at(settings: &MountSettings) -> MountStatus {
    MountStatus {
        path: settings.path.display().to_string(),
        state: SourceState::Gone,
        why: NOT_LOOKED_AT.to_owned(),
        what: String::new(),
        room: None,
    }
}

/// Whether it has been looked at.
#[must_use]
pub fn was_looked_at(status: &MountStatus) -> bool {
    status.why != NOT_LOOKED_AT
}

/// Looks after one mount.
#[derive(Debug)]
pub struct Watch {
    settings: MountSettings,
    loaders: Loaders,
    judge: Judge,
    retry: Retry,
    hands: Hands,
    line: Timeline,
    /// The last answer.
    mounted: Option<Mounted>,
    room: Option<Room>,
    unwritable: Option<String>,
    /// When it was tried to write.
    written: Option<crate::moment::Moment>,
    /// What was done last about it, in words.
    done: Option<String>,
}

impl Watch {
    /// Looks at the mount through loaders started from `program`.
    #[must_use]
    pub fn new(settings: MountSettings, program: PathBuf, line: Timeline) -> Self {
        Self {
            settings,
            loaders: Loaders::of(program),
            judge: Judge::new(line.now()),
            retry: Retry::default(),
            hands: Hands::default(),
            line,
            mounted: None,
            room: None,
            unwritable: None,
            written: None,
            done: None,
        }
    }

    /// Looks for ever, and tells `report` how the mount stands when that changes. Can be dropped at any moment.
    pub async fn run(mut self, mut report: impl AsyncFnMut(MountStatus)) {
        let mut last = None;
        loop {
            let began = self.line.now();
            let look = self.look().await;
            let reading = read(&look, &self.settings);
            self.judge.take(began, self.line.now(), reading);
            self.tell(&mut last, &mut report).await;
            self.mend().await;
            self.tell(&mut last, &mut report).await;
            rest(self.settings.every).await;
        }
    }

    async fn tell(&self, last: &mut Option<MountStatus>, report: &mut impl AsyncFnMut(MountStatus)) {
        let now = self.status();
        if last.as_ref() != Some(&now) {
            report(now.clone()).await;
            *last = Some(now);
        }
    }

    fn status(&self) -> MountStatus {
        let Some(told) = self.judge.told() else { return not_looked_at(&self.settings) };
        let done = self.done.as_ref().filter(|_| told.state != SourceState::Ok);
        let parts = [Some(&told.why).filter(|why| !why.is_empty()), done];
        MountStatus {
            path: self.settings.path.display().to_string(),
            state: told.state,
            why: parts.into_iter().flatten().cloned().collect::<Vec<_>>().join("; "),
            what: self.mounted.as_ref().map(Mounted::describe).unwrap_or_default(),
            room: self.ours().and(self.room).map(rounded),
        }
    }

    /// What is mounted, if it is what must be.
    fn ours(&self) -> Option<&Mounted> {
        self.mounted.as_ref().filter(|mounted| mounted.kind == self.settings.kind)
    }

    /// One look; what does not answer within the deadline is abandoned.
    async fn look(&mut self) -> Look {
        let began = self.line.now();
        let answer = match timeout(DEADLINE, self.ask()).await {
            Ok(Ok(Ok(room))) => {
                self.room = Some(room);
                let (took, unwritable) = (self.line.now() - began, self.unwritable.clone());
                Answer::Room { took, room, unwritable }
            }
            Ok(Ok(Err((failure, why)))) => Answer::Failed(failure, why),
            Ok(Err(Silence::Ended(error))) => {
                Answer::Failed(Failure::Refused, format!("the loader process failed: {error}"))
            }
            Ok(Err(silence @ (Silence::Hung | Silence::Full))) => Answer::Silent(silence.to_string()),
            Err(_) => {
                self.loaders.abandon();
                Answer::Silent(Silence::Hung.to_string())
            }
        };
        Look { mounted: self.mounted.clone(), answer }
    }

    async fn ask(&mut self) -> Result<Result<Room, (Failure, String)>, Silence> {
        let access = self.access();
        let path = self.settings.path.as_os_str().as_bytes().to_vec();
        self.loaders.ask(&Ask::Mount { path, access }).await?;
        loop {
            match self.loaders.next().await? {
                Tell::Mounted(line) => self.mounted = Mounted::of_line(&line),
                Tell::Room { total, free, unwritable } => {
                    if access == Access::Write {
                        self.unwritable = Some(unwritable).filter(|why| !why.is_empty());
                    }
                    return Ok(Ok(Room { total, free }));
                }
                Tell::Failed { kind, text } => return Ok(Err((kind, text))),
                Tell::Alive
                | Tell::Root { .. }
                | Tell::Listed { .. }
                | Tell::Same
                | Tell::End { .. }
                | Tell::Chunk(_)
                | Tell::Done { .. } => {
                    self.loaders.abandon();
                    return Err(Silence::Ended(std::io::Error::other("an answer out of turn")));
                }
            }
        }
    }

    /// Whether this look tries to write: every so often, and as long as it could not.
    fn access(&mut self) -> Access {
        let now = self.line.now();
        let due = self.unwritable.is_some() || self.written.is_none_or(|at| now - at >= WRITES);
        if self.settings.access == Access::Read || !due {
            return Access::Read;
        }
        self.written = Some(now);
        Access::Write
    }

    async fn mend(&mut self) {
        let done = match self.retry.due(self.line.now(), &self.judge, &self.settings) {
            Todo::Nothing => return,
            Todo::Mount => self.mount(Anew::No).await,
            Todo::MountAnew => self.mount(Anew::Yes).await,
            Todo::Release => self.release().await,
        };
        self.done = Some(done);
    }

    async fn mount(&mut self, anew: Anew) -> String {
        match self.hands.mount(By::here(), &self.settings.path, anew).await {
            Ok(commands) => format!("`{commands}` was run"),
            Err(error) => error.to_string(),
        }
    }

    /// Only the connection of what must be mounted here is given up, as the kernel's table had it at the last look.
    async fn release(&mut self) -> String {
        let Some(connection) = self.ours().and_then(Mounted::connection) else {
            return "it hangs, and is no FUSE mount that could be released".to_owned();
        };
        match release(connection).await {
            Ok(()) => format!("its FUSE connection {connection} was given up"),
            Err(error) => error.to_string(),
        }
    }
}

/// To the hundredth of the whole: a status that changes with every byte would be news all the time.
fn rounded(room: Room) -> Room {
    let step = (room.total / 100).max(1);
    Room { free: room.free / step * step, ..room }
}
