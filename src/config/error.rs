//! What is wrong with a configuration, where, and what to write instead.
//!
//! Never shows a secret: a value that is one, or looks like one, is starred out of the line that is quoted.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

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
}

impl Source<'_> {
    /// A problem at `span`, in bytes of the text.
    pub(super) fn problem(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        Problem { place: Some(self.place(span)), ..Problem::of_file(self.file, message) }
    }

    /// The line number of a byte of the text.
    pub(super) fn line(&self, at: usize) -> usize {
        self.place(&(at..at)).line
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

/// `line` with every value starred out that is a secret by its key or by its look. Its length stays.
///
/// A line is quoted because something on it is wrong, so nothing can be taken from its structure: a secret may stand
/// under a mistyped key, or in a string that is never closed.
fn starred(line: &str) -> String {
    let mut chars: Vec<char> = line.chars().collect();
    for range in secret_values(&chars).into_iter().chain(secret_looks(&chars)) {
        chars[range].fill('*');
    }
    chars.into_iter().collect()
}

/// What stands in quotes after `key =`, `secret =`, `token =` or `password =`.
fn secret_values(line: &[char]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = (at..line.len()).find(|i| matches!(line[*i], '"' | '\'')) {
        let close = (open + 1..line.len()).find(|i| line[*i] == line[open]).unwrap_or(line.len());
        let before: String = line[..open].iter().collect();
        let key = before.trim_end().strip_suffix('=').map(str::trim_end).unwrap_or("");
        let key = key.rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_'))).next().unwrap_or("");
        if matches!(key, "key" | "secret" | "token" | "password") {
            found.push(open + 1..close);
        }
        at = close + 1;
    }
    found
}

/// Long words of the alphabets that keys are written in: base64 with all of upper case, lower case and digits, or
/// hex. Public keys are left alone.
fn secret_looks(line: &[char]) -> Vec<Range<usize>> {
    let of_key = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_');
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = (at..line.len()).find(|i| of_key(&line[*i])) {
        let end = (start..line.len()).find(|i| !of_key(&line[*i])).unwrap_or(line.len());
        let word = &line[start..end];
        let public = line[..start].ends_with(&['e', 'd', '2', '5', '5', '1', '9', ':']);
        if !public && looks_secret(word) {
            found.push(start..end);
        }
        at = end + 1;
    }
    found
}

fn looks_secret(word: &[char]) -> bool {
    let any = |test: fn(&char) -> bool| word.iter().any(test);
    let hex = word.len() >= 32 && word.iter().all(char::is_ascii_hexdigit);
    let mixed = any(char::is_ascii_uppercase) && any(char::is_ascii_lowercase) && any(char::is_ascii_digit);
    hex || (word.len() >= 20 && mixed && word[0] != '/')
}

/// "did you mean …?", when one of `known` is near to `word`.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = known.into_iter().map(|k| (strsim::jaro_winkler(&word.to_lowercase(), k), k));
    let (score, best) = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score > 0.8).then(|| format!("did you mean `{best}`?"))
}

/// What the parser says, in our words.
pub(super) fn of_parser(source: &Source<'_>, error: &toml::de::Error) -> Problem {
    let (message, hint) = in_our_words(error.message());
    let span = error.span().unwrap_or(0..0);
    source.problem(&span, message).maybe_hint(hint)
}

/// serde's messages, reworded. Its `invalid type` quotes the value, which may be a secret: it is left out.
fn in_our_words(message: &str) -> (String, Option<String>) {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown("key", rest);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown("value", rest);
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return (format!("the key {rest} is missing"), None);
    }
    if let Some(rest) = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: "))
        && let Some((found, wanted)) = rest.split_once(", expected ").map(|_| split_last(rest, ", expected "))
    {
        return (format!("{} is wanted here, not {}", wanted_in_words(wanted), found_in_words(found)), None);
    }
    match message {
        "wanted string or table" => ("a word in quotes is wanted here".to_owned(), None),
        other => (other.trim_end().replace('\n', ", "), None),
    }
}

fn split_last<'a>(text: &'a str, at: &str) -> (&'a str, &'a str) {
    text.rsplit_once(at).unwrap_or((text, ""))
}

/// "`x`, expected one of `a`, `b`": every second piece between backticks is a word.
fn unknown(what: &str, rest: &str) -> (String, Option<String>) {
    let words: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let (word, known) = words.split_first().map_or(("", &[][..]), |(word, known)| (*word, known));
    let list = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
    let hint = did_you_mean(word, known.iter().copied()).unwrap_or_else(|| format!("known here: {list}"));
    (format!("unknown {what} `{word}`"), Some(hint))
}

fn found_in_words(found: &str) -> String {
    let kind = found.split(' ').next().unwrap_or(found);
    match kind {
        "string" => "a text".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        "integer" | "boolean" => found.replacen(kind, "", 1).trim().to_owned(),
        "floating" => found.replacen("floating point", "", 1).trim().to_owned(),
        _ => found.to_owned(),
    }
}

fn wanted_in_words(wanted: &str) -> &str {
    match wanted {
        "a string" => "a text in quotes",
        "a sequence" => "a list in [ ]",
        "a map" => "a table",
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
    fn a_quoted_line_hides_secrets_and_keeps_its_length() {
        let table = [
            (r#"key = "hunter2""#, r#"key = "*******""#),
            (r#"key = { secret = 'abc' }"#, r#"key = { secret = '***' }"#),
            (r#"public-key = "ed25519:AbcdefghijKLMNOP0123456789=""#, ""),
            (r#"scret = "AbcdefghijKLMNOP0123456789=""#, r#"scret = "***************************""#),
            (
                r#"kye = "hearth-key-1:AbcdefghijKLMNOP0123456789="#,
                r#"kye = "hearth-key-1:***************************"#,
            ),
            (r#"x = 0123456789abcdef0123456789abcdef"#, r#"x = ********************************"#),
            (r#"root = "/mnt/gluster1/www/Some/Where/Else""#, ""),
            (r#"token = "never closed"#, r#"token = "************"#),
        ];
        for (line, wanted) in table {
            assert_eq!(starred(line), if wanted.is_empty() { line } else { wanted });
        }
    }

    #[test]
    fn a_place_is_right_in_lines_with_wide_characters_and_at_the_end() {
        let source = Source { file: Path::new("f"), text: "é = \"ü\"\nb" };
        let place = source.place(&(5..9));
        assert_eq!((place.line, place.column, place.width), (1, 5, 3));
        let end = source.place(&(usize::MAX..usize::MAX));
        assert_eq!((end.line, end.column, end.width), (2, 2, 1));
    }

    #[test]
    fn a_wrong_type_is_told_without_the_value() {
        let (message, _) = in_our_words("invalid type: string \"hunter2, expected x\", expected a sequence");
        assert_eq!(message, "a list in [ ] is wanted here, not a text");
    }
}
