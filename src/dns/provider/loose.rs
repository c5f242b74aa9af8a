//! Values that an API writes now as a number and now as a text.
//!
//! Never guesses: what is neither is an error.

use serde::{Deserialize, Deserializer};

/// A text, or what is written like one: `0` and `"0"` are the same id.
#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Text(String),
    Number(u64),
}

impl From<Loose> for String {
    fn from(loose: Loose) -> String {
        match loose {
            Loose::Text(text) => text,
            Loose::Number(number) => number.to_string(),
        }
    }
}

/// A text that may be written as a number. Null is the empty text.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(Option::<Loose>::deserialize(from)?.map(String::from).unwrap_or_default())
}

/// A number that may be written as a text. Null and the empty text are none.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let text = text(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| serde::de::Error::custom(format!("`{text}` is not a number")))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Both {
        #[serde(deserialize_with = "super::text", default)]
        text: String,
        #[serde(deserialize_with = "super::number", default)]
        number: Option<u32>,
    }

    fn both(json: &str) -> Option<(String, Option<u32>)> {
        serde_json::from_str::<Both>(json).ok().map(|both| (both.text, both.number))
    }

    #[test]
    fn numbers_and_texts_are_read_alike() {
        assert_eq!(both(r#"{"text":"10=1","number":"600"}"#), Some(("10=1".to_owned(), Some(600))));
        assert_eq!(both(r#"{"text":0,"number":600}"#), Some(("0".to_owned(), Some(600))));
        assert_eq!(both(r#"{"text":null,"number":null}"#), Some((String::new(), None)));
        assert_eq!(both("{}"), Some((String::new(), None)));
        assert_eq!(both(r#"{"number":"often"}"#), None);
        assert_eq!(both(r#"{"text":[]}"#), None);
    }
}
