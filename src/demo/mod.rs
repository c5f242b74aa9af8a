//! `hearth demo`: the whole system on one machine, over real sockets on loopback, without root and without accounts.
//!
//! Two agents and a watcher run as real processes, so that "kill" is SIGKILL and "hang" is SIGSTOP. Everything that
//! they would meet outside is here: an authoritative name server ([`zone`]), a stand-in for GitHub Pages ([`pages`]),
//! a home router for each Pi ([`router`]) and services that tell an address ([`echo`]). [`system`] owns the parts,
//! [`view`] draws them, [`script`] plays an outage and checks every step from outside.
//!
//! Never leaves loopback, and ends only the processes that it started.

pub mod zone;
