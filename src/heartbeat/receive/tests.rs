use super::*;
use crate::address::Verdict;
use crate::heartbeat::seal::SigningKey;
use crate::heartbeat::{BootId, Claim, Leaving, RecordsReport, SiteReport, SourceState};

fn key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn peers() -> BTreeMap<NodeName, VerifyingKey> {
    BTreeMap::from([("pi1".parse().unwrap(), key().verifying())])
}

fn beat() -> Beat {
    Beat {
        form: FORM,
        node: "pi1".parse().unwrap(),
        boot: BootId::new([7; 16]),
        sequence: 3,
        uptime_ms: 30_000,
        wall_ms: 1_700_000_000_000,
        version: "0.1.0".to_owned(),
        addresses: vec![claim("192.0.2.1"), claim("2001:db8::1")],
        sites: vec![SiteReport {
            hosts: vec!["www.example.com".to_owned()],
            generation: Some("ab".repeat(32)),
            source: SourceState::Ok,
        }],
        mounts: Vec::new(),
        records: RecordsReport::InForce,
        led: "all-well".to_owned(),
        leaving: None,
        testimonies: Vec::new(),
    }
}

fn claim(address: &str) -> Claim {
    Claim { address: address.parse().unwrap(), verdict: Verdict::Public }
}

/// The outcome for `body` under a seal that fits it.
fn sealed(body: &[u8]) -> Result<Beat, Refusal> {
    examine(body, Some(&key().seal(Purpose::Beat, body).to_string()), &peers())
}

fn bytes(beat: &Beat) -> Vec<u8> {
    serde_json::to_vec(beat).unwrap()
}

#[test]
fn a_sealed_beat_of_a_peer_is_let_in_as_it_was_sent() {
    assert_eq!(sealed(&bytes(&beat())), Ok(beat()));
}

#[test]
fn a_seal_must_be_there_and_fit_the_bytes_the_purpose_and_the_key() {
    let body = bytes(&beat());
    let refused = Err(Refusal::Seal("pi1".parse().unwrap()));
    let other = SigningKey::from_seed([2; 32]);
    let seals = [
        None,
        Some(String::new()),
        Some("nonsense".to_owned()),
        Some(key().seal(Purpose::Answer, &body).to_string()),
        Some(key().seal(Purpose::Beat, b"other bytes").to_string()),
        Some(other.seal(Purpose::Beat, &body).to_string()),
    ];
    for seal in seals {
        assert_eq!(examine(&body, seal.as_deref(), &peers()), refused, "{seal:?}");
    }
}

#[test]
fn each_refusal_has_its_status() {
    let with = |change: fn(&mut Beat)| {
        let mut beat = beat();
        change(&mut beat);
        sealed(&bytes(&beat)).unwrap_err().status()
    };
    assert_eq!(sealed(&vec![b' '; MAX_BODY + 1]).unwrap_err().status(), 413);
    assert_eq!(sealed(b"").unwrap_err().status(), 400);
    assert_eq!(sealed(b"{\"form\":1").unwrap_err().status(), 400);
    assert_eq!(sealed(b"{\"form\":1,\"node\":\"pi1\"}").unwrap_err().status(), 400);
    assert_eq!(with(|b| b.form = 2), 400);
    assert_eq!(with(|b| b.node = "pi9".parse().unwrap()), 403);
    assert_eq!(Refusal::from(Replayed::Sequence { sequence: 1, last: 1 }).status(), 409);
}

#[test]
fn a_later_form_is_named_although_its_fields_are_unknown() {
    assert_eq!(sealed(br#"{"form":2,"node":"pi1","shape":"new"}"#), Err(Refusal::Form(2)));
}

#[test]
fn a_field_of_a_later_version_is_passed_over() {
    let body = String::from_utf8(bytes(&beat())).unwrap();
    assert_eq!(sealed(body.replacen('{', r#"{"extra":1,"#, 1).as_bytes()), Ok(beat()));
}

#[test]
fn fields_given_twice_are_refused() {
    let body = String::from_utf8(bytes(&beat())).unwrap();
    for more in [r#"{"node":"pi2","#, r#"{"sequence":9,"#, r#"{"site":[],"#] {
        let body = body.replacen('{', more, 1);
        assert_eq!(sealed(body.as_bytes()).unwrap_err().status(), 400, "{more}");
    }
}

#[test]
fn a_beat_has_one_address_of_each_family_at_most() {
    let mut two = beat();
    two.addresses.push(claim("192.0.2.2"));
    assert_eq!(sealed(&bytes(&two)), Err(Refusal::Malformed("more than one ipv4 address".to_owned())));
    two.addresses = vec![];
    assert!(sealed(&bytes(&two)).is_ok());
}

#[test]
fn free_texts_are_single_short_lines() {
    let changes: [fn(&mut Beat); 7] = [
        |b| b.version = "1\n2".to_owned(),
        |b| b.led = "\u{1b}[31m".to_owned(),
        |b| b.led = "x".repeat(MAX_WORD + 1),
        |b| b.sites[0].generation = Some("\r".to_owned()),
        |b| b.sites[0].hosts.push("a\nb".to_owned()),
        |b| b.sites[0].hosts.push("h".repeat(MAX_HOST + 1)),
        |b| b.leaving = Some(Leaving { reason: "y".repeat(MAX_REASON + 1) }),
    ];
    for change in changes {
        let mut beat = beat();
        change(&mut beat);
        assert_eq!(sealed(&bytes(&beat)).unwrap_err().status(), 400, "{beat:?}");
    }
}

#[test]
fn a_refusal_repeats_no_control_bytes_of_a_stranger() {
    let refusal = sealed(b"{\"form\":1,\"node\":\"a\\nb\\u001b\"}").unwrap_err().to_string();
    assert!(refusal.contains("cannot name a node"), "{refusal}");
    assert!(!refusal.chars().any(char::is_control), "{refusal}");
}

#[test]
fn testimonies_are_few_short_and_never_of_oneself() {
    let failed = |failure| Testimony {
        site: "www.example.com".parse().unwrap(),
        node: Some("pi2".parse().unwrap()),
        address: "192.0.2.2".parse().unwrap(),
        ago_ms: 10,
        outcome: Outcome::Failed(failure),
    };
    let with = |testimonies: Vec<Testimony>| sealed(&bytes(&Beat { testimonies, ..beat() }));
    let good = failed(Failure::Tls("x".repeat(Testimony::LONGEST)));
    assert_eq!(with(vec![good.clone(); 2]).unwrap().testimonies.len(), 2);
    let long = failed(Failure::Tls("x".repeat(Testimony::LONGEST + 1)));
    let lines = failed(Failure::NotTheNode("a\nb".to_owned()));
    let own = Testimony { node: Some("pi1".parse().unwrap()), ..failed(Failure::Refused) };
    for (what, testimonies) in [
        ("too many", vec![failed(Failure::Refused); Testimony::MOST + 1]),
        ("too long", vec![long]),
        ("several lines", vec![lines]),
        ("of itself", vec![own]),
    ] {
        assert!(matches!(with(testimonies), Err(Refusal::Malformed(_))), "{what}");
    }
}

#[test]
fn a_beat_from_before_testimonies_is_let_in() {
    let text = String::from_utf8(bytes(&beat())).unwrap();
    assert!(!text.contains("testimonies"), "nothing is said where nothing was seen: {text}");
    assert_eq!(sealed(text.as_bytes()).unwrap().testimonies, []);
}

#[test]
fn a_million_pieces_of_garbage_are_refused_one_like_the_other() {
    const PIECES: u32 = 1 << 20;
    let good = bytes(&beat());
    let (seal, peers) = (key().seal(Purpose::Beat, &good).to_string(), peers());
    let (mut body, mut refused) = (good.clone(), 0);
    let mut dice = fastrand::Rng::with_seed(7);
    for piece in 0..PIECES {
        body.clone_from(&good);
        let at = dice.usize(0..body.len());
        match piece % 8 {
            // A seal is verified for the few that read like a beat; that takes longest.
            0 if piece % 512 == 0 => body[at] ^= 1,
            1 => body.truncate(at),
            2 => body[0] = dice.u8(..).max(b'|'),
            3 => body.clear(),
            _ => body[..8].fill(dice.u8(..)),
        }
        refused += u32::from(body == good || examine(&body, Some(&seal), &peers).is_err());
    }
    assert_eq!(refused, PIECES);
}
