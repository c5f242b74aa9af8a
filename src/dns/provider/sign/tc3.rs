//! TC3-HMAC-SHA256, the signature of Tencent Cloud's API 3.0 (<https://cloud.tencent.com/document/api/1427/56189>).
//!
//! Never sends anything; the caller sends exactly the body, the host and the action that were signed.

use super::{AccessKey, date, hex, hmac_sha256, sha256_hex};

/// The media type that is signed, and has to be sent as it is.
pub const CONTENT_TYPE: &str = "application/json; charset=utf-8";

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const SIGNED_HEADERS: &str = "content-type;host;x-tc-action";

/// What is signed: a POST to `/` without a query.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The value of the `Host` header: with the port, where it is sent.
    pub host: &'a str,
    /// The product, such as `dnspod`.
    pub service: &'a str,
    /// The value of `X-TC-Action`.
    pub action: &'a str,
    /// The bytes of the body.
    pub body: &'a [u8],
    /// The value of `X-TC-Timestamp`: seconds since 1970. More than five minutes off is refused.
    pub timestamp: u64,
}

/// The value of the `Authorization` header.
#[must_use]
pub fn authorization(key: &AccessKey, request: &Request<'_>) -> String {
    let day = date::day(request.timestamp);
    let of_day = hmac_sha256(format!("TC3{}", key.secret.expose()).as_bytes(), day.as_bytes());
    let scope = format!("{day}/{}/tc3_request", request.service);
    let signature = signature(&of_day, request, &scope);
    format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}",
        key.id
    )
}

/// The signature with the key of the day, from which the keys of the service and of the request are derived.
fn signature(of_day: &[u8], request: &Request<'_>, scope: &str) -> String {
    let of_service = hmac_sha256(of_day, request.service.as_bytes());
    let signing = hmac_sha256(&of_service, b"tc3_request");
    let canonical = sha256_hex(canonical(request).as_bytes());
    let text = format!("{ALGORITHM}\n{}\n{scope}\n{canonical}", request.timestamp);
    hex(&hmac_sha256(&signing, text.as_bytes()))
}

/// Header values are signed in lower case, which matters for the action.
fn canonical(request: &Request<'_>) -> String {
    format!(
        "POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{}\nx-tc-action:{}\n\n{SIGNED_HEADERS}\n{}",
        request.host.to_lowercase(),
        request.action.to_lowercase(),
        sha256_hex(request.body)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// The request that the documentation of the signature works through.
    fn published() -> Request<'static> {
        Request {
            host: "cvm.tencentcloudapi.com",
            service: "cvm",
            action: "DescribeInstances",
            body:
                br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#,
            timestamp: 1_551_113_065,
        }
    }

    #[test]
    fn the_canonical_request_is_the_published_one() {
        let request = published();
        assert_eq!(
            sha256_hex(request.body),
            "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064"
        );
        assert_eq!(
            sha256_hex(canonical(&request).as_bytes()),
            "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84"
        );
    }

    /// The secret of the published example is masked, but the key of its day is printed.
    #[test]
    fn the_signature_is_the_published_one() {
        let of_day = data_encoding::HEXLOWER
            .decode(b"da98fb70dcf6b112dc21038d1eeeb3a95c74b4dcb12c1131f864f6066bd02be0")
            .unwrap();
        assert_eq!(
            signature(&of_day, &published(), "2019-02-25/cvm/tc3_request"),
            "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
        );
    }

    #[test]
    fn the_header_names_the_key_and_never_its_secret() {
        let key = AccessKey { id: "AKID".to_owned(), secret: Secret::new("hunter2".to_owned()) };
        let header = authorization(&key, &published());
        let head = "TC3-HMAC-SHA256 Credential=AKID/2019-02-25/cvm/tc3_request, \
                    SignedHeaders=content-type;host;x-tc-action, Signature=";
        assert_eq!(header.strip_prefix(head).map(str::len), Some(64), "{header}");
        assert!(!header.contains("hunter2"));
    }
}
