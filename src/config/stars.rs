//! Keeps secrets out of the lines that errors quote.
//!
//! Never trusts the line's structure: something on it is wrong, or it would not be quoted.

use std::ops::Range;

/// `line` with every value starred out that is a secret by its key or by its look. Its length stays.
///
/// A line is quoted because something on it is wrong, so nothing can be taken from its structure: a secret may stand
/// under a mistyped key, or in a string that is never closed.
pub(super) fn starred(line: &str) -> String {
    let mut chars: Vec<char> = line.chars().collect();
    for range in secret_values(&chars).into_iter().chain(secret_looks(&chars)) {
        chars[range].fill('*');
    }
    chars.into_iter().collect()
}

/// What stands after `key =`, `secret =`, `token =`, `password =` or the `url =` of a webhook, in quotes or, by mistake, without.
fn secret_values(line: &[char]) -> Vec<Range<usize>> {
    let signs = (0..line.len()).filter(|i| line[*i] == '=' && is_secret_key(&line[..*i]));
    signs.filter_map(|sign| value_after(line, sign)).collect()
}

/// Whether the text before a `=` ends with the key of a secret.
fn is_secret_key(before: &[char]) -> bool {
    let text: String = before.iter().collect();
    let key = text.trim_end().rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_'))).next();
    match key {
        Some("key" | "secret" | "token" | "password") => true,
        // Whoever knows the URL of a webhook can use it.
        Some("url") => text.contains("webhook"),
        _ => false,
    }
}

/// The value after the `=` at `sign`; None for a table, which has keys of its own.
fn value_after(line: &[char], sign: usize) -> Option<Range<usize>> {
    let start = (sign + 1..line.len()).find(|i| line[*i] != ' ')?;
    let until = |from: usize, ends: fn(char, char) -> bool| {
        from..(from..line.len()).find(|i| ends(line[*i], line[start])).unwrap_or(line.len())
    };
    match line[start] {
        '{' => None,
        '"' | '\'' => Some(until(start + 1, |c, quote| c == quote)),
        _ => Some(until(start, |c, _| matches!(c, ' ' | ',' | '}' | '#'))),
    }
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
            (r#"key = hunter2 # x"#, r#"key = ******* # x"#),
            (r#"key = { secret = 12345 }"#, r#"key = { secret = ***** }"#),
            (r#"webhook = { url = "https://x/y" }"#, r#"webhook = { url = "***********" }"#),
            (r#"url = "https://x/y""#, ""),
            (r#"token = "never closed"#, r#"token = "************"#),
        ];
        for (line, wanted) in table {
            assert_eq!(starred(line), if wanted.is_empty() { line } else { wanted });
        }
    }
}
