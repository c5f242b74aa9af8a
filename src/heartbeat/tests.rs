use super::*;

#[test]
fn a_node_is_named_by_one_lower_case_label() {
    for good in ["pi1", "a", "my-pi-2"] {
        assert_eq!(good.parse::<NodeName>().unwrap().to_string(), good);
    }
    for bad in ["", "Pi1", "-pi", "pi-", "pi.1", "pi 1", &"a".repeat(64)] {
        assert!(bad.parse::<NodeName>().is_err(), "{bad:?}");
    }
}

fn report(hosts: &[&str], generation: &str) -> SiteReport {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    SiteReport { hosts, generation: Some(generation.to_owned()), source: SourceState::Slow }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Sites {
    #[serde(alias = "site", deserialize_with = "one_or_several")]
    sites: Vec<SiteReport>,
}

#[test]
fn a_report_of_one_site_is_read_like_a_list_of_one() {
    for (text, reports) in [
        (r#"{"site":{"generation":"g","source":"slow"}}"#, vec![report(&[], "g")]),
        (r#"{"sites":[]}"#, vec![]),
        (
            r#"{"sites":[{"hosts":["a"],"generation":"g","source":"slow","mood":1},{"hosts":["b"],"generation":"h","source":"slow"}]}"#,
            vec![report(&["a"], "g"), report(&["b"], "h")],
        ),
    ] {
        assert_eq!(serde_json::from_str::<Sites>(text).unwrap(), Sites { sites: reports }, "{text}");
    }
    assert!(serde_json::from_str::<Sites>(r#"{"sites":7}"#).is_err());
}

#[test]
fn a_report_takes_no_more_of_a_beat_than_it_says() {
    for report in [report(&["www.example.com", "a"], &"ab".repeat(32)), report(&[], "")] {
        assert!(serde_json::to_vec(&report).unwrap().len() < report.size(), "{report:?}");
    }
}

#[test]
fn a_boot_id_round_trips_as_hex() {
    let id = BootId::new([7; 16]);
    assert_eq!(BootId::try_from(id.to_string()), Ok(id));
    assert_eq!(BootId::try_from("zz".to_owned()), Err(BootIdError));
}
