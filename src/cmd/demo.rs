//! `hearth demo`: the live view, the same without a terminal, and the script.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use ratatui::crossterm::event::{self, KeyCode, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::{DemoArgs, DemoScript};
use crate::demo::act::{Command, command};
use crate::demo::config::Speed;
use crate::demo::picture::Event;
use crate::demo::script::{Step, outage, play};
use crate::demo::system::System;
use crate::demo::{Pi, SITE, view};
use crate::host::time::Timeline;
use crate::policy::{Policy, Profile};
use crate::probe::Scheme;

/// Between two drawings of the view.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// What the steps of a script do not count: starting, and the looks between.
const MARGIN: Duration = Duration::from_secs(30);

/// What happened last is still on its way from the watcher when a visitor has seen it: so many drawings more.
const LAST_WORDS: u32 = 5;

/// What a demo is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How it is shown.
    pub show: Show,
    /// How the site is looked at.
    pub scheme: Scheme,
    /// How many times faster than on a real line.
    pub speed: f64,
    /// It ends after this many seconds.
    pub seconds: Option<u64>,
}

/// How a demo is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// The live view, or lines where there is no terminal.
    View,
    /// A line for each event.
    Lines,
    /// The outage, checked from outside, a line for each event.
    Outage,
}

impl Options {
    fn of(args: &DemoArgs) -> Self {
        let show = match (args.script, args.plain) {
            (Some(DemoScript::Outage), _) => Show::Outage,
            (None, true) => Show::Lines,
            (None, false) => Show::View,
        };
        let scheme = if args.tls { Scheme::Https } else { Scheme::Http };
        Self { show, scheme, speed: args.speed, seconds: args.seconds }
    }
}

/// Runs the demo until it is left or the script is over.
///
/// # Errors
/// When it cannot be started, or the terminal fails.
pub async fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let (options, clock) = (Options::of(args), Timeline::start(None));
    let program = std::env::current_exe().context("the path of this program cannot be found")?;
    let live = options.show == Show::View && std::io::stdout().is_terminal();
    let listener: fn(&Event) = if live { |_| {} } else { print };
    let speed = Speed(options.speed);
    let mut system = System::start(&program, speed, options.scheme, clock, Box::new(listener))
        .await
        .context("the demo could not be started")?;
    match options.show {
        Show::View if live => in_view(&mut system, options).await,
        Show::View | Show::Lines => in_lines(&mut system, options).await,
        Show::Outage => in_script(&mut system, options).await,
    }
}

/// One line for an event. A reader that left, as `head` does, is no reason to end: the exit code still tells.
fn print(event: &Event) {
    let _ = super::print(&format!("{event}\n"));
}

/// Where to look, for a second terminal.
fn introduction(system: &System, speed: f64) -> String {
    let places = system.places();
    let (dns, one) = (places.name_server.port(), SocketAddr::from((Pi::One.public(), places.site_port)));
    let trust = match places.https {
        Some(_) => format!("Its certificates are from: {}\n", places.root().display()),
        None => String::new(),
    };
    format!(
        "hearth demo: two Pis, a watcher, a name server and a stand-in for GitHub Pages, on this machine.\n\
         Policy `fast`, {speed} times faster than on a real line.\n\n\
         Look for yourself, in another terminal:\n  \
         dig @127.0.0.1 -p {dns} {SITE}\n  \
         {}\n  \
         curl -H 'Host: {SITE}' http://{one}/\n\
         The site: {}\n{trust}\
         The watcher's status page: http://{}/\n\
         Logs: {}\n",
        places.curl(Pi::One),
        places.url(),
        places.watcher,
        places.directory.display(),
    )
}

/// Ctrl-C, the word of a service manager, or the end of the time that was given.
async fn over(seconds: Option<u64>) {
    let time = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time => {}
        () = asked_to_stop() => {}
    }
}

/// Ctrl-C, or the word of a service manager.
async fn asked_to_stop() {
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
async fn in_lines(system: &mut System, options: Options) -> anyhow::Result<ExitCode> {
    println!("{}", introduction(system, options.speed));
    let mut ticks = tokio::time::interval(DRAW_EVERY);
    let mut stop = std::pin::pin!(over(options.seconds));
    loop {
        tokio::select! {
            _ = ticks.tick() => { system.picture(); }
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
async fn in_script(system: &mut System, options: Options) -> anyhow::Result<ExitCode> {
    println!("{}", introduction(system, options.speed));
    let steps = outage(&Policy::of(Profile::Fast).faster(options.speed));
    let bounds = steps.iter().map(|step| step.within).sum::<Duration>() + MARGIN;
    let deadline = options.seconds.map_or(bounds, |seconds| bounds.min(Duration::from_secs(seconds)));
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(deadline, play(system, &steps)) => outcome,
        () = asked_to_stop() => return Ok(ExitCode::from(130)),
    };
    for _ in 0..LAST_WORDS {
        tokio::time::sleep(DRAW_EVERY).await;
        system.picture();
    }
    let fault = match outcome {
        Ok(Ok(took)) => match fault_of_answers(system) {
            Some(fault) => fault,
            None => {
                println!("{}", praise(system, &steps, &took));
                return Ok(ExitCode::SUCCESS);
            }
        },
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => format!("the script was not over after {} s", deadline.as_secs()),
    };
    let kept = system.keep();
    println!("\nFAILED: {fault}\n\n{}kept in {}", system.last_words(), kept.display());
    Ok(ExitCode::FAILURE)
}

/// What was wrong with the answers in between, when every step was seen.
fn fault_of_answers(system: &System) -> Option<String> {
    let (full, empty, emptied) = (system.tally().full(), system.tally().empty(), system.emptied());
    if full == 0 {
        Some(format!("nobody ever got an address of {SITE} from the name server"))
    } else if empty + emptied > 0 {
        Some(format!(
            "{SITE} was without an address: {empty} empty answers, {emptied} updates that emptied it"
        ))
    } else {
        None
    }
}

/// What was measured.
fn praise(system: &System, steps: &[Step], took: &[Duration]) -> String {
    let line = |(step, took): (&Step, &Duration)| {
        format!("{:>7.2} s  of {:>5.1} s  {step}\n", took.as_secs_f64(), step.within.as_secs_f64())
    };
    let lines: String = steps.iter().zip(took).map(line).collect();
    let (count, full) = (steps.len(), system.tally().full());
    format!(
        "\n{lines}\nAll {count} steps were seen from outside. {full} questions for {SITE}, none without an address."
    )
}

/// The live view. The terminal is restored when this returns and when it panics.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
async fn in_view(system: &mut System, options: Options) -> anyhow::Result<ExitCode> {
    // Hidden by the view, and there again when it is left.
    println!("{}", introduction(system, options.speed));
    let mut terminal = ratatui::try_init().context("the terminal cannot be drawn on; try --plain")?;
    let outcome = draw_until_left(system, &mut terminal, options.seconds).await;
    ratatui::restore();
    outcome
}

async fn draw_until_left(
    system: &mut System,
    terminal: &mut ratatui::DefaultTerminal,
    seconds: Option<u64>,
) -> anyhow::Result<ExitCode> {
    let mut keys = Keys::listen();
    let mut ticks = tokio::time::interval(DRAW_EVERY);
    let mut chosen = Pi::One;
    let mut stop = std::pin::pin!(over(seconds));
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = &mut stop => return Ok(ExitCode::SUCCESS),
            key = keys.pressed.recv() => match key.and_then(|key| command(key, chosen)) {
                Some(Command::Quit) => return Ok(ExitCode::SUCCESS),
                Some(Command::Choose(pi)) => chosen = pi,
                Some(Command::Do(act)) => system.act(act)?,
                None => {}
            },
        }
        let picture = system.picture();
        terminal.draw(|frame| view::draw(frame, picture, chosen))?;
    }
}

/// The keyboard, read on a thread of its own until this is dropped.
struct Keys {
    pressed: mpsc::Receiver<char>,
    over: Arc<AtomicBool>,
}

impl Keys {
    fn listen() -> Self {
        let (press, pressed) = mpsc::channel(16);
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                if let Some(key) = next_key()
                    && press.blocking_send(key).is_err()
                {
                    return;
                }
            }
        });
        Self { pressed, over }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// The key pressed within the next moment. Ctrl-C arrives as a key here, and means to leave.
fn next_key() -> Option<char> {
    if !event::poll(DRAW_EVERY).ok()? {
        return None;
    }
    let key = event::read().ok()?.as_key_press_event()?;
    let KeyCode::Char(letter) = key.code else { return None };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(if control && letter == 'c' { 'q' } else { letter })
}
