use std::sync::{Arc, Mutex};

use super::*;
use crate::leds::button::Gesture;
use crate::leds::settings::Place;
use crate::leds::sink::Sink;

/// What was shown, None for dark, and when.
type Log = Arc<Mutex<Vec<(Option<Shown>, Duration)>>>;

struct Seen(Log, Timeline);

impl Sink for Seen {
    fn show(&mut self, shown: Shown, _elapsed: Duration) -> io::Result<Option<Duration>> {
        self.0.lock().unwrap().push((Some(shown), self.1.uptime()));
        Ok(None)
    }

    fn dark(&mut self, _why: &str) -> io::Result<()> {
        self.0.lock().unwrap().push((None, self.1.uptime()));
        Ok(())
    }
}

struct Rig {
    log: Log,
    words: mpsc::Sender<Word>,
    presses: mpsc::Sender<Press>,
    told: mpsc::Receiver<Told>,
    line: Timeline,
}

impl Rig {
    /// Keeps one place while `script` speaks; returns what was seen on it.
    async fn play<F: Future<Output = ()>>(script: impl FnOnce(Rig) -> F) -> Vec<(Option<Shown>, Duration)> {
        let (log, line) = (Log::default(), Timeline::start(None));
        let (words, heard) = mpsc::channel(1);
        let (presses, pressed) = mpsc::channel(16);
        let (tell, told) = mpsc::channel(64);
        let sink = Arc::clone(&log);
        let open =
            move |_: &Place| -> Result<Box<dyn Sink>, String> { Ok(Box::new(Seen(Arc::clone(&sink), line))) };
        let stage = Stage::new(vec![Place::Terminal], Box::new(open));
        let rig = Rig { log: Arc::clone(&log), words, presses, told, line };
        tokio::join!(keep(stage, heard, pressed, tell), script(rig));
        log.lock().unwrap().clone()
    }

    async fn show(&self, shown: Shown) {
        self.words.send(Word::Show(shown)).await.unwrap();
    }
}

async fn ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_gone_leaves_no_lamp_on() {
    let seen = Rig::play(async |rig| {
        rig.show(Shown::Healthy).await;
        ms(1000).await;
    });
    let seen = seen.await;
    assert_eq!(seen[0].0, Some(Shown::Healthy));
    let (last, at) = seen.last().unwrap();
    assert!(last.is_none() && *at < Duration::from_millis(1010), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_falls_silent_leaves_no_lamp_on_for_ten_seconds_and_is_heard_when_it_comes_back() {
    let seen = Rig::play(async |rig| {
        rig.show(Shown::Healthy).await;
        ms(60_000).await;
        let last = rig.log.lock().unwrap().last().copied().unwrap();
        assert!(last.0.is_none() && last.1 < Duration::from_secs(10), "{last:?}");
        rig.show(Shown::Healthy).await;
        ms(100).await;
        assert_eq!(rig.log.lock().unwrap().last().unwrap().0, Some(Shown::Healthy));
    });
    seen.await;
}

#[tokio::test(start_paused = true)]
async fn an_end_on_purpose_is_one_blink_and_then_dark() {
    let seen = Rig::play(async |rig| {
        rig.show(Shown::Healthy).await;
        ms(1000).await;
        rig.words.send(Word::Bye).await.unwrap();
        rig.words.closed().await;
        assert!(rig.line.uptime() >= FAREWELL);
    });
    let seen = seen.await;
    let states: Vec<_> = seen.iter().map(|(shown, _)| *shown).collect();
    assert_eq!(states, [Some(Shown::Healthy), Some(Shown::Leaving), None]);
    let blink = seen[2].1 - seen[1].1;
    assert!(blink >= FAREWELL && blink < FAREWELL * 2, "{blink:?}");
}

#[tokio::test(start_paused = true)]
async fn each_word_is_answered_and_the_button_is_told_of() {
    Rig::play(async |mut rig| {
        assert!(matches!(rig.told.recv().await, Some(Told::Places(_))));
        rig.show(Shown::Healthy).await;
        assert_eq!(rig.told.recv().await, Some(Told::Alive));
        for press in [Press::Down, Press::Up] {
            rig.presses.send(press).await.unwrap();
            ms(100).await;
        }
        assert_eq!(rig.told.recv().await, Some(Told::Pressed(Gesture::Acknowledge)));
        rig.presses.send(Press::Down).await.unwrap();
        let down = rig.line.uptime();
        assert_eq!(rig.told.recv().await, Some(Told::Pressed(Gesture::Shutdown)), "without a release");
        let held = rig.line.uptime() - down;
        assert!(held >= Duration::from_secs(8) && held < Duration::from_secs(9), "{held:?}");
    })
    .await;
}

#[test]
fn what_is_said_is_read_back() {
    let task = Task {
        places: vec![Place::Terminal, crate::leds::LedPreset::JamHat.place(Default::default()).unwrap()],
        button: None,
    };
    assert_eq!(serde_json::from_str::<Task>(&serde_json::to_string(&task).unwrap()).unwrap(), task);
    for word in Shown::all().into_iter().map(Word::Show).chain([Word::Bye]) {
        assert_eq!(serde_json::from_str::<Word>(&serde_json::to_string(&word).unwrap()).unwrap(), word);
    }
    assert_eq!(serde_json::to_string(&Word::Show(Shown::Healthy)).unwrap(), r#"{"show":"healthy"}"#);
}
