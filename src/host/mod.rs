//! What the roles need of the machine they run on: clock, signals, service manager, log, files and sockets.
//!
//! The one room that reads a clock, the environment of the service manager, or a signal. Never decides anything about
//! the site, its nodes or its records.

pub mod control;
pub mod handed;
pub mod listen;
pub mod log;
pub mod message;
pub mod notify;
pub mod random;
pub mod shutdown;
pub mod state_file;
pub mod time;
pub mod tls;
