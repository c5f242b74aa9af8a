//! A running role, asked on its own machine: one line of JSON to a Unix socket, one line of JSON back.
//!
//! `hearth status` and the manual overrides speak through it; the socket's mode is the access control. Never speaks
//! to another machine, and never keeps a connection for a second question.

mod ask;
mod serve;

pub use ask::{ControlError, ask};
pub use serve::{BindError, Server};

use std::time::Duration;

/// The longest question, in bytes.
pub const MAX_QUESTION: u64 = 64 * 1024;

/// The longest answer, in bytes.
pub const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// How long either side waits for the other.
pub const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
