//! One question to an echo service: from which address do you see me?
//!
//! Accepts an answer only as a whole: status 200, a short body, nothing but the address in it or after the agreed key,
//! and of the family that was asked about. Never looks through a body for something like an address, never follows a
//! redirect, never uses a proxy from the environment.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};

use crate::address::Family;
use crate::address::agreement::Miss;
use crate::host::tls::client_config;

/// To connect, TLS included.
const CONNECT: Duration = Duration::from_secs(4);

/// For the whole question.
const TOTAL: Duration = Duration::from_secs(6);

/// The longest body that is nothing but an address.
const MAX_PLAIN: usize = 64;

/// The longest body of `key=value` lines.
const MAX_KEYED: usize = 4 * 1024;

/// A client whose connections leave from `local`, and so in its family. Every question has a connection of its own: a
/// kept one would answer for the address that it was opened from.
///
/// # Panics
/// When the compiled-in TLS settings contradict each other.
#[must_use]
pub fn client(local: IpAddr) -> Client {
    Client::builder()
        .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
        .local_address(local)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .pool_max_idle_per_host(0)
        .tls_backend_preconfigured(client_config(&[]).expect("no roots but the compiled-in ones"))
        .build()
        .expect("the settings are constants")
}

/// Where a question leaves from when nothing is said: any address of the family.
#[must_use]
pub const fn any(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Asks `url` once. `key` is the key of the line with the address; None: the body is the address.
///
/// # Errors
/// How the source missed. A certificate that is not good for the name is a portal's, and so malformed.
pub async fn ask(client: &Client, family: Family, url: &str, key: Option<&str>) -> Result<IpAddr, Miss> {
    let response = client.get(url).send().await.map_err(unheard)?;
    if response.status() != StatusCode::OK {
        return Err(Miss::Malformed(format!("answered {}", response.status())));
    }
    let limit = if key.is_some() { MAX_KEYED } else { MAX_PLAIN };
    let body = body(response, limit).await?;
    let address = parse(&body, key).map_err(Miss::Malformed)?;
    if Family::of(address) == family {
        Ok(address)
    } else {
        Err(Miss::Malformed(format!("answered {address} to a question about {family}")))
    }
}

/// Asks a page that answers with more than an address: the status and the body of at most `limit` bytes.
///
/// # Errors
/// How it missed.
pub(super) async fn fetch(request: RequestBuilder, limit: usize) -> Result<(StatusCode, String), Miss> {
    let response = request.send().await.map_err(unheard)?;
    Ok((response.status(), body(response, limit).await?))
}

/// No answer came. The words are the innermost cause: the outer ones repeat the URL.
fn unheard(error: reqwest::Error) -> Miss {
    if error.is_timeout() {
        return Miss::Silent("no answer in time".to_owned());
    }
    let mut cause: &dyn std::error::Error = &error;
    let mut portal = false;
    while let Some(inner) = cause.source() {
        cause = inner;
        portal |= is_certificate(cause);
    }
    if portal { Miss::Malformed(cause.to_string()) } else { Miss::Silent(cause.to_string()) }
}

fn is_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let tls = |error: &rustls::Error| matches!(error, rustls::Error::InvalidCertificate(_));
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.downcast_ref::<rustls::Error>().is_some_and(tls)
        || wrapped.and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some_and(tls)
}

/// The body, and no more of it than `limit` bytes.
async fn body(mut response: Response, limit: usize) -> Result<String, Miss> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unheard)? {
        body.extend_from_slice(&chunk);
        if body.len() > limit {
            return Err(Miss::Malformed(format!("answered more than {limit} bytes")));
        }
    }
    String::from_utf8(body).map_err(|_| Miss::Malformed("answered something that is not text".to_owned()))
}

/// The address that `body` is, or that its one line with `key` has.
fn parse(body: &str, key: Option<&str>) -> Result<IpAddr, String> {
    let text = match key {
        None => body,
        Some(key) => value(body, key)?,
    };
    let address: IpAddr =
        text.trim_ascii().parse().map_err(|_| "answered something that is not an address")?;
    Ok(address.to_canonical())
}

fn value<'a>(body: &'a str, key: &str) -> Result<&'a str, String> {
    let mut values = body.lines().filter_map(|line| line.split_once('=')).filter(|(k, _)| *k == key);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Ok(value),
        (None, _) => Err(format!("answered without a line `{key}=`")),
        (Some(_), Some(_)) => Err(format!("answered with several lines `{key}=`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_an_address_as_a_whole_or_not_at_all() {
        let four = Ok([84, 1, 2, 3].into());
        for body in ["84.1.2.3", "84.1.2.3\n", " 84.1.2.3\r\n", "::ffff:84.1.2.3"] {
            assert_eq!(parse(body, None), four, "{body:?}");
        }
        assert_eq!(parse("2a02::1\n", None), Ok("2a02::1".parse().unwrap()));
        for body in [
            "",
            "<p>84.1.2.3</p>",
            "84.1.2.3 84.1.2.4",
            "84.1.2",
            "084.1.2.3",
            "84.1.2.3:80",
            "84.1.2.3/32",
            "1.2.3.4.5",
        ] {
            assert!(parse(body, None).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_key_is_found_exactly_and_once() {
        let trace = "fl=1\nh=www.example.com\nip=84.1.2.3\nts=1.5\nvisit_scheme=https\n";
        assert_eq!(parse(trace, Some("ip")), Ok([84, 1, 2, 3].into()));
        for body in [
            "",
            "84.1.2.3",
            "myip=84.1.2.3",
            "ip =84.1.2.3",
            "ip=84.1.2.3\nip=84.1.2.4",
            "ip=",
            "ip=84.1.2.3=1",
        ] {
            assert!(parse(body, Some("ip")).is_err(), "{body:?}");
        }
    }
}
