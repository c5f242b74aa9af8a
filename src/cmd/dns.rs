//! `hearth dns`: records by hand.

use std::path::Path;

use crate::cli::DnsCommand;

/// Lists, plans or applies.
///
/// # Errors
/// Always: this command is not built in yet.
pub async fn run(_config: &Path, _command: DnsCommand) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("`hearth dns` is not built in yet")
}
