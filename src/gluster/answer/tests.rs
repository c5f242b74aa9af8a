//! What GlusterFS 10.3 printed, read.

use super::*;

macro_rules! printed {
    ($name:literal) => {
        include_str!(concat!("../fixtures/", $name, ".xml"))
    };
}

const BRICKS: [&str; 2] = ["pi1:/mnt/brick1/gv0", "pi2:/mnt/brick1/gv0"];

#[test]
fn peers_are_absent_connected_or_away() {
    assert_eq!(peers(printed!("peer-status-alone")), Ok(vec![]));
    let links = |xml| peers(xml).unwrap().into_iter().map(|peer| (peer.names, peer.link)).collect::<Vec<_>>();
    let pi2 = |link| vec![(vec!["pi2".to_owned(), "pi2".to_owned()], link)];
    assert_eq!(links(printed!("peer-status")), pi2(Link::Connected));
    assert_eq!(links(printed!("peer-status-away")), pi2(Link::Away));
    let just_probed = links(printed!("peer-status-just-probed"));
    assert_eq!(just_probed.len(), 1);
}

#[test]
fn a_volume_is_absent_created_or_started_with_its_options() {
    assert_eq!(volume(printed!("volume-info-none")), Ok(None));
    let created = volume(printed!("volume-info-created")).unwrap().unwrap();
    assert_eq!(created.started, Started::Stopped);
    let started = volume(printed!("volume-info")).unwrap().unwrap();
    assert_eq!((started.started, started.replicas, started.arbiters), (Started::Started, 2, 0));
    assert_eq!(started.bricks, BRICKS);
    assert_eq!(started.options["network.ping-timeout"], "5");
}

#[test]
fn the_processes_of_bricks_run_are_away_or_are_not_shown() {
    let states = |xml| processes(xml).unwrap().into_iter().collect::<Vec<_>>();
    let [one, two] = BRICKS.map(str::to_owned);
    let runs = (one, Process::Runs);
    assert_eq!(states(printed!("volume-status")), [runs.clone(), (two.clone(), Process::Runs)]);
    assert_eq!(states(printed!("volume-status-brick-away")), [runs.clone(), (two, Process::Away)]);
    assert_eq!(states(printed!("volume-status-node-away")), [runs]);
    let refused = processes(printed!("volume-status-created"));
    assert!(matches!(&refused, Err(AnswerError::Refused(why)) if why.contains("not started")), "{refused:?}");
}

#[test]
fn what_waits_to_be_healed_is_counted_by_brick() {
    let seen = |xml| {
        let bricks = healing(xml).unwrap();
        assert_eq!(bricks.iter().map(|b| b.brick.as_str()).collect::<Vec<_>>(), BRICKS);
        bricks.into_iter().map(|b| (b.entries.len(), b.unreachable.is_none())).collect::<Vec<_>>()
    };
    assert_eq!(seen(printed!("heal-info")), [(0, true), (0, true)]);
    assert_eq!(seen(printed!("heal-info-healing")), [(3, true), (0, true)]);
    assert_eq!(seen(printed!("heal-info-brick-away")), [(3, true), (0, false)]);
    assert_eq!(seen(printed!("heal-info-cut")), [(1, true), (0, false)]);
    assert_eq!(seen(printed!("split-brain-info")), [(0, true), (0, true)]);
    assert_eq!(seen(printed!("split-brain-info-split")), [(1, true), (1, true)]);
}

#[test]
fn a_daemon_that_is_away_and_a_strange_answer_are_told_apart() {
    let away = peers(printed!("no-daemon"));
    assert!(
        matches!(&away, Err(AnswerError::NoDaemon(why)) if why.starts_with("Connection failed")),
        "{away:?}"
    );
    assert_eq!(peers("<cliOutput/>"), Err(AnswerError::Strange("opRet")));
    assert_eq!(peers("<cliOutput><opRet>0</opRet></cliOutput>"), Err(AnswerError::Strange("peerStatus")));
}
