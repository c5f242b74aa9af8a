//! The site server alone, for measuring: `site ROOT PORT [--keep DIR] [--log FILE] [--workers N] [--loader PROGRAM]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use hearth::site::host::Scheme;
use hearth::site::log::{LogFormat, LogSettings};
use hearth::site::serve::Limits;
use hearth::site::{Door, Rules, SiteSettings, Surroundings};
use tokio::sync::watch;

fn main() -> anyhow::Result<()> {
    // As in the agent: the loader is this very program.
    if std::env::args_os().nth(1).is_some_and(|command| command == "loader") {
        return Ok(hearth::site::loader_main()?);
    }
    let mut words = std::env::args().skip(1);
    let root = PathBuf::from(words.next().context("which root?")?);
    let port = words.next().context("which port?")?.parse()?;
    let (mut keep, mut log, mut workers) = (None, LogSettings::default(), 1);
    let mut loader = hearth::site::this_program();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--keep" => keep = Some(PathBuf::from(value)),
            "--log" => log = LogSettings { format: LogFormat::Combined, file: Some(value.into()) },
            "--workers" => workers = value.parse()?,
            "--loader" => loader = value.into(),
            other => anyhow::bail!("what is {other}?"),
        }
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let settings = SiteSettings {
        hosts: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        root,
        kind: None,
        rules: Rules::GithubPages,
        listen: vec![address],
        memory: 64 << 20,
        keep,
        poll: Duration::from_secs(2),
        log,
        validators: None,
        tls: None,
    };
    let limits = Limits {
        connections: 8192,
        per_address: 8192,
        idle: Duration::from_secs(75),
        workers,
        ..Limits::default()
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(settings, limits, loader))
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, which is its own host")]
async fn serve(settings: SiteSettings, limits: Limits, loader: PathBuf) -> anyhow::Result<()> {
    let listener = hearth::host::listen::tcp(settings.listen[0])?;
    let (_run, stop) = watch::channel(false);
    let (status, _) = watch::channel(Vec::new());
    let around = Surroundings {
        doors: vec![Door { listener, sites: vec![0], scheme: Scheme::Http }],
        well_known: Arc::new(|_| None),
        shelf: Arc::default(),
        now: SystemTime::now,
        loader,
        limits,
    };
    Ok(hearth::site::run(vec![settings], around, status, stop).await?)
}
