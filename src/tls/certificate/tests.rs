//! Certificates made for these tests, good ones and bad ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 60 * 60;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn params(names: &[&str], from: u64, until: u64) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    let at = |seconds| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    (params.not_before, params.not_after) = (at(from), at(until));
    params
}

fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(&[], NOW - DAY, NOW + 100 * DAY);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A chain of two, and the key.
fn made(names: &[&str], from: u64, until: u64) -> ([String; 2], String) {
    let issuer = issuer("one");
    let key = KeyPair::generate().unwrap();
    let leaf = params(names, from, until).signed_by(&key, &issuer).unwrap();
    ([leaf.pem(), issuer.pem()], key.serialize_pem())
}

fn read(chain: &str, key: &str) -> Result<Certificate, CertificateError> {
    Certificate::read(chain.as_bytes(), key.as_bytes())
}

fn hosts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_good_certificate_is_good_for_its_names_while_it_lasts() {
    let (chain, key) = made(&["www.example.com", "*.example.net"], NOW - DAY, NOW + DAY);
    let certificate = read(&chain.concat(), &key).unwrap();
    assert_eq!(certificate.check(&hosts(&["WWW.example.com", "a.example.net"]), now()), Ok(()));
    assert_eq!(certificate.validity().left(now()), Duration::from_secs(DAY));
    let ended = certificate.check(&[], now() + Duration::from_secs(2 * DAY)).unwrap_err();
    assert!(ended.to_string().contains("ended on 2027-01-16"), "{ended}");
    let early = certificate.check(&[], UNIX_EPOCH).unwrap_err();
    assert!(matches!(early, CertificateError::NotYet(_)), "{early}");
}

#[test]
fn a_star_stands_for_one_label_and_no_more() {
    let (chain, key) = made(&["*.example.com"], NOW, NOW + DAY);
    let certificate = read(&chain.concat(), &key).unwrap();
    for (host, covered) in [
        ("www.example.com", true),
        ("example.com", false),
        ("a.b.example.com", false),
        (".example.com", false),
        ("www.example.org", false),
        ("wwwexample.com", false),
    ] {
        assert_eq!(certificate.covers(host), covered, "{host}");
    }
    let wrong = certificate.check(&hosts(&["example.com"]), now()).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "it is not for example.com, but for *.example.com; get one that names every host of the site"
    );
}

#[test]
fn a_key_of_another_certificate_is_told_from_a_chain_that_begins_with_the_issuer() {
    let ((chain, key), (_, other)) = (made(&["a.example"], NOW, NOW + DAY), made(&["b.example"], NOW, NOW));
    assert_eq!(read(&chain.concat(), &other).unwrap_err(), CertificateError::KeyOfAnother { of: None });
    let turned = [chain[1].as_str(), chain[0].as_str()].concat();
    assert_eq!(read(&turned, &key).unwrap_err(), CertificateError::KeyOfAnother { of: Some(2) });
}

#[test]
fn a_stranger_in_the_chain_is_found() {
    let (chain, key) = made(&["a.example"], NOW, NOW + DAY);
    let stranger = issuer("another").pem();
    let broken = [chain[0].as_str(), &stranger, &chain[1]].concat();
    assert_eq!(read(&broken, &key).unwrap_err(), CertificateError::Order { number: 2 });
}

#[test]
fn what_is_no_certificate_or_no_key_is_said_to_be_none() {
    let (chain, key) = made(&["a.example"], NOW, NOW + DAY);
    assert_eq!(read("nothing", &key).unwrap_err(), CertificateError::Missing);
    assert!(matches!(read(&chain[0], "nothing").unwrap_err(), CertificateError::Key(_)));
    let cut = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", "AAAA");
    assert!(matches!(read(&cut, &key).unwrap_err(), CertificateError::Unreadable { number: 1, .. }));
}

#[test]
fn no_key_is_ever_printed() {
    let (chain, key) = made(&["a.example"], NOW, NOW + DAY);
    let certificate = read(&chain.concat(), &key).unwrap();
    assert_eq!(format!("{certificate:?}"), "Certificate(a.example until 2027-01-16 08:00 UTC)");
}
