//! HTTPS: an agent with certificates of an authority made for the test, and real clients.

mod acme;
mod clients;
mod fake;
mod files;
mod rig;
mod serving;
mod watcher;
