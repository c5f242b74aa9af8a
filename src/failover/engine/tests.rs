//! The engine in a small world: virtual time, nodes that can be cut and killed, a fallback, a record, a reference.

mod certificate;
mod drill;
mod explain;
mod families;
mod model;
mod properties;
mod stories;
mod unsteady;
mod world;
