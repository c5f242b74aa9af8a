//! A text file as some editor on some PC left it, and the text that was meant.
//!
//! Never loses a line: a place in the repaired text is the same line of the file. Every byte of the repaired text knows where
//! in the file it came from, so that a part of the file can be overwritten in place.

use std::ops::Range;

/// What was put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repair {
    /// The file was in UTF-16, as old editors of Windows write it.
    Utf16,
    /// Some bytes were no UTF-8 and were read as Windows-1252.
    Windows1252,
    /// Quotes were curly, as word processors and TextEdit write them.
    CurlyQuotes,
    /// Spaces were of a kind that does not break a line.
    HardSpaces,
}

impl Repair {
    /// What was done, for a person.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Repair::Utf16 => "it was saved as UTF-16; it was read as text all the same",
            Repair::Windows1252 => "some letters were not UTF-8; they were read as Windows-1252",
            Repair::CurlyQuotes => "curly quotes were read as straight ones",
            Repair::HardSpaces => "hard spaces were read as ordinary ones",
        }
    }
}

/// How the characters of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// UTF-8, or Windows-1252 where it is not.
    Bytes,
    Utf16Le,
    Utf16Be,
}

/// A repaired text and where it came from.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// The text: UTF-8 without a byte-order mark, lines end in a line feed, quotes are straight.
    pub text: String,
    /// What was put right, each once.
    pub repairs: Vec<Repair>,
    /// For each byte of the text, and for its end, the byte of the file.
    origin: Vec<usize>,
    encoding: Encoding,
}

/// A character and the byte of the file that it begins at.
type Placed = (char, usize);

impl Repaired {
    /// Reads a file's bytes; every sequence of bytes is some text.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut repairs = Vec::new();
        let (encoding, chars) = decoded(bytes, &mut repairs);
        let chars = straightened(one_kind_of_line_end(chars), &mut repairs);
        let mut text = String::with_capacity(bytes.len());
        let mut origin = Vec::with_capacity(bytes.len() + 1);
        for (c, at) in chars {
            origin.extend(std::iter::repeat_n(at, c.len_utf8()));
            text.push(c);
        }
        origin.push(bytes.len());
        repairs.sort_unstable();
        repairs.dedup();
        Self { text, repairs, origin, encoding }
    }

    /// The bytes of the file behind a part of the text.
    #[must_use]
    pub fn origin(&self, part: &Range<usize>) -> Range<usize> {
        self.origin[part.start]..self.origin[part.end]
    }

    /// Overwrites a part of the text with stars in `file`, the bytes that this was made of. Its length stays, and so do
    /// its lines.
    pub fn star_out(&self, file: &mut [u8], part: &Range<usize>) {
        let place = self.origin(part);
        let width = if self.encoding == Encoding::Bytes { 1 } else { 2 };
        for unit in file[place].chunks_exact_mut(width) {
            let is_line_end = match *unit {
                [b] => b == b'\n' || b == b'\r',
                [a, b] => matches!((a, b), (b'\n' | b'\r', 0) | (0, b'\n' | b'\r')),
                _ => false,
            };
            if !is_line_end {
                unit.copy_from_slice(match self.encoding {
                    Encoding::Bytes => b"*",
                    Encoding::Utf16Le => b"*\0",
                    Encoding::Utf16Be => b"\0*",
                });
            }
        }
    }
}

fn decoded(bytes: &[u8], repairs: &mut Vec<Repair>) -> (Encoding, Vec<Placed>) {
    match bytes {
        [0xff, 0xfe, rest @ ..] => {
            repairs.push(Repair::Utf16);
            (Encoding::Utf16Le, of_utf16(rest, u16::from_le_bytes))
        }
        [0xfe, 0xff, rest @ ..] => {
            repairs.push(Repair::Utf16);
            (Encoding::Utf16Be, of_utf16(rest, u16::from_be_bytes))
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => (Encoding::Bytes, of_bytes(rest, 3, repairs)),
        _ => (Encoding::Bytes, of_bytes(bytes, 0, repairs)),
    }
}

/// `bytes` follow a byte-order mark of two bytes.
fn of_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<Placed> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut at = 2;
    char::decode_utf16(units)
        .map(|c| {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            let placed = (c, at);
            at += 2 * c.len_utf16();
            placed
        })
        .collect()
}

/// `bytes` begin at byte `first` of the file.
fn of_bytes(bytes: &[u8], first: usize, repairs: &mut Vec<Repair>) -> Vec<Placed> {
    let mut chars = Vec::with_capacity(bytes.len());
    let mut at = first;
    for chunk in bytes.utf8_chunks() {
        chars.extend(chunk.valid().char_indices().map(|(i, c)| (c, at + i)));
        at += chunk.valid().len();
        for byte in chunk.invalid() {
            repairs.push(Repair::Windows1252);
            chars.push((of_windows_1252(*byte), at));
            at += 1;
        }
    }
    chars
}

/// The quotes of Windows-1252; its other letters that matter are those of Latin-1.
const fn of_windows_1252(byte: u8) -> char {
    match byte {
        0x91 => '‘',
        0x92 => '’',
        0x93 => '“',
        0x94 => '”',
        other => other as char,
    }
}

/// CR LF and CR alone become LF.
fn one_kind_of_line_end(chars: Vec<Placed>) -> Vec<Placed> {
    let next = chars.iter().skip(1).map(|(c, _)| *c).chain([' ']);
    let kept = chars.iter().zip(next).filter(|((c, _), next)| (*c, *next) != ('\r', '\n'));
    kept.map(|((c, at), _)| (if *c == '\r' { '\n' } else { *c }, *at)).collect()
}

/// Where in the text a character stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Comment,
    /// A string that was opened by this quote.
    String(char),
    /// A string that was opened by a curly quote that means this one.
    Curly(char),
}

/// Curly quotes that stand for straight ones become straight; those inside of a properly quoted string stay.
fn straightened(mut chars: Vec<Placed>, repairs: &mut Vec<Repair>) -> Vec<Placed> {
    let mut inside = Inside::Nothing;
    let mut escaped = false;
    // The last curly quote since a straight one opened a string: it may have been meant to close it.
    let mut doubt = None;
    for i in 0..chars.len() {
        let (c, _) = chars[i];
        let plain = straight(c);
        let next = match (inside, c) {
            (_, '\n') => {
                if let (Inside::String(quote), Some(at)) = (inside, doubt) {
                    close(&mut chars, at, quote, repairs);
                }
                Inside::Nothing
            }
            (Inside::Nothing, '#') => Inside::Comment,
            (Inside::Nothing, '"' | '\'') => Inside::String(c),
            (Inside::Nothing, '\u{a0}') => {
                chars[i].0 = ' ';
                repairs.push(Repair::HardSpaces);
                inside
            }
            (Inside::Nothing, _) if plain != c => {
                close(&mut chars, i, plain, repairs);
                Inside::Curly(plain)
            }
            (Inside::String('"'), _) if escaped => inside,
            (Inside::String(quote), _) if c == quote => Inside::Nothing,
            (Inside::String(quote), _) if plain == quote => {
                doubt = Some(i);
                inside
            }
            (Inside::Curly(quote), _) if plain == quote => {
                close(&mut chars, i, quote, repairs);
                Inside::Nothing
            }
            _ => inside,
        };
        escaped = c == '\\' && !escaped;
        if next != inside {
            doubt = None;
        }
        inside = next;
    }
    if let (Inside::String(quote), Some(at)) = (inside, doubt) {
        close(&mut chars, at, quote, repairs);
    }
    chars
}

fn close(chars: &mut [Placed], at: usize, quote: char, repairs: &mut Vec<Repair>) {
    if chars[at].0 != quote {
        chars[at].0 = quote;
        repairs.push(Repair::CurlyQuotes);
    }
}

/// The straight quote that a curly one stands for; any other character itself.
const fn straight(c: char) -> char {
    match c {
        '“' | '”' | '„' | '‟' | '″' => '"',
        '‘' | '’' | '‚' | '‛' | '′' => '\'',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: impl AsRef<[u8]>) -> String {
        Repaired::of(bytes.as_ref()).text
    }

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(order).collect()
    }

    #[test]
    fn what_editors_do_to_a_file_is_undone() {
        let table: [(&str, &str); 12] = [
            ("a = \"b\"\n", "a = \"b\"\n"),
            ("\u{feff}a = 1\r\nb = 2\r\n", "a = 1\nb = 2\n"),
            ("a = 1\rb = 2\r", "a = 1\nb = 2\n"),
            ("a = “b”", "a = \"b\""),
            ("a = „b“ # so “quoted”", "a = \"b\" # so “quoted”"),
            ("a = ‘b’", "a = 'b'"),
            ("a = \"b”\nc = 1", "a = \"b\"\nc = 1"),
            ("a = \"b”", "a = \"b\""),
            ("a = “b\"", "a = \"b\""),
            ("a = \"it’s “so”\"", "a = \"it’s “so”\""),
            ("a = \"x\\\" “y\"\n", "a = \"x\\\" “y\"\n"),
            ("\u{a0}a\u{a0}= \"b\u{a0}c\"", " a = \"b\u{a0}c\""),
        ];
        for (file, wanted) in table {
            assert_eq!(text(file), wanted, "{file:?}");
        }
    }

    #[test]
    fn other_encodings_are_read() {
        let wanted = "a = \"ü😀\"\n";
        assert_eq!(text(utf16(wanted, u16::to_le_bytes)), wanted);
        assert_eq!(text(utf16(wanted, u16::to_be_bytes)), wanted);
        assert_eq!(text(b"a = \x93caf\xe9\x94"), "a = \"café\"");
        assert_eq!(text([0xff, 0xfe, b'a', 0, b'b']), "a", "a file that was cut");
    }

    #[test]
    fn repairs_are_told_once() {
        let repaired = Repaired::of(b"a = \x93x\x94\nb = \x93y\x94\n");
        assert_eq!(repaired.repairs, [Repair::Windows1252, Repair::CurlyQuotes]);
        assert!(Repaired::of(b"a = \"x\"\r\n").repairs.is_empty(), "every editor of Windows ends lines so");
    }

    #[test]
    fn a_part_is_starred_out_in_place_in_every_encoding() {
        for line_end in ["\n", "\r\n"] {
            let plain = format!("# ü{line_end}p = “sécret”{line_end}");
            let files = [
                plain.clone().into_bytes(),
                format!("\u{feff}{plain}").into_bytes(),
                utf16(&plain, u16::to_le_bytes),
                utf16(&plain, u16::to_be_bytes),
            ];
            for mut file in files {
                let (length, repaired) = (file.len(), Repaired::of(&file));
                let start = repaired.text.find("sécret").unwrap();
                repaired.star_out(&mut file, &(start..start + "sécret".len()));
                let again = Repaired::of(&file).text.replace('*', "");
                assert_eq!((file.len(), again.as_str()), (length, "# ü\np = \"\"\n"));
            }
        }
    }

    #[test]
    fn any_bytes_are_some_text_and_nothing_of_the_file_is_left_out() {
        proptest::proptest!(|(bytes: Vec<u8>)| {
            let repaired = Repaired::of(&bytes);
            let whole = repaired.origin(&(0..repaired.text.len()));
            proptest::prop_assert!(whole.start <= 3 && whole.end == bytes.len());
        });
    }
}
