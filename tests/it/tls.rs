//! HTTPS: an agent with certificates of an authority made for the test, and real clients.

mod acme;
mod authority;
mod clients;
mod files;
mod relay;
mod rig;
mod serving;
mod watcher;
