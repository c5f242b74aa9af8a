//! `hearth failover`: what the watcher decides, and overriding it.

use std::path::Path;

use crate::cli::FailoverCommand;

/// Shows or overrides.
///
/// # Errors
/// Always: this command is not built in yet.
pub async fn run(_config: &Path, _command: &FailoverCommand) -> anyhow::Result<()> {
    anyhow::bail!("`hearth failover` is not built in yet")
}
