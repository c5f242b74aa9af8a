//! A site that runs: a directory, a server on loopback, and the loader process of the real binary.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hearth::heartbeat::SourceState;
use hearth::site::log::LogSettings;
use hearth::site::reply::Reply;
use hearth::site::serve::Limits;
use hearth::site::{Door, Rules, SiteSettings, Surroundings};
use hearth::status::SiteStatus;
use tokio::sync::watch;

use crate::support::http::{self, Answer};
use crate::support::wait_until;

pub(super) const HOST: &str = "www.example.com";
pub(super) const POLL: Duration = Duration::from_millis(100);
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What a test may change.
pub(super) struct Plan {
    pub(super) rules: Rules,
    pub(super) memory: u64,
    pub(super) limits: Limits,
    pub(super) loader: PathBuf,
    pub(super) keep: Option<PathBuf>,
    pub(super) log: LogSettings,
}

impl Default for Plan {
    fn default() -> Self {
        let loader = PathBuf::from(env!("CARGO_BIN_EXE_hearth"));
        Self {
            rules: Rules::GithubPages,
            memory: 64 << 20,
            limits: Limits::default(),
            loader,
            keep: None,
            log: LogSettings::default(),
        }
    }
}

pub(super) struct Site {
    pub(super) address: SocketAddr,
    pub(super) root: PathBuf,
    status: watch::Receiver<Vec<SiteStatus>>,
    stop: watch::Sender<bool>,
    task: Option<tokio::task::JoinHandle<Result<(), hearth::site::SiteError>>>,
    runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

/// A site of these files that is being served.
pub(super) fn serve(files: &[(&str, &str)]) -> Site {
    serve_as(Rules::GithubPages, files)
}

pub(super) fn serve_as(rules: Rules, files: &[(&str, &str)]) -> Site {
    let site = start(Plan { rules, ..Plan::default() }, |root| {
        files.iter().for_each(|(name, text)| write(&root.join(name), text));
    });
    site.wait_for("the first generation", |status| status.generation.is_some());
    site
}

/// A loader that works like the real one until the file `hang` is there; from then on it reads and never answers, as
/// on a mount that hangs.
pub(super) struct Moody {
    pub(super) program: PathBuf,
    pub(super) hang: PathBuf,
    _directory: tempfile::TempDir,
}

impl Moody {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (program, hang) = (directory.path().join("loader"), directory.path().join("hang"));
        let script = format!(
            "#!/bin/sh\nif [ -e {hang} ]; then exec sleep 60; fi\nexec {hearth} loader\n",
            hang = hang.display(),
            hearth = env!("CARGO_BIN_EXE_hearth"),
        );
        std::fs::write(&program, script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        Self { program, hang, _directory: directory }
    }

    pub(super) fn hang(&self) {
        std::fs::write(&self.hang, "").unwrap();
    }

    pub(super) fn work(&self) {
        std::fs::remove_file(&self.hang).unwrap();
    }
}

/// Starts a server; `prepare` gets the root, which exists.
pub(super) fn start(plan: Plan, prepare: impl FnOnce(&Path)) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("www");
    std::fs::create_dir(&root).unwrap();
    prepare(&root);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let settings = SiteSettings {
        hosts: vec![HOST.to_owned(), "twopir".to_owned()],
        root: root.clone(),
        rules: plan.rules,
        listen: vec![address],
        memory: plan.memory,
        keep: plan.keep,
        poll: POLL,
        log: plan.log,
    };
    let around = Surroundings {
        doors: vec![Door { listener, sites: vec![0] }],
        well_known: Arc::new(|request| {
            (request.path == "here")
                .then(|| Reply::text(hyper::StatusCode::OK, format!("here, {}", request.host)))
        }),
        now: SystemTime::now,
        loader: plan.loader,
        limits: plan.limits,
    };
    let (stop, stopped) = watch::channel(false);
    let (publish, status) = watch::channel(Vec::new());
    let task = runtime.spawn(hearth::site::run(vec![settings], around, publish, stopped));
    Site { address, root, status, stop, task: Some(task), runtime, _directory: directory }
}

impl Site {
    pub(super) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[])
    }

    pub(super) fn ask(&self, method: &str, target: &str, more: &[&str]) -> Answer {
        http::ask(self.address, method, target, HOST, more)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        write(&self.root.join(name), text);
    }

    pub(super) fn status(&self) -> SiteStatus {
        let sites = self.status.borrow().clone();
        sites.into_iter().next().unwrap_or_else(|| hearth::site::not_looked_at(Vec::new(), Vec::new()))
    }

    #[track_caller]
    pub(super) fn wait_for(&self, what: &str, is: impl Fn(&SiteStatus) -> bool) -> SiteStatus {
        wait_until(what, PATIENCE, || Some(self.status()).filter(&is))
    }

    #[track_caller]
    pub(super) fn wait_for_source(&self, source: SourceState) -> SiteStatus {
        self.wait_for(&format!("source {source:?}"), |status| status.source == source)
    }

    /// Waits until a page says this.
    #[track_caller]
    pub(super) fn wait_for_text(&self, target: &str, text: &str) -> Duration {
        let start = std::time::Instant::now();
        wait_until(&format!("{target} to say {text}"), PATIENCE, || {
            (self.get(target).text() == text).then_some(())
        });
        start.elapsed()
    }

    /// Tells it to stop, without waiting.
    pub(super) fn tell_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for its end, which must be a clean one.
    pub(super) fn join(&mut self) {
        let task = self.task.take().expect("joined once");
        let ended = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await });
        ended.expect("it ends in time").expect("it does not panic").expect("it was told to");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
