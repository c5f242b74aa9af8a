//! What runs inside the virtual machine of [`super::vm`]: hearth on simulated GPIO lines and on LEDs of a real kernel,
//! looked at from outside of every process of hearth, through the kernel's own files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gpiocdev::chip::Chip;
use gpiocdev::line::Value;
use hearth::leds::face::{Face, Wiring};
use hearth::leds::rhythm::Level;
use hearth::leds::settings::{Active, Backend, ChipName, KernelLeds, Pins, Place};
use hearth::leds::words::{Task, Told, Word};
use hearth::leds::{Shown, state};
use rustix::process::{Pid, Signal, kill_process};

use crate::agent::rig::Rig;
use crate::support::wait_until;

/// How far an edge may be from its place: the machine is emulated, and its host has other things to do.
const SLACK: Duration = Duration::from_millis(90);

/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(8);

/// What lasts for less was seen between two lamps of one change.
const TORN: Duration = Duration::from_millis(20);

/// From the hang to the dark.
const DARK_WITHIN: Duration = Duration::from_secs(10);

/// A simulated GPIO chip (Documentation/admin-guide/gpio/gpio-sim.rst), with its lines as seen from outside.
struct Sim {
    label: String,
    directory: PathBuf,
    device: PathBuf,
}

impl Sim {
    fn new(label: &str, lines: usize) -> Self {
        let config = Path::new("/sys/kernel/config/gpio-sim").join(label);
        let bank = config.join("bank0");
        fs::create_dir_all(&bank).unwrap();
        fs::write(bank.join("num_lines"), lines.to_string()).unwrap();
        fs::write(bank.join("label"), label).unwrap();
        fs::write(config.join("live"), "1").unwrap();
        let read = |path: PathBuf| fs::read_to_string(path).unwrap().trim().to_owned();
        let chip = read(bank.join("chip_name"));
        let directory = Path::new("/sys/devices/platform").join(read(config.join("dev_name"))).join(&chip);
        Self { label: label.to_owned(), directory, device: Path::new("/dev").join(chip) }
    }

    fn line(&self, offset: u32) -> PathBuf {
        self.directory.join(format!("sim_gpio{offset}/value"))
    }

    /// Presses or lets go of a button between this line and ground.
    fn pull(&self, offset: u32, pull: &str) {
        fs::write(self.directory.join(format!("sim_gpio{offset}/pull")), pull).unwrap();
    }

    fn press(&self, offset: u32, held: Duration) {
        self.pull(offset, "pull-down");
        std::thread::sleep(held);
        self.pull(offset, "pull-up");
    }

    fn holder(&self, offset: u32) -> Option<String> {
        let info = Chip::from_path(&self.device).unwrap().line_info(offset).unwrap();
        info.used.then_some(info.consumer)
    }

    /// `[leds]` with lamps on the lines 0, 1 and 2.
    fn leds(&self) -> String {
        format!("[leds.pins]\nchip = \"{}\"\nred = [0]\namber = [1]\ngreen = [2]\n", self.label)
    }

    fn lamps(&self) -> Lamps {
        Lamps::new((0..3).map(|offset| self.line(offset)))
    }
}

/// Lamps, by the files that say whether each is lit: a `value` of a line, a `brightness` of an LED.
struct Lamps(Vec<File>);

impl Lamps {
    fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(files.into_iter().map(|path| File::open(path).unwrap()).collect())
    }

    fn look(&self) -> Vec<bool> {
        let mut byte = [0; 1];
        let lit = |file: &File| {
            file.read_at(&mut byte, 0).unwrap();
            byte[0] != b'0'
        };
        self.0.iter().map(lit).collect()
    }

    fn is_dark(&self) -> bool {
        self.look().iter().all(|lit| !lit)
    }

    /// Looks again and again for so long.
    fn watch(&self, span: Duration) -> Watched {
        let began = Instant::now();
        let mut watched = Watched {
            changes: vec![(Duration::ZERO, self.look())],
            gap: Duration::ZERO,
            end: Duration::ZERO,
        };
        while watched.end < span {
            std::thread::sleep(BETWEEN);
            let (now, lamps) = (began.elapsed(), self.look());
            watched.gap = watched.gap.max(now - watched.end);
            watched.end = now;
            if watched.changes.last().unwrap().1 != lamps {
                watched.changes.push((now, lamps));
            }
        }
        watched
    }

    /// Waits until the state is played, compared over a whole round and a bit.
    #[track_caller]
    fn wait_for(&self, state: &str, within: Duration) {
        let shown: Shown = state.parse().unwrap();
        let began = Instant::now();
        loop {
            let round: Duration = steps(shown).iter().map(|(_, span)| *span).sum();
            match self.watch(round + Duration::from_millis(500)).plays(0..3, shown) {
                Ok(()) => return,
                Err(why) => assert!(began.elapsed() < within, "{state} was not seen: {why}"),
            }
        }
    }

    /// Waits for the dark, and that it stays; how long some lamp was still lit.
    #[track_caller]
    fn wait_for_dark(&self, within: Duration) -> Duration {
        let (began, mut lit) = (Instant::now(), Duration::ZERO);
        // No rhythm that could be played here is dark for longer.
        while began.elapsed() < lit + Duration::from_millis(2500) {
            if !self.is_dark() {
                lit = began.elapsed();
                assert!(lit <= within, "still lit after {lit:?}");
            }
            std::thread::sleep(BETWEEN);
        }
        lit
    }
}

/// What was seen: how the lamps were, and since when.
struct Watched {
    changes: Vec<(Duration, Vec<bool>)>,
    /// The longest time between two looks.
    gap: Duration,
    /// The last look.
    end: Duration,
}

/// How lamps are, and for how long.
type Step = (Vec<bool>, Duration);

impl Watched {
    /// Whether these lamps played the state: every step of it in its order and for its time, from wherever in it the look
    /// began.
    fn plays(&self, lamps: std::ops::Range<usize>, shown: Shown) -> Result<(), String> {
        if self.gap > SLACK {
            return Err(format!("{:?} passed between two looks", self.gap));
        }
        let (seen, expected) = (self.steps(lamps), steps(shown));
        if expected.len() == 1 {
            let same = seen.len() == 1 && seen[0].0 == expected[0].0;
            return if same { Ok(()) } else { Err(format!("{seen:?}")) };
        }
        let whole = |steps: &[Step]| steps.iter().map(|(_, span)| *span).sum::<Duration>();
        let enough = whole(&seen) >= whole(&expected);
        let fits = (0..expected.len()).any(|first| fits(&seen, &expected, first));
        if enough && fits { Ok(()) } else { Err(format!("{seen:?}")) }
    }

    /// Each step of these lamps. A look that fell between two lamps of one change is none.
    fn steps(&self, lamps: std::ops::Range<usize>) -> Vec<Step> {
        let ends = self.changes.iter().skip(1).map(|(at, _)| *at).chain([self.end]);
        let mut steps: Vec<Step> = Vec::new();
        for ((at, all), end) in self.changes.iter().zip(ends) {
            match steps.last_mut() {
                Some((last, span)) if *last == all[lamps.clone()] => *span += end - *at,
                _ => steps.push((all[lamps.clone()].to_vec(), end - *at)),
            }
        }
        let mut whole: Vec<Step> = Vec::new();
        for (lamps, span) in steps {
            match whole.last_mut() {
                Some((_, last)) if span < TORN => *last += span,
                Some((same, last)) if *same == lamps => *last += span,
                _ => whole.push((lamps, span)),
            }
        }
        whole
    }
}

/// One round of a state on three lamps, as it should be.
fn steps(shown: Shown) -> Vec<Step> {
    let face = Face::of(shown, Wiring::Three);
    let round = hearth::leds::rhythm::rhythm(shown)
        .period()
        .max(Duration::from_secs(u64::from(shown == Shown::Test) * 4));
    let mut steps: Vec<Step> = Vec::new();
    let mut at = Duration::ZERO;
    while at < round {
        let span = face.until_next(at).unwrap_or(round);
        let lamps: Vec<_> = face.levels_at(at).into_iter().map(|level| level == Level::On).collect();
        match steps.last_mut() {
            Some((last, so_far)) if *last == lamps => *so_far += span,
            _ => steps.push((lamps, span)),
        }
        at += span;
    }
    // A round that ends as it begins has one step less.
    if steps.len() > 1 && steps[0].0 == steps[steps.len() - 1].0 {
        let (_, span) = steps.pop().unwrap();
        steps[0].1 += span;
    }
    steps
}

/// Whether what was seen is the expected from step `first` on. The first and the last may be cut off by the look.
fn fits(seen: &[Step], expected: &[Step], first: usize) -> bool {
    let pairs = seen.iter().zip(expected.iter().cycle().skip(first));
    pairs.enumerate().all(|(n, ((lamps, span), (wanted, length)))| {
        let cut = n == 0 || n + 1 == seen.len();
        lamps == wanted && *span <= *length + SLACK && (cut || *span + SLACK >= *length)
    })
}

/// A keeper without an agent: what it is told comes from the test.
struct Keeper {
    child: Child,
    words: ChildStdin,
    told: mpsc::Receiver<Told>,
}

impl Keeper {
    fn start(place: Place) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hearth"))
            .arg("lamps")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (words, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (send, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).unwrap());
            }
        });
        let mut keeper = Self { child, words, told };
        keeper.say(&Task { places: vec![place], button: None });
        keeper
    }

    fn say(&mut self, word: &impl serde::Serialize) {
        writeln!(self.words, "{}", serde_json::to_string(word).unwrap()).unwrap();
    }

    fn show(&mut self, shown: Shown) {
        self.say(&Word::Show(shown));
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The trouble of its only place, as it was told first.
    fn trouble(&self) -> String {
        loop {
            if let Told::Places(places) = self.told.recv_timeout(Duration::from_secs(30)).unwrap() {
                return places[0].trouble.clone();
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn three(sim: &Sim, first: u32) -> Place {
    Place::Pins(Pins {
        chip: ChipName::Label(sim.label.clone()),
        wiring: Wiring::Three,
        lamps: (first..first + 3).map(|offset| vec![offset]).collect(),
        active: Active::High,
        backend: Backend::Auto,
    })
}

/// An agent that takes its time: an emulated machine is slow.
fn agent(more: &str) -> Rig {
    let rig = Rig::new(more);
    let path = rig.path("hearth.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("\"100ms\"", "\"2s\"").replace("\"200ms\"", "\"5s\"")).unwrap();
    rig
}

/// An agent that is healthy on lamps of its own.
fn healthy(sim: &Sim) -> Rig {
    let mut rig = agent(&sim.leds());
    rig.start();
    sim.lamps().wait_for("healthy", Duration::from_secs(60));
    rig
}

#[test]
#[ignore = "runs in a virtual machine"]
fn every_state_has_its_rhythm_on_real_lines() {
    let states: Vec<_> = Shown::all();
    let sim = Sim::new("states", states.len() * 3);
    let place = |n: usize| three(&sim, u32::try_from(n * 3).unwrap());
    let mut keepers: Vec<_> = (0..states.len()).map(|n| Keeper::start(place(n))).collect();
    for keeper in &keepers {
        assert_eq!(keeper.trouble(), "");
    }
    let lamps = Lamps::new((0..u32::try_from(states.len() * 3).unwrap()).map(|offset| sim.line(offset)));
    let mut missing: BTreeMap<usize, String> = (0..states.len()).map(|n| (n, String::new())).collect();
    // An emulated machine on a busy host oversleeps now and then: what was not seen is looked at again.
    for _ in 0..5 {
        let watched = std::thread::scope(|scope| {
            let looking = scope.spawn(|| lamps.watch(Duration::from_millis(11_500)));
            while !looking.is_finished() {
                keepers.iter_mut().zip(&states).for_each(|(keeper, shown)| keeper.show(*shown));
                std::thread::sleep(Duration::from_millis(1500));
            }
            looking.join().unwrap()
        });
        missing.retain(|n, why| match watched.plays(n * 3..n * 3 + 3, states[*n]) {
            Ok(()) => false,
            Err(said) => {
                *why = format!("{}: {said}", states[*n]);
                true
            }
        });
        if missing.is_empty() {
            return;
        }
    }
    panic!("not seen: {:?}", missing.values());
}

#[test]
#[ignore = "runs in a virtual machine"]
fn an_agent_that_hangs_is_dark_within_ten_seconds_and_one_that_is_killed_at_once() {
    let sim = Sim::new("hangs", 3);
    let lamps = sim.lamps();
    let mut rig = healthy(&sim);
    assert_eq!((0..3).map(|line| sim.holder(line)).collect::<Vec<_>>(), vec![Some("hearth".to_owned()); 3]);
    rig.signal(Signal::STOP);
    let took = lamps.wait_for_dark(DARK_WITHIN);
    assert!(took >= Duration::from_secs(4), "{took:?}: it went dark for another reason");
    rig.signal(Signal::CONT);
    lamps.wait_for("healthy", Duration::from_secs(60));
    rig.kill();
    lamps.wait_for_dark(Duration::from_secs(2));
    wait_until("the lines are free", Duration::from_secs(5), || sim.holder(2).is_none().then_some(()));
}

#[test]
#[ignore = "runs in a virtual machine"]
fn a_clean_stop_blinks_once_more_and_is_dark() {
    let sim = Sim::new("stops", 3);
    let lamps = sim.lamps();
    let mut rig = healthy(&sim);
    let watched = std::thread::scope(|scope| {
        let looking = scope.spawn(|| lamps.watch(Duration::from_secs(5)));
        rig.stop();
        looking.join().unwrap()
    });
    let lit: Vec<_> =
        watched.changes.iter().map(|(_, lamps)| &lamps[..]).filter(|lamps| lamps.contains(&true)).collect();
    assert_eq!(
        lit.last(),
        Some(&&[false, true, false][..]),
        "the last that was lit is the amber blink: {lit:?}"
    );
    assert!(lamps.is_dark());
    assert!(sim.holder(1).is_none(), "the line is free");
}

#[test]
#[ignore = "runs in a virtual machine"]
fn a_lamp_process_that_hangs_is_started_again() {
    let sim = Sim::new("keeper", 3);
    let rig = healthy(&sim);
    let keeper = rig.child_called("lamps");
    kill_process(keeper, Signal::STOP).unwrap();
    wait_until("another one is started", Duration::from_secs(30), || {
        rig.find_child("lamps").filter(|other| *other != keeper)
    });
    sim.lamps().wait_for("healthy", Duration::from_secs(60));
    assert!(rig.log().contains("the lamps are started again"), "{}", rig.log());
}

#[test]
#[ignore = "runs in a virtual machine"]
fn a_line_that_somebody_else_holds_is_named_with_its_holder() {
    let sim = Sim::new("taken", 3);
    let held = gpiocdev::Request::builder()
        .on_chip(&sim.device)
        .with_consumer("spi0 CS0")
        .with_line(1)
        .as_output(Value::Inactive)
        .request()
        .unwrap();
    let trouble = Keeper::start(three(&sim, 0)).trouble();
    assert!(trouble.starts_with("GPIO 1 of taken is in use by `spi0 CS0`: stop that"), "{trouble}");
    let trouble = Keeper::start(three(&sim, 1)).trouble();
    assert!(trouble.contains("GPIO 1"), "{trouble}");
    drop(held);
    let trouble = Keeper::start(three(&sim, 1)).trouble();
    assert!(trouble.starts_with("there is no GPIO 3 on taken, which has the lines 0 to 2"), "{trouble}");
}

#[test]
#[ignore = "runs in a virtual machine"]
fn a_button_acknowledges_identifies_opens_the_set_up_window_and_switches_off() {
    let sim = Sim::new("button", 4);
    sim.pull(3, "pull-up");
    let directory = tempfile::tempdir().unwrap();
    let touched = |name: &str| directory.path().join(name);
    let program = |name: &str| format!("[\"/bin/touch\", \"{}\"]", touched(name).display());
    let mut rig = agent(&format!(
        "{}[leds.button]\nchip = \"{}\"\npin = 3\nsetup = {}\nshutdown = {}\n",
        sim.leds(),
        sim.label,
        program("setup"),
        program("shutdown"),
    ));
    fs::remove_dir_all(rig.path("www")).unwrap();
    rig.start();
    let lamps = sim.lamps();
    lamps.wait_for("fault-4", Duration::from_secs(60));
    let tap = || sim.press(3, Duration::from_millis(150));
    tap();
    rig.wait_for("a tap acknowledges", |s| state(s).to_string() == "acknowledged-4");
    lamps.wait_for("acknowledged-4", Duration::from_secs(60));
    tap();
    std::thread::sleep(Duration::from_millis(120));
    tap();
    rig.wait_for("two taps identify", |s| state(s).to_string() == "identify");
    lamps.wait_for("identify", Duration::from_secs(25));
    sim.press(3, Duration::from_millis(3600));
    wait_until("three seconds start the set-up", Duration::from_secs(10), || {
        touched("setup").exists().then_some(())
    });
    assert!(!touched("shutdown").exists());
    sim.pull(3, "pull-down");
    wait_until("eight seconds switch off, still held", Duration::from_secs(20), || {
        touched("shutdown").exists().then_some(())
    });
    sim.pull(3, "pull-up");
    rig.stop();
}

/// The LEDs of the machine's keyboard: of the kernel's LED class like those of a board, on or off only.
fn keyboard() -> [PathBuf; 3] {
    let leds = fs::read_dir("/sys/class/leds").unwrap().map(|entry| entry.unwrap().path());
    let names: Vec<_> = leds.filter(|path| path.to_str().unwrap().contains("::")).collect();
    ["numlock", "capslock", "scrolllock"]
        .map(|key| names.iter().find(|path| path.to_str().unwrap().ends_with(key)).unwrap().clone())
}

#[test]
#[ignore = "runs in a virtual machine"]
fn leds_of_the_kernel_play_by_leases_that_end_and_get_their_trigger_back() {
    let leds = keyboard();
    let name = |path: &PathBuf| vec![path.file_name().unwrap().to_str().unwrap().to_owned()];
    let trigger = |led: &Path| {
        let text = fs::read_to_string(led.join("trigger")).unwrap();
        text.split_whitespace().find(|word| word.starts_with('[')).map(str::to_owned)
    };
    let before: Vec<_> = leds.iter().map(|led| trigger(led)).collect();
    let place = Place::Kernel(KernelLeds { wiring: Wiring::Three, lamps: leds.iter().map(name).collect() });
    let lamps = Lamps::new(leds.iter().map(|led| led.join("brightness")));
    let mut keeper = Keeper::start(place.clone());
    assert_eq!(keeper.trouble(), "");
    for state in ["degraded", "failover", "fault-2", "healthy"] {
        let shown: Shown = state.parse().unwrap();
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| lamps.wait_for(state, Duration::from_secs(60)));
            while !looking.is_finished() {
                keeper.show(shown);
                std::thread::sleep(Duration::from_millis(500));
            }
        });
    }
    assert_eq!(trigger(&leds[2]), Some("[pattern]".to_owned()));
    // The kernel plays on for a process that hangs, and no longer than the lease.
    keeper.signal(Signal::STOP);
    let took = lamps.wait_for_dark(DARK_WITHIN + SLACK);
    assert!(took >= Duration::from_secs(3), "{took:?}: the kernel did not play");
    keeper.signal(Signal::CONT);
    keeper.say(&Word::Bye);
    wait_until("the keeper ends", Duration::from_secs(10), || keeper.child.try_wait().unwrap());
    assert_eq!(
        leds.iter().map(|led| trigger(led)).collect::<Vec<_>>(),
        before,
        "the triggers are given back"
    );
    // Killed, it cannot give anything back; the one after it takes its word for it that `pattern` was ours.
    let mut killed = Keeper::start(place.clone());
    killed.show("healthy".parse().unwrap());
    wait_until("it plays", Duration::from_secs(10), || {
        (trigger(&leds[2]) == Some("[pattern]".to_owned())).then_some(())
    });
    drop(killed);
    let mut next = Keeper::start(place);
    assert_eq!(next.trouble(), "");
    next.say(&Word::Bye);
    wait_until("the keeper ends", Duration::from_secs(10), || next.child.try_wait().unwrap());
    assert_ne!(trigger(&leds[2]), Some("[pattern]".to_owned()));
}
