//! A site that runs: a directory, a server on loopback, and the loader process of the real binary.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hearth::heartbeat::SourceState;
use hearth::site::adopt::AdoptSettings;
use hearth::site::host::Scheme;
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

/// What a test may change of a site.
pub(super) struct Plan {
    pub(super) kind: Option<String>,
    pub(super) hosts: Vec<String>,
    /// None: a directory of its own.
    pub(super) root: Option<PathBuf>,
    pub(super) rules: Rules,
    pub(super) memory: u64,
    pub(super) limits: Limits,
    pub(super) loader: PathBuf,
    pub(super) keep: Option<PathBuf>,
    pub(super) log: LogSettings,
    pub(super) validators: Option<AdoptSettings>,
}

impl Default for Plan {
    fn default() -> Self {
        let loader = PathBuf::from(env!("CARGO_BIN_EXE_hearth"));
        Self {
            kind: None,
            hosts: vec![HOST.to_owned(), "twopir".to_owned()],
            root: None,
            rules: Rules::GithubPages,
            memory: 64 << 20,
            limits: Limits::default(),
            loader,
            keep: None,
            log: LogSettings::default(),
            validators: None,
        }
    }
}

/// One site at one door.
pub(super) struct Site {
    pub(super) address: SocketAddr,
    pub(super) root: PathBuf,
    running: Running,
    _directory: tempfile::TempDir,
}

/// Several sites at several doors.
pub(super) struct Sites {
    pub(super) doors: Vec<SocketAddr>,
    pub(super) roots: Vec<PathBuf>,
    running: Running,
    _directory: tempfile::TempDir,
}

/// A server at work; told to stop when it is dropped.
struct Running {
    doors: Vec<SocketAddr>,
    status: watch::Receiver<Vec<SiteStatus>>,
    stop: watch::Sender<bool>,
    task: Option<tokio::task::JoinHandle<Result<(), hearth::site::SiteError>>>,
    runtime: tokio::runtime::Runtime,
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
    let own = directory.path().join("www");
    std::fs::create_dir(&own).unwrap();
    let root = plan.root.clone().unwrap_or(own);
    prepare(&root);
    let (limits, loader) = (plan.limits, plan.loader.clone());
    let running = run(vec![settings(plan, root.clone())], &[vec![0]], limits, loader);
    Site { address: running.doors[0], root, running, _directory: directory }
}

/// Starts a server of several sites, each with a home page that says this, unless it has a root; at each door those sites.
pub(super) fn start_several(plans: Vec<(Plan, &str)>, doors: &[Vec<usize>]) -> Sites {
    let directory = tempfile::tempdir().unwrap();
    let (limits, loader) = (plans[0].0.limits, plans[0].0.loader.clone());
    let mut roots = Vec::new();
    let mut sites = Vec::new();
    for (number, (plan, home)) in plans.into_iter().enumerate() {
        let own = directory.path().join(number.to_string());
        if plan.root.is_none() {
            write(&own.join("index.html"), home);
        }
        let root = plan.root.clone().unwrap_or(own);
        sites.push(settings(plan, root.clone()));
        roots.push(root);
    }
    let running = run(sites, doors, limits, loader);
    let sites = Sites { doors: running.doors.clone(), roots, running, _directory: directory };
    sites.wait_for("every site to be looked at", |all| {
        !all.is_empty() && all.iter().all(hearth::site::was_looked_at)
    });
    sites
}

fn settings(plan: Plan, root: PathBuf) -> SiteSettings {
    SiteSettings {
        hosts: plan.hosts,
        root,
        kind: plan.kind,
        rules: plan.rules,
        listen: Vec::new(),
        memory: plan.memory,
        keep: plan.keep,
        poll: POLL,
        log: plan.log,
        validators: plan.validators,
        tls: None,
    }
}

fn run(sites: Vec<SiteSettings>, doors: &[Vec<usize>], limits: Limits, loader: PathBuf) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let open = |sites: &Vec<usize>| Door {
        listener: runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap(),
        sites: sites.clone(),
        scheme: Scheme::Http,
    };
    let doors: Vec<Door> = doors.iter().map(open).collect();
    let addresses = doors.iter().map(|door| door.listener.local_addr().unwrap()).collect();
    let around = Surroundings {
        doors,
        well_known: Arc::new(|request| {
            (request.path == "here")
                .then(|| Reply::text(hyper::StatusCode::OK, format!("here, {}", request.host)))
        }),
        shelf: Arc::default(),
        now: SystemTime::now,
        loader,
        limits,
    };
    let (stop, stopped) = watch::channel(false);
    let (publish, status) = watch::channel(Vec::new());
    let task = runtime.spawn(hearth::site::run(sites, around, publish, stopped));
    Running { doors: addresses, status, stop, task: Some(task), runtime }
}

impl Sites {
    pub(super) fn status(&self) -> Vec<SiteStatus> {
        self.running.status.borrow().clone()
    }

    #[track_caller]
    pub(super) fn wait_for(&self, what: &str, is: impl Fn(&[SiteStatus]) -> bool) -> Vec<SiteStatus> {
        wait_until(what, PATIENCE, || Some(self.status()).filter(|all| is(all)))
    }
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
        let sites = self.running.status.borrow().clone();
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

    /// Every state of the source from now on, as it comes.
    pub(super) fn follow_source(&self) -> Arc<Mutex<Vec<SourceState>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, mut status) = (Arc::clone(&seen), self.running.status.clone());
        self.running.runtime.spawn(async move {
            while status.changed().await.is_ok() {
                log.lock().unwrap().push(status.borrow_and_update()[0].source);
            }
        });
        seen
    }

    /// Tells it to stop, without waiting.
    pub(super) fn tell_to_stop(&self) {
        self.running.stop.send_replace(true);
    }

    /// Waits for its end, which must be a clean one.
    pub(super) fn join(&mut self) {
        let task = self.running.task.take().expect("joined once");
        let ended = self.running.runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await });
        ended.expect("it ends in time").expect("it does not panic").expect("it was told to");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
