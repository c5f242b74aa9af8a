//! `hearth dns`: records by hand.

use std::path::Path;

use crate::cli::DnsCommand;

/// Lists, plans or applies.
///
/// # Errors
/// Always: this command is not built in yet.
pub fn run(_config: &Path, _command: DnsCommand) -> anyhow::Result<()> {
    anyhow::bail!("`hearth dns` is not built in yet")
}
