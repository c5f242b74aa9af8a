//! The processes of the demo, and the demo as a whole.

use std::time::Duration;

use data_encoding::BASE64;
use hearth::demo::Pi;
use hearth::demo::act::Act;
use hearth::demo::config::Speed;
use hearth::demo::process::{Process, Recipe, State};
use hearth::demo::router::Line;
use hearth::demo::system::System;
use hearth::probe::Scheme;

use super::{over_udp, replace, signer, wall};
use crate::support::wait_until;

fn sleeper(directory: &tempfile::TempDir) -> Process {
    let recipe = Recipe {
        program: "/bin/sh".into(),
        arguments: ["-c", "echo started; exec sleep 600"].map(str::to_owned).to_vec(),
        log: directory.path().join("log"),
    };
    Process::start(recipe).unwrap()
}

/// The state letter of the kernel (proc(5)); None: there is no such process.
fn letter(id: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn a_hung_process_is_stopped_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = sleeper(&directory);
    process.hang().unwrap();
    assert_eq!(process.state(), State::Hung);
    let id = process.id();
    wait_until("the process is stopped", Duration::from_secs(5), || (letter(id) == Some('T')).then_some(()));
    process.heal().unwrap();
    assert_eq!((process.state(), process.id()), (State::Running, id));
}

#[test]
fn a_killed_process_is_gone_and_starts_again_with_its_log_added_to() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = sleeper(&directory);
    let first = process.id();
    process.kill().unwrap();
    assert_eq!((process.state(), letter(first)), (State::Dead, None));
    process.hang().unwrap();
    assert_eq!(process.state(), State::Dead);
    process.heal().unwrap();
    assert_eq!(process.state(), State::Running);
    assert_ne!(process.id(), first);
}

#[test]
fn a_hung_process_does_not_outlive_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = sleeper(&directory);
    process.hang().unwrap();
    let id = process.id();
    drop(process);
    assert_eq!(letter(id), None);
}

/// A demo whose processes do nothing: a script that sleeps stands in for the binary.
async fn sleepers(directory: &std::path::Path) -> System {
    use std::os::unix::fs::PermissionsExt;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let program = directory.join("sleeper");
    std::fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let clock = hearth::host::time::Timeline::start(None);
    System::start(&program, Speed(5.0), Scheme::Http, clock, Box::new(|_| ())).await.unwrap()
}

#[tokio::test]
async fn what_is_done_to_the_demo_is_done_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut system = sleepers(directory.path()).await;
    let states = |system: &mut System| {
        let picture = system.picture();
        (picture.pis.each_ref().map(|pi| (pi.process, pi.line)), picture.watcher.process)
    };
    let whole = ([(State::Running, Line::Up); 2], State::Running);
    assert_eq!(states(&mut system), whole);
    for act in [Act::Kill(Pi::One), Act::Hang(Pi::Two), Act::Cut(Pi::Two), Act::KillWatcher] {
        system.act(act).unwrap();
    }
    let broken = ([(State::Dead, Line::Up), (State::Hung, Line::Cut)], State::Dead);
    assert_eq!(states(&mut system), broken);
    system.act(Act::HealAll).unwrap();
    assert_eq!(states(&mut system), whole);
    let events: Vec<String> = system.picture().events.iter().map(|event| event.what.clone()).collect();
    for told in ["pi1 is killed", "pi2 is hung", "the line of pi2 is cut", "everything is healed"] {
        assert!(events.iter().any(|what| what == told), "{told}: {events:?}");
    }
}

#[tokio::test]
async fn an_address_that_lands_is_told_and_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let mut system = sleepers(directory.path()).await;
    let places = system.places().clone();
    let key = std::fs::read_to_string(places.directory.join("watcher/tsig.key")).unwrap();
    let secret = BASE64.decode(key.trim().as_bytes()).unwrap();
    let mut message = replace("www.hearth.test.", 11);
    message.finalize(&signer("watcher.", &secret), wall()).unwrap();
    over_udp(places.name_server, &message.to_vec().unwrap()).await;
    let picture = system.picture();
    assert_eq!(hearth::demo::picture::whom(&picture.record.addresses), "pi1 (127.0.0.11)");
    let told = |what| picture.events.iter().any(|event| event.what == what);
    assert!(told("www.hearth.test leads to pi1 (127.0.0.11)"), "{:?}", picture.events);
}

#[tokio::test]
async fn a_demo_that_is_left_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let system = sleepers(directory.path()).await;
    let own = system.places().directory.clone();
    assert!(own.join("pi1.toml").exists());
    drop(system);
    assert!(!own.exists());
}
