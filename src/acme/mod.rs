//! Certificates from an authority, by ACME (RFC 8555): when one is renewed, how hosts are proven, where it is kept.
//!
//! ```text
//! clock set -> what is kept, here or by another node -> due? -> lease -> CAA -> order -> proofs -> certificate -> Shelf
//! ```
//!
//! Never takes a certificate off the shelf, whatever fails; never asks an authority while the clock may be wrong, more
//! often than it allows, or for what CAA records forbid it; and never touches a record that is not its own.

mod caa;
mod error;
mod keeper;
mod order;
mod proof;
mod registration;
pub mod renewal;
pub mod settings;
mod share;
mod store;
mod web;

pub use self::keeper::Keeper;
pub use self::settings::{AcmeSettings, Challenge};
