//! What is said of the states that a real pair of nodes was brought into.

use super::*;
use crate::gluster::answer;

macro_rules! printed {
    ($name:literal) => {
        include_str!(concat!("../fixtures/", $name, ".xml"))
    };
}

fn settings() -> GlusterSettings {
    GlusterSettings {
        volume: "gv0".parse().unwrap(),
        brick: "/mnt/brick1/gv0".parse().unwrap(),
        mount: "/mnt/gluster1".parse().unwrap(),
        nodes: ["pi1", "pi2"].map(|name| name.parse().unwrap()),
        arbiter: None,
    }
}

fn healing(xml: &str) -> Option<Asked<Vec<Healing>>> {
    Some(Ok(answer::healing(xml).unwrap()))
}

fn well() -> Look {
    let mut volume = answer::volume(printed!("volume-info")).unwrap().unwrap();
    for option in wanted(&settings()) {
        volume.options.insert(option.name.to_owned(), option.value.to_owned());
    }
    Look {
        peers: Ok(answer::peers(printed!("peer-status")).unwrap()),
        volume: Ok(Some(volume)),
        heal: healing(printed!("heal-info")),
        split: healing(printed!("split-brain-info")),
        processes: Some(Ok(answer::processes(printed!("volume-status")).unwrap())),
        mounted: Presence::There,
    }
}

/// The verdict, and everything that is said.
#[track_caller]
fn judged(look: &Look) -> (Verdict, String) {
    let health = judge(&settings(), &"pi1".parse().unwrap(), look);
    let said: Vec<_> = health.findings.iter().map(|f| format!("{} -> {}", f.what, f.remedy)).collect();
    assert!(health.findings.iter().all(|f| !f.what.is_empty() && !f.remedy.is_empty()));
    (health.verdict, said.join("\n"))
}

#[test]
fn a_volume_without_a_blemish_is_healthy_and_nothing_is_said() {
    assert_eq!(judged(&well()), (Verdict::Healthy, String::new()));
}

#[test]
fn options_that_differ_are_advice_only() {
    let volume = Ok(answer::volume(printed!("volume-info")).unwrap());
    let (verdict, said) = judged(&Look { volume, ..well() });
    assert_eq!(verdict, Verdict::Healthy);
    assert!(said.contains("network.ping-timeout") && said.contains("hearth gluster apply"), "{said}");
}

#[test]
fn a_brick_that_is_away_degrades_and_is_named() {
    let (verdict, said) = judged(&Look {
        processes: Some(Ok(answer::processes(printed!("volume-status-brick-away")).unwrap())),
        heal: healing(printed!("heal-info-brick-away")),
        ..well()
    });
    assert_eq!(verdict, Verdict::Degraded);
    assert!(said.contains("pi2:/mnt/brick1/gv0 is not reached") && said.contains("3 files"), "{said}");
}

#[test]
fn a_node_that_is_away_degrades_without_a_question_that_would_hang() {
    let (verdict, said) = judged(&Look {
        peers: Ok(answer::peers(printed!("peer-status-away")).unwrap()),
        heal: healing(printed!("heal-info-cut")),
        processes: None,
        ..well()
    });
    assert_eq!(verdict, Verdict::Degraded);
    assert!(said.contains("pi2 is not connected to pi1") && said.contains("not reached"), "{said}");
}

#[test]
fn catching_up_is_healing() {
    let (verdict, said) = judged(&Look { heal: healing(printed!("heal-info-healing")), ..well() });
    assert_eq!(verdict, Verdict::Healing);
    assert!(said.starts_with("3 files or directories are being healed -> nothing"), "{said}");
}

#[test]
fn a_split_brain_is_told_once_with_what_to_do_and_not_as_healing() {
    let (verdict, said) = judged(&Look {
        heal: healing(printed!("heal-info-split")),
        split: healing(printed!("split-brain-info-split")),
        ..well()
    });
    assert_eq!(verdict, Verdict::Split);
    assert_eq!(said.matches("/both was changed on both nodes").count(), 1, "{said}");
    assert!(
        said.contains("`gluster volume heal gv0 split-brain source-brick pi2:/mnt/brick1/gv0 /both`")
            && !said.contains("healed"),
        "{said}"
    );
}

#[test]
fn no_volume_a_stopped_one_and_no_brick_at_all_are_down() {
    let unasked = Look { heal: None, split: None, processes: None, ..well() };
    for (xml, part) in [("none", "there is no volume gv0"), ("created", "is not started")] {
        let xml = if xml == "none" { printed!("volume-info-none") } else { printed!("volume-info-created") };
        let (verdict, said) = judged(&Look { volume: Ok(answer::volume(xml).unwrap()), ..unasked.clone() });
        assert_eq!(verdict, Verdict::Down);
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(judged(&Look { processes: Some(Ok(BTreeMap::new())), ..well() }).0, Verdict::Down);
}

#[test]
fn what_could_not_be_asked_is_never_healthy() {
    let why = || "no answer within 20 s".to_owned();
    let looks = [
        Look { peers: Err(why()), ..well() },
        Look { volume: Err(why()), ..well() },
        Look { heal: Some(Err(why())), ..well() },
        Look { split: Some(Err(why())), ..well() },
        Look { processes: Some(Err(why())), ..well() },
        Look { mounted: Presence::Missing, ..well() },
    ];
    for look in looks {
        let (verdict, said) = judged(&look);
        assert_eq!(verdict, Verdict::Degraded, "{said}");
    }
}

#[test]
fn a_path_is_one_word_whatever_it_is_called() {
    assert_eq!(quoted("/www/a-b_c.html"), "/www/a-b_c.html");
    assert_eq!(quoted("/it's $(here)"), "'/it'\\''s $(here)'");
}
