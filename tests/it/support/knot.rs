//! Knot DNS as the primary of a test.

use std::fmt::Write;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use data_encoding::BASE64;
use hearth::dns::provider::TsigKey;

use super::name_server::{ADMIN, Kind, NameServer, WRITERS, ZONE};

const KIND: Kind = Kind { name: "knot", program: "knotd", configuration, arguments };

/// A running Knot.
pub(crate) struct Knot(NameServer);

impl Knot {
    /// Starts Knot and waits until it answers; fails when it is not installed.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self(NameServer::start(&KIND))
    }
}

impl Deref for Knot {
    type Target = NameServer;
    fn deref(&self) -> &NameServer {
        &self.0
    }
}

impl DerefMut for Knot {
    fn deref_mut(&mut self) -> &mut NameServer {
        &mut self.0
    }
}

fn arguments(configuration: &Path) -> Vec<String> {
    vec!["--config".to_owned(), configuration.display().to_string()]
}

/// The databases are small: with their usual sizes every change fails where address space or disk is short.
fn configuration(dir: &Path, address: SocketAddr, keys: &[TsigKey]) -> String {
    let dir = dir.display();
    let mut text = format!(
        "server:\n  rundir: \"{dir}\"\n  listen: {}@{}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         log:\n- target: stderr\n  any: info\n\
         database:\n  storage: \"{dir}\"\n  journal-db-max-size: 16M\n  kasp-db-max-size: 8M\n  \
         timer-db-max-size: 8M\n  catalog-db-max-size: 8M\nkey:\n",
        address.ip(),
        address.port()
    );
    for key in keys {
        let secret = BASE64.encode(key.secret.expose());
        writeln!(text, "- id: {}\n  algorithm: hmac-sha256\n  secret: {secret}", key.name).unwrap();
    }
    text.push_str("acl:\n");
    for (writer, labels) in WRITERS {
        let names: Vec<String> = labels.iter().map(|label| format!("{label}, _hearth.{label}")).collect();
        writeln!(
            text,
            "- id: {writer}\n  key: {writer}\n  action: update\n  update-owner: name\n  update-owner-match: equal\n  \
             update-owner-name: [{}]\n  update-type: [A, AAAA, CNAME, TXT]",
            names.join(", ")
        )
        .unwrap();
    }
    writeln!(text, "- id: {ADMIN}\n  key: {ADMIN}\n  action: update").unwrap();
    let writers = WRITERS.map(|(writer, _)| writer).join(", ");
    text + &format!(
        "zone:\n- domain: {ZONE}\n  storage: \"{dir}\"\n  file: zone\n  zonefile-sync: -1\n  zonefile-load: whole\n  \
         journal-max-usage: 8M\n  acl: [{writers}, {ADMIN}]\n"
    )
}
