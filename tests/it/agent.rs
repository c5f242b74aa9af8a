//! The agent as a process of its own: real Knot, real echoes, a real loader, and a watcher's listener that takes its
//! beats.

mod hooks;
mod lines;
mod members;
mod mounts;
mod names;
pub(crate) mod orphan;
pub(crate) mod rig;
mod serving;
mod shared;
mod why;
