//! What the tables of an agent mean: `[node]`, `[site]`, `[address]`, `[[record]]`, `[heartbeat]`, `[[hook]]` and `[leds]`.

use std::path::Path;
use std::time::Duration;

use toml::Spanned;

use super::address::{address, families};
use super::file::address::Address;
use super::file::agent::{self as written, Heartbeat, Node, Record};
use super::file::hook::Hook;
use super::file::leds::Leds;
use super::file::mount::Mount;
use super::file::site::Sites;
use super::hook::hooks;
use super::leds::lamps;
use super::lines::lines;
use super::mount::mounts;
use super::provider::{Providers, check_reference, warn_low_ttl};
use super::reading::Reading;
use super::tls::roots;
use super::{AgentConfig, RecordSettings, fail_back, site};
use crate::address::{AddressSettings, Family};
use crate::dns::Ttl;
use crate::heartbeat::{BeatSettings, WatcherPin};

/// Between two beats, when nothing is written.
pub(super) const BEAT: Duration = Duration::from_secs(10);

/// The tables of an agent but `[node]`, as they are written.
pub(super) struct AgentTables {
    pub(super) site: Sites,
    pub(super) mount: Vec<Spanned<Mount>>,
    pub(super) address: Option<Spanned<Address>>,
    pub(super) record: Vec<Spanned<Record>>,
    pub(super) heartbeat: Option<Spanned<Heartbeat>>,
    pub(super) hook: Vec<Spanned<Hook>>,
    pub(super) leds: Option<Spanned<Leds>>,
}

impl AgentTables {
    /// Reports the tables that are there although `[node]` is not.
    pub(super) fn report_homeless(&self, reading: &mut Reading<'_>) {
        let tables = [
            ("[site]", self.site.0.first().map(Spanned::span)),
            ("[[mount]]", self.mount.first().map(Spanned::span)),
            ("[address]", self.address.as_ref().map(Spanned::span)),
            ("[[record]]", self.record.first().map(Spanned::span)),
            ("[heartbeat]", self.heartbeat.as_ref().map(Spanned::span)),
            ("[[hook]]", self.hook.first().map(Spanned::span)),
            ("[leds]", self.leds.as_ref().map(Spanned::span)),
        ];
        for (table, span) in tables {
            if let Some(span) = span {
                let message = format!("{table} belongs to an agent, and there is no [node]");
                reading.error(&span, message, "add [node] with `name` and `key`");
            }
        }
    }
}

/// What they mean; None when that was reported.
pub(super) fn agent(
    reading: &mut Reading<'_>,
    node: Node,
    tables: AgentTables,
    providers: &Providers,
) -> Option<AgentConfig> {
    let key = reading.signing_key("node.key", node.key);
    let mounts = mounts(reading, tables.mount);
    let sites = site::sites(reading, tables.site, &mounts, providers);
    let address = address(reading, tables.address.map(Spanned::into_inner).unwrap_or_default());
    let records = records(reading, tables.record, &address, providers);
    let mut heartbeat = tables.heartbeat.map(Spanned::into_inner);
    let fail_backs = heartbeat.as_mut().map(|written| std::mem::take(&mut written.fail_back));
    let fail_backs = fail_backs.map(|written| fail_back::fail_backs(reading, written, &sites, providers));
    let mut fail_backs = fail_backs.unwrap_or_default();
    let beats = heartbeat.map(|written| beats(reading, written));
    // One choice of authorities for every look at a site.
    let roots = || beats.iter().flat_map(|beats| &beats.watchers).flat_map(|pin| pin.roots.iter().cloned());
    fail_backs.iter_mut().for_each(|right| right.roots = roots().collect());
    let hooks = hooks(reading, tables.hook);
    let leds = tables.leds.map(|written| lamps(reading, written)).unwrap_or_default();
    Some(AgentConfig {
        node: node.name.value,
        key: key?,
        state: reading.path(node.state.as_deref().unwrap_or(Path::new(written::STATE))),
        control: reading.path(node.control.as_deref().unwrap_or(Path::new("/run/hearth/agent.sock"))),
        include: None,
        passed_over: None,
        sites,
        mounts,
        address,
        records,
        providers: providers.clone(),
        beats,
        fail_backs,
        hooks,
        leds,
    })
}

fn records(
    reading: &mut Reading<'_>,
    written: Vec<Spanned<Record>>,
    address: &AddressSettings,
    providers: &Providers,
) -> Vec<RecordSettings> {
    reading.unique(
        "the record",
        written.iter().map(|r| (&r.get_ref().name.value, r.get_ref().name.span.clone())),
    );
    let one = |record: Spanned<Record>| self::record(reading, record.into_inner(), address, providers);
    written.into_iter().map(one).collect()
}

fn record(
    reading: &mut Reading<'_>,
    written: Record,
    address: &AddressSettings,
    providers: &Providers,
) -> RecordSettings {
    check_reference(reading, &written.provider, &written.name, providers);
    let (ttl, place) = written.ttl.map_or((Ttl::from_secs(600), None), |at| (at.value, Some(at.span)));
    warn_low_ttl(reading, &written.provider, providers, &written.name.value, (ttl, place.as_ref()));
    let span = written.families.as_ref().map(Spanned::span);
    // A neighbour has a prefix in common with this node; behind one IPv4 address there is nothing to tell it by.
    let neighbour = written.suffix.as_ref().map(|_| [Family::Ipv6]);
    let default = neighbour.as_ref().map_or(address.families.as_slice(), |families| families);
    let span = span.or(written.suffix.as_ref().map(|suffix| suffix.span.clone()));
    let families = families(reading, written.families, default);
    if let (Some(span), Some(missing)) = (span, families.iter().find(|f| !address.families.contains(f))) {
        let message = format!("`{missing}` is not among the families of [address]");
        reading.error(&span, message, "what is not looked for cannot be published; add it there");
    }
    let lines = lines(reading, written.lines.as_ref(), &written.provider, providers);
    RecordSettings {
        lines,
        name: written.name.value,
        provider: written.provider.value,
        ttl,
        families,
        suffix: written.suffix.map(|at| at.value),
    }
}

fn beats(reading: &mut Reading<'_>, written: Heartbeat) -> BeatSettings {
    let example = "[{ url = \"https://watch.example.net\", public-key = \"ed25519:…\" }]";
    reading.not_empty(&written.watchers, "`watchers`", example);
    BeatSettings {
        watchers: written.watchers.into_inner().into_iter().map(|watcher| pin(reading, watcher)).collect(),
        every: written.every.map_or(BEAT, |at| at.value),
    }
}

/// A watcher that is beaten to.
pub(super) fn pin(reading: &mut Reading<'_>, pin: written::WatcherPin) -> WatcherPin {
    WatcherPin {
        url: pin.url.value.0.as_str().trim_end_matches('/').to_owned(),
        key: pin.public_key.value,
        roots: pin.ca.and_then(|ca| roots(reading, &ca)).unwrap_or_default(),
    }
}
