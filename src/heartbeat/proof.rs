//! Proof that a node answers at an address: a prober's nonce, sealed by the node's key. PURE.
//!
//! The node answers [`PROOF_PREFIX`] and a nonce with a small JSON body that repeats the nonce, its own name and the
//! host that it was asked for, and seals exactly these bytes for [`Purpose::Proof`]. An old proof fails by its nonce,
//! another node's by its name and key, another site's by its host. Never makes a nonce: its bits are handed in.
//!
//! Anybody may ask for a proof: that the node's key is at this address is no secret, and what is sealed for a proof
//! is worth nothing as a beat.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::NodeName;
use super::seal::{Purpose, Seal, SigningKey, VerifyingKey};

/// Where a node answers a nonce: this, then the nonce (RFC 8615).
pub const PROOF_PREFIX: &str = "/.well-known/hearth/";

/// The largest proof that is read, in bytes.
pub const MAX_PROOF: usize = 2 * 1024;

/// The version of the form of proofs.
const FORM: u32 = 1;

/// 128 random bits that are asked for once. Written as 22 characters of base64url (RFC 4648 section 5).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; 16]);

/// A text that is not a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a nonce has 22 characters of base64url")]
pub struct NonceError;

impl Nonce {
    /// The nonce with these bits, which must be random.
    #[must_use]
    pub const fn new(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// The path that asks for it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{PROOF_PREFIX}{self}")
    }

    /// The nonce that a request for `path` asks for. None: it is not a path of [`PROOF_PREFIX`] and one nonce.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        path.strip_prefix(PROOF_PREFIX)?.parse().ok()
    }
}

impl FromStr for Nonce {
    type Err = NonceError;
    fn from_str(text: &str) -> Result<Self, NonceError> {
        let bits = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| NonceError)?;
        bits.try_into().map(Self).map_err(|_| NonceError)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a node has proved: that it answers, and what it says it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The digest of the generation that it serves; None when there is nothing to serve.
    pub generation: Option<String>,
}

/// What a node answers: the body, and the value of [`SEAL_HEADER`](super::SEAL_HEADER).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofReply {
    /// JSON.
    pub body: Vec<u8>,
    /// Over exactly these bytes.
    pub seal: Seal,
}

/// Why an answer proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No seal, or something else in its place.
    #[error("the answer carries no seal")]
    Unsealed,
    /// Not sealed by the node's key.
    #[error("the seal is not the node's")]
    Seal,
    /// Sealed by the node, and not a proof.
    #[error("the body is not a proof of a form that is known here")]
    Malformed,
    /// A proof for another nonce, and so perhaps an old one.
    #[error("the proof is for another nonce")]
    Nonce,
    /// A proof of another node with the same key.
    #[error("the proof is of another node")]
    Node,
    /// A proof for another site.
    #[error("the proof is for another host")]
    Host,
}

/// The JSON body.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    form: u32,
    node: NodeName,
    nonce: String,
    host: String,
    generation: Option<String>,
}

/// Proves that `node` answers for `host` (the value of Host, with or without a port).
#[must_use]
pub fn answer(
    key: &SigningKey,
    node: &NodeName,
    nonce: &Nonce,
    host: &str,
    generation: Option<String>,
) -> ProofReply {
    let (node, nonce) = (node.clone(), nonce.to_string());
    let body = Body { form: FORM, node, nonce, host: bare(host), generation };
    let body = serde_json::to_vec(&body).expect("a struct of texts is JSON");
    let seal = key.seal(Purpose::Proof, &body);
    ProofReply { body, seal }
}

/// Whether `body` and `seal` prove that the holder of `key`, called `node`, answered `nonce` for `host`.
///
/// # Errors
/// When they do not.
pub fn check(
    key: &VerifyingKey,
    node: &NodeName,
    nonce: &Nonce,
    host: &str,
    body: &[u8],
    seal: Option<&str>,
) -> Result<Proof, ProofError> {
    let seal: Seal = seal.and_then(|text| text.parse().ok()).ok_or(ProofError::Unsealed)?;
    key.verify(Purpose::Proof, body, &seal).map_err(|_| ProofError::Seal)?;
    let said: Body = serde_json::from_slice(body).map_err(|_| ProofError::Malformed)?;
    if said.form != FORM {
        return Err(ProofError::Malformed);
    }
    if said.nonce.parse() != Ok(*nonce) {
        return Err(ProofError::Nonce);
    }
    if said.node != *node {
        return Err(ProofError::Node);
    }
    if said.host != bare(host) {
        return Err(ProofError::Host);
    }
    Ok(Proof { generation: said.generation })
}

/// A value of Host as names are compared: lower case, without port and final dot (RFC 9110 section 4.2.3).
fn bare(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = Nonce::new([9; 16]);

    fn key() -> SigningKey {
        SigningKey::from_seed([1; 32])
    }

    fn pi() -> NodeName {
        "pi1".parse().unwrap()
    }

    fn looked_at(reply: &ProofReply, nonce: Nonce, host: &str, node: &str) -> Result<Proof, ProofError> {
        let seal = reply.seal.to_string();
        check(&key().verifying(), &node.parse().unwrap(), &nonce, host, &reply.body, Some(&seal))
    }

    #[test]
    fn a_proof_holds_for_its_nonce_its_host_and_its_node_only() {
        let reply = answer(&key(), &pi(), &NONCE, "www.example.com", Some("g".to_owned()));
        let proof = Ok(Proof { generation: Some("g".to_owned()) });
        assert_eq!(looked_at(&reply, NONCE, "www.example.com", "pi1"), proof);
        assert_eq!(looked_at(&reply, Nonce::new([8; 16]), "www.example.com", "pi1"), Err(ProofError::Nonce));
        assert_eq!(looked_at(&reply, NONCE, "example.com", "pi1"), Err(ProofError::Host));
        assert_eq!(looked_at(&reply, NONCE, "www.example.com", "pi2"), Err(ProofError::Node));
        assert!(reply.body.len() < MAX_PROOF);
    }

    #[test]
    fn a_proof_is_sealed_by_the_node_for_a_proof() {
        let ProofReply { mut body, seal } = answer(&key(), &pi(), &NONCE, "h", None);
        let check = |key: &SigningKey, body: &[u8], seal: Option<&str>| {
            check(&key.verifying(), &pi(), &NONCE, "h", body, seal).unwrap_err()
        };
        let (good, other) = (seal.to_string(), SigningKey::from_seed([2; 32]));
        let as_beat = key().seal(Purpose::Beat, &body).to_string();
        assert_eq!(check(&other, &body, Some(&good)), ProofError::Seal);
        assert_eq!(check(&key(), &body, Some(&as_beat)), ProofError::Seal);
        assert_eq!(check(&key(), &body, None), ProofError::Unsealed);
        assert_eq!(check(&key(), &body, Some("x")), ProofError::Unsealed);
        body.push(b' ');
        assert_eq!(check(&key(), &body, Some(&good)), ProofError::Seal);
        let nonsense = key().seal(Purpose::Proof, b"{}").to_string();
        assert_eq!(check(&key(), b"{}", Some(&nonsense)), ProofError::Malformed);
    }

    #[test]
    fn hosts_are_compared_without_port_case_and_final_dot() {
        let reply = answer(&key(), &pi(), &NONCE, "WWW.Example.com.:8080", None);
        assert!(looked_at(&reply, NONCE, "www.example.com", "pi1").is_ok());
        assert_eq!(bare("[::1]"), "[::1]");
        assert_eq!(bare("[::1]:80"), "[::1]");
    }

    #[test]
    fn a_path_asks_for_exactly_one_nonce() {
        let path = NONCE.path();
        assert_eq!(path.len(), PROOF_PREFIX.len() + 22);
        assert_eq!(Nonce::of_path(&path), Some(NONCE));
        let short = &path[..path.len() - 1];
        let unclean = format!("{short}R");
        for bad in [
            short,
            &format!("{path}A"),
            &format!("{path}="),
            &format!("{path}/"),
            "/",
            PROOF_PREFIX,
            &unclean,
        ] {
            assert_eq!(Nonce::of_path(bad), None, "{bad}");
        }
    }
}
