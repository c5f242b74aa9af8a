//! `hearth demo`: the whole system on this machine.

use crate::cli::DemoArgs;

/// Runs the demo.
///
/// # Errors
/// Always: this command is not built in yet.
pub fn run(_args: &DemoArgs) -> anyhow::Result<()> {
    anyhow::bail!("`hearth demo` is not built in yet")
}
