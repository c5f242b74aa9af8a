//! `hearth watcher`: runs the watcher.

use std::path::Path;

/// Runs the watcher of the configuration at `_config`.
///
/// # Errors
/// Always: this command is not built in yet.
pub fn run(_config: &Path) -> anyhow::Result<()> {
    anyhow::bail!("`hearth watcher` is not built in yet")
}
