//! The configuration of the demo's three processes: the same files that a person would write, with fresh keys, in a
//! directory that is thrown away.
//!
//! Never starts anything.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;

use super::authority::Authority;
use super::{PAGES, PAGES_ADDRESS, Pi, SITE, ZONE, site};
use crate::heartbeat::seal::SigningKey;
use crate::probe::Scheme;
use crate::secret::Secret;

/// The keys of one role: the one that it seals with, and the one that it updates its names with.
pub struct RoleKeys {
    /// Seals beats or answers.
    pub seal: SigningKey,
    /// The shared secret of its TSIG key, which is called as the role is.
    pub tsig: Secret<[u8; 32]>,
}

/// The keys of one demo.
pub struct Keys {
    /// Of `pi1` and `pi2`.
    pub pis: [RoleKeys; 2],
    /// Of the watcher.
    pub watcher: RoleKeys,
    /// What issues the certificates of the site. None: it is served without TLS alone.
    pub authority: Option<Authority>,
}

/// Where one Pi finds what it needs, all of it behind or through its router.
#[derive(Clone, Debug)]
pub struct PiPlaces {
    /// Where its agent serves the site.
    pub listen: SocketAddr,
    /// The two address echoes.
    pub echoes: [SocketAddr; 2],
    /// The watcher.
    pub watcher: SocketAddr,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// The directory of the demo.
    pub directory: PathBuf,
    /// The port of the site without TLS on every public address.
    pub site_port: u16,
    /// Where HTTPS is. None: nowhere.
    pub https: Option<Https>,
    /// The name server.
    pub name_server: SocketAddr,
    /// Where the watcher listens.
    pub watcher: SocketAddr,
    /// What the watcher looks at to know that it is not cut off itself.
    pub references: Vec<SocketAddr>,
    /// `pi1` and `pi2`.
    pub pis: [PiPlaces; 2],
}

/// Where the site is served by HTTPS.
#[derive(Clone, Debug)]
pub struct Https {
    /// The port on every public address.
    pub port: u16,
    /// Where the agents of `pi1` and `pi2` listen, behind their routers.
    pub listen: [SocketAddr; 2],
    /// What visitors have to trust.
    pub root: CertificateDer<'static>,
}

/// The pace of a demo: everything is this many times faster than on a real line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(pub f64);

impl Speed {
    /// `span` at this pace.
    #[must_use]
    pub fn of(self, span: Duration) -> Duration {
        span.div_f64(self.0).max(Duration::from_millis(1))
    }
}

impl RoleKeys {
    fn fresh(random: &SystemRandom) -> Result<Self, ring::error::Unspecified> {
        let (mut seed, mut tsig) = ([0; 32], [0; 32]);
        random.fill(&mut seed)?;
        random.fill(&mut tsig)?;
        Ok(Self { seal: SigningKey::from_seed(seed), tsig: Secret::new(tsig) })
    }
}

impl Keys {
    /// New keys from the system's random numbers, for a demo that is looked at like this.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn fresh(scheme: Scheme) -> io::Result<Self> {
        let random = SystemRandom::new();
        let key =
            || RoleKeys::fresh(&random).map_err(|_| io::Error::other("the system gives no random numbers"));
        let authority = match scheme {
            Scheme::Http => None,
            Scheme::Https => Some(Authority::fresh()?),
        };
        Ok(Self { pis: [key()?, key()?], watcher: key()?, authority })
    }

    /// The keys of one Pi.
    #[must_use]
    pub fn of(&self, pi: Pi) -> &RoleKeys {
        &self.pis[pi as usize]
    }
}

impl Places {
    /// The configuration file of a role: `pi1`, `pi2` or `watcher`.
    #[must_use]
    pub fn config(&self, role: &str) -> PathBuf {
        self.directory.join(format!("{role}.toml"))
    }

    /// Where a role writes its log.
    #[must_use]
    pub fn log(&self, role: &str) -> PathBuf {
        self.directory.join(format!("{role}.log"))
    }

    /// The control socket of a role.
    #[must_use]
    pub fn control(&self, role: &str) -> PathBuf {
        self.directory.join(role).join("control")
    }

    /// The directory that both agents serve.
    #[must_use]
    pub fn site(&self) -> PathBuf {
        self.directory.join("site")
    }

    /// The certificate of the authority, PEM; there is one where HTTPS is.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// How visitors come, and on which port.
    #[must_use]
    pub fn way_in(&self) -> (Scheme, u16) {
        self.https.as_ref().map_or((Scheme::Http, self.site_port), |https| (Scheme::Https, https.port))
    }

    /// What visitors write into their browsers.
    #[must_use]
    pub fn url(&self) -> String {
        let (scheme, port) = self.way_in();
        format!("{scheme}://{SITE}:{port}/")
    }

    /// The command that asks one Pi for the site as a visitor does, without asking for its name.
    #[must_use]
    pub fn curl(&self, pi: Pi) -> String {
        let ((scheme, port), root, at) = (self.way_in(), self.root(), pi.public());
        let trust = match scheme {
            Scheme::Http => String::new(),
            Scheme::Https => format!("--cacert {} ", root.display()),
        };
        format!("curl {trust}--resolve {SITE}:{port}:{at} {}", self.url())
    }

    fn pi(&self, pi: Pi) -> &PiPlaces {
        &self.pis[pi as usize]
    }
}

/// Writes the site, the keys, the certificates if there are any, and the three configuration files.
///
/// # Errors
/// When something cannot be written.
pub fn write(places: &Places, keys: &Keys, speed: Speed) -> io::Result<()> {
    site::write_to(&places.site())?;
    if let Some(authority) = &keys.authority {
        std::fs::write(places.root(), authority.root_pem())?;
    }
    for pi in Pi::BOTH {
        write_keys(&places.directory, pi.name(), keys.of(pi))?;
        if let Some(authority) = &keys.authority {
            write_certificate(&places.directory.join(pi.name()), authority)?;
        }
        std::fs::write(places.config(pi.name()), agent(pi, places, keys, speed))?;
    }
    write_keys(&places.directory, "watcher", &keys.watcher)?;
    std::fs::write(places.config("watcher"), watcher(places, keys, speed))
}

fn write_keys(directory: &Path, role: &str, keys: &RoleKeys) -> io::Result<()> {
    let own = directory.join(role);
    std::fs::create_dir_all(own.join("state"))?;
    write_secret(&own.join("seal.key"), keys.seal.to_text().expose())?;
    write_secret(&own.join("tsig.key"), &BASE64.encode(keys.tsig.expose()))
}

fn write_certificate(own: &Path, authority: &Authority) -> io::Result<()> {
    let issued = authority.issue(SITE)?;
    std::fs::write(own.join("site.pem"), issued.chain)?;
    write_secret(&own.join("site.key"), issued.key.expose())
}

/// A file that its owner alone can read.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")
}

/// A span as the configuration has it.
fn span(span: Duration) -> String {
    format!("\"{}ms\"", span.as_millis())
}

/// A text as TOML has it (a basic string).
fn quoted(text: impl ToString) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn path(places: &Places, role: &str, file: &str) -> String {
    quoted(places.directory.join(role).join(file).display())
}

/// The configuration of an agent.
#[must_use]
pub fn agent(pi: Pi, places: &Places, keys: &Keys, speed: Speed) -> String {
    let (role, own) = (pi.name(), places.pi(pi));
    let ten = span(speed.of(Duration::from_secs(10)));
    format!(
        r#"[node]
name = "{role}"
key = {{ file = {key} }}
state = {state}
control = {control}

[site]
root = {root}
listen = ["{listen}"]
hosts = ["{SITE}"]
{tls}
[address]
families = ["ipv4"]
admit = ["127.0.0.0/8"]
every = {ten}

[[address.source]]
kind = "https"
url = "http://{echo_one}/"
operator = "one"

[[address.source]]
kind = "https"
url = "http://{echo_two}/"
operator = "two"

[[record]]
name = "{role}.{ZONE}"
provider = "zone"
ttl = "60s"

{provider}
[heartbeat]
every = {ten}
watchers = [{{ url = "http://{watcher}", public-key = "{watcher_key}"{trust} }}]

[leds]
preset = "off"
"#,
        key = path(places, role, "seal.key"),
        state = path(places, role, "state"),
        control = quoted(places.control(role).display()),
        root = quoted(places.site().display()),
        listen = own.listen,
        tls = places.https.as_ref().map(|https| site_tls(pi, places, https)).unwrap_or_default(),
        trust = ca(places).map(|ca| format!(", {ca}")).unwrap_or_default(),
        echo_one = own.echoes[0],
        echo_two = own.echoes[1],
        provider = provider(role, places),
        watcher = own.watcher,
        watcher_key = keys.watcher.seal.verifying(),
    )
}

fn site_tls(pi: Pi, places: &Places, https: &Https) -> String {
    let (listen, file) = (https.listen[pi as usize], |name| path(places, pi.name(), name));
    let (certificate, key) = (file("site.pem"), file("site.key"));
    format!("\n[site.tls]\nlisten = [\"{listen}\"]\ncertificate = {certificate}\nkey = {{ file = {key} }}\n")
}

/// What whoever looks at the site by HTTPS has to trust.
fn ca(places: &Places) -> Option<String> {
    places.https.as_ref().map(|_| format!("ca = {}", quoted(places.root().display())))
}

fn provider(role: &str, places: &Places) -> String {
    let (server, secret) = (places.name_server, path(places, role, "tsig.key"));
    format!(
        r#"[provider.zone]
kind = "rfc2136"
server = "{server}"
zone = "{ZONE}"
key = {{ name = "{role}", algorithm = "hmac-sha256", secret = {{ file = {secret} }} }}
name-servers = ["{server}"]
"#
    )
}

/// The configuration of the watcher.
#[must_use]
pub fn watcher(places: &Places, keys: &Keys, speed: Speed) -> String {
    let references: Vec<String> = places.references.iter().map(quoted).collect();
    let (scheme, port) = places.way_in();
    let peers: String = Pi::BOTH.map(|pi| peer(pi, keys)).concat();
    format!(
        r#"[watcher]
name = "watcher"
listen = ["{listen}"]
state = {state}
control = {control}
key = {{ file = {key} }}
references = [{references}]
{ca}
[[watch]]
site = "{SITE}"
provider = "zone"
record = "address"
nodes = ["pi1", "pi2"]
fallback = {{ name = "{PAGES}", addresses = ["{PAGES_ADDRESS}"], port = {port}, scheme = "{scheme}" }}
policy = "fast"
speed = {speed:?}
scheme = "{scheme}"
port = {port}
page = "/"
contains = "{marker}"

{provider}
{peers}"#,
        listen = places.watcher,
        state = path(places, "watcher", "state"),
        control = quoted(places.control("watcher").display()),
        key = path(places, "watcher", "seal.key"),
        references = references.join(", "),
        ca = ca(places).map(|ca| ca + "\n").unwrap_or_default(),
        speed = speed.0,
        marker = site::MARKER,
        provider = provider("watcher", places),
    )
}

fn peer(pi: Pi, keys: &Keys) -> String {
    let (name, key) = (pi.name(), keys.of(pi).seal.verifying());
    format!("[[peer]]\nname = \"{name}\"\npublic-key = \"{key}\"\nhost = \"{name}.{ZONE}\"\n\n")
}

#[cfg(test)]
mod tests;
