//! How many connections there are, in all and of each address. Never waits: there is room or there is none.
//!
//! A limit in all alone would let one address take every place and silence the beats of the others.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use super::Limits;

/// The connections that are open.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    most: usize,
    most_of_one: usize,
    counts: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// One place; dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    who: IpAddr,
}

impl Crowd {
    pub(super) fn of(limits: &Limits) -> Self {
        Self { most: limits.connections, most_of_one: limits.per_address, counts: Arc::default() }
    }

    /// A place for a connection from `address`, when there is room.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let who = subscriber(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.get(&who).copied().unwrap_or(0);
        if own >= self.most_of_one || counts.values().sum::<usize>() >= self.most {
            return None;
        }
        counts.insert(who, own + 1);
        Some(Place { crowd: self.clone(), who })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = counts.get_mut(&self.who) {
            *own -= 1;
            if *own == 0 {
                counts.remove(&self.who);
            }
        }
    }
}

/// Who is behind an address: an IPv6 subscriber has a network of 64 bits at least (RFC 6177), and all of it.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd() -> Crowd {
        Crowd::of(&Limits { connections: 5, per_address: 2, ..Limits::default() })
    }

    fn enter(crowd: &Crowd, address: &str) -> Option<Place> {
        crowd.enter(address.parse().unwrap())
    }

    #[test]
    fn one_address_leaves_room_for_the_others() {
        let crowd = crowd();
        let flood: Vec<_> = (0..10).filter_map(|_| enter(&crowd, "192.0.2.1")).collect();
        assert_eq!(flood.len(), 2);
        assert!(enter(&crowd, "192.0.2.2").is_some());
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let crowd = crowd();
        let places = (enter(&crowd, "192.0.2.1"), enter(&crowd, "192.0.2.1"));
        assert!(enter(&crowd, "192.0.2.1").is_none());
        drop(places);
        assert!(crowd.counts.lock().unwrap().is_empty());
        assert!(enter(&crowd, "192.0.2.1").is_some());
    }

    #[test]
    fn there_is_a_limit_in_all() {
        let crowd = crowd();
        let places: Vec<_> = (1..10).filter_map(|n| enter(&crowd, &format!("192.0.2.{n}"))).collect();
        assert_eq!(places.len(), 5);
    }

    #[test]
    fn an_ipv6_network_and_a_mapped_address_are_one_subscriber() {
        let crowd = crowd();
        let _two = (enter(&crowd, "2001:db8::1"), enter(&crowd, "2001:db8::ffff:2"));
        assert!(enter(&crowd, "2001:db8::3").is_none());
        assert!(enter(&crowd, "2001:db8:0:1::3").is_some());
        let _mapped = (enter(&crowd, "::ffff:192.0.2.1"), enter(&crowd, "192.0.2.1"));
        assert!(enter(&crowd, "192.0.2.1").is_none());
    }
}
