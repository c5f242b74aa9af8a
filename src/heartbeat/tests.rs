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

#[test]
fn a_boot_id_round_trips_as_hex() {
    let id = BootId::new([7; 16]);
    assert_eq!(BootId::try_from(id.to_string()), Ok(id));
    assert_eq!(BootId::try_from("zz".to_owned()), Err(BootIdError));
}
