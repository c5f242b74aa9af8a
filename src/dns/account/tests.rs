use proptest::prelude::*;

use super::*;

const NOW: Moment = Moment::from_millis(100_000_000);
const PACE: Pace = Pace::PerHour { name: 4, account: 6 };
const CLOUD: Conduct = Conduct { pace: PACE, spacing: Duration::ZERO, lag: Duration::ZERO };
const SLOW: Conduct =
    Conduct { spacing: Duration::from_secs(60), lag: Duration::from_secs(60 * 60), ..CLOUD };

fn id() -> AccountId {
    AccountId("dnspod/1".to_owned())
}

fn name(label: &str) -> Name {
    format!("{label}.example.com").parse().unwrap()
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

fn set(text: &str) -> BTreeSet<Rdata> {
    [text.parse().unwrap()].into()
}

/// As after a crash.
fn again(accounts: &Accounts) -> Accounts {
    serde_json::from_str(&serde_json::to_string(accounts).unwrap()).unwrap()
}

#[test]
fn one_refusal_stops_every_name_of_the_account_and_of_no_other() {
    let mut accounts = Accounts::default();
    accounts.failed((&id(), &name("a")), PACE, Setback::Auth, NOW, 0.5);
    let mut accounts = again(&accounts);
    let later = NOW + minutes(60 * 24 * 365);
    assert_eq!(accounts.permission(&id(), &name("b"), later), Permission::Stopped);
    let corrected = AccountId("dnspod/2".to_owned());
    assert_eq!(accounts.permission(&corrected, &name("a"), NOW), Permission::Granted);
    accounts.person_acted();
    assert_eq!(accounts.permission(&id(), &name("b"), NOW), Permission::Granted);
}

#[test]
fn a_pause_is_for_the_whole_account_and_a_person_does_not_shorten_it() {
    let mut accounts = Accounts::default();
    accounts.failed((&id(), &name("a")), PACE, Setback::Wait(minutes(60)), NOW, 1.0);
    accounts.person_acted();
    for label in ["a", "b"] {
        assert_eq!(accounts.permission(&id(), &name(label), NOW), Permission::From(NOW + minutes(60)));
    }
    assert_eq!(accounts.permission(&id(), &name("b"), NOW + minutes(60)), Permission::Granted);
}

#[test]
fn at_a_server_of_ones_own_a_refusal_is_the_names_alone() {
    let mut accounts = Accounts::default();
    accounts.failed((&id(), &name("a")), Pace::Free, Setback::Auth, NOW, 0.5);
    assert_eq!(accounts.permission(&id(), &name("a"), NOW + minutes(60)), Permission::Stopped);
    assert_eq!(accounts.permission(&id(), &name("b"), NOW), Permission::Granted);
}

#[test]
fn another_failure_is_the_names_alone() {
    let mut accounts = Accounts::default();
    accounts.failed((&id(), &name("a")), PACE, Setback::Refused, NOW, 1.0);
    assert!(matches!(accounts.permission(&id(), &name("a"), NOW), Permission::From(_)));
    assert_eq!(accounts.permission(&id(), &name("b"), NOW), Permission::Granted);
}

#[test]
fn a_wait_from_another_time_line_is_not_endless() {
    let mut accounts = Accounts::default();
    accounts.failed((&id(), &name("a")), PACE, Setback::Wait(minutes(60)), NOW + minutes(60 * 24 * 30), 1.0);
    assert_eq!(accounts.permission(&id(), &name("b"), NOW), Permission::Granted);
}

#[test]
fn a_server_of_ones_own_is_not_counted() {
    let mut accounts = Accounts::default();
    let free = Conduct { pace: Pace::Free, ..SLOW };
    let (id, name) = (id(), name("a"));
    (0..1_000).for_each(|_| accounts.sending((&id, &name), free, &set("A 192.0.2.1"), NOW));
    assert_eq!(accounts.may_send((&id, &name), free, &set("A 192.0.2.1"), NOW), Ok(()));
}

#[test]
fn what_does_not_show_yet_is_not_sent_again_and_something_else_is() {
    let (mut accounts, id, name) = (Accounts::default(), id(), name("a"));
    let (one, two) = (set("A 192.0.2.1"), set("A 192.0.2.2"));
    accounts.sending((&id, &name), SLOW, &one, NOW);
    let soon = accounts.may_send((&id, &name), SLOW, &two, NOW + minutes(0));
    assert_eq!(soon, Err(Held::TooSoon(minutes(1))), "two changes are a minute apart");
    let may = |accounts: &Accounts, data, after| {
        again(accounts).may_send((&id, &name), SLOW, data, NOW + minutes(after))
    };
    assert_eq!(
        may(&accounts, &one, 4),
        Err(Held::NotShown(minutes(4))),
        "it is not known whether it was taken"
    );
    assert_eq!((may(&accounts, &one, 5), may(&accounts, &two, 4)), (Ok(()), Ok(())));
    accounts.taken(&id, &name, SLOW);
    assert_eq!(may(&accounts, &one, 59), Err(Held::NotShown(minutes(59))));
    assert_eq!((may(&accounts, &one, 60), may(&accounts, &two, 59)), (Ok(()), Ok(())));
    accounts.person_acted();
    assert_eq!(may(&accounts, &one, 59), Err(Held::NotShown(minutes(59))), "a restart by hand shows nothing");
    accounts.not_taken(&id, &name);
    assert_eq!(may(&accounts, &one, 2), Ok(()));
}

#[test]
fn what_stands_is_looked_at_after_an_hour_and_at_once_when_something_else_is_wanted() {
    let (mut accounts, id, name) = (Accounts::default(), id(), name("a"));
    let (one, two) = (set("A 192.0.2.1"), set("A 192.0.2.2"));
    accounts.landed((&id, &name), &one, NOW, Duration::ZERO, 0.0);
    let look = |accounts: &Accounts, wanted, after| {
        again(accounts).permission_to_look(&id, &name, wanted, NOW + minutes(after))
    };
    assert_eq!(look(&accounts, &one, 59), Permission::From(NOW + REST));
    assert_eq!(
        (look(&accounts, &one, 60), look(&accounts, &two, 1)),
        (Permission::Granted, Permission::Granted)
    );
    accounts.sending((&id, &name), CLOUD, &two, NOW + minutes(1));
    assert_eq!(look(&accounts, &one, 2), Permission::Granted, "it may not stand any more");
    accounts.landed((&id, &name), &two, NOW, Duration::ZERO, 1.0);
    assert_eq!(look(&accounts, &two, 65), Permission::From(NOW + minutes(66)));
    accounts.person_acted();
    assert_eq!(look(&accounts, &two, 2), Permission::Granted);
}

proptest! {
    #[test]
    fn no_hour_has_more_changes_than_the_budget(
        steps in prop::collection::vec((0..3_u64, 0..900_u64, any::<bool>()), 1..200),
    ) {
        let (mut accounts, mut now, mut made) = (Accounts::default(), NOW, Vec::new());
        for (label, pause, restart) in steps {
            now = now + Duration::from_secs(pause);
            if restart {
                accounts = serde_json::from_str(&serde_json::to_string(&accounts).unwrap()).unwrap();
                accounts.person_acted();
            }
            let name = name(["a", "b", "c"][usize::try_from(label).unwrap()]);
            let data = BTreeSet::new();
            if accounts.may_send((&id(), &name), CLOUD, &data, now).is_ok() {
                accounts.sending((&id(), &name), CLOUD, &data, now);
                made.push((now, label));
            }
        }
        for (at, label) in &made {
            let of_hour = made.iter().filter(|(other, _)| *other >= *at && other.since(*at) < WINDOW);
            prop_assert!(of_hour.clone().count() <= 6);
            prop_assert!(of_hour.filter(|(_, other)| other == label).count() <= 4);
        }
    }

    #[test]
    fn at_rest_no_hour_has_more_than_one_look_however_often_it_is_asked_for_and_whatever_crashes(
        steps in prop::collection::vec((0..1_200_u64, any::<bool>(), 0.0..1.0_f64), 1..200),
    ) {
        let (mut accounts, mut now, mut looks) = (Accounts::default(), NOW, Vec::new());
        let (id, name, wanted) = (id(), name("a"), set("A 192.0.2.1"));
        for (pause, crash, jitter) in steps {
            now = now + Duration::from_secs(pause);
            if crash {
                accounts = again(&accounts);
            }
            if accounts.permission_to_look(&id, &name, &wanted, now) == Permission::Granted {
                accounts.landed((&id, &name), &wanted, now, Duration::ZERO, jitter);
                looks.push(now);
            }
        }
        prop_assert!(!looks.is_empty());
        prop_assert!(looks.windows(2).all(|pair| pair[1] - pair[0] >= REST), "{:?}", looks);
    }
}
