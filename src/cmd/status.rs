//! `hearth status`: what this machine is doing and why.

use std::path::Path;

use crate::cli::StatusArgs;

/// Asks the running roles and shows what they say.
///
/// # Errors
/// Always: this command is not built in yet.
pub async fn run(_config: &Path, _args: &StatusArgs) -> anyhow::Result<()> {
    anyhow::bail!("`hearth status` is not built in yet")
}
