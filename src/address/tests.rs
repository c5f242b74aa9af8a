use super::*;

#[test]
fn a_network_holds_its_addresses_and_no_others() {
    let net: Network = "127.0.0.0/8".parse().unwrap();
    assert!(net.contains("127.9.8.7".parse().unwrap()));
    assert!(!net.contains("128.0.0.1".parse().unwrap()));
    assert!(!net.contains("::1".parse().unwrap()));
    assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("192.0.2.1".parse().unwrap()));
    assert!("::/0".parse::<Network>().unwrap().contains("::1".parse().unwrap()));
    for bad in ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "x/8"] {
        assert!(bad.parse::<Network>().is_err(), "{bad}");
    }
}
