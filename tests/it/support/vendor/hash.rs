//! The signatures of clouds, taken apart and recomputed from the request that came: written from the documentation of
//! each, and not with the code that signs.

use ring::{digest, hmac};

pub(crate) fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) fn sha(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The value of `name=…` in an `Authorization` header, up to the next comma.
pub(crate) fn part<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("{name}="))?;
    Some(rest.split(',').next().unwrap_or(rest).trim())
}
