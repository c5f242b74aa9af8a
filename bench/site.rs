//! The site server alone, for measuring: `site ROOT PORT [--keep DIR] [--log FILE] [--workers N] [--loader PROGRAM]
//! [--tls PORT,CERTIFICATE,KEY]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use hearth::site::host::Scheme;
use hearth::site::log::{LogFormat, LogSettings};
use hearth::site::serve::Limits;
use hearth::site::{Door, Rules, SiteSettings, Surroundings};
use hearth::tls::settings::{CertificateFiles, Redirect};
use hearth::tls::shelf::Shelf;
use hearth::tls::{CertificateSource, TlsSettings};
use tokio::sync::watch;

fn main() -> anyhow::Result<()> {
    // As in the agent: the loader is this very program.
    if std::env::args_os().nth(1).is_some_and(|command| command == "loader") {
        return Ok(hearth::site::loader_main()?);
    }
    let mut words = std::env::args().skip(1);
    let root = PathBuf::from(words.next().context("which root?")?);
    let port = words.next().context("which port?")?.parse()?;
    let (mut keep, mut log, mut workers, mut tls) = (None, LogSettings::default(), 1, None);
    let mut loader = hearth::site::this_program();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--keep" => keep = Some(PathBuf::from(value)),
            "--log" => log = LogSettings { format: LogFormat::Combined, file: Some(value.into()) },
            "--workers" => workers = value.parse()?,
            "--tls" => tls = Some(secure(&value)?),
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
        tls,
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

/// Reads `PORT,CERTIFICATE,KEY`.
fn secure(words: &str) -> anyhow::Result<TlsSettings> {
    let mut words = words.splitn(3, ',');
    let mut next = || words.next().context("--tls needs PORT,CERTIFICATE,KEY");
    let port = next()?.parse()?;
    let files = CertificateFiles { certificate: next()?.into(), key: next()?.into() };
    Ok(TlsSettings {
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))],
        certificate: CertificateSource::Files(files),
        redirect: Redirect::Off,
        hsts: None,
    })
}

/// The door without TLS, and the one with it.
fn doors(settings: &SiteSettings, shelf: &Shelf) -> anyhow::Result<Vec<Door>> {
    let door = |address: &SocketAddr, scheme| -> anyhow::Result<Door> {
        Ok(Door { listener: hearth::host::listen::tcp(*address)?, sites: vec![0], scheme })
    };
    let mut doors = vec![door(&settings.listen[0], Scheme::Http)?];
    if let Some(TlsSettings { listen, certificate: CertificateSource::Files(files), .. }) = &settings.tls {
        shelf.put(0, hearth::tls::files::read(files)?);
        doors.push(door(&listen[0], Scheme::Https)?);
    }
    Ok(doors)
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, which is its own host")]
async fn serve(settings: SiteSettings, limits: Limits, loader: PathBuf) -> anyhow::Result<()> {
    let shelf = Arc::default();
    let (_run, stop) = watch::channel(false);
    let (status, _) = watch::channel(Vec::new());
    let around = Surroundings {
        doors: doors(&settings, &shelf)?,
        well_known: Arc::new(|_| None),
        shelf,
        now: SystemTime::now,
        loader,
        limits,
    };
    Ok(hearth::site::run(vec![settings], around, status, stop).await?)
}
