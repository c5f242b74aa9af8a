//! `hearth agent`: runs the agent.

use std::path::Path;

/// Runs the agent of the configuration at `_config`.
///
/// # Errors
/// Always: this command is not built in yet.
pub fn run(_config: &Path) -> anyhow::Result<()> {
    anyhow::bail!("`hearth agent` is not built in yet")
}
