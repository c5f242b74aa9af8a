//! One head for answers of one kind, for the two ways to send it: as a map, and as the lines of HTTP/1.1.
//!
//! PURE. Never says different things in the two ways.

use hyper::HeaderMap;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPIRES, HeaderName, HeaderValue, LAST_MODIFIED,
};

/// What the heads of answers of one kind have in common.
#[derive(Debug)]
pub(super) struct Head {
    /// Every header; those of [`Slot`] without their values.
    pub(super) fields: HeaderMap,
    /// The lines of those that are the same in every answer.
    lines: Box<[u8]>,
    /// The same without what describes a body.
    lines_of_nothing: Box<[u8]>,
    /// What is to be filled in.
    pub(super) slots: Box<[Slot]>,
}

/// A header that differs from file to file or from second to second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Length,
    Tag,
    Modified,
    Expires,
}

/// Whether a head speaks of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Describes {
    /// It says what the body is, which may be left out.
    Body,
    /// It says nothing of one, as 304 does (RFC 9110 section 15.4.5).
    Nothing,
}

impl Slot {
    const ALL: [Self; 4] = [Self::Length, Self::Tag, Self::Modified, Self::Expires];

    pub(super) const fn name(self) -> HeaderName {
        match self {
            Self::Length => CONTENT_LENGTH,
            Self::Tag => ETAG,
            Self::Modified => LAST_MODIFIED,
            Self::Expires => EXPIRES,
        }
    }
}

impl Head {
    pub(super) fn of(fields: HeaderMap) -> Self {
        let slots = Slot::ALL.into_iter().filter(|slot| fields.contains_key(slot.name())).collect();
        let lines = |is_wanted: fn(&HeaderName) -> bool| {
            let mut lines = Vec::new();
            for (name, value) in fields.iter().filter(|(name, _)| is_fixed(name) && is_wanted(name)) {
                write_line(name, value, &mut lines);
            }
            lines.into_boxed_slice()
        };
        Self { lines: lines(|_| true), lines_of_nothing: lines(|name| !describes_body(name)), slots, fields }
    }

    /// Appends every line; `value` fills in.
    pub(super) fn write<'a>(
        &self,
        describes: Describes,
        value: impl Fn(Slot) -> &'a HeaderValue,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(match describes {
            Describes::Body => &self.lines,
            Describes::Nothing => &self.lines_of_nothing,
        });
        for slot in &self.slots {
            if describes == Describes::Body || *slot != Slot::Length {
                write_line(&slot.name(), value(*slot), out);
            }
        }
    }
}

fn is_fixed(name: &HeaderName) -> bool {
    !Slot::ALL.iter().any(|slot| slot.name() == name)
}

/// What an answer without a body to speak of leaves out.
fn describes_body(name: &HeaderName) -> bool {
    [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING].contains(name)
}

/// Appends one header as HTTP/1.1 sends it.
pub(crate) fn write_line(name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
    for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
        out.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::site::Rules;
    use crate::site::generation::{Content, Entry, File, Files, Generation, Representation, Stamp};
    use crate::site::negotiate::Coding;

    const LATER: HeaderValue = HeaderValue::from_static("later");

    fn site(rules: Rules) -> Generation {
        let file = |packed: &[(Coding, Bytes)]| {
            let mut file = File::held(Stamp::default(), Bytes::from_static(b"x"));
            if let Content::Held { encoded, .. } = &mut file.content {
                *encoded = Some(Arc::from(packed));
            }
            Arc::new(file)
        };
        let packed = [(Coding::Gzip, Bytes::from_static(b"packed"))];
        let files =
            Files::from_iter([("a.css".into(), file(&packed)), ("404.html".into(), file(&packed[..0]))]);
        Generation::build(&files, rules, None)
    }

    fn lines(of: &Representation, entry: &Entry, describes: Describes) -> Vec<String> {
        let mut out = Vec::new();
        of.write_head(entry, &LATER, describes, &mut out);
        let text = String::from_utf8(out).unwrap();
        let mut lines: Vec<_> = text.split_terminator("\r\n").map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn written(fields: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn both_ways_to_send_a_head_say_the_same() {
        let mut seen = 0;
        for rules in [Rules::GithubPages, Rules::Spa, Rules::Files] {
            let site = site(rules);
            let entries = ["a.css", "404.html"].into_iter().filter_map(|name| site.file(name));
            for entry in entries.chain(site.not_found()) {
                for whole in &entry.representations {
                    let mut fields = whole.head(entry, &LATER);
                    assert_eq!(lines(whole, entry, Describes::Body), written(&fields), "{rules:?}");
                    for name in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING] {
                        fields.remove(name);
                    }
                    assert_eq!(lines(whole, entry, Describes::Nothing), written(&fields), "{rules:?}");
                    seen += fields.len();
                }
            }
        }
        assert!(seen > 30, "{seen}");
    }
}
