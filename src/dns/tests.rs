use super::*;

#[test]
fn a_name_is_lower_case_and_loses_its_final_dot() {
    let name: Name = "WWW.Example.COM.".parse().unwrap();
    assert_eq!(name.as_str(), "www.example.com");
    assert_eq!(name, name.to_string().parse().unwrap());
}

#[test]
fn a_bad_name_says_what_is_wrong() {
    let error = |text: &str| text.parse::<Name>().unwrap_err();
    assert_eq!(error("."), NameError::Empty);
    assert_eq!(error("a..b"), NameError::Label(String::new()));
    assert_eq!(error("münchen.de"), NameError::Character('ü'));
    assert_eq!(error("a b"), NameError::Character(' '));
    assert!(matches!(error(&"a.".repeat(150)), NameError::TooLong(_)));
    assert!(matches!(error(&"a".repeat(64)), NameError::Label(_)));
}

#[test]
fn a_name_is_in_its_zone_by_whole_labels_only() {
    let zone: Name = "example.com".parse().unwrap();
    assert!(zone.is_in(&zone));
    assert!("www.example.com".parse::<Name>().unwrap().is_in(&zone));
    assert!(!"badexample.com".parse::<Name>().unwrap().is_in(&zone));
}

#[test]
fn record_data_round_trips_through_its_text() {
    for text in ["A 192.0.2.1", "AAAA 2001:db8::1", "CNAME user.github.io"] {
        assert_eq!(text.parse::<Rdata>().unwrap().to_string(), text);
    }
    for text in ["A 2001:db8::1", "192.0.2.1", "MX 10 mail", "A"] {
        assert!(text.parse::<Rdata>().is_err(), "{text}");
    }
}

#[test]
fn an_rrset_cannot_be_empty_mixed_or_hold_two_aliases() {
    let parse = |texts: &[&str]| RdataSet::new(texts.iter().map(|t| t.parse::<Rdata>().unwrap()));
    assert_eq!(parse(&[]), Err(RdataSetError::Empty));
    assert_eq!(
        parse(&["A 192.0.2.1", "AAAA 2001:db8::1"]),
        Err(RdataSetError::Mixed(RecordType::A, RecordType::Aaaa))
    );
    assert_eq!(parse(&["CNAME a.example", "CNAME b.example"]), Err(RdataSetError::SeveralCnames));
    assert_eq!(parse(&["A 192.0.2.2", "A 192.0.2.1"]).unwrap().to_string(), "A 192.0.2.1 192.0.2.2");
    assert!(serde_json::from_str::<RdataSet>("[]").is_err());
}
