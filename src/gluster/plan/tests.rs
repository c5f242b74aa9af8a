//! What is missing, and nothing else.

use super::*;
use crate::gluster::answer;

fn settings(arbiter: Option<&str>) -> GlusterSettings {
    GlusterSettings {
        volume: "gv0".parse().unwrap(),
        brick: "/mnt/brick1/gv0".parse().unwrap(),
        mount: "/mnt/gluster1".parse().unwrap(),
        nodes: ["pi1", "pi2"].map(|name| name.parse().unwrap()),
        arbiter: arbiter.map(|name| name.parse().unwrap()),
    }
}

fn nothing() -> Seen {
    Seen {
        peers: Vec::new(),
        volume: None,
        brick_parent: Presence::Missing,
        mounted: Presence::Missing,
        mount_point: Presence::Missing,
        mounter: Mounter::Command,
    }
}

fn made() -> Seen {
    let mut volume = answer::volume(include_str!("../fixtures/volume-info.xml")).unwrap().unwrap();
    for option in wanted(&settings(None)) {
        volume.options.insert(option.name.to_owned(), option.value.to_owned());
    }
    Seen {
        peers: answer::peers(include_str!("../fixtures/peer-status.xml")).unwrap(),
        volume: Some(volume),
        brick_parent: Presence::There,
        mounted: Presence::There,
        mount_point: Presence::There,
        mounter: Mounter::Command,
    }
}

fn lines(settings: &GlusterSettings, here: &str, seen: &Seen) -> Vec<String> {
    let plan = plan(settings, &here.parse().unwrap(), seen);
    assert_eq!((plan.waits_for, plan.obstacles), (vec![], vec![]));
    plan.steps.iter().map(|step| step.deed.to_string()).collect()
}

#[test]
fn from_nothing_the_pool_the_volume_its_options_and_the_mount_are_made_in_order() {
    let lines = lines(&settings(None), "pi1", &nothing());
    assert_eq!(
        lines[..4],
        [
            "gluster --mode=script peer probe pi2",
            "mkdir -p /mnt/brick1",
            "gluster --mode=script volume create gv0 replica 2 pi1:/mnt/brick1/gv0 pi2:/mnt/brick1/gv0 force",
            "gluster --mode=script volume set gv0 network.ping-timeout 10",
        ]
    );
    assert_eq!(
        lines[lines.len() - 4..],
        [
            "gluster --mode=script volume set gv0 cluster.favorite-child-policy mtime",
            "gluster --mode=script volume start gv0",
            "mkdir -p /mnt/gluster1",
            "mount -t glusterfs -o backup-volfile-servers=pi2,log-level=WARNING pi1:/gv0 /mnt/gluster1",
        ]
    );
}

#[test]
fn where_everything_is_there_nothing_is_done() {
    assert!(plan(&settings(None), &"pi1".parse().unwrap(), &made()).is_empty());
    // The second node joins: it has only to mount.
    let second = Seen { mounted: Presence::Missing, ..made() };
    assert_eq!(lines(&settings(None), "pi1", &second).len(), 1);
}

#[test]
fn only_the_option_that_differs_is_set() {
    let mut seen = made();
    let volume = seen.volume.as_mut().unwrap();
    volume.options.insert("network.ping-timeout".to_owned(), "42".to_owned());
    volume.options.insert("performance.readdir-ahead".to_owned(), "on".to_owned());
    let set = "gluster --mode=script volume set gv0 network.ping-timeout 10";
    assert_eq!(lines(&settings(None), "pi1", &seen), [set]);
}

#[test]
fn an_arbiter_has_a_brick_and_a_quorum_and_no_mount() {
    let with = settings(Some("pi3"));
    let lines = lines(&with, "pi3", &nothing());
    assert_eq!(lines[..2], ["pi1", "pi2"].map(|host| format!("gluster --mode=script peer probe {host}")));
    assert!(lines.iter().any(|line| line.ends_with(
        "create gv0 replica 3 arbiter 1 pi1:/mnt/brick1/gv0 pi2:/mnt/brick1/gv0 pi3:/mnt/brick1/gv0 force"
    )));
    assert!(lines.iter().any(|line| line.ends_with("cluster.quorum-type auto")));
    assert!(!lines.iter().any(|line| line.contains("favorite-child") || line.starts_with("mount")));
}

#[test]
fn under_systemd_units_are_written_and_the_automount_enabled() {
    let seen = Seen { mounted: Presence::Missing, mounter: Mounter::Systemd(Presence::Missing), ..made() };
    assert_eq!(
        lines(&settings(None), "pi1", &seen),
        [
            "hearth gluster units --out /etc/systemd/system",
            "systemctl daemon-reload",
            "systemctl enable --now mnt-gluster1.automount",
        ]
    );
    let by_hand = Seen { mounter: Mounter::Systemd(Presence::Missing), ..made() };
    let last = "systemctl enable mnt-gluster1.automount";
    assert_eq!(lines(&settings(None), "pi1", &by_hand).last().map(String::as_str), Some(last));
    let done = Seen { mounter: Mounter::Systemd(Presence::There), ..made() };
    assert!(plan(&settings(None), &"pi1".parse().unwrap(), &done).is_empty());
}

#[test]
fn a_volume_that_was_made_otherwise_is_for_a_person() {
    let plan = plan(&settings(Some("pi3")), &"pi1".parse().unwrap(), &made());
    assert_eq!(plan.obstacles.len(), 2, "{plan:?}");
    assert!(plan.steps.iter().all(|step| !step.deed.to_string().contains("create")));
}

#[test]
fn a_machine_of_the_pool_that_does_not_answer_is_waited_for() {
    let peers = answer::peers(include_str!("../fixtures/peer-status-away.xml")).unwrap();
    let plan = plan(&settings(None), &"pi1".parse().unwrap(), &Seen { peers, ..made() });
    assert_eq!((plan.waits_for.len(), plan.steps.len()), (1, 0), "{plan:?}");
}
