//! The text that `hearth init` writes and prints.

use std::fmt;

use super::provider::{Account, quoted};
use crate::dns::Name;
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;

/// Where the site is unless something else is said.
pub(super) const ROOT: &str = "/srv/www";

/// The configuration of a node.
pub(super) struct NodePage {
    pub(super) name: NodeName,
    pub(super) site: Name,
    pub(super) root: String,
    pub(super) record: Option<Name>,
    pub(super) account: Option<Account>,
    pub(super) watcher: Option<(String, VerifyingKey)>,
}

impl fmt::Display for NodePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, site, root, record, account, watcher } = self;
        writeln!(f, "{}", HEAD.replace("ROLE", "node").replace("UNIT", "hearth"))?;
        writeln!(f, "[node]\nname = {}", quoted(&name.to_string()))?;
        writeln!(
            f,
            "key = {{ file = \"node.key\" }}                 # its public half stands in the watcher's file\n"
        )?;
        writeln!(f, "[site]\nhosts = [{}]", quoted(&site.to_string()))?;
        writeln!(f, "root = {}", quoted(root))?;
        writeln!(f, "{SITE}")?;
        if let (Some(record), Some(account)) = (record, account) {
            writeln!(f, "# The name that this node, and nobody else, keeps pointed at itself.")?;
            writeln!(
                f,
                "[[record]]\nname = {}\nprovider = \"home\"\n{}\n{account}",
                quoted(&record.to_string()),
                account.ttl()
            )?;
        }
        match watcher {
            Some((url, key)) => writeln!(
                f,
                "[heartbeat]\nwatchers = [\n    {{ url = {}, public-key = \"{key}\" }},\n]\n",
                quoted(url)
            )?,
            None => writeln!(f, "{HEARTBEAT}")?,
        }
        write!(f, "{LEDS}")
    }
}

/// The configuration of a watcher.
pub(super) struct WatcherPage {
    pub(super) site: Name,
    pub(super) fallback: Name,
    pub(super) account: Account,
    pub(super) peers: Vec<(NodeName, VerifyingKey)>,
}

impl fmt::Display for WatcherPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", HEAD.replace("ROLE", "watcher").replace("UNIT", "hearth-watcher"))?;
        writeln!(f, "{WATCHER}")?;
        // A [[watch]] needs a node; without one it waits as a comment.
        let margin = if self.peers.is_empty() { "# " } else { "" };
        for line in self.watch().lines().chain(self.peers().lines()) {
            writeln!(f, "{}", format!("{margin}{line}").trim_end())?;
        }
        write!(f, "\n{}", self.account)
    }
}

impl WatcherPage {
    fn watch(&self) -> String {
        let (site, fallback) = (quoted(&self.site.to_string()), quoted(&self.fallback.to_string()));
        let mut nodes: Vec<_> = self.peers.iter().map(|(name, _)| quoted(&name.to_string())).collect();
        if nodes.is_empty() {
            nodes.push("\"pi1\"".to_owned());
        }
        format!(
            "[[watch]]\nsite = {site}\nprovider = \"home\"\nnodes = [{}]\nfallback = {{ github-pages = {fallback} }}\n{}{POLICY}\n",
            nodes.join(", "),
            self.account.ttl()
        )
    }

    fn peers(&self) -> String {
        if self.peers.is_empty() {
            return "[[peer]]\nname = \"pi1\"\npublic-key = \"ed25519:…\"              # as `hearth init` on pi1 printed it\n"
                .to_owned();
        }
        self.peers.iter().map(|(name, key)| peer(name, key, None) + "\n").collect()
    }
}

fn peer(name: &NodeName, key: &VerifyingKey, host: Option<&Name>) -> String {
    let host = host.map(|host| format!("host = {}\n", quoted(&host.to_string()))).unwrap_or_default();
    format!("[[peer]]\nname = {}\npublic-key = \"{key}\"\n{host}", quoted(&name.to_string()))
}

/// What belongs into the watcher's file.
pub(super) fn peer_lines(name: &NodeName, key: &VerifyingKey, host: Option<&Name>) -> String {
    format!(
        "Put this into the watcher's file, and \"{name}\" into `nodes` of its [[watch]]:\n\n{}",
        peer(name, key, host)
    )
}

/// What belongs into the file of each node.
pub(super) fn heartbeat_lines(key: &VerifyingKey) -> String {
    format!(
        "On each node: hearth init --watcher-url http://THIS-MACHINE:8443 --watcher-key {key}\n\
         or, in a file that is there:\n\n\
         [heartbeat]\nwatchers = [{{ url = \"http://THIS-MACHINE:8443\", public-key = \"{key}\" }}]\n"
    )
}

const HEAD: &str = "\
# The configuration of this ROLE, written by `hearth init`. What is not here has a default.
# After a change: hearth check-config && systemctl reload UNIT
";

const SITE: &str = "\
rules = \"github-pages\"                      # missing pages as there; or \"spa\", or \"files\"
keep = \"/var/lib/hearth/site\"               # the last good copy, for when `root` is gone
";

const HEARTBEAT: &str = "\
# Without a watcher nobody leads visitors elsewhere when this node is down. `hearth init --watcher` there prints this:
# [heartbeat]
# watchers = [{ url = \"https://watch.example.net\", public-key = \"ed25519:…\" }]
";

const LEDS: &str = "\
# [leds]
# preset = \"onboard\"                        # or \"traffic-hat\", and others: hearth led preview
";

const WATCHER: &str = "\
[watcher]
key = { file = \"watcher.key\" }              # its public half stands in the file of each node
# What is up whenever this machine's own line is: when none of them answers, nothing is switched.
references = [\"https://www.debian.org\", \"https://www.wikipedia.org\", \"https://www.iana.org\"]
";

const POLICY: &str = "policy = \"steady\"                         # or \"fast\", or \"calm\"";
