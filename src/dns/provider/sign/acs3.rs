//! ACS3-HMAC-SHA256, the signature of Alibaba Cloud's APIs, version 3
//! (<https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature>).
//!
//! Never sends anything; the caller sends exactly the headers that were signed.

use super::{AccessKey, date, hex, hmac_sha256, sha256_hex};

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// What is signed: a POST to `/` with everything in the query and an empty body (the RPC style).
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The value of the `Host` header: with the port, where it is sent.
    pub host: &'a str,
    /// The API, such as `DescribeDomainRecords`.
    pub action: &'a str,
    /// The version of the API, such as `2015-01-09`.
    pub version: &'a str,
    /// The query as [`query`] writes it.
    pub query: &'a str,
    /// Seconds since 1970. More than fifteen minutes off is refused.
    pub timestamp: u64,
    /// A number that is used once.
    pub nonce: &'a str,
}

/// The headers to send beside `Host`, `Authorization` the last.
#[must_use]
pub fn headers(key: &AccessKey, request: &Request<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("x-acs-action", request.action.to_owned()),
        ("x-acs-content-sha256", sha256_hex(b"")),
        ("x-acs-date", date::second(request.timestamp)),
        ("x-acs-signature-nonce", request.nonce.to_owned()),
        ("x-acs-version", request.version.to_owned()),
    ];
    let authorization = authorization(key, request, &headers);
    headers.push(("authorization", authorization));
    headers
}

/// `headers` are sorted by name and come after `host`, which sorts before all of them.
fn authorization(key: &AccessKey, request: &Request<'_>, headers: &[(&'static str, String)]) -> String {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let names: String = headers.iter().map(|(name, _)| format!(";{name}")).collect();
    let canonical = format!(
        "POST\n/\n{}\nhost:{}\n{lines}\nhost{names}\n{}",
        request.query,
        request.host,
        sha256_hex(b"")
    );
    let text = format!("{ALGORITHM}\n{}", sha256_hex(canonical.as_bytes()));
    let signature = hex(&hmac_sha256(key.secret.expose().as_bytes(), text.as_bytes()));
    format!("{ALGORITHM} Credential={},SignedHeaders=host{names},Signature={signature}", key.id)
}

/// The query, sorted by name and percent-encoded, as it is signed and sent.
#[must_use]
pub fn query(parameters: &[(&str, &str)]) -> String {
    let mut parameters = parameters.to_vec();
    parameters.sort_unstable();
    let pairs = parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Everything but the unreserved characters of RFC 3986 section 2.3 as `%XX`: a blank is `%20`, never `+`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn the_signature_is_the_published_one() {
        let key = AccessKey {
            id: "YourAccessKeyId".to_owned(),
            secret: Secret::new("YourAccessKeySecret".to_owned()),
        };
        let query = query(&[
            ("RegionId", "cn-shanghai"),
            ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
        ]);
        let request = Request {
            host: "ecs.cn-shanghai.aliyuncs.com",
            action: "RunInstances",
            version: "2014-05-26",
            query: &query,
            timestamp: 1_698_315_752,
            nonce: "3156853299f313e23d1673dc12e1703d",
        };
        let headers = headers(&key, &request);
        assert_eq!(
            headers.last().map(|(_, value)| value.as_str()),
            Some(
                "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;\
                 x-acs-date;x-acs-signature-nonce;x-acs-version,\
                 Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
            )
        );
    }

    #[test]
    fn a_query_is_sorted_and_encoded_byte_by_byte() {
        let query = query(&[("RR", "@"), ("Line", "默认"), ("A", "a b*~/")]);
        assert_eq!(query, "A=a%20b%2A~%2F&Line=%E9%BB%98%E8%AE%A4&RR=%40");
    }
}
