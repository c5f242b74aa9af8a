use super::*;
use crate::policy::Profile;

/// A demo without parts: what a visitor sees follows what was done, some time later. Pis come back one at a time.
struct Fake {
    now: Moment,
    up: BTreeSet<Pi>,
    published: BTreeSet<Pi>,
    /// The watcher never notices, from this many acts on.
    blind_after: usize,
    changed: Moment,
    sight: Sight,
    news: Vec<News>,
    looks: usize,
}

/// How long the fake takes to follow.
const DELAY: Duration = Duration::from_secs(3);

impl Fake {
    fn new() -> Self {
        let (up, now) = (BTreeSet::from(Pi::BOTH), Moment::START);
        Self {
            now,
            up,
            published: BTreeSet::new(),
            blind_after: usize::MAX,
            changed: now,
            sight: Sight::new(),
            news: Vec::new(),
            looks: 0,
        }
    }

    fn acts(&self) -> usize {
        self.news.iter().filter(|news| matches!(news, News::Done(_))).count()
    }
}

impl Stage for Fake {
    fn now(&self) -> Moment {
        self.now
    }

    fn act(&mut self, act: Act) -> io::Result<()> {
        match act {
            Act::Kill(pi) => drop(self.up.remove(&pi)),
            Act::Heal(pi) => drop(self.up.insert(pi)),
            Act::Hang(_)
            | Act::Cut(_)
            | Act::KillWatcher
            | Act::HealWatcher
            | Act::BreakPages
            | Act::HealPages
            | Act::HealAll => return Err(io::Error::other("the fake cannot do this")),
        }
        self.changed = self.now;
        Ok(())
    }

    async fn look(&mut self) -> Result<Sight, AskError> {
        self.now = self.now + Duration::from_millis(200);
        self.looks += 1;
        if self.now - self.changed >= DELAY && self.acts() < self.blind_after {
            self.published.retain(|pi| self.up.contains(pi));
            if let Some(pi) = self.up.difference(&self.published).next().copied() {
                self.published.insert(pi);
                self.changed = self.now;
            }
            let pis: Vec<Pi> = self.published.iter().copied().collect();
            let away = Sight::from([(PAGES_ADDRESS.into(), Page::FromFallback)]);
            self.sight = if pis.is_empty() { away } else { home(&pis) };
        }
        Ok(self.sight.clone())
    }

    fn tell(&mut self, news: &News) {
        self.news.push(news.clone());
    }
}

fn quick() -> Vec<Step> {
    outage(&Policy::of(Profile::Fast).faster(5.0))
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_seen_step_by_step() {
    let mut fake = Fake::new();
    let took = play(&mut fake, &quick()).await.unwrap();
    assert_eq!(took.len(), 5);
    let seen: Vec<String> = fake
        .news
        .iter()
        .filter_map(|news| if let News::Seen { to, .. } = news { Some(whom(to)) } else { None })
        .collect();
    let both = "pi1 (127.0.0.11) and pi2 (127.0.0.12)";
    let one = "pi1 (127.0.0.11)";
    assert_eq!(seen, [both, one, "the fallback (127.0.0.21)", one, both]);
    assert!(fake.news.iter().all(|news| !matches!(news, News::Seen { after, .. } if *after < DELAY)));
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_does_not_notice_fails_the_step_and_the_rest_is_not_played() {
    let mut fake = Fake { blind_after: 2, ..Fake::new() };
    let failure = play(&mut fake, &quick()).await.unwrap_err();
    let text = failure.to_string();
    assert!(text.contains("should have been led to the fallback"), "{text}");
    assert!(text.contains("pi1 (127.0.0.11): gave the site, from a Pi"), "{text}");
    assert_eq!(fake.acts(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_right_address_with_the_wrong_server_behind_it_does_not_count() {
    let mut fake = Fake { blind_after: 0, sight: home(&Pi::BOTH), ..Fake::new() };
    fake.sight.insert(Pi::Two.public().into(), Page::FromFallback);
    let failure = play(&mut fake, &quick()[..1]).await.unwrap_err();
    assert!(failure.to_string().contains("pi2 (127.0.0.12): gave the site, from the fallback"), "{failure}");
    assert!(fake.looks > 10);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_named() {
    let step = Step { acts: vec![Act::BreakPages], wanted: Wanted::AnyPi, within: Duration::ZERO };
    let failure = play(&mut Fake::new(), &[step]).await.unwrap_err();
    assert!(matches!(failure, Failure::Act(Act::BreakPages, _)), "{failure}");
}

#[test]
fn any_pi_is_one_or_both_and_neither_the_fallback_nor_nobody() {
    let away = Sight::from([(PAGES_ADDRESS.into(), Page::FromFallback)]);
    for pis in [&Pi::BOTH[..], &[Pi::One], &[Pi::Two]] {
        assert!(Wanted::AnyPi.is_met_by(&home(pis)), "{pis:?}");
    }
    let mixed = home(&[Pi::One]).into_iter().chain(away.clone()).collect();
    for sight in [away, mixed, Sight::new()] {
        assert!(!Wanted::AnyPi.is_met_by(&sight), "{sight:?}");
    }
}

#[test]
fn the_bounds_follow_the_policy() {
    let policy = Policy::of(Profile::Fast);
    let within: Vec<u64> = outage(&policy).iter().map(|step| (step.within - MACHINE).as_secs()).collect();
    // 60 + 10 + 6; 25 + 10 + 6 + 4 x 3 + 10, twice; 60 + 2 x 10; 120 - 60 + 2 x 10.
    assert_eq!(within, [76, 63, 63, 80, 80]);
    let calm = outage(&Policy::of(Profile::Calm));
    let [_, sibling, fallback, first, second] = &calm[..] else { panic!("five steps: {calm:?}") };
    assert!(sibling.within <= fallback.within && fallback.within < first.within, "{calm:?}");
    assert_eq!(first.within, second.within);
}
