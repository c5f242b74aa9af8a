//! Runs a command that is to hear some facts: no shell, next to no environment, a process group of its own, and a time limit for all
//! of it.
//!
//! What it started in its group ends with the limit, too. The command is taken for ended when its output is: whatever
//! holds that open counts as still running. Never kills by a number that may be another process's by now: the group is
//! killed only while its leader has not been reaped.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::one_line;

/// How much of the output is kept, in bytes; the rest is read and forgotten.
const OUTPUT: usize = 4 * 1024;

/// How long a killed command is waited for: only the kernel can hold it.
const REAPED: Duration = Duration::from_secs(1);

/// Where a command finds others. Not ours: what is in our environment is nobody else's.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a command is told: a line of JSON on its standard input, and the same in its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    json: String,
    variables: Vec<(&'static str, String)>,
}

impl Facts {
    /// `json` is one line; in the variables a control character becomes a blank.
    pub(crate) fn new(json: String, variables: Vec<(&'static str, String)>) -> Self {
        let variables = variables.into_iter().map(|(key, value)| (key, one_line(&value))).collect();
        Self { json, variables }
    }
}

/// How a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// It did not start, or could not be waited for.
    #[error("it cannot be run ({0})")]
    NotRun(#[from] io::Error),
    /// It took too long.
    #[error("it did not end within {limit:?} and was killed{}", said(output))]
    Late { limit: Duration, output: String },
    /// It said that it failed.
    #[error("{status}{}", said(output))]
    Failed { status: ExitStatus, output: String },
}

fn said(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!("; it said: {output}") }
}

/// Runs `words` once with `facts` on its standard input and in its environment; what it said.
///
/// # Errors
/// [`CommandError`].
pub(crate) async fn run(words: &[String], facts: &Facts, limit: Duration) -> Result<String, CommandError> {
    let (mut child, hears) = start(words, facts)?;
    let mut output = Vec::new();
    let ended = timeout(limit, attend(&mut child, hears, facts, &mut output)).await;
    let output = one_line(String::from_utf8_lossy(&output).trim());
    match ended {
        Ok(Ok(status)) if status.success() => Ok(output),
        Ok(Ok(status)) => Err(CommandError::Failed { status, output }),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => {
            // Killed by now; one that the kernel holds is reaped by the runtime when it lets go.
            let _ = timeout(REAPED, child.wait()).await;
            Err(CommandError::Late { limit, output })
        }
    }
}

/// Starts it. One pipe takes both outputs, so that their order stays.
fn start(words: &[String], facts: &Facts) -> io::Result<(Child, pipe::Receiver)> {
    let [program, words @ ..] = words else { return Err(io::ErrorKind::InvalidInput.into()) };
    let (hears, says) = io::pipe()?;
    let hears = pipe::Receiver::from_owned_fd(hears.into())?;
    let mut command = Command::new(program);
    command.args(words).env_clear().env("PATH", PATH).envs(facts.variables.iter().cloned()).current_dir("/");
    command.stdin(Stdio::piped()).stdout(says.try_clone()?).stderr(says).process_group(0).kill_on_drop(true);
    // The command holds the other end of the pipe, and is dropped here.
    Ok((command.spawn()?, hears))
}

/// Tells it the facts, hears it out and waits for its end. Whoever drops this before ends the group.
async fn attend(
    child: &mut Child,
    mut hears: pipe::Receiver,
    facts: &Facts,
    output: &mut Vec<u8>,
) -> io::Result<ExitStatus> {
    let mut group = Group::of(child);
    let stdin = child.stdin.take();
    let tell = async {
        if let Some(mut stdin) = stdin {
            // A command need not read.
            let _ = stdin.write_all(format!("{}\n", facts.json).as_bytes()).await;
        }
    };
    let hear = async {
        let mut part = [0; 1024];
        while let Ok(length @ 1..) = hears.read(&mut part).await {
            let room = OUTPUT - output.len();
            output.extend_from_slice(&part[..length.min(room)]);
        }
    };
    tokio::join!(tell, hear);
    let status = child.wait().await?;
    group.0 = None;
    Ok(status)
}

/// The process group of a command that has not been reaped; killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    /// The group has the number of its leader.
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended just now.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Change, Subject};
    use super::*;

    fn change() -> Change {
        Change {
            event: Subject::Record,
            node: "pi1".to_owned(),
            name: "pi1.example.com".to_owned(),
            kind: "A".to_owned(),
            old: vec!["192.0.2.1".to_owned()],
            new: vec!["192.0.2.2".to_owned()],
            reason: "moved".to_owned(),
        }
    }

    async fn shell(script: &str, limit: Duration) -> Result<String, CommandError> {
        run(&["/bin/sh", "-c", script].map(str::to_owned), &change().facts(), limit).await
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_command_gets_the_facts_and_nothing_of_our_environment() {
        let said = shell("cat; echo $HEARTH_OLD to $HEARTH_NEW; echo also >&2; pwd", LONG).await.unwrap();
        assert_eq!(said, format!("{} 192.0.2.1 to 192.0.2.2 also /", change().to_json()));
        let environment = shell("/usr/bin/env | /usr/bin/cut -d= -f1 | /usr/bin/sort", LONG).await.unwrap();
        let known =
            ["EVENT", "NAME", "NEW", "NODE", "OLD", "REASON", "TYPE"].map(|key| format!("HEARTH_{key}"));
        // The shell itself adds what is no path of ours.
        let seen: Vec<&str> =
            environment.split(' ').filter(|key| !["PWD", "OLDPWD", "SHLVL", "_"].contains(key)).collect();
        assert_eq!(seen, [&known[..], &["PATH".to_owned()]].concat());
    }

    #[tokio::test]
    async fn one_that_fails_is_told_with_what_it_said_and_one_that_says_much_is_heard_out() {
        let failed = shell("echo no such host; exit 3", LONG).await.unwrap_err();
        assert_eq!(failed.to_string(), "exit status: 3; it said: no such host");
        let said = shell("/usr/bin/head -c 300000 /dev/zero | /usr/bin/tr '\\0' x", LONG).await.unwrap();
        assert_eq!(said.len(), OUTPUT);
        let missing = run(&["/nowhere/x".to_owned()], &change().facts(), LONG).await.unwrap_err();
        assert!(missing.to_string().starts_with("it cannot be run"), "{missing}");
    }

    #[tokio::test]
    async fn one_that_hangs_is_killed_with_all_that_it_started() {
        let script = "/bin/sleep 1000 & echo $!; wait";
        let late = shell(script, Duration::from_millis(500)).await.unwrap_err();
        let CommandError::Late { output, .. } = late else { panic!("{late}") };
        let grandchild = format!("/proc/{output}/stat");
        let gone = || std::fs::read_to_string(&grandchild).map_or(true, |stat| stat.contains(") Z "));
        for _ in 0..200 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{grandchild} is still there");
    }
}
