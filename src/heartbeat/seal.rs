//! Seals: Ed25519 (RFC 8032) signatures over the exact bytes that are sent, with a prefix for each purpose, so that
//! bytes sealed for one purpose are worth nothing for another.
//!
//! Never makes random numbers: a seed is handed in.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// What some bytes are sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A node's beat.
    Beat,
    /// The watcher's answer to a beat.
    Answer,
    /// A node's answer to a probe's nonce.
    Proof,
}

impl Purpose {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Purpose::Beat => b"hearth beat 1\0",
            Purpose::Answer => b"hearth answer 1\0",
            Purpose::Proof => b"hearth proof 1\0",
        }
    }

    fn covered(self, bytes: &[u8]) -> Vec<u8> {
        [self.prefix(), bytes].concat()
    }
}

/// The private half of a node's or a watcher's key. Written as `hearth-key-1:` and 32 bytes in base64.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: Secret<[u8; 32]>,
}

/// The public half. Written as `ed25519:` and 32 bytes in base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifyingKey([u8; 32]);

/// A signature: 64 bytes, written in base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seal([u8; 64]);

/// Why a text is not a key or a seal. Never repeats the text: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a private key.
    #[error("this is not a private key of hearth (`hearth-key-1:…`); make one with `hearth key new`")]
    Signing,
    /// Not a public key.
    #[error("this is not a public key (`ed25519:…`); `hearth key show` prints the one of a key file")]
    Verifying,
    /// Not a signature.
    #[error("this is not a seal (64 bytes in base64)")]
    Seal,
}

/// The seal was not made by that key, for that purpose, over those bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seal does not fit")]
pub struct BadSeal;

const SIGNING_PREFIX: &str = "hearth-key-1:";
const VERIFYING_PREFIX: &str = "ed25519:";

impl SigningKey {
    /// The key that grows from `seed`, which must be 32 random bytes.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are an Ed25519 seed");
        Self { pair, seed: Secret::new(seed) }
    }

    /// The public half.
    #[must_use]
    pub fn verifying(&self) -> VerifyingKey {
        let bytes = self.pair.public_key().as_ref().try_into();
        VerifyingKey(bytes.expect("an Ed25519 public key has 32 bytes"))
    }

    /// Seals `bytes` for `purpose`.
    #[must_use]
    pub fn seal(&self, purpose: Purpose, bytes: &[u8]) -> Seal {
        let signature = self.pair.sign(&purpose.covered(bytes));
        Seal(signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes"))
    }

    /// The key as text, for the file that it is kept in.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(format!("{SIGNING_PREFIX}{}", BASE64.encode(self.seed.expose())))
    }
}

impl VerifyingKey {
    /// Whether `seal` was made by the other half of this key, for `purpose`, over exactly `bytes`.
    ///
    /// # Errors
    /// When it was not.
    pub fn verify(&self, purpose: Purpose, bytes: &[u8], seal: &Seal) -> Result<(), BadSeal> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(&purpose.covered(bytes), &seal.0)
            .map_err(|_| BadSeal)
    }
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64.decode(text.trim().as_bytes()).ok()?.try_into().ok()
}

impl FromStr for SigningKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let body = text.trim().strip_prefix(SIGNING_PREFIX).ok_or(KeyError::Signing)?;
        decode(body).map(Self::from_seed).ok_or(KeyError::Signing)
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let body = text.trim().strip_prefix(VERIFYING_PREFIX).ok_or(KeyError::Verifying)?;
        decode(body).map(Self).ok_or(KeyError::Verifying)
    }
}

impl TryFrom<String> for VerifyingKey {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<VerifyingKey> for String {
    fn from(key: VerifyingKey) -> String {
        key.to_string()
    }
}

impl FromStr for Seal {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(Self).ok_or(KeyError::Seal)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERIFYING_PREFIX}{}", BASE64.encode(&self.0))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifying())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_fits_its_bytes_its_purpose_and_its_key_only() {
        let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let seal = key.seal(Purpose::Beat, b"hello");
        let verify = |key: &SigningKey, purpose, bytes| key.verifying().verify(purpose, bytes, &seal);
        assert_eq!(verify(&key, Purpose::Beat, b"hello"), Ok(()));
        assert_eq!(verify(&key, Purpose::Beat, b"hellO"), Err(BadSeal));
        assert_eq!(verify(&key, Purpose::Answer, b"hello"), Err(BadSeal));
        assert_eq!(verify(&other, Purpose::Beat, b"hello"), Err(BadSeal));
    }

    #[test]
    fn keys_and_seals_round_trip_through_their_text() {
        let key = SigningKey::from_seed([3; 32]);
        let again: SigningKey = key.to_text().expose().parse().unwrap();
        assert_eq!(again.verifying(), key.verifying());
        assert_eq!(key.verifying().to_string().parse(), Ok(key.verifying()));
        let seal = key.seal(Purpose::Proof, b"x");
        assert_eq!(seal.to_string().parse(), Ok(seal));
    }

    #[test]
    fn a_private_key_is_not_a_public_one_and_is_never_printed() {
        let key = SigningKey::from_seed([4; 32]);
        assert_eq!(key.to_text().expose().parse::<VerifyingKey>(), Err(KeyError::Verifying));
        assert_eq!("ed25519:AAAA".parse::<SigningKey>().map(|_| ()), Err(KeyError::Signing));
        let secret = BASE64.encode(&[4; 32]);
        assert!(!format!("{key:?} {:?}", key.to_text()).contains(&secret));
    }
}
