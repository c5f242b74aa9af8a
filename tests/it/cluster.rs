//! Two real GlusterFS nodes in namespaces, the agents on them, and everything that goes wrong with such a pair.
//!
//! Each test says how many requests were asked and answered, and the longest gap between two answers.

#![allow(clippy::print_stdout, reason = "what was asked and answered belongs to the result")]

mod agent;
mod house;
mod nginx;
mod poll;
mod setup;
mod site;
mod volume;

mod content;
mod faults;
mod partition;
