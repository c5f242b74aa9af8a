//! How HTTPS is spoken: TLS 1.2 and 1.3 by rustls with ring, HTTP/2 where the client knows it, sessions that resume.
//!
//! Never speaks anything older, never without forward secrecy (rustls has no such suites), and never takes early data,
//! which could be replayed.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::ServerSessionMemoryCache;

use super::shelf::{ACME_TLS, AtDoor, Shelf};

/// Sessions of clients that know no tickets: TLS 1.2 of old.
const SESSIONS: usize = 1024;

/// What the connections of one door are opened with; `sites` are the numbers of those that are answered there, and the
/// first is shown to who asks for none. `protocols` in the order of preference (RFC 7301).
///
/// # Errors
/// When the kernel gives no random numbers for the keys of tickets.
pub fn config(
    shelf: Arc<Shelf>,
    sites: Vec<usize>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let strength = AesInstructions::of_this_cpu();
    let builder = ServerConfig::builder_with_provider(Arc::new(provider(strength)))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(AtDoor { shelf, sites }));
    config.alpn_protocols = protocols.iter().chain([&ACME_TLS]).map(|name| name.to_vec()).collect();
    // Clients that have the instructions put AES first; without them we are the slower side, and choose.
    config.ignore_client_order = strength == AesInstructions::Missing;
    // Keys of tickets are of this process alone and change every six hours; each is good for twelve.
    config.ticketer = Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    Ok(Arc::new(config))
}

/// Whether a CPU has instructions for AES. Those of the Raspberry Pi 3 and 4 have not: there ChaCha20 is four times as
/// fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AesInstructions {
    There,
    Missing,
}

impl AesInstructions {
    fn of_this_cpu() -> Self {
        #[cfg(target_arch = "x86_64")]
        let there = std::arch::is_x86_feature_detected!("aes");
        #[cfg(target_arch = "aarch64")]
        let there = std::arch::is_aarch64_feature_detected!("aes");
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let there = false;
        if there { Self::There } else { Self::Missing }
    }
}

/// The suites of ring; without instructions for AES, those of ChaCha20 first.
fn provider(aes: AesInstructions) -> CryptoProvider {
    let mut provider = default_provider();
    if aes == AesInstructions::Missing {
        provider.cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("CHACHA20"));
    }
    provider
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(aes: AesInstructions) -> Vec<String> {
        provider(aes).cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect()
    }

    #[test]
    fn chacha20_comes_first_where_the_cpu_has_no_instructions_for_aes() {
        let (with, without) = (suites(AesInstructions::There), suites(AesInstructions::Missing));
        assert!(with[0].contains("AES"), "{with:?}");
        let of_chacha = without.iter().filter(|suite| suite.contains("CHACHA20")).count();
        assert!(
            of_chacha >= 3 && without[..of_chacha].iter().all(|suite| suite.contains("CHACHA20")),
            "{without:?}"
        );
        assert_eq!(with.len(), without.len());
        let place = |name: &str| without.iter().position(|suite| suite.contains(name));
        assert!(
            place("TLS13_CHACHA20") < place("ECDHE_ECDSA_WITH_CHACHA20"),
            "newer before older: {without:?}"
        );
    }
}
