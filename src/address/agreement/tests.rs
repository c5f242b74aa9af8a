use proptest::prelude::*;

use super::*;

const EVERY: Duration = Duration::from_secs(300);
const HOME: &str = "84.1.2.3";
const MOVED: &str = "84.9.9.9";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(round: u64) -> Moment {
    Moment::from_millis(1_000) + EVERY * u32::try_from(round).unwrap()
}

fn class(name: &str) -> Class {
    match name {
        "interface" => Class::Interface,
        "router" => Class::Router,
        "dns" => Class::Dns,
        "stun" => Class::Stun,
        operator => Class::Https(operator.to_owned()),
    }
}

/// What each class says; `html` and `-` are a portal's page and silence.
fn round(n: u64, said: &[(&str, &str)]) -> Vec<Observation> {
    let said = said.iter().map(|(name, text)| Observation {
        class: class(name),
        asked: (*name).to_owned(),
        family: Family::Ipv4,
        at: at(n),
        took: Duration::ZERO,
        said: match *text {
            "html" => Err(Miss::Malformed("answered 200 with a page".to_owned())),
            "-" => Err(Miss::Silent("timed out".to_owned())),
            address => Ok(ip(address)),
        },
    });
    said.collect()
}

fn fresh() -> Agreement {
    Agreement::new(Family::Ipv4, Vec::new(), EVERY)
}

fn home() -> Agreement {
    let mut agreement = fresh();
    agreement.stand_on(ip(HOME));
    agreement
}

#[test]
fn one_round_is_judged_by_who_says_what() {
    use Outcome::{Changed, Confirmed, Kept};
    use Verdict::{Captive, NatPublic, ProxyEgress, Unknown};
    type Row = (&'static str, &'static [(&'static str, &'static str)], Outcome, &'static str, Verdict);
    let rows: [Row; 17] = [
        ("one class confirms", &[("a", HOME)], Confirmed, HOME, NatPublic),
        (
            "one confirms while others are silent",
            &[("a", HOME), ("b", "-"), ("c", "html")],
            Confirmed,
            HOME,
            NatPublic,
        ),
        ("one class alone changes nothing", &[("a", MOVED)], Kept, HOME, Unknown),
        ("two classes change", &[("a", MOVED), ("b", MOVED)], Changed, MOVED, NatPublic),
        ("two hosts of one operator are one class", &[("a", MOVED), ("a", MOVED)], Kept, HOME, Unknown),
        ("the interface is a class", &[("interface", MOVED), ("b", MOVED)], Changed, MOVED, NatPublic),
        (
            "a voice for what stands holds back two others",
            &[("a", MOVED), ("b", MOVED), ("c", HOME)],
            Kept,
            HOME,
            ProxyEgress,
        ),
        ("split egress", &[("a", "84.5.5.5"), ("b", "84.6.6.6")], Kept, HOME, ProxyEgress),
        (
            "a VPN beside a global interface",
            &[("interface", MOVED), ("a", "84.6.6.6"), ("b", "84.6.6.6")],
            Kept,
            HOME,
            ProxyEgress,
        ),
        ("an operator that contradicts itself", &[("a", MOVED), ("a", HOME)], Confirmed, HOME, NatPublic),
        ("a portal", &[("a", "html"), ("b", "html"), ("c", "-")], Kept, HOME, Captive),
        ("one rotten source and an outage", &[("a", "html"), ("b", "-"), ("c", "-")], Kept, HOME, Unknown),
        ("an outage", &[("a", "-"), ("b", "-")], Kept, HOME, Unknown),
        ("nothing at all", &[], Kept, HOME, Unknown),
        ("a CDN's address, from two", &[("a", "104.18.0.0"), ("b", "104.28.3.4")], Kept, HOME, ProxyEgress),
        ("a private address, from two", &[("a", "10.0.0.1"), ("b", "10.0.0.1")], Kept, HOME, Unknown),
        (
            "a CDN's address does not disagree",
            &[("a", "104.18.0.0"), ("b", HOME)],
            Confirmed,
            HOME,
            NatPublic,
        ),
    ];
    for (what, said, outcome, agreed, verdict) in rows {
        let judged = home().judge(&round(0, said), &[], at(0));
        assert_eq!(
            (judged.outcome, judged.agreed, judged.verdict),
            (outcome, Some(ip(agreed)), verdict),
            "{what}: {}",
            judged.why
        );
    }
}

#[test]
fn the_router_and_the_classes_of_udp_are_voices_of_their_own() {
    use Outcome::{Changed, Confirmed, Kept};
    use Verdict::{Captive, Cgnat, NatPublic, ProxyEgress, Unknown};
    type Row =
        (&'static str, &'static [(&'static str, &'static str)], Outcome, &'static str, Verdict, &'static str);
    let rows: [Row; 15] = [
        (
            "the router and an echo",
            &[("router", MOVED), ("a", MOVED)],
            Changed,
            MOVED,
            NatPublic,
            "agreed on",
        ),
        ("DNS and STUN", &[("dns", MOVED), ("stun", MOVED)], Changed, MOVED, NatPublic, "agreed on"),
        (
            "many name servers are one class",
            &[("dns", MOVED), ("dns", MOVED)],
            Kept,
            HOME,
            Unknown,
            "is kept",
        ),
        ("the router alone", &[("router", MOVED)], Kept, HOME, Unknown, "is kept"),
        ("the router confirms alone", &[("router", HOME)], Confirmed, HOME, NatPublic, "is confirmed"),
        (
            "carrier-grade NAT",
            &[("router", "100.64.3.4"), ("a", HOME), ("b", HOME)],
            Confirmed,
            HOME,
            Cgnat,
            "100.64.3.4 is shared by the carrier (CGNAT)",
        ),
        (
            "double NAT",
            &[("router", "192.168.1.2"), ("a", MOVED), ("stun", MOVED)],
            Changed,
            MOVED,
            Cgnat,
            "192.168.1.2 is behind another router (double NAT)",
        ),
        (
            "a router that was given no public address",
            &[("router", "0.0.0.0"), ("a", HOME)],
            Confirmed,
            HOME,
            Cgnat,
            "holds no public address of its own",
        ),
        ("a line that is down", &[("router", "0.0.0.0"), ("a", "-")], Kept, HOME, Unknown, "is kept"),
        ("double NAT and nobody else", &[("router", "192.168.1.2")], Kept, HOME, Cgnat, "double NAT"),
        (
            "a carrier with borrowed addresses",
            &[("router", "11.1.2.3"), ("a", HOME), ("b", HOME)],
            Kept,
            HOME,
            Cgnat,
            "holds another address than the one that is seen",
        ),
        (
            "a proxy in the way of the web alone",
            &[("router", HOME), ("dns", HOME), ("stun", HOME), ("a", MOVED), ("b", MOVED)],
            Kept,
            HOME,
            ProxyEgress,
            "a says 84.9.9.9",
        ),
        (
            "one echo against the router decides nothing about the carrier",
            &[("router", HOME), ("a", MOVED)],
            Kept,
            HOME,
            ProxyEgress,
            "is kept",
        ),
        (
            "a portal behind a router that knows its address",
            &[("router", MOVED), ("a", "html"), ("b", "html"), ("dns", "-"), ("stun", "-")],
            Kept,
            HOME,
            Captive,
            "answered 200",
        ),
        (
            "broken UPnP is no portal",
            &[("router", "html"), ("a", "-"), ("b", "-")],
            Kept,
            HOME,
            Unknown,
            "is kept",
        ),
    ];
    for (what, said, outcome, agreed, verdict, says) in rows {
        let judged = home().judge(&round(0, said), &[ip("192.168.1.7")], at(0));
        assert_eq!(
            (judged.outcome, judged.agreed, judged.verdict),
            (outcome, Some(ip(agreed)), verdict),
            "{what}: {}",
            judged.why
        );
        assert!(judged.why.contains(says), "{what}: {}", judged.why);
    }
}

#[test]
fn the_first_address_needs_two_classes() {
    let mut agreement = fresh();
    let judged = agreement.judge(&round(0, &[("a", HOME)]), &[], at(0));
    assert_eq!((judged.agreed, judged.outcome), (None, Outcome::Kept));
    let judged = agreement.judge(&round(1, &[("a", HOME), ("b", HOME)]), &[], at(1));
    assert_eq!((judged.agreed, judged.outcome), (Some(ip(HOME)), Outcome::Changed));
}

#[test]
fn two_classes_may_agree_over_two_rounds_and_not_over_four() {
    for (gap, agreed) in [(1, Some(ip(HOME))), (2, Some(ip(HOME))), (3, None)] {
        let mut agreement = fresh();
        agreement.judge(&round(0, &[("a", HOME)]), &[], at(0));
        let judged = agreement.judge(&round(gap, &[("a", "-"), ("b", HOME)]), &[], at(gap));
        assert_eq!(judged.agreed, agreed, "{gap} rounds apart");
    }
}

#[test]
fn what_a_silent_source_said_before_the_change_does_not_hold_the_change_back() {
    let mut agreement = home();
    agreement.judge(&round(0, &[("a", HOME), ("b", HOME), ("c", HOME)]), &[], at(0));
    let judged = agreement.judge(&round(1, &[("a", MOVED), ("b", MOVED), ("c", "-")]), &[], at(1));
    assert_eq!((judged.outcome, judged.agreed), (Outcome::Changed, Some(ip(MOVED))), "{}", judged.why);
}

#[test]
fn a_stale_echo_of_the_old_address_does_not_confirm_against_newer_voices() {
    let mut agreement = home();
    agreement.judge(&round(0, &[("a", HOME)]), &[], at(0));
    let judged = agreement.judge(&round(1, &[("b", MOVED)]), &[], at(1));
    assert_eq!(judged.outcome, Outcome::Kept);
}

#[test]
fn an_answer_of_the_other_family_is_no_answer() {
    let said = round(0, &[("a", "2a02::1"), ("b", "2a02::1")]);
    let judged = home().judge(&said, &[], at(0));
    assert_eq!((judged.agreed, judged.verdict), (Some(ip(HOME)), Verdict::Captive));
    let mut six = Agreement::new(Family::Ipv6, Vec::new(), EVERY);
    assert_eq!(six.judge(&said, &[], at(0)).agreed, None, "nor was this family asked about");
}

#[test]
fn who_holds_the_address_decides_between_public_and_nat() {
    for (held, verdict) in [
        (vec![ip(HOME)], Verdict::Public),
        (vec![ip("192.168.1.7")], Verdict::NatPublic),
        (vec![ip("100.70.0.9")], Verdict::Cgnat),
        (vec![], Verdict::NatPublic),
    ] {
        let judged = home().judge(&round(0, &[("a", HOME)]), &held, at(0));
        assert_eq!(judged.verdict, verdict, "{held:?}");
    }
}

#[test]
fn the_evidence_names_everybody_who_said_something() {
    let said = [("a", HOME), ("b", MOVED), ("c", "104.18.0.0"), ("d", "-")];
    let why = home().judge(&round(0, &said), &[], at(0)).why;
    for part in [
        "84.1.2.3 is kept",
        "a says 84.1.2.3",
        "b says 84.9.9.9",
        "c says 104.18.0.0",
        "Cloudflare",
        "d: timed out",
    ] {
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn what_is_taken_over_after_a_restart_must_be_publishable() {
    for bad in ["10.0.0.1", "104.18.0.0", "2a02::1"] {
        let mut agreement = fresh();
        agreement.stand_on(ip(bad));
        assert_eq!(agreement.judge(&[], &[], at(0)).agreed, None, "{bad}");
    }
}

const SAYINGS: [&str; 8] = [HOME, MOVED, "84.5.5.5", "10.0.0.1", "104.18.0.0", "2a02::1", "html", "-"];

proptest! {
    #[test]
    fn whatever_is_said_nothing_inadmissible_is_agreed_on_nothing_is_cleared_and_no_class_changes_it_alone(
        rounds in proptest::collection::vec(proptest::collection::vec((0..4_usize, 0..SAYINGS.len()), 0..6), 1..30)
    ) {
        let (mut agreement, mut before) = (fresh(), None);
        let mut said_by: BTreeMap<IpAddr, BTreeSet<usize>> = BTreeMap::new();
        for (n, said) in (0..).zip(rounds) {
            let names = ["a", "router", "stun", "interface"];
            let words: Vec<_> = said.iter().map(|(class, word)| (names[*class], SAYINGS[*word])).collect();
            for (class, word) in &said {
                if let Ok(address) = SAYINGS[*word].parse() {
                    said_by.entry(address).or_default().insert(*class);
                }
            }
            let judged = agreement.judge(&round(n, &words), &[], at(n));
            prop_assert!(before.is_none() || judged.agreed.is_some(), "cleared");
            if let Some(agreed) = judged.agreed {
                prop_assert!(admissible(agreed, &[]).is_ok());
                prop_assert!(said_by[&agreed].len() >= 2, "one class alone");
            }
            prop_assert_eq!(judged.outcome == Outcome::Changed, judged.agreed != before);
            before = judged.agreed;
        }
    }
}

#[test]
fn what_was_said_a_round_ago_confirms_nothing() {
    let mut agreement = home();
    agreement.judge(&round(0, &[("a", HOME), ("interface", HOME)]), &[ip(HOME)], at(0));
    let judged = agreement.judge(&round(1, &[("a", "-")]), &[], at(1));
    let told = (judged.agreed, judged.outcome, judged.verdict);
    assert_eq!(told, (Some(ip(HOME)), Outcome::Kept, Verdict::Unknown), "{}", judged.why);
}

#[test]
fn an_address_that_left_the_interface_is_not_held_by_it_any_more() {
    let mut agreement = home();
    agreement.judge(&round(0, &[("interface", MOVED)]), &[ip(MOVED)], at(0));
    let judged = agreement.judge(&round(1, &[("a", MOVED)]), &[], at(1));
    assert_eq!(judged.agreed, Some(ip(HOME)), "{}", judged.why);
}

#[test]
fn a_portal_that_comes_up_is_seen_in_its_first_round() {
    let mut agreement = home();
    agreement.judge(&round(0, &[("a", HOME), ("b", HOME)]), &[], at(0));
    let judged = agreement.judge(&round(1, &[("a", "html"), ("b", "-")]), &[], at(1));
    assert_eq!(judged.verdict, Verdict::Captive, "{}", judged.why);
}

#[test]
fn who_named_the_address_is_known_though_nobody_is_heard_any_more() {
    let mut agreement = fresh();
    let mut named_by = |n, said: &[(&str, &str)]| {
        let judged = agreement.judge(&round(n, said), &[], at(n));
        judged.named_by.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(named_by(0, &[("a", HOME)]), Vec::<String>::new(), "nothing was agreed on");
    assert_eq!(named_by(1, &[("a", "-"), ("b", HOME)]), ["a", "b"], "a word of the round before counts");
    assert_eq!(named_by(9, &[("a", "html"), ("b", "-")]), ["a", "b"], "nobody was heard");
    assert_eq!(named_by(10, &[("c", HOME)]), ["a", "b"], "one alone would not have been enough");
    assert_eq!(named_by(11, &[("c", HOME), ("stun", HOME)]), ["c", "STUN"]);
    assert_eq!(named_by(20, &[("a", MOVED), ("b", MOVED), ("c", HOME)]), ["c", "STUN"], "not changed yet");
    assert_eq!(named_by(21, &[("a", MOVED), ("b", MOVED), ("c", "-")]), ["a", "b"], "another address");
}
