use super::*;
use crate::dns::Owner;
use crate::failover::Shape;
use crate::failover::event::{Command, Setup, SiteSetup, Weight};
use crate::failover::lane::Side;
use crate::policy::Policy;

fn setup() -> Setup {
    let site = SiteSetup {
        site: "www.example.com".parse().unwrap(),
        shape: Shape::Address,
        nodes: vec!["pi1".parse().unwrap()],
        hosts: Default::default(),
        fallback_name: None,
        fallback_addresses: vec!["192.0.2.20".parse().unwrap()],
        policy: Policy::default(),
    };
    Setup { sites: vec![site], references: 2 }
}

/// Something else at each moment; most of it leaves a trace in the engine.
fn event(n: u64) -> Event {
    match n {
        0 => Event::Started { setup: setup(), seed: 7 },
        n if n % 3 == 0 => Event::Stalled(std::time::Duration::from_millis(n)),
        n if n % 3 == 1 => Event::References { answered: 2, asked: 2 },
        _ => Event::Command {
            site: "www.example.com".parse().unwrap(),
            command: Command::Pin { side: Side::Home, span: std::time::Duration::from_secs(60) },
            owner: Owner::new("uid-0"),
            reason: format!("because of {n}"),
        },
    }
}

/// Steps the engine and writes it down, from `from` to `to`.
fn go_on(journal: &mut Journal, engine: &mut Engine, from: u64, to: u64) {
    for n in from..to {
        let (at, wall_ms, event) = (Moment::from_millis(n * 1_000), 1_700_000_000_000 + n, event(n));
        let effects = engine.step(at, &event);
        journal.append(Step { at, wall_ms, event, effects }).unwrap();
    }
    journal.sync().unwrap();
}

/// The engine after `steps` steps.
fn engine_after(steps: u64) -> Engine {
    let mut engine = Engine::default();
    for n in 0..steps {
        engine.step(Moment::from_millis(n * 1_000), &event(n));
    }
    engine
}

/// A journal of `steps` steps; its file and its bytes.
fn written(directory: &Path, steps: u64) -> (PathBuf, Vec<u8>) {
    let (mut journal, found) = Journal::open(directory).unwrap();
    assert!(found.replay.is_none() && found.remarks.is_empty());
    go_on(&mut journal, &mut Engine::default(), 0, steps);
    let path = journal.path();
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

/// Where the lines end.
fn ends(bytes: &[u8]) -> Vec<usize> {
    bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect()
}

#[test]
fn what_was_written_replays_to_the_same_engine_and_the_same_effects() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), 12);
    let (_, found) = Journal::open(directory.path()).unwrap();
    let replay = found.replay.unwrap();
    assert_eq!(found.remarks, [""; 0]);
    assert_eq!((replay.steps, replay.differing), (12, vec![]));
    assert_eq!(replay.engine, engine_after(12));
    assert_eq!(replay.last, (Moment::from_millis(11_000), 1_700_000_000_011));
    assert!(replay.notes.iter().any(|(_, note)| note.weight == Weight::Warning), "{:?}", replay.notes);
}

#[test]
fn a_journal_that_was_cut_anywhere_keeps_its_good_lines_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (_, bytes) = written(directory.path(), 5);
    let ends = ends(&bytes);
    assert_eq!(ends.len(), 6);
    for cut in ends[0]..bytes.len() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(segment(directory.path(), 1), &bytes[..cut]).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let steps = u64::try_from(whole - 1).unwrap();
        let (mut journal, found) = Journal::open(directory.path()).unwrap();
        let replay = found.replay.expect("its good lines are kept");
        assert_eq!((replay.steps as u64, &replay.engine), (steps, &engine_after(steps)), "cut at {cut}");
        assert_eq!(found.remarks.len(), usize::from(!ends.contains(&cut)), "{:?}", found.remarks);
        let mut engine = replay.engine;
        go_on(&mut journal, &mut engine, steps, 7);
        drop(journal);
        let (_, found) = Journal::open(directory.path()).unwrap();
        assert_eq!(found.remarks, [""; 0], "cut at {cut}");
        assert_eq!(found.replay.unwrap().engine, engine_after(7), "cut at {cut}");
    }
}

#[test]
fn a_journal_that_was_cut_in_its_very_first_line_is_set_aside_and_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (path, bytes) = written(directory.path(), 2);
    for cut in 0..ends(&bytes)[0] {
        fs::write(&path, &bytes[..cut]).unwrap();
        let (mut journal, found) = Journal::open(directory.path()).unwrap();
        assert!(found.replay.is_none() && found.remarks[0].contains("set aside"), "cut at {cut}");
        go_on(&mut journal, &mut Engine::default(), 0, 2);
        assert_eq!(replay(&journal.path()).unwrap().engine, engine_after(2), "cut at {cut}");
    }
}

#[test]
fn a_changed_byte_is_noticed_and_what_follows_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (_, bytes) = written(directory.path(), 6);
    let ends = ends(&bytes);
    for at in ends[2]..ends[3] {
        let directory = tempfile::tempdir().unwrap();
        let path = segment(directory.path(), 1);
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        let (_, found) = Journal::open(directory.path()).unwrap();
        let replay = found.replay.unwrap();
        assert_eq!((replay.steps, replay.engine), (2, engine_after(2)), "byte {at}");
        assert_eq!(fs::read(path.with_extension("torn")).unwrap(), changed, "nothing is thrown away");
        assert_eq!(fs::read(&path).unwrap(), bytes[..ends[2]]);
        assert!(found.remarks[0].contains("torn"), "{:?}", found.remarks);
    }
}

#[test]
fn a_new_segment_begins_with_the_engine_as_it_is_and_the_oldest_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(directory.path()).unwrap();
    let mut engine = Engine::default();
    let rounds = KEPT as u64 + 3;
    for round in 0..rounds {
        go_on(&mut journal, &mut engine, round * 3, round * 3 + 3);
        let (at, before) = (Moment::from_millis(round * 3_000 + 2_500), journal.number);
        journal.rotate(&engine, at, 1_700_000_000_000).unwrap();
        assert_eq!(journal.number, before, "a small one goes on");
        journal.size = SEGMENT;
        journal.rotate(&engine, at, 1_700_000_000_000).unwrap();
        assert_eq!(journal.number, before + 1);
    }
    go_on(&mut journal, &mut engine, rounds * 3, rounds * 3 + 2);
    drop(journal);
    let numbers = segments(directory.path()).unwrap();
    assert_eq!(numbers, (rounds + 2 - KEPT as u64..=rounds + 1).collect::<Vec<_>>());
    let (_, found) = Journal::open(directory.path()).unwrap();
    let replay = found.replay.unwrap();
    assert_eq!((replay.steps, replay.differing.len()), (2, 0));
    assert_eq!(replay.engine, engine_after(rounds * 3 + 2));
}

#[test]
fn a_segment_that_was_cut_in_its_first_line_leaves_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), 6);
    let (mut journal, _) = Journal::open(directory.path()).unwrap();
    journal.size = SEGMENT;
    journal.rotate(&engine_after(6), Moment::from_millis(5_500), 1_700_000_000_005).unwrap();
    let second = journal.path();
    drop(journal);
    let bytes = fs::read(&second).unwrap();
    for cut in 0..bytes.len() {
        fs::write(&second, &bytes[..cut]).unwrap();
        let (mut journal, found) = Journal::open(directory.path()).unwrap();
        let replay = found.replay.expect("the segment before is whole");
        assert_eq!(replay.engine, engine_after(6), "cut at {cut}");
        assert!(found.remarks[0].contains("set aside"), "{:?}", found.remarks);
        journal.sync().unwrap();
    }
}

#[test]
fn a_first_line_of_another_form_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (path, bytes) = written(directory.path(), 3);
    let line = &bytes[LINK * 2 + 1..ends(&bytes)[0] - 1];
    let text = std::str::from_utf8(line).unwrap().replacen("\"form\":2", "\"form\":3", 1);
    assert_ne!(text.as_bytes(), line);
    let other = [HEXLOWER.encode(&link([0; LINK], text.as_bytes())), text].join(" ") + "\n";
    for first in [other.as_bytes(), b"nonsense\n", b""] {
        fs::write(&path, first).unwrap();
        let (mut journal, found) = Journal::open(directory.path()).unwrap();
        assert!(found.replay.is_none());
        assert!(found.remarks[0].contains("set aside"), "{:?}", found.remarks);
        assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), first);
        go_on(&mut journal, &mut Engine::default(), 0, 3);
        assert_eq!(replay(&journal.path()).unwrap().engine, engine_after(3));
    }
}

/// Starts the engine and then only tells it that its references answer; writes that down, from `from` to `to`.
fn stay_calm(journal: &mut Journal, engine: &mut Engine, from: u64, to: u64) {
    for n in from..to {
        let (at, wall_ms) = (Moment::from_millis(n * 1_000), 1_700_000_000_000 + n);
        let event = if n == 0 { event(0) } else { Event::References { answered: 2, asked: 2 } };
        let effects = engine.step(at, &event);
        journal.append(Step { at, wall_ms, event, effects }).unwrap();
    }
}

#[test]
fn what_was_said_before_is_written_short_and_survives_a_cut_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(directory.path()).unwrap();
    stay_calm(&mut journal, &mut Engine::default(), 0, 120);
    let bytes = fs::read(journal.path()).unwrap();
    let is_short = |line: &[u8]| line.get(LINK * 2 + 1) == Some(&b'#');
    let short = bytes.split(|b| *b == b'\n').filter(|line| is_short(line)).count();
    assert!(short > 80, "{short} of 120");
    let ends = ends(&bytes);
    for cut in ends[115]..bytes.len() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(segment(directory.path(), 1), &bytes[..cut]).unwrap();
        let (mut journal, found) = Journal::open(directory.path()).unwrap();
        let replay = found.replay.unwrap();
        let steps = ends.iter().filter(|end| **end <= cut).count() as u64 - 1;
        assert_eq!((replay.steps as u64, replay.differing.len()), (steps, 0), "cut at {cut}");
        let mut engine = replay.engine;
        stay_calm(&mut journal, &mut engine, steps, 125);
        let again = super::replay(&journal.path()).unwrap();
        assert_eq!((again.steps, again.differing.len(), again.torn), (125, 0, 0), "cut at {cut}");
        assert_eq!(again.engine, engine, "cut at {cut}");
    }
}

#[test]
fn a_segment_in_which_nothing_was_written_short_is_read_and_followed_by_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let (path, bytes) = written(directory.path(), 3);
    let mut older = Vec::new();
    let mut last = [0; LINK];
    for line in String::from_utf8(bytes).unwrap().lines() {
        let text = line[LINK * 2 + 1..].replacen("\"form\":2", "\"form\":1", 1);
        last = link(last, text.as_bytes());
        older.push([HEXLOWER.encode(&last), text].join(" "));
    }
    fs::write(&path, older.join("\n") + "\n").unwrap();
    let (mut journal, found) = Journal::open(directory.path()).unwrap();
    assert_eq!((found.remarks.len(), journal.number), (0, 2));
    let mut engine = found.replay.unwrap().engine;
    assert_eq!(engine, engine_after(3));
    go_on(&mut journal, &mut engine, 3, 6);
    let replay = replay(&journal.path()).unwrap();
    assert_eq!((replay.steps, replay.engine), (3, engine_after(6)));
    assert_eq!(
        fs::read(&path).unwrap(),
        (older.join("\n") + "\n").into_bytes(),
        "the older one stays as it was"
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Journal::open(&file.join("journal")).unwrap_err();
    assert!(matches!(error, JournalError::Disk { .. }), "{error}");
    assert!(error.to_string().contains("file/journal cannot be used"), "{error}");
}

#[test]
fn a_replay_tells_the_first_difference_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(directory.path()).unwrap();
    let mut engine = Engine::default();
    go_on(&mut journal, &mut engine, 0, 4);
    let (at, event) = (Moment::from_millis(4_000), event(4));
    engine.step(at, &event);
    journal.append(Step { at, wall_ms: 77, event, effects: vec![Effect::LookAtReferences; 3] }).unwrap();
    go_on(&mut journal, &mut engine, 5, 8);
    let path = journal.path();
    let mut steps = 0;
    let reports = super::super::replay::replay(&[directory.path().to_owned()], |_| steps += 1).unwrap();
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((report.steps, report.differing, steps), (8, 1, 8));
    let first = report.first.as_ref().unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!((first.line, first.wall_ms), (6, 77));
    assert_eq!(first.byte, ends(&bytes)[4], "the place is that of the line");
    assert!(first.written.contains("look-at-references") && first.written != first.today, "{first:?}");
}

#[test]
fn a_replay_goes_on_from_segment_to_segment_and_tells_where_it_cannot() {
    use super::super::replay::{Follows, replay};
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(directory.path()).unwrap();
    let mut engine = Engine::default();
    go_on(&mut journal, &mut engine, 0, 5);
    journal.renew(&engine, Moment::from_millis(5_000), 1).unwrap();
    go_on(&mut journal, &mut engine, 5, 9);
    // As after a full disk: what happened meanwhile was not written down.
    engine.step(Moment::from_millis(9_000), &event(9));
    engine.step(Moment::from_millis(10_000), &event(11));
    journal.renew(&engine, Moment::from_millis(11_000), 1).unwrap();
    let reports = replay(&[directory.path().to_owned()], |_| {}).unwrap();
    let follows: Vec<_> = reports.iter().map(|report| report.follows).collect();
    assert_eq!(follows, [Follows::Nothing, Follows::On, Follows::Anew]);
    assert!(reports.iter().all(|report| report.differing == 0 && report.rest == walk::Rest::Nothing));
}

#[test]
fn a_replay_tells_half_a_line_at_the_end_from_a_line_that_was_changed() {
    use walk::Rest;
    let directory = tempfile::tempdir().unwrap();
    let (path, bytes) = written(directory.path(), 6);
    let ends = ends(&bytes);
    let rest = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        walk(&path, |_| ControlFlow::Continue(())).unwrap().rest
    };
    assert_eq!(rest(&bytes), Rest::Nothing);
    assert_eq!(rest(&bytes[..ends[5] + 10]), Rest::Torn { bytes: 10 });
    let mut changed = bytes.clone();
    changed[ends[2] + 30] ^= 1;
    assert_eq!(rest(&changed), Rest::Damaged { line: 4, byte: ends[2], lines: 4 });
}

#[test]
fn a_look_back_tells_how_it_stood_then_and_not_how_it_stands_now() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), 12);
    let at = |n: u64| super::super::replay::at(directory.path(), 1_700_000_000_000 + n, None).unwrap();
    let held = |n: u64| at(n).unwrap().told[0].explanation.held.join("\n");
    assert_ne!(held(2), held(10));
    let engine = engine_after(3);
    let now = engine.explain(&"www.example.com".parse().unwrap(), Moment::from_millis(2_000));
    assert_eq!(at(2).unwrap().told[0].explanation, now.unwrap());
    assert_eq!(at(1_000_000).unwrap().silent, std::time::Duration::from_millis(999_989));
    assert!(super::super::replay::at(directory.path(), 0, None).unwrap().unwrap().told.is_empty());
}
