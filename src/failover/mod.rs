//! What a site's record should hold, and why.
//!
//! Never probes, never writes a record, never reads a clock.

pub mod policy;
