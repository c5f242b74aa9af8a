//! BIND 9 as the primary of a test.

use std::fmt::Write;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use data_encoding::BASE64;
use hearth::dns::provider::TsigKey;

use super::name_server::{ADMIN, Kind, NameServer, WRITERS, ZONE};

const KIND: Kind = Kind { name: "bind", program: "named", configuration, arguments };

/// A running BIND.
pub(crate) struct Bind(NameServer);

impl Bind {
    /// Starts BIND and waits until it answers; fails when it is not installed.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self(NameServer::start(&KIND))
    }
}

impl Deref for Bind {
    type Target = NameServer;
    fn deref(&self) -> &NameServer {
        &self.0
    }
}

impl DerefMut for Bind {
    fn deref_mut(&mut self) -> &mut NameServer {
        &mut self.0
    }
}

/// In the foreground, with one worker, as the user who runs the test.
fn arguments(configuration: &Path) -> Vec<String> {
    ["-g", "-n", "1", "-c"]
        .into_iter()
        .map(str::to_owned)
        .chain([configuration.display().to_string()])
        .collect()
}

fn configuration(dir: &Path, address: SocketAddr, keys: &[TsigKey]) -> String {
    let (dir, ip, port) = (dir.display(), address.ip(), address.port());
    let mut text = format!(
        "options {{\n  directory \"{dir}\";\n  pid-file none;\n  lock-file none;\n  session-keyfile none;\n  \
         listen-on port {port} {{ {ip}; }};\n  listen-on-v6 {{ none; }};\n  recursion no;\n  notify no;\n  \
         dnssec-validation no;\n  allow-transfer {{ none; }};\n}};\ncontrols {{ }};\n"
    );
    for key in keys {
        let secret = BASE64.encode(key.secret.expose());
        writeln!(text, "key \"{}\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};", key.name).unwrap();
    }
    writeln!(text, "zone \"{ZONE}\" {{\n  type primary;\n  file \"{dir}/zone\";\n  update-policy {{")
        .unwrap();
    for (writer, labels) in WRITERS {
        for label in labels {
            writeln!(text, "    grant {writer} name {label}.{ZONE} A AAAA CNAME;").unwrap();
            writeln!(text, "    grant {writer} name _hearth.{label}.{ZONE} TXT;").unwrap();
        }
    }
    text + &format!("    grant {ADMIN} subdomain {ZONE} ANY;\n  }};\n}};\n")
}
