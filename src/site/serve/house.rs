//! The house: what the connections of all workers share, and who has a seat in it.
//!
//! Never makes anybody wait: a connection for which there is no seat is closed at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Limits;

/// What the connections share.
pub(super) struct House {
    room: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, u32>>,
    pub(super) limits: Limits,
}

impl House {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            room: Arc::new(Semaphore::new(limits.connections as usize)),
            by_address: Mutex::default(),
            limits,
        }
    }

    /// Waits until nobody has a seat.
    pub(super) async fn is_empty(&self) {
        // An error: it was closed, which nobody does.
        let _ = self.room.acquire_many(self.limits.connections).await;
    }
}

/// A connection's place; given back when it is dropped.
pub(super) struct Seat {
    house: Arc<House>,
    address: IpAddr,
    _room: OwnedSemaphorePermit,
}

impl Seat {
    /// None when the house, or what one address may take of it, is full.
    pub(super) fn take(house: &Arc<House>, peer: IpAddr) -> Option<Self> {
        let room = Arc::clone(&house.room).try_acquire_owned().ok()?;
        let address = network(peer);
        let mut by_address = house.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = by_address.entry(address).or_insert(0);
        if *taken >= house.limits.per_address {
            return None;
        }
        *taken += 1;
        Some(Self { house: Arc::clone(house), address, _room: room })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_address = self.house.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = by_address.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: an IPv6 network has as many addresses as it likes.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_counts_as_one_address_and_an_address_of_ipv4_as_itself() {
        let limits = Limits { per_address: 2, ..Limits::default() };
        let house = Arc::new(House::new(limits));
        let take = |address: &str| Seat::take(&house, address.parse().unwrap());
        let held =
            (take("2001:db8::1"), take("2001:db8::2:0:0:1"), take("192.0.2.1"), take("::ffff:192.0.2.1"));
        assert!(held.0.is_some() && held.1.is_some() && held.2.is_some() && held.3.is_some());
        assert!(take("2001:db8::3").is_none() && take("192.0.2.1").is_none());
        assert!(take("2001:db8:0:1::1").is_some() && take("192.0.2.2").is_some());
        drop(held);
        assert!(take("2001:db8::3").is_some());
        assert!(house.by_address.lock().unwrap().is_empty());
    }

    #[test]
    fn there_are_no_more_seats_than_connections() {
        let limits = Limits { connections: 1, ..Limits::default() };
        let house = Arc::new(House::new(limits));
        let one = Seat::take(&house, "192.0.2.1".parse().unwrap());
        assert!(one.is_some() && Seat::take(&house, "192.0.2.2".parse().unwrap()).is_none());
        drop(one);
        assert!(Seat::take(&house, "192.0.2.2".parse().unwrap()).is_some());
    }
}
