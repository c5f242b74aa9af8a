//! Secrets that a person wrote into a file on the card: where they are, and the text without them.
//!
//! Never keeps one anywhere: whoever asks does, and stars it out of the file.
//!
//! `hearth.toml` points to its secrets and never holds them; on a card there is nowhere to point to. So a text in
//! quotes is allowed there in the place of `{ credential = "…" }`. A text of stars is a secret that was taken earlier.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::text::Repaired;
use crate::secret::Secret;

/// The keys of `hearth.toml` that hold secrets.
const KEYS: [&str; 6] = ["token", "secret", "secret-key", "api-key", "password", "key"];

/// The keys of Raspberry Pi Imager's file that hold secrets.
const KEYS_OF_PRESEED: [&str; 2] = ["password", "password_encrypted"];

/// What stands for a key that is to be made here.
const AUTO: &str = "auto";

/// The smallest piece that a disk writes whole, in bytes: when the plug is pulled, each is old or new.
const SECTOR: usize = 512;

/// A text in the place of a secret.
#[derive(Clone, Debug)]
pub struct Literal {
    /// The name of its credential: `hearth.` and the way to it through the tables, such as `hearth.provider.home.token`.
    pub name: String,
    /// Where it stands in the repaired text, with its quotes.
    pub place: Range<usize>,
    /// What it says.
    pub says: Says,
}

/// What a text in the place of a secret says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// The secret.
    Value(Secret<String>),
    /// That it was taken earlier.
    Taken,
    /// That one is to be made here, by `key = "auto"`.
    Make,
}

/// The texts in the place of secrets, in the order of the file; none where it is no TOML.
#[must_use]
pub fn literals(repaired: &Repaired) -> Vec<Literal> {
    found(repaired, is_secret)
}

/// The same for Raspberry Pi Imager's file.
#[must_use]
pub fn literals_of_preseed(repaired: &Repaired) -> Vec<Literal> {
    found(repaired, |path| path.last().is_some_and(|key| KEYS_OF_PRESEED.contains(&key.as_str())))
}

fn is_secret(path: &[String]) -> bool {
    match path {
        // Whoever knows the URL of a webhook can use it.
        [.., table, key] if key == "url" => table == "webhook",
        [.., key] => KEYS.contains(&key.as_str()),
        [] => false,
    }
}

fn found(repaired: &Repaired, is_secret: impl Fn(&[String]) -> bool) -> Vec<Literal> {
    let Ok(table) = DeTable::parse(&repaired.text) else { return Vec::new() };
    let mut texts = Vec::new();
    texts_of(table.get_ref(), &mut Vec::new(), &mut texts);
    let secrets = texts.into_iter().filter(|(path, ..)| is_secret(path));
    let mut literals: Vec<_> = secrets
        .filter(|(_, _, text)| !text.is_empty())
        .map(|(path, place, text)| Literal {
            name: name(&path),
            says: says(repaired, &path, &place, text),
            place,
        })
        .collect();
    literals.sort_by_key(|literal| literal.place.start);
    literals
}

fn says(repaired: &Repaired, path: &[String], place: &Range<usize>, text: String) -> Says {
    let is_key = path.last().is_some_and(|key| key == "key");
    if is_key && text == AUTO {
        Says::Make
    } else if is_taken(repaired, place) {
        Says::Taken
    } else {
        Says::Value(Secret::new(text))
    }
}

/// Every text of a table, with the way to it and its place.
fn texts_of(
    table: &DeTable<'_>,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, Range<usize>, String)>,
) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        texts_of_value(value, path, found);
        path.pop();
    }
}

fn texts_of_value(
    value: &Spanned<DeValue<'_>>,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, Range<usize>, String)>,
) {
    if let Some(text) = value.get_ref().as_str() {
        found.push((path.clone(), value.span(), text.to_owned()));
    } else if let Some(table) = value.get_ref().as_table() {
        texts_of(table, path, found);
    } else if let Some(list) = value.get_ref().as_array() {
        for (i, value) in list.iter().enumerate() {
            path.push(i.to_string());
            texts_of_value(value, path, found);
            path.pop();
        }
    }
}

/// The name of a credential is one word of a file's name (systemd.exec(5)).
fn name(path: &[String]) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' };
    format!("hearth.{}", path.join(".").chars().map(word).collect::<String>())
}

/// Whether a literal was starred out: whole or, when the plug was pulled meanwhile, up to the edge of a sector or from
/// there on.
fn is_taken(repaired: &Repaired, place: &Range<usize>) -> bool {
    let inner = inside_quotes(&repaired.text, place);
    let star = |at: &usize| repaired.text.as_bytes()[*at] == b'*';
    let stars = inner.clone().filter(star).count();
    if stars == inner.len() {
        return true;
    }
    let whole = repaired.origin(&inner);
    let edges = (whole.start / SECTOR + 1..=whole.end / SECTOR).map(|sector| sector * SECTOR);
    edges.into_iter().any(|edge| {
        let (old, new): (Vec<usize>, Vec<usize>) =
            inner.clone().partition(|at| repaired.origin(&(*at..*at)).start < edge);
        [old, new].iter().any(|half| !half.is_empty() && half.len() == stars && half.iter().all(star))
    })
}

/// The place of a string without its quotes: one at each end, or three (TOML 1.0, "String").
fn inside_quotes(text: &str, place: &Range<usize>) -> Range<usize> {
    let quoted = &text[place.clone()];
    let width = if quoted.starts_with("\"\"\"") || quoted.starts_with("'''") { 3 } else { 1 };
    place.start + width..place.end - width
}

/// The text with each literal replaced by where its secret is kept. Lines stay lines.
#[must_use]
pub fn pointing(repaired: &Repaired, literals: &[Literal]) -> String {
    let mut text = repaired.text.clone();
    for literal in literals.iter().rev() {
        let lines = "\n".repeat(text[literal.place.clone()].matches('\n').count());
        // A break of line is no harm to an inline table in TOML 1.1, and nobody writes a token on two lines.
        let pointer = format!("{{ credential = \"{}\"{lines} }}", literal.name);
        text.replace_range(literal.place.clone(), &pointer);
    }
    text
}

/// The bytes of the file with every secret starred out; those that say [`Says::Make`] stay.
#[must_use]
pub fn starred(file: &[u8], repaired: &Repaired, literals: &[Literal]) -> Vec<u8> {
    let mut starred = file.to_vec();
    for literal in literals.iter().filter(|literal| literal.says != Says::Make) {
        repaired.star_out(&mut starred, &inside_quotes(&repaired.text, &literal.place));
    }
    starred
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
[node]
name = \"pi1\"
key = \"auto\"
[provider.\"my zone\"]
kind = \"dnspod\"
token = “12345,abc”
[provider.home]
key = { name = \"pi1\", secret = 'c2VjcmV0' }
[[hook]]
webhook = { url = \"https://ntfy.example/x\" }
[[hook]]
command = [\"/bin/true\"]
[heartbeat]
watchers = [{ url = \"https://w\", public-key = \"ed25519:AAAA\" }]
";

    fn value(text: &str) -> Says {
        Says::Value(Secret::new(text.to_owned()))
    }

    #[test]
    fn secrets_are_found_by_their_keys_and_named_by_their_place() {
        let found: Vec<_> =
            literals(&Repaired::of(FILE.as_bytes())).into_iter().map(|l| (l.name, l.says)).collect();
        let wanted = [
            ("hearth.node.key", Says::Make),
            ("hearth.provider.my_zone.token", value("12345,abc")),
            ("hearth.provider.home.key.secret", value("c2VjcmV0")),
            ("hearth.hook.0.webhook.url", value("https://ntfy.example/x")),
        ];
        assert_eq!(found, wanted.map(|(name, says)| (name.to_owned(), says)));
    }

    #[test]
    fn the_text_points_to_secrets_on_the_same_lines_and_is_in_order() {
        let repaired = Repaired::of(FILE.as_bytes());
        let text = pointing(&repaired, &literals(&repaired));
        assert!(text.contains("token = { credential = \"hearth.provider.my_zone.token\" }\n"), "{text}");
        assert!(!text.contains("abc") && !text.contains("ntfy"), "{text}");
        assert_eq!(text.lines().count(), FILE.lines().count());
        assert!(DeTable::parse(&text).is_ok(), "{text}");
    }

    #[test]
    fn what_was_taken_is_starred_out_and_known_to_be_taken() {
        let repaired = Repaired::of(FILE.as_bytes());
        let file = starred(FILE.as_bytes(), &repaired, &literals(&repaired));
        assert_eq!(file.len(), FILE.len());
        let again = Repaired::of(&file);
        let says: Vec<_> = literals(&again).into_iter().map(|l| l.says).collect();
        assert_eq!(says, [Says::Make, Says::Taken, Says::Taken, Says::Taken]);
        assert_eq!(starred(&file, &again, &literals(&again)), file, "twice is once");
        assert!(again.text.contains("public-key = \"ed25519:AAAA\""));
    }

    #[test]
    fn a_secret_that_was_half_starred_out_when_the_plug_was_pulled_is_no_new_secret() {
        for before in 490..520 {
            let file = format!("#{}\ntoken = \"0123456789abcdef\"\n", "x".repeat(before));
            let repaired = Repaired::of(file.as_bytes());
            let whole = starred(file.as_bytes(), &repaired, &literals(&repaired));
            for old_first in [true, false] {
                let (first, last) =
                    if old_first { (file.as_bytes(), &whole[..]) } else { (&whole[..], file.as_bytes()) };
                let torn = [&first[..SECTOR], &last[SECTOR..]].concat();
                let [literal] = &literals(&Repaired::of(&torn))[..] else { panic!("{before}") };
                let untouched = torn == file.as_bytes();
                let wanted = if untouched { value("0123456789abcdef") } else { Says::Taken };
                assert_eq!(literal.says, wanted, "{before} {old_first}");
            }
        }
    }

    #[test]
    fn a_secret_that_begins_with_stars_is_a_secret() {
        let [literal] = &literals(&Repaired::of(b"token = \"**x\""))[..] else { panic!() };
        assert_eq!(literal.says, value("**x"));
    }

    #[test]
    fn in_a_file_that_is_no_toml_nothing_is_touched() {
        assert!(literals(&Repaired::of(b"token = \"x\"\n[")).is_empty());
    }

    #[test]
    fn the_imagers_passwords_are_found() {
        let file = b"[wlan]\nssid = \"x\"\npassword = \"hunter22\"\n[user]\npassword = \"$5$salt$hash\"\n";
        let names: Vec<_> = literals_of_preseed(&Repaired::of(file)).into_iter().map(|l| l.name).collect();
        assert_eq!(names, ["hearth.wlan.password", "hearth.user.password"]);
    }
}
