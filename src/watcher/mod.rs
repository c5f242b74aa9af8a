//! Placeholder.

pub mod listen;
