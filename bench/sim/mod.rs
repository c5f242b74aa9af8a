//! A world for the watcher's engine, and what must hold in it.
#![allow(clippy::wildcard_enum_match_arm, reason = "each place minds some faults of many and no others")]
#![allow(clippy::print_stdout, reason = "a story is told aloud when somebody asks for it")]

pub(crate) mod check;
pub(crate) mod digest;
pub(crate) mod faults;
pub(crate) mod leap;
pub(crate) mod line;
pub(crate) mod mutant;
pub(crate) mod naive;
pub(crate) mod run;
pub(crate) mod truth;
pub(crate) mod world;
