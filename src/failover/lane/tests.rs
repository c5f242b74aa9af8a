use super::*;
use crate::policy::Profile;

const MINUTE: Duration = Duration::from_secs(60);

/// A policy with round numbers: hold 1 min up to 4 min, 2 returns in 60 min.
fn policy() -> Policy {
    Policy {
        hold: MINUTE,
        hold_cap: MINUTE * 4,
        returns: 2,
        budget_span: MINUTE * 60,
        ..Policy::of(Profile::Steady)
    }
}

fn at(minute: u64) -> Moment {
    Moment::START + MINUTE * u32::try_from(minute).unwrap()
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn names(text: &str) -> BTreeSet<NodeName> {
    text.split_whitespace().map(node).collect()
}

/// How a node looks, in one word.
fn candidate(name: &str, looks: &str, record_type: RecordType) -> Candidate {
    let host = name.trim_start_matches("pi");
    let rdata: Rdata = match record_type {
        RecordType::Cname => format!("CNAME {name}.example.com"),
        RecordType::A | RecordType::Aaaa => format!("A 203.0.113.{host}"),
    }
    .parse()
    .unwrap();
    let (health, proven, risen, steady) = match looks {
        "risen" => (Health::Up, true, true, true),
        "steady" => (Health::Up, true, false, true),
        "up" => (Health::Up, true, false, false),
        "unproven" => (Health::Up, false, true, true),
        "stale" => (Health::Up, true, true, true),
        "suspect" => (Health::Suspect, true, false, false),
        "unknown" => (Health::Unknown, true, false, false),
        "recovering" => (Health::Recovering, true, false, false),
        "draining" => (Health::Draining, true, false, false),
        "down" => (Health::DownHard, true, false, false),
        "gray" => (Health::DownGray, true, false, false),
        other => panic!("{other} is no look"),
    };
    Candidate { health, rdata: proven.then_some(rdata), risen, steady, stale: looks == "stale" }
}

fn pages(record_type: RecordType) -> RdataSet {
    RdataSet::of(match record_type {
        RecordType::Cname => "CNAME user.github.io".parse().unwrap(),
        RecordType::A | RecordType::Aaaa => "A 192.0.2.20".parse().unwrap(),
    })
}

/// What a lane sees: `pi1:risen pi2:down`, in the order of the configuration.
struct Seen {
    minute: u64,
    nodes: &'static str,
    fallback: &'static str,
}

/// Lets `lane` decide on it, and works out what it wants.
fn decide(lane: &mut Lane, seen: &Seen) -> Decided {
    step(lane, seen, |lane, s| lane.decide(s))
}

fn step<T>(lane: &mut Lane, seen: &Seen, act: impl FnOnce(&mut Lane, &Situation<'_>) -> T) -> T {
    let record_type = lane.record_type();
    let looks: Vec<(&str, &str)> =
        seen.nodes.split_whitespace().map(|w| w.split_once(':').unwrap()).collect();
    let order: Vec<NodeName> = looks.iter().map(|(name, _)| node(name)).collect();
    let candidates =
        looks.iter().map(|(name, looks)| (node(name), candidate(name, looks, record_type))).collect();
    let fallback = match seen.fallback {
        "good" => Readiness::Ready(pages(record_type)),
        why => Readiness::NotReady(why.to_owned()),
    };
    let policy = policy();
    let situation = Situation {
        now: at(seen.minute),
        policy: &policy,
        order: &order,
        candidates: &candidates,
        fallback: &fallback,
        fallback_dead: seen.fallback == "dead",
    };
    let outcome = act(lane, &situation);
    lane.want(&situation, &pages(record_type).as_set().clone());
    outcome
}

fn seen(minute: u64, nodes: &'static str, fallback: &'static str) -> Seen {
    Seen { minute, nodes, fallback }
}

/// A lane on this side with these members, whose decision is in force.
fn lane(record_type: RecordType, side: Side, members: &str, minute: u64) -> Lane {
    let mut lane = Lane::new(record_type, at(minute));
    lane.side = side;
    lane.members = names(members);
    lane.landed = lane.decision();
    lane
}

/// `home pi1 pi2`, `fallback` or `undecided`.
fn stands(lane: &Lane) -> String {
    let side = match lane.side() {
        Side::Undecided => "undecided",
        Side::Home => "home",
        Side::Fallback => "fallback",
    };
    let members = lane.members.iter().map(|n| format!(" {n}"));
    std::iter::once(side.to_owned()).chain(members).collect()
}

#[test]
fn each_situation_leads_to_its_decision() {
    use Decided::{Changed, Nothing, Stuck};
    // From, what is seen, the fallback, what is decided, and where it leads.
    let table = [
        // Begin.
        ("undecided", "pi1:up pi2:up", "good", Changed, "home pi1 pi2"),
        ("undecided", "pi1:up pi2:unknown", "good", Changed, "home pi1"),
        ("undecided", "pi1:unproven pi2:down", "good", Nothing, "undecided"),
        ("undecided", "pi1:unknown pi2:unknown", "good", Nothing, "undecided"),
        ("undecided", "pi1:down pi2:unknown", "good", Nothing, "undecided"),
        ("undecided", "pi1:down pi2:gray", "good", Changed, "fallback"),
        ("undecided", "pi1:down pi2:down", "not looked at", Nothing, "undecided"),
        // Leave.
        ("home pi1 pi2", "pi1:suspect pi2:unknown", "good", Nothing, "home pi1 pi2"),
        ("home pi1 pi2", "pi1:down pi2:up", "good", Changed, "home pi2"),
        ("home pi1 pi2", "pi1:gray pi2:suspect", "good", Changed, "home pi2"),
        ("home pi1 pi2", "pi1:draining pi2:up", "good", Changed, "home pi2"),
        ("home pi1 pi2", "pi1:down pi2:down", "good", Changed, "fallback"),
        ("home pi1 pi2", "pi1:down pi2:down", "broken", Stuck, "home pi1 pi2"),
        ("home pi1 pi2", "pi2:up", "good", Changed, "home pi2"),
        // Substitute.
        ("home pi1", "pi1:down pi2:steady", "good", Changed, "home pi2"),
        ("home pi1", "pi1:down pi2:steady", "broken", Changed, "home pi2"),
        ("home pi1", "pi1:down pi2:up", "good", Changed, "fallback"),
        ("home pi1", "pi1:down pi2:unproven", "good", Changed, "fallback"),
        // Come back.
        ("home pi1", "pi1:up pi2:risen", "good", Changed, "home pi1 pi2"),
        ("home pi1", "pi1:up pi2:steady", "good", Nothing, "home pi1"),
        ("fallback", "pi1:risen pi2:down", "good", Changed, "home pi1"),
        ("fallback", "pi1:steady pi2:down", "good", Nothing, "fallback"),
        ("fallback", "pi1:recovering pi2:down", "dead", Nothing, "fallback"),
        ("fallback", "pi1:unproven pi2:down", "good", Nothing, "fallback"),
        // What serves old content waits while what was published last is served, and only then.
        ("home pi1", "pi1:up pi2:stale", "good", Nothing, "home pi1"),
        ("home pi1", "pi1:suspect pi2:stale", "good", Nothing, "home pi1"),
        ("home pi1", "pi1:stale pi2:stale", "good", Changed, "home pi1 pi2"),
        ("home pi1", "pi1:stale pi2:risen", "good", Changed, "home pi1 pi2"),
        ("home pi1", "pi1:down pi2:stale", "good", Changed, "home pi2"),
        ("home pi1", "pi1:down pi2:stale pi3:steady", "good", Changed, "home pi3"),
        ("home pi1 pi2", "pi1:up pi2:stale", "good", Nothing, "home pi1 pi2"),
        ("fallback", "pi1:risen pi2:stale", "good", Changed, "home pi1"),
        ("fallback", "pi1:recovering pi2:stale", "good", Changed, "home pi2"),
        // A fallback that is dead waives the hold-down, and nothing more.
        ("fallback", "pi1:steady pi2:down", "dead", Changed, "home pi1"),
        ("fallback", "pi1:up pi2:down", "dead", Nothing, "fallback"),
    ];
    for (from, nodes, fallback, decided, to) in table {
        let (side, members) = from.split_once(' ').unwrap_or((from, ""));
        let side = match side {
            "home" => Side::Home,
            "fallback" => Side::Fallback,
            _ => Side::Undecided,
        };
        let mut lane = lane(RecordType::A, side, members, 0);
        let outcome = decide(&mut lane, &seen(1, nodes, fallback));
        assert_eq!((outcome, stands(&lane)), (decided, to.to_owned()), "{from}; {nodes}; {fallback}");
        let again = decide(&mut lane, &seen(1, nodes, fallback));
        assert_eq!(
            (again, stands(&lane)),
            (Decided::Nothing, to.to_owned()),
            "decided once: {from}; {nodes}"
        );
    }
}

#[test]
fn the_first_decision_keeps_what_is_in_force_unless_it_is_down() {
    let members = |in_force: &str, nodes| {
        let mut lane = Lane::new(RecordType::A, at(0));
        lane.record_read(Some(RdataSet::new(in_force.split(',').map(|r| r.parse().unwrap())).unwrap()));
        decide(&mut lane, &seen(1, nodes, "good"));
        stands(&lane)
    };
    assert_eq!(members("A 203.0.113.1", "pi1:suspect pi2:down"), "home pi1");
    assert_eq!(members("A 203.0.113.1,A 203.0.113.2", "pi1:down pi2:unknown"), "home pi2");
    assert_eq!(members("A 198.51.100.1", "pi1:suspect pi2:down"), "undecided");
    assert_eq!(members("A 192.0.2.20", "pi1:unknown pi2:unknown"), "fallback", "found there");
    assert_eq!(members("A 192.0.2.20", "pi1:up pi2:unknown"), "home pi1");
}

#[test]
fn the_first_decision_costs_no_budget_and_each_node_that_comes_back_does() {
    let mut lane = Lane::new(RecordType::A, at(0));
    decide(&mut lane, &seen(0, "pi1:up pi2:up pi3:up", "good"));
    assert_eq!(lane.returns_left(at(0), &policy()), 2);
    decide(&mut lane, &seen(1, "pi1:down pi2:down pi3:down", "good"));
    assert_eq!(stands(&lane), "fallback");
    decide(&mut lane, &seen(10, "pi1:risen pi2:risen pi3:risen", "good"));
    assert_eq!(
        stands(&lane),
        "home pi1 pi2",
        "as many as the budget allows, in the order of the configuration"
    );
    lane.count_returns(at(10));
    assert_eq!(lane.returns_left(at(10), &policy()), 0);
    assert_eq!(lane.budget_eases(at(10), &policy()), Some(at(70)));
    decide(&mut lane, &seen(69, "pi1:up pi2:up pi3:risen", "good"));
    assert_eq!(stands(&lane), "home pi1 pi2");
    decide(&mut lane, &seen(70, "pi1:up pi2:up pi3:risen", "good"));
    assert_eq!(stands(&lane), "home pi1 pi2 pi3");
    assert_eq!(lane.returns_left(at(70), &policy()), 1);
}

#[test]
fn a_return_that_waits_for_its_provider_counts_from_when_it_lands() {
    let mut lane = lane(RecordType::A, Side::Fallback, "", 0);
    decide(&mut lane, &seen(10, "pi1:risen", "good"));
    assert_eq!(lane.returns_left(at(80), &policy()), 1, "it is still under way");
    decide(&mut lane, &seen(80, "pi1:up", "good"));
    lane.record_landed(at(90), lane.wanted().unwrap().clone());
    assert_eq!(lane.returns_left(at(149), &policy()), 1);
    assert_eq!(lane.returns_left(at(150), &policy()), 2);
    decide(&mut lane, &seen(151, "pi1:down", "good"));
    decide(&mut lane, &seen(152, "pi1:risen", "good"));
    lane.revert();
    decide(&mut lane, &seen(213, "pi1:down", "good"));
    assert_eq!(lane.returns_left(at(213), &policy()), 2, "one that was given up does not count for ever");
}

#[test]
fn a_substitute_costs_a_return_and_without_budget_there_is_none() {
    let mut lane = lane(RecordType::A, Side::Home, "pi1", 0);
    decide(&mut lane, &seen(1, "pi1:down pi2:steady", "good"));
    decide(&mut lane, &seen(2, "pi1:steady pi2:down", "good"));
    assert_eq!((stands(&lane).as_str(), lane.returns_left(at(2), &policy())), ("home pi1", 0));
    decide(&mut lane, &seen(3, "pi1:down pi2:steady", "good"));
    assert_eq!(stands(&lane), "fallback", "leaving is never limited");
    decide(&mut lane, &seen(4, "pi1:risen pi2:risen", "good"));
    assert_eq!(stands(&lane), "fallback");
}

#[test]
fn the_hold_down_doubles_with_each_return_up_to_its_cap_and_eases() {
    let mut lane = lane(RecordType::A, Side::Fallback, "", 0);
    let minutes = |lane: &Lane, minute| lane.hold(at(minute), &policy()).as_secs() / 60;
    let mut holds = vec![minutes(&lane, 0)];
    for minute in 1..=4 {
        lane.returns.push(at(minute));
        holds.push(minutes(&lane, minute));
    }
    assert_eq!(holds, [1, 2, 4, 4, 4]);
    assert_eq!([61, 62, 63, 64].map(|minute| minutes(&lane, minute)), [4, 4, 2, 1]);
    lane.returns = vec![at(5); 100_000];
    assert_eq!(minutes(&lane, 5), 4);
    let inverted = Policy { hold_cap: Duration::ZERO, ..policy() };
    assert_eq!(lane.hold(at(5), &inverted), MINUTE, "a cap below the base is the base");
}

#[test]
fn an_alias_names_the_first_node_and_stays_with_one_that_may_stay() {
    let mut lane = Lane::new(RecordType::Cname, at(0));
    let mut named = |minute, nodes| {
        decide(&mut lane, &seen(minute, nodes, "good"));
        lane.wanted().map(ToString::to_string).unwrap_or_default()
    };
    assert_eq!(named(0, "pi1:unknown pi2:up"), "CNAME pi2.example.com");
    assert_eq!(named(1, "pi1:risen pi2:up"), "CNAME pi2.example.com", "not away from one that is up");
    assert_eq!(named(2, "pi1:up pi2:down"), "CNAME pi1.example.com");
    assert_eq!(named(3, "pi1:down pi2:down"), "CNAME user.github.io");
    assert_eq!(named(4, "pi1:down pi2:risen"), "CNAME pi2.example.com");
}

#[test]
fn what_is_wanted_is_never_empty() {
    let mut undecided = Lane::new(RecordType::A, at(0));
    decide(&mut undecided, &seen(1, "pi1:unknown", "good"));
    assert_eq!(undecided.wanted(), None);
    let mut home = lane(RecordType::A, Side::Home, "pi1 pi2", 0);
    decide(&mut home, &seen(1, "pi1:up pi2:suspect", "good"));
    assert_eq!(home.wanted().unwrap().to_string(), "A 203.0.113.1 203.0.113.2");
    let mut away = lane(RecordType::A, Side::Fallback, "", 0);
    decide(&mut away, &seen(1, "pi1:down", "broken"));
    assert_eq!(away.wanted(), None, "left as it is");
    away.record_read(Some(pages(RecordType::A)));
    decide(&mut away, &seen(2, "pi1:down", "broken"));
    assert_eq!(away.wanted(), Some(&pages(RecordType::A)), "what was written stays");
}

#[test]
fn a_person_moves_visitors_whatever_the_hold_down_says() {
    let mut lane = lane(RecordType::Cname, Side::Fallback, "", 0);
    let now = seen(3, "pi1:down pi2:up pi3:unproven", "good");
    step(&mut lane, &now, |lane, s| lane.pin(at(3), Side::Home, s, "a person".to_owned()));
    assert_eq!(stands(&lane), "home pi2");
    assert_eq!(lane.wanted().unwrap().to_string(), "CNAME pi2.example.com");
    assert_eq!(lane.why(), ("a person", at(3)));
    assert_eq!(lane.returns_left(at(3), &policy()), 2, "a person's word costs no budget");
    step(&mut lane, &now, |lane, s| lane.pin(at(4), Side::Fallback, s, "again".to_owned()));
    assert_eq!((stands(&lane).as_str(), lane.wanted()), ("fallback", Some(&pages(RecordType::Cname))));
}

#[test]
fn what_did_not_land_is_taken_back_and_what_landed_is_not() {
    let mut lane = lane(RecordType::A, Side::Home, "pi1 pi2", 0);
    decide(&mut lane, &seen(1, "pi1:down pi2:up", "good"));
    assert_eq!(stands(&lane), "home pi2");
    lane.revert();
    assert_eq!((stands(&lane).as_str(), lane.wanted()), ("home pi1 pi2", None));

    decide(&mut lane, &seen(2, "pi1:down pi2:up", "good"));
    lane.record_landed(at(0), lane.wanted().unwrap().clone());
    decide(&mut lane, &seen(3, "pi1:down pi2:down", "good"));
    assert_eq!(stands(&lane), "fallback");
    lane.revert();
    assert_eq!(stands(&lane), "home pi2");
    // What landed late, and was not wanted any more, is in force but no decision to go back to.
    lane.record_landed(at(0), pages(RecordType::A));
    assert_eq!((lane.in_force(), lane.written()), (Some(&pages(RecordType::A)), Some(&pages(RecordType::A))));
    lane.revert();
    assert_eq!(stands(&lane), "home pi2");
}

#[test]
fn why_and_since_when_stay_as_long_as_the_reason() {
    let mut lane = lane(RecordType::A, Side::Home, "pi1", 0);
    decide(&mut lane, &seen(5, "pi1:down", "broken"));
    let (why, since) = (lane.why().0.to_owned(), lane.why().1);
    assert!(why.contains("the fallback is not known to be good (broken)"), "{why}");
    assert_eq!(since, at(5));
    assert_eq!(decide(&mut lane, &seen(6, "pi1:down", "broken")), Decided::Nothing);
    assert_eq!(lane.why(), (why.as_str(), at(5)));
    assert_eq!(decide(&mut lane, &seen(7, "pi1:down", "still broken")), Decided::Stuck);
    assert_eq!(lane.why().1, at(7));
}

#[test]
fn spans_are_told_as_people_say_them() {
    let said = [(400, "0.4 s"), (9_900, "9.9 s"), (75_000, "75 s"), (180_000, "3 min"), (7_200_000, "2 h")];
    for (ms, text) in said {
        assert_eq!(words(Duration::from_millis(ms)), text);
    }
}
