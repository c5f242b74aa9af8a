//! What a site's record should hold, and why: the decision engine of the watcher.
//!
//! One pure machine ([`engine::Engine`]): a point in time and an [`event::Event`] in, a list of [`event::Effect`]s out.
//! Never probes, never writes a record, never reads a clock and never makes random numbers, so that a journal of its
//! events replays to the same effects.

pub mod content;
pub mod drill;
pub mod engine;
pub mod errand;
pub mod event;
pub mod fallback;
pub mod isolation;
pub mod lane;
pub mod orphan;
pub mod rounds;
pub mod site;
pub mod sites;
pub mod view;
pub mod why;
pub mod witness;

use serde::{Deserialize, Serialize};

/// What kind of record a site's name has. A and CNAME are never mixed for one name: resolvers mishandle it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// A and AAAA of the nodes that are up, or of the fallback. Works at the apex of a zone.
    #[default]
    Address,
    /// A CNAME to the name of a node that is up, or to the fallback's.
    Cname,
}
