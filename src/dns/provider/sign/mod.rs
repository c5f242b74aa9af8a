//! Signatures of provider APIs: an access key, and what is written into the `Authorization` header with it.
//!
//! Never reads a clock and never draws a nonce: both are arguments, so that a signature can be compared with a published
//! one. Never sends anything.

pub mod acs3;
pub mod date;
pub mod tc3;

use ring::{digest, hmac};

use crate::secret::Secret;

/// An access key of a cloud account: a public id and a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// The id, which is sent along.
    pub id: String,
    /// The secret, which only signs.
    pub secret: Secret<String>,
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn sha256_hex(message: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, message).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
