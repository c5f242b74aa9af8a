//! What goes over the wire to ask for an address, as bytes in and values out: one file for each protocol.
//!
//! Every reader takes whatever a network can bring: it answers with an address or with what is wrong, never with half
//! of it. Never sends or receives.

pub mod dns;
pub mod igd;
pub mod nat_pmp;
pub mod pcp;
pub mod rtnetlink;
pub mod ssdp;
pub mod stun;

/// The `N` bytes at `at`; None: the message ends before.
fn bytes<const N: usize>(message: &[u8], at: usize) -> Option<[u8; N]> {
    message.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// A number of two bytes, most significant first (RFC 1700).
fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    bytes(message, at).map(u16::from_be_bytes)
}

/// A number of four bytes, most significant first.
fn u32_at(message: &[u8], at: usize) -> Option<u32> {
    bytes(message, at).map(u32::from_be_bytes)
}
