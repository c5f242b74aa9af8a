//! The web pages that are asked for the public address when the file names no source.
//!
//! Pages rot: the list is a default, and `[[address.source]]` replaces it. Each page answers over one family only;
//! pages of one operator are one vote.

use crate::address::SourceSettings;

/// Operator, page for IPv4, page for IPv6, key of the line in a `key=value` body.
const ECHOES: [(&str, &[&str], Option<&str>); 5] = [
    ("ipify", &["https://api.ipify.org", "https://api6.ipify.org"], None),
    ("ident.me", &["https://v4.ident.me", "https://v6.ident.me"], None),
    ("desec", &["https://checkipv4.dedyn.io", "https://checkipv6.dedyn.io"], None),
    ("cloudflare", &["https://ipv4.icanhazip.com", "https://ipv6.icanhazip.com"], None),
    // icanhazip.com is run by Cloudflare, so this page shares its vote. It answers over both families; the question
    // is sent over the one that is asked about.
    ("cloudflare", &["https://www.cloudflare.com/cdn-cgi/trace"], Some("ip")),
];

/// The interfaces, and the pages of four operators.
pub(super) fn default_sources() -> Vec<SourceSettings> {
    let pages = ECHOES.iter().flat_map(|(operator, urls, key)| {
        urls.iter().map(|url| SourceSettings::Https {
            url: (*url).to_owned(),
            operator: (*operator).to_owned(),
            key: key.map(str::to_owned),
        })
    });
    std::iter::once(SourceSettings::Interface).chain(pages).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_default_pages_have_four_operators_and_tls() {
        let operators: BTreeSet<_> = ECHOES.iter().map(|(operator, ..)| operator).collect();
        assert_eq!(operators.len(), 4);
        assert!(ECHOES.iter().flat_map(|(_, urls, _)| *urls).all(|url| url.starts_with("https://")));
        assert_eq!(default_sources().first(), Some(&SourceSettings::Interface));
    }
}
