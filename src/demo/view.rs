//! The live view: one screen that shows both Pis with their lamps, the watcher, the published record and what happened.
//!
//! Draws a [`Picture`] and nothing else. Colour never stands alone: every lamp and state has its word beside it.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Words, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};

use super::act::HELP;
use super::picture::{Event, Fallback, PiPicture, Picture, Source, whom};
use super::process::State;
use super::router::Line;
use super::{Pi, SITE};
use crate::leds::face::Lamps;
use crate::leds::rhythm::Level;

/// Draws the picture; `chosen` is the Pi that the keys are about.
pub fn draw(frame: &mut Frame<'_>, picture: &Picture, chosen: Pi) {
    // Where there is room, what the watcher met is told in full.
    let machines = if frame.area().height < 30 { 8 } else { 10 };
    let look = look(&picture.hint, frame.area().width.saturating_sub(2));
    let rows = [
        Constraint::Length(1),
        Constraint::Length(machines),
        Constraint::Length(5 + u16::try_from(look.len()).unwrap_or(u16::MAX - 5)),
        Constraint::Min(4),
        Constraint::Length(2),
    ];
    let [title, machines, record, events, help] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(heading(picture), title);
    let [one, two, elsewhere] = Layout::horizontal([Constraint::Fill(1); 3]).areas(machines);
    for (area, pi) in [one, two].into_iter().zip(&picture.pis) {
        frame.render_widget(pi_panel(pi, chosen, picture.at), area);
    }
    frame.render_widget(watcher_panel(picture), elsewhere);
    frame.render_widget(record_panel(picture, look), record);
    frame.render_widget(events_panel(picture, events), events);
    frame.render_widget(Paragraph::new(HELP.map(Words::raw).to_vec()).style(quiet()), help);
}

fn quiet() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn bold(text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), Style::new().add_modifier(Modifier::BOLD))
}

fn heading(picture: &Picture) -> Paragraph<'static> {
    let pace = format!("  {:.0} s  {}x faster than a real line", picture.at.as_secs_f64(), picture.speed);
    Paragraph::new(Words::from(vec![bold("hearth demo"), Span::raw(pace)]))
}

fn pi_panel(pi: &PiPicture, chosen: Pi, at: Duration) -> Paragraph<'static> {
    let mark = if pi.pi == chosen { "> " } else { "" };
    let title = format!(" {mark}{} {} ", pi.pi.name(), pi.pi.public());
    let style = if pi.pi == chosen { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    let found = pi.address.map_or_else(|| "none yet".to_owned(), |address| address.to_string());
    Paragraph::new(vec![
        lamps(pi.lamps(at)),
        said(
            "lamps",
            &pi.shown.map_or_else(|| "dark".to_owned(), |(shown, _)| shown.to_string()),
            Color::Reset,
        ),
        said("process", pi.process.describe(), tone(pi.process)),
        match pi.line {
            Line::Up => said("line", "carries", Color::Green),
            Line::Cut => said("line", "cut", Color::Red),
        },
        said("address", &found, Color::Reset),
        said("seen", &pi.health, Color::Reset),
        Words::styled(pi.why.clone(), quiet()),
    ])
    .wrap(Wrap { trim: true })
    .block(Block::bordered().title(title).border_style(style))
}

/// The lamps with their names: a lit one is filled, so that the picture is the same without colour.
fn lamps(lamps: Lamps) -> Words<'static> {
    let all = [
        (lamps.red, Color::Red, "red"),
        (lamps.amber, Color::Yellow, "amber"),
        (lamps.green, Color::Green, "green"),
    ];
    let lamp = |(lamp, colour, name): (Level, Color, &str)| match lamp {
        Level::On => [Span::styled("●", Style::new().fg(colour)), bold(format!(" {name} "))],
        Level::Off => [Span::styled("○", quiet()), Span::styled(format!(" {name} "), quiet())],
    };
    Words::from(all.map(lamp).concat())
}

fn said(what: &str, state: &str, colour: Color) -> Words<'static> {
    let state = Span::styled(state.to_owned(), Style::new().fg(colour));
    Words::from(vec![Span::styled(format!("{what:<8} "), quiet()), state])
}

fn tone(state: State) -> Color {
    match state {
        State::Running => Color::Green,
        State::Hung => Color::Yellow,
        State::Dead => Color::Red,
    }
}

fn watcher_panel(picture: &Picture) -> Paragraph<'static> {
    let watcher = &picture.watcher;
    let fallback = match picture.fallback {
        Fallback::Serving => said("fallback", "serves", Color::Green),
        Fallback::Broken => said("fallback", "broken (500)", Color::Red),
    };
    let words = vec![
        said("process", watcher.process.describe(), tone(watcher.process)),
        fallback,
        said("write", &watcher.write, Color::Reset),
        said("returns", &watcher.returns, Color::Reset),
        Words::raw(watcher.state.clone()),
    ];
    Paragraph::new(words).wrap(Wrap { trim: true }).block(Block::bordered().title(" watcher "))
}

/// The command with which to look for oneself, in as many lines as its words need.
fn look(command: &str, width: u16) -> Vec<Words<'static>> {
    const LABEL: &str = "look     ";
    let room = usize::from(width).saturating_sub(LABEL.len());
    let mut lines = vec![String::new()];
    for word in command.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => word.clone_into(line),
            Some(line) if line.len() + 1 + word.len() <= room => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    let labels = std::iter::once(LABEL).chain(std::iter::repeat("         "));
    let labelled = |(label, line)| Words::from(vec![Span::styled(label, quiet()), Span::raw(line)]);
    labels.zip(lines).map(labelled).collect()
}

fn record_panel(picture: &Picture, look: Vec<Words<'static>>) -> Paragraph<'static> {
    let record = &picture.record;
    let age = record.since.map(|since| picture.at.saturating_sub(since).as_secs());
    let since = age.map_or_else(String::new, |age| format!(", for {age} s"));
    let mut lines = vec![
        Words::from(vec![
            Span::styled("leads to ", quiet()),
            bold(whom(&record.addresses)),
            Span::raw(since),
        ]),
        Words::from(vec![Span::styled("because  ", quiet()), Span::raw(record.why.clone())]),
        Words::from(vec![
            Span::styled("empty answers ", quiet()),
            Span::raw(picture.empty_answers.to_string()),
            Span::styled("  status page ", quiet()),
            Span::raw(picture.watcher.url.clone()),
        ]),
    ];
    lines.extend(look);
    Paragraph::new(lines).block(Block::bordered().title(format!(" {SITE} ")))
}

fn events_panel(picture: &Picture, area: Rect) -> Paragraph<'static> {
    let fit = usize::from(area.height.saturating_sub(2));
    let first = picture.events.len().saturating_sub(fit);
    let lines: Vec<Words<'static>> = picture.events.iter().skip(first).map(event_line).collect();
    Paragraph::new(lines).block(Block::bordered().title(" what happened "))
}

fn event_line(event: &Event) -> Words<'static> {
    let style = match event.source {
        Source::You => Style::new().add_modifier(Modifier::BOLD),
        Source::Dns => Style::new().fg(Color::Cyan),
        Source::Watcher | Source::Pi(_) | Source::Visitor => Style::new(),
    };
    Words::styled(event.to_string(), style)
}

#[cfg(test)]
mod tests;
