//! What is wrong with a configuration, where, and what to write instead.
//!
//! Never shows a secret: a value that is one, or looks like one, is starred out of the line that is quoted.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::stars::starred;

/// Everything that is wrong with a configuration. There is at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    /// The problems, in the order of their places.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    pub(super) fn of(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|p| p.place.as_ref().map(|place| (place.line, place.column)));
        Self(problems)
    }
}

impl From<Problem> for ConfigErrors {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Something that is allowed and probably not meant. Shown like an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub(super) Problem);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One thing that is wrong: `file:line:column: what`, the line with the place underlined, and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    file: PathBuf,
    message: String,
    place: Option<Place>,
    hint: Option<String>,
}

/// A place in a file; line and column count from 1, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    /// How many characters are underlined.
    width: usize,
    /// The line, with secrets starred out.
    text: String,
}

impl Problem {
    /// A problem of a whole file.
    pub(super) fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), message: message.into(), place: None, hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds what to do, when something is known.
    #[must_use]
    pub(super) fn maybe_hint(self, hint: Option<String>) -> Self {
        Self { hint: hint.or(self.hint), ..self }
    }

    /// What is wrong, without the place and the hint.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut margin = 1;
        write!(f, "{}", self.file.display())?;
        match &self.place {
            None => write!(f, ": {}", self.message)?,
            Some(place) => {
                margin = place.line.to_string().len();
                write!(f, ":{}:{}: {}", place.line, place.column, self.message)?;
                write!(f, "\n {} | {}", place.line, place.text)?;
                let (indent, line) = (" ".repeat(place.column - 1), "^".repeat(place.width));
                write!(f, "\n {:margin$} | {indent}{line}", "")?;
            }
        }
        match &self.hint {
            Some(hint) => write!(f, "\n {:margin$} = {hint}", ""),
            None => Ok(()),
        }
    }
}

/// The text of a configuration file, and what it is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    /// Where in the text the shared part begins, and the file that it is from.
    pub(super) shared: Option<(usize, &'a Path)>,
}

impl<'a> Source<'a> {
    /// A file without a shared part.
    pub(super) const fn alone(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, shared: None }
    }

    /// A problem at `span`, in bytes of the text.
    pub(super) fn problem(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        let (part, from) = self.part(span.start);
        let span = span.start - from..span.end.saturating_sub(from);
        Problem { place: Some(part.place(&span)), ..Problem::of_file(part.file, message) }
    }

    /// The line of a byte of the text: its number, and its file when there are two.
    pub(super) fn line(&self, at: usize) -> String {
        let (part, from) = self.part(at);
        let line = part.place(&(at - from..at - from)).line;
        if self.shared.is_some() { format!("{line} of {}", part.file.display()) } else { line.to_string() }
    }

    /// The file that a byte of the text is from, and where in the text it begins.
    fn part(&self, at: usize) -> (Source<'a>, usize) {
        match self.shared {
            Some((from, file)) if at >= from => (Source::alone(file, &self.text[from..]), from),
            Some((from, _)) => (Source::alone(self.file, &self.text[..from]), 0),
            None => (*self, 0),
        }
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let start = floor(self.text, span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let text = self.text[line_start..].lines().next().unwrap_or("");
        let column = self.text[line_start..start].chars().count() + 1;
        let end = floor(self.text, span.end).clamp(start, line_start + text.len().max(start - line_start));
        Place {
            line: before.matches('\n').count() + 1,
            column,
            width: self.text[start..end].chars().count().max(1),
            text: starred(&text.replace('\t', " ")),
        }
    }
}

/// The nearest start of a character at or before byte `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// "did you mean …?", when one of `known` is near to `word`.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = known.into_iter().map(|k| (strsim::jaro_winkler(&word.to_lowercase(), k), k));
    let (score, best) = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score > 0.8).then(|| format!("did you mean `{best}`?"))
}

/// A list that is told as a whole, beside the guess.
const SHORT_LIST: usize = 3;

/// What the parser says, in our words.
pub(super) fn of_parser(source: &Source<'_>, error: &toml::de::Error) -> Problem {
    let (message, hint) = in_our_words(error.message());
    let span = error.span().unwrap_or(0..0);
    source.problem(&span, message).maybe_hint(hint)
}

/// serde's messages, reworded. They quote a value of the wrong type, which may be a secret: it is left out.
fn in_our_words(message: &str) -> (String, Option<String>) {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown("key", rest);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown("value", rest);
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return (format!("the key {rest} is missing"), Some("add it to this table".to_owned()));
    }
    if let Some(rest) = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: "))
        && let Some((found, wanted)) = rest.rsplit_once(", expected ")
    {
        let (wanted, found) = (wanted_in_words(wanted), found_in_words(found));
        return (format!("wanted here: {wanted}; found: {found}"), None);
    }
    match message {
        "wanted string or table" => ("wanted here: a word in quotes".to_owned(), None),
        other => (other.trim_end().replace('\n', ", "), None),
    }
}

/// "`x`, expected one of `a`, `b`": every second piece between backticks is a word.
fn unknown(what: &str, rest: &str) -> (String, Option<String>) {
    let words: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let (word, known) = words.split_first().map_or(("", &[][..]), |(word, known)| (*word, known));
    let list = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
    let hint = match did_you_mean(word, known.iter().copied()) {
        Some(guess) if known.len() <= SHORT_LIST && known.len() > 1 => format!("{guess} known here: {list}"),
        Some(guess) => guess,
        None => format!("known here: {list}"),
    };
    (format!("unknown {what} `{word}`"), Some(hint))
}

fn found_in_words(found: &str) -> String {
    let kind = found.split(' ').next().unwrap_or(found);
    match kind {
        "string" => "a text".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        "integer" | "floating" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        _ => found.to_owned(),
    }
}

fn wanted_in_words(wanted: &str) -> &str {
    match wanted {
        "a string" => "a text in quotes",
        "a sequence" => "a list in [ ]",
        "a map" => "a table",
        "path string" => "a path in quotes",
        "u16" => "a whole number from 0 to 65535",
        "a nonzero u32" => "a whole number from 1 up",
        "f64" => "a number",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_right_in_lines_with_wide_characters_and_at_the_end() {
        let source = Source::alone(Path::new("f"), "é = \"ü\"\nb");
        let place = source.place(&(5..9));
        assert_eq!((place.line, place.column, place.width), (1, 5, 3));
        let end = source.place(&(usize::MAX..usize::MAX));
        assert_eq!((end.line, end.column, end.width), (2, 2, 1));
    }

    #[test]
    fn a_place_in_a_shared_part_is_of_its_own_file() {
        let text = "a = 1\nb = 2\n\nc = 3\nd = 4\n";
        let source = Source { file: Path::new("own"), text, shared: Some((13, Path::new("shared"))) };
        assert_eq!((source.line(6), source.line(19)), ("2 of own".to_owned(), "2 of shared".to_owned()));
        let told = source.problem(&(19..20), "no").to_string();
        assert_eq!(told, "shared:2:1: no\n 2 | d = 4\n   | ^");
        assert_eq!(Source::alone(Path::new("own"), text).line(19), "5");
    }

    #[test]
    fn a_wrong_type_is_told_without_the_value() {
        let (message, _) = in_our_words("invalid type: string \"hunter2, expected x\", expected a sequence");
        assert_eq!(message, "wanted here: a list in [ ]; found: a text");
    }
}
