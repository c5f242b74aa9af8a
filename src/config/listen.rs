//! Where a server listens: what `listen` says, or everywhere.
//!
//! Never opens anything.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use toml::Spanned;

use super::reading::Reading;
use super::value::At;

/// Every address of this machine, both families, at `port`.
const fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)
}

/// Where to listen: what is written, or everywhere at `port`.
pub(super) fn listen(
    reading: &mut Reading<'_>,
    written: Option<Spanned<Vec<At<SocketAddr>>>>,
    port: u16,
) -> Vec<SocketAddr> {
    let Some(list) = written else { return vec![everywhere(port)] };
    reading.not_empty(&list, "`listen`", &format!("[\"[::]:{port}\"]"));
    reading.unique("the address", list.get_ref().iter().map(|at| (&at.value, at.span.clone())));
    list.into_inner().into_iter().map(|at| at.value).collect()
}
