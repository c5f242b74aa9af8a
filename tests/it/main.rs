//! The integration tests: one binary, one module for each capability.

#![allow(clippy::disallowed_methods, reason = "tests time real processes and read what CI sets")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod support;

mod address;
mod agent;
mod appliance;
mod beats;
mod cli;
mod clouds;
mod cluster;
mod config;
mod demo;
mod dns;
mod leds;
mod packages;
mod roles;
mod simulator;
mod site;
mod tidy;
mod tls;
mod watcher;
