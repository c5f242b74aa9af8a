//! The file as a whole: which roles it runs, and what its tables say about each other across roles.

use toml::Spanned;

use super::agent::{self, AgentTables};
use super::file::File;
use super::file::agent::Record;
use super::file::watcher::Watch;
use super::reading::Reading;
use super::{Config, gluster, pi, provider, watcher, witness};

/// What a file means as a whole. When a problem was reported, the parts with problems may be missing.
pub(super) fn understood(reading: &mut Reading<'_>, written: File) -> Config {
    reading.provider_names = written.provider.keys().map(|name| name.get_ref().clone()).collect();
    check_one_writer(reading, &written.record, &written.watch);
    check_owners(reading, &written);
    warn_unused_providers(reading, &written);
    let nobody = written.node.is_none() && written.watcher.is_none();
    let providers = provider::providers(reading, written.provider);
    let tables = AgentTables {
        site: written.site,
        mount: written.mount,
        address: written.address,
        record: written.record,
        heartbeat: written.heartbeat,
        hook: written.hook,
        leds: written.leds,
    };
    if written.node.is_none() {
        tables.report_homeless(reading);
    }
    if written.watcher.is_none() {
        watcher::report_homeless(reading, &written.watch, &written.peer);
    }
    if nobody && reading.problems.is_empty() {
        reading.report_whole_file(
            "there is neither [node] nor [watcher], so there is nothing to run",
            "[node] makes an agent, [watcher] a watcher",
        );
    }
    let gluster = written.gluster.and_then(|volume| gluster::gluster(reading, volume.into_inner()));
    let node = written.node.map(Spanned::into_inner);
    let agent = node.and_then(|node| agent::agent(reading, node, tables, &providers));
    let (watch, peer) = (written.watch, written.peer);
    let is_witness = written.watcher.as_ref().is_some_and(|watcher| witness::is_meant(watcher.get_ref()));
    let (watcher, witness) = match written.watcher {
        Some(written) if is_witness => (None, witness::witness(reading, written, &watch, &peer)),
        Some(written) => (watcher::watcher(reading, written, watch, peer, &providers), None),
        None => (None, None),
    };
    let pi = written.pi.map(pi::pi).unwrap_or_default();
    Config { agent, watcher, witness, gluster, pi, warnings: Vec::new(), include: None }
}

/// A node's name is written by its agent alone and a site's by the watcher alone.
fn check_one_writer(reading: &mut Reading<'_>, records: &[Spanned<Record>], watches: &[Spanned<Watch>]) {
    for watch in watches {
        let site = &watch.get_ref().site;
        let same = |record: &&Spanned<Record>| record.get_ref().name.value == site.value;
        if let Some(record) = records.iter().find(same) {
            let line = reading.line(&record.get_ref().name.span);
            let message =
                format!("`{}` would have two writers: this watch, and the record on line {line}", site.value);
            let hint =
                "a [[record]] is a node's own name, such as `pi1.…`; the site's name is the watcher's alone";
            reading.error(&site.span, message, hint);
        }
    }
}

/// Two roles in one file mark their records with two names.
fn check_owners(reading: &mut Reading<'_>, written: &File) {
    let (Some(node), Some(watcher)) = (&written.node, &written.watcher) else { return };
    let (node, watcher) = (&node.get_ref().name, watcher.get_ref().name.as_ref());
    if node.value.as_str() == watcher.map_or("watcher", |at| at.value.as_str()) {
        let message = format!("this node is called `{}`, and so is the watcher of this file", node.value);
        let hint = "records are marked with these names; give one of them another";
        reading.error(&node.span, message, hint);
    }
}

fn warn_unused_providers(reading: &mut Reading<'_>, written: &File) {
    let of_records = written.record.iter().map(|record| &record.get_ref().provider.value);
    let of_watches = written.watch.iter().map(|watch| &watch.get_ref().provider.value);
    let fail_backs = written.heartbeat.iter().flat_map(|heartbeat| &heartbeat.get_ref().fail_back);
    let of_fail_backs = fail_backs.map(|fail_back| &fail_back.get_ref().provider.value);
    let of_sites =
        written.site.0.iter().filter_map(|site| {
            site.get_ref().tls.as_ref()?.get_ref().acme.as_ref()?.get_ref().provider.as_ref()
        });
    let of_watcher = written.watcher.as_ref().and_then(|watcher| {
        watcher.get_ref().tls.as_ref()?.get_ref().acme.as_ref()?.get_ref().provider.as_ref()
    });
    let of_tls = of_sites.chain(of_watcher).map(|provider| &provider.value);
    let used: Vec<&String> = of_records.chain(of_watches).chain(of_fail_backs).chain(of_tls).collect();
    for name in written.provider.keys().filter(|name| !used.contains(&name.get_ref())) {
        let message = format!("nothing uses the provider `{}`", name.get_ref());
        reading.warn(&name.span(), message, "name it in a [[record]] or a [[watch]], or remove it");
    }
}
