//! `hearth check-config`: whether the configuration is in order, and what it means with every default filled in.
//!
//! Never prints a secret: it says where each is kept.

mod address;
mod fail_back;
mod hook;
mod notify;
mod provider;
mod site;
mod watch;

use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use super::print;
use crate::cli::CheckConfigArgs;
use crate::config::include::Counts;
use crate::config::{
    self, AgentConfig, Checked, Included, PeerRole, PeerSettings, RecordSettings, Secrets, WatcherConfig,
    WitnessConfig,
};
use crate::dns::Ttl;
use crate::dns::provider::Rfc2136Settings;
use crate::dns::snapshot::Line;
use crate::gluster::GlusterSettings;
use crate::heartbeat::seal::SigningKey;
use crate::heartbeat::{BeatSettings, WatcherPin};
use crate::leds::LampSettings;
use crate::mount::MountSettings;

/// Checks the configuration at `path` and prints what it means; warnings go to standard error.
///
/// # Errors
/// A [`crate::config::ConfigErrors`] with everything that is wrong.
#[expect(clippy::print_stderr, reason = "warnings stay out of what a script reads from standard output")]
pub fn run(path: &Path, args: &CheckConfigArgs) -> anyhow::Result<()> {
    let secrets = if args.no_secrets { Secrets::Skip } else { Secrets::Read };
    let checked = config::check(path, secrets)?;
    for warning in &checked.config().warnings {
        eprintln!("warning: {warning}\n");
    }
    if let Some(remark) = checked.config().include.as_ref().and_then(Included::remark) {
        eprintln!("warning: {remark}\n");
    }
    if args.quiet { Ok(()) } else { print(&effective(path, &checked)) }
}

/// The whole file as it is understood, in the form of the file.
fn effective(path: &Path, checked: &Checked) -> String {
    let mut page = Page { text: String::new(), checked };
    let config = checked.config();
    let roles = match (&config.agent, &config.watcher) {
        (Some(_), Some(_)) => "an agent and a watcher",
        (Some(_), None) if config.witness.is_some() => "an agent and a witness",
        (Some(_), None) => "an agent",
        (None, None) if config.witness.is_some() => {
            "a witness: a watcher that looks and tells, and writes nothing"
        }
        (None, _) => "a watcher",
    };
    page.line(format_args!("# {} is in order. It runs {roles}.", path.display()));
    if checked.secrets() == Secrets::Skip {
        page.line("# The secrets were not read.");
    }
    if let Some(included) = &config.include {
        page.line(format_args!("include = {:?}  # in force: {}", included.path, included.describe()));
    }
    if let Some(agent) = &config.agent {
        page.agent(agent);
    }
    if let Some(volume) = &config.gluster {
        page.gluster(volume);
    }
    if let Some(watcher) = &config.watcher {
        page.watcher(watcher);
    }
    if let Some(witness) = &config.witness {
        page.witness(witness);
    }
    let providers = config.agent.as_ref().map(|agent| &agent.providers);
    let providers = providers.or(config.watcher.as_ref().map(|watcher| &watcher.providers));
    for (name, settings) in providers.into_iter().flatten() {
        page.provider(name, settings);
    }
    page.text
}

/// The page as far as it is written.
struct Page<'a> {
    text: String,
    checked: &'a Checked,
}

impl Page<'_> {
    fn line(&mut self, line: impl Display) {
        writeln!(self.text, "{line}").expect("a String takes everything");
    }

    fn table(&mut self, header: impl Display) {
        self.line(format_args!("\n{header}"));
    }

    /// What follows the header of a table that is not of the local file, which has `local` of them.
    fn origin(&self, number: usize, local: impl Fn(&Counts) -> usize) -> String {
        let included = self.checked.config().include.as_ref();
        let shared = included.filter(|included| number >= local(&included.local));
        shared.map(|shared| format!("  # from {}", shared.path.display())).unwrap_or_default()
    }

    /// `key = "value"`
    fn text(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {:?}", value.to_string()));
    }

    /// `key = value`, for numbers and tables.
    fn bare(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn list<T: Display>(&mut self, key: &str, values: &[T]) {
        self.bare(key, quoted(values));
    }

    fn secret(&mut self, key: &str, of: &str, note: impl Display) {
        let from = self.checked.secret_uses().iter().find(|secret| secret.of == of);
        let from = from.map_or(String::new(), |secret| secret.from.to_string());
        self.line(format_args!("{key} = \"(secret)\"  # {from}{note}"));
    }

    fn signing_key(&mut self, of: &str, key: &SigningKey) {
        match self.checked.secrets() {
            Secrets::Read => self.secret("key", of, format_args!("; public-key = \"{}\"", key.verifying())),
            Secrets::Skip => self.secret("key", of, "; not read"),
        }
    }

    fn agent(&mut self, agent: &AgentConfig) {
        self.table("[node]");
        self.text("name", &agent.node);
        self.signing_key("node.key", &agent.key);
        self.text("state", agent.state.display());
        self.text("control", agent.control.display());
        let header = if agent.sites.len() == 1 { "[site]" } else { "[[site]]" };
        for (number, site) in agent.sites.iter().enumerate() {
            let origin = self.origin(number, |local| local.sites);
            self.site(&format!("{header}{origin}"), site);
        }
        for mount in &agent.mounts {
            self.mount(mount);
        }
        self.address(&agent.address);
        for (number, record) in agent.records.iter().enumerate() {
            self.record(&self.origin(number, |local| local.records), record);
        }
        if let Some(beats) = &agent.beats {
            self.heartbeat(beats);
        }
        for fail_back in &agent.fail_backs {
            self.fail_back(fail_back);
        }
        for (index, hook) in agent.hooks.iter().enumerate() {
            self.hook(index + 1, hook);
        }
        self.leds(&agent.leds);
    }

    /// Boards as the pins that they stand for.
    fn leds(&mut self, leds: &LampSettings) {
        self.table("[leds]");
        if leds.places.is_empty() {
            self.text("preset", "off");
        }
        if let Some(night) = leds.night {
            self.text("night", night);
        }
        for place in &leds.places {
            self.line(format_args!("# {place}"));
        }
        if let Some(button) = &leds.button {
            self.table("[leds.button]");
            self.bare("pin", button.pin.pin);
            self.bare("active", word(&button.pin.active));
            self.bare("bias", word(&button.pin.bias));
            self.list("setup", &button.setup);
            self.list("shutdown", &button.shutdown);
        }
    }

    fn gluster(&mut self, volume: &GlusterSettings) {
        self.table("[gluster]");
        self.text("volume", &volume.volume);
        self.text("brick", &volume.brick);
        self.text("mount", &volume.mount);
        self.list("nodes", &volume.nodes);
        if let Some(arbiter) = &volume.arbiter {
            self.text("arbiter", arbiter);
        }
    }

    fn mount(&mut self, mount: &MountSettings) {
        self.table("[[mount]]");
        self.text("path", mount.path.display());
        self.text("type", &mount.kind);
        self.bare("access", word(&mount.access));
        self.text("every", time(mount.every));
        self.bare("remount", word(&mount.remount));
        if let Some(span) = mount.release_after {
            self.text("release-after", time(span));
        }
    }

    fn record(&mut self, origin: &str, record: &RecordSettings) {
        self.table(format_args!("[[record]]{origin}"));
        self.text("name", &record.name);
        self.text("provider", &record.provider);
        self.text("ttl", ttl(record.ttl));
        self.list("families", &record.families);
        if let Some(suffix) = record.suffix {
            self.text("suffix", suffix);
        }
        self.lines(&record.lines);
    }

    fn lines(&mut self, lines: &BTreeSet<Line>) {
        if !lines.is_empty() {
            self.list("lines", &lines.iter().collect::<Vec<_>>());
        }
    }

    fn heartbeat(&mut self, beats: &BeatSettings) {
        self.table("[heartbeat]");
        self.text("every", time(beats.every));
        let watchers: Vec<String> = beats.watchers.iter().map(pin).collect();
        self.bare("watchers", format_args!("[{}]", watchers.join(", ")));
        for watcher in &beats.watchers {
            self.own_roots(&watcher.url, &watcher.roots);
        }
    }

    fn witness(&mut self, witness: &WitnessConfig) {
        self.table("[watcher]");
        self.text("mode", "witness");
        self.text("name", &witness.name);
        self.signing_key("watcher.key", &witness.key);
        self.bare("decider", pin(&witness.decider));
        self.text("every", time(witness.every));
    }

    fn watcher(&mut self, watcher: &WatcherConfig) {
        self.table("[watcher]");
        self.text("name", &watcher.name);
        self.list("listen", &watcher.listen);
        self.text("state", watcher.state.display());
        self.text("control", watcher.control.display());
        self.signing_key("watcher.key", &watcher.key);
        self.list("references", &watcher.references);
        self.own_roots("the sites", &watcher.roots);
        self.bare("page", word(&watcher.page));
        if self.checked.secret_uses().iter().any(|secret| secret.of == "watcher.token") {
            self.secret("token", "watcher.token", "");
        }
        if let Some(ping) = &watcher.ping {
            self.ping(ping);
        }
        if let Some(tls) = &watcher.tls {
            self.watcher_tls(tls);
        }
        for (index, notify) in watcher.notify.iter().enumerate() {
            self.notify(index + 1, notify);
        }
        for (number, watch) in watcher.watches.iter().enumerate() {
            self.watch(&self.origin(number, |local| local.watches), watch);
        }
        for peer in &watcher.peers {
            self.peer(peer);
        }
    }

    /// Roots have no name that says more than their number.
    fn own_roots(&mut self, of: &str, roots: &[CertificateDer<'static>]) {
        if !roots.is_empty() {
            self.line(format_args!("# {of}: {} trusted besides the roots that browsers have", roots.len()));
        }
    }

    fn peer(&mut self, peer: &PeerSettings) {
        self.table("[[peer]]");
        self.text("name", &peer.name);
        self.text("public-key", peer.key);
        if peer.role == PeerRole::Witness {
            self.text("role", "witness");
        }
        if let Some(host) = &peer.host {
            self.text("host", host);
        }
    }

    fn rfc2136(&mut self, name: &str, settings: &Rfc2136Settings) {
        self.table(format_args!("[provider.{name}]"));
        self.text("kind", "rfc2136");
        self.text("server", &settings.server);
        self.text("zone", &settings.zone);
        self.text("key.name", &settings.key.name);
        self.bare("key.algorithm", word(&settings.key.algorithm));
        self.secret("key.secret", &format!("provider.{name}.key.secret"), "");
        self.name_servers(&settings.name_servers);
        self.bare("marks", word(&settings.marks));
    }

    fn name_servers(&mut self, name_servers: &[SocketAddr]) {
        if name_servers.is_empty() {
            self.line("# name-servers: found by the zone's NS records");
        } else {
            self.list("name-servers", name_servers);
        }
    }
}

/// A watcher and its key, as the file has them.
fn pin(pin: &WatcherPin) -> String {
    format!("{{ url = {:?}, public-key = \"{}\" }}", pin.url, pin.key)
}

/// `["a", "b"]`
fn quoted<T: Display>(values: &[T]) -> String {
    let words: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
    format!("[{}]", words.join(", "))
}

/// A word of a closed list, in quotes, as the file has it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn ttl(ttl: Ttl) -> String {
    time(Duration::from_secs(u64::from(ttl.as_secs())))
}

/// A span in its largest whole unit: `10s`, `5m`, `1500ms`.
fn time(span: Duration) -> String {
    let millis = span.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let fits = units.into_iter().find(|(_, factor)| millis > 0 && millis.is_multiple_of(*factor));
    let (unit, factor) = fits.unwrap_or(("ms", 1));
    format!("{}{unit}", millis / factor)
}

/// A number of bytes in its largest whole unit: `64MiB`.
fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let (unit, factor) =
        units.into_iter().find(|(_, factor)| bytes.is_multiple_of(*factor)).unwrap_or(("B", 1));
    format!("{}{unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_the_file_has_it() {
        for text in ["250ms", "10s", "90s", "5m", "2h", "1d"] {
            assert_eq!(time(config::time_in_words(text).unwrap()), text);
        }
    }
}
