//! Certificates: what they say, which of them a visitor is shown, and how HTTPS is spoken with them.
//!
//! ```text
//! files, or an authority -> Certificate -> Shelf -> handshake
//! ```
//!
//! Never asks an authority for one ([`acme`](crate::acme) does), and never lets a broken certificate take the place of a
//! good one.

pub mod certificate;
pub mod files;
pub mod keeping;
pub mod server;
pub mod settings;
pub mod shelf;

pub use self::certificate::{Certificate, CertificateError};
pub use self::settings::{CertificateSource, TlsSettings};
pub use self::shelf::Shelf;

/// Those of `hosts` that a certificate can be had for: names of the public DNS, which have a dot and are no addresses.
#[must_use]
pub fn public_hosts(hosts: &[String]) -> Vec<String> {
    let is_public = |host: &&String| host.contains('.') && host.parse::<std::net::IpAddr>().is_err();
    hosts.iter().filter(is_public).cloned().collect()
}
