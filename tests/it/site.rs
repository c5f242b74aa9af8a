//! The site server over real sockets, with the real loader process and real files.

mod faults;
mod guards;
mod keep;
mod parity;
mod rig;
