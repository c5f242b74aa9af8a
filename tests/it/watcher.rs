//! The watcher through the real binary, between real name servers, nodes that can fail, and pages to fall back to.

mod crash;
mod disk;
mod door;
mod drill;
mod fallback;
pub(crate) mod node;
mod notify;
mod page;
mod partition;
mod person;
mod provider;
mod replay;
mod rig;
mod sink;
pub(crate) mod storm;
mod switch;
mod witness;
