//! Temp.
#![allow(missing_docs, reason = "temporary")]
use serde::{Deserialize, Serialize};
use std::fmt;
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Up { latency_ms: u64, generation: Option<String> },
    Failed(Failure),
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    Refused,
    ConnectTimeout,
    Timeout,
    NotTheNode,
    Status(u16),
    Content,
    Tls(String),
    Garbled,
    Unreachable,
}
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
