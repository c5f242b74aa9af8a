//! The site server over real sockets, with the real loader process and real files.

mod adopt;
mod faults;
mod fuzz;
mod guards;
mod hostile;
mod keep;
mod large;
mod log;
mod parity;
mod provoked;
mod rig;
mod several;
mod slow;
mod trees;
