//! One line of the access log.
//!
//! PURE. A client decides what is in a request target and a header, and never what a line looks like: quotes,
//! backslashes, control characters and everything that is not ASCII are escaped.

use std::net::IpAddr;

use hyper::{Method, Version};

use super::stamp::Stamp;
use super::{LogFormat, address, put};
use crate::site::request::{Fields, Target};

/// What is known of a request and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// When it was answered.
    pub at: &'a Stamp,
    /// Who asked.
    pub peer: IpAddr,
    /// How.
    pub method: &'a Method,
    /// What for.
    pub target: Target<'a>,
    /// Over which version.
    pub version: Version,
    /// With which headers.
    pub fields: &'a Fields<'a>,
    /// What it was answered.
    pub status: u16,
    /// How many bytes follow the head of the answer, if it can be sent to its end.
    pub bytes: u64,
}

impl Answered<'_> {
    /// Appends the line.
    pub(super) fn write(&self, format: LogFormat, line: &mut Vec<u8>) {
        match format {
            LogFormat::None => {}
            LogFormat::Combined => self.combined(line),
            LogFormat::Json => self.json(line),
        }
    }

    /// `address - - [time] "request" status bytes "referer" "user agent"`
    fn combined(&self, line: &mut Vec<u8>) {
        put(line, format_args!("{}", address(self.peer)));
        line.extend_from_slice(b" - - [");
        line.extend_from_slice(self.at.combined.as_bytes());
        line.extend_from_slice(b"] \"");
        self.request(line);
        line.extend_from_slice(b"\" ");
        number(self.status.into(), line);
        line.push(b' ');
        number(self.bytes, line);
        line.extend_from_slice(b" \"");
        escape(self.fields.referer.unwrap_or(b"-"), Escape::Hex, line);
        line.extend_from_slice(b"\" \"");
        escape(self.fields.user_agent.unwrap_or(b"-"), Escape::Hex, line);
        line.extend_from_slice(b"\"\n");
    }

    fn request(&self, line: &mut Vec<u8>) {
        escape(self.method.as_str().as_bytes(), Escape::Hex, line);
        line.push(b' ');
        escape(self.target().as_bytes(), Escape::Hex, line);
        match self.version {
            Version::HTTP_11 => line.extend_from_slice(b" HTTP/1.1"),
            other => put(line, format_args!(" {other:?}")),
        }
    }

    fn json(&self, line: &mut Vec<u8>) {
        put(line, format_args!("{{\"time\":\"{}\",\"peer\":\"{}\"", self.at.json, address(self.peer)));
        let texts: [(&str, Option<&[u8]>); 4] = [
            ("method", Some(self.method.as_str().as_bytes())),
            ("target", Some(self.target().as_bytes())),
            ("referer", self.fields.referer),
            ("user-agent", self.fields.user_agent),
        ];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
            put(line, format_args!(",\"{name}\":\""));
            escape(text, Escape::Json, line);
            line.push(b'"');
        }
        let (version, status, bytes) = (self.version, self.status, self.bytes);
        put(line, format_args!(",\"version\":\"{version:?}\",\"status\":{status},\"bytes\":{bytes}}}\n"));
    }

    /// The asterisk is what `OPTIONS *` asks for.
    fn target(&self) -> &str {
        self.target.path.unwrap_or("*")
    }
}

/// In decimal: the formatter of the standard library is the larger part of what a line costs.
fn number(mut number: u64, line: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[start..]);
}

/// How a byte that a line must not have is written.
#[derive(Clone, Copy)]
enum Escape {
    /// `\xHH`, as nginx does.
    Hex,
    /// `\u00HH` (RFC 8259 section 7); a byte stands for the character of its number.
    Json,
}

fn escape(bytes: &[u8], how: Escape, line: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| !is_plain(*byte)) {
        line.extend_from_slice(&rest[..at]);
        match how {
            Escape::Hex => put(line, format_args!("\\x{:02X}", rest[at])),
            Escape::Json => put(line, format_args!("\\u{:04x}", rest[at])),
        }
        rest = &rest[at + 1..];
    }
    line.extend_from_slice(rest);
}

/// Visible ASCII and the space, but what ends a text and what escapes.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::*;

    fn line(format: LogFormat, agent: &[u8]) -> String {
        let fields = Fields { user_agent: Some(agent), ..Fields::default() };
        let at = &Stamp::of(SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_399));
        let (peer, method) = ("::ffff:192.0.2.1".parse().unwrap(), Method::GET);
        let seen = Answered {
            at,
            peer,
            method: &method,
            target: Target::origin("/a%0ab\"?x"),
            version: Version::HTTP_11,
            fields: &fields,
            status: 200,
            bytes: 7,
        };
        let mut line = Vec::new();
        seen.write(format, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_combined_line_is_as_apache_and_nginx_write_it() {
        assert_eq!(
            line(LogFormat::Combined, b"curl/8 \"\\\xc3\xa9\t"),
            "192.0.2.1 - - [28/Feb/2000:23:59:59 +0000] \"GET /a%0ab\\x22?x HTTP/1.1\" 200 7 \"-\" \
             \"curl/8 \\x22\\x5C\\xC3\\xA9\\x09\"\n"
        );
    }

    proptest! {
        #[test]
        fn numbers_are_decimal(of: u64) {
            for of in [of, of % 1000, 0, u64::MAX] {
                let mut line = Vec::new();
                number(of, &mut line);
                prop_assert_eq!(String::from_utf8(line).unwrap(), of.to_string());
            }
        }

        #[test]
        fn whatever_a_client_sends_is_one_line_of_ascii(agent: Vec<u8>) {
            let agent: Vec<u8> = agent.into_iter().filter(|b| *b == 9 || (*b >= 32 && *b != 127)).collect();
            for format in [LogFormat::Combined, LogFormat::Json] {
                let line = line(format, &agent);
                prop_assert!(line.is_ascii() && line.ends_with('\n') && line.matches('\n').count() == 1);
                prop_assert!(!line.trim_end().contains(|c: char| c.is_ascii_control()));
                if format == LogFormat::Json {
                    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                    let read: Vec<u8> = value["user-agent"].as_str().unwrap().chars().map(|c| c as u8).collect();
                    prop_assert_eq!(&read, &agent);
                } else {
                    prop_assert_eq!(line.matches('"').count(), 6);
                }
            }
        }
    }
}
