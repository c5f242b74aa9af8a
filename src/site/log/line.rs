//! One line of the access log.
//!
//! PURE. A client decides what is in a request target and a header, and never what a line looks like: quotes,
//! backslashes, control characters and everything that is not ASCII are escaped.

use std::net::IpAddr;
use std::time::SystemTime;

use hyper::header::{HeaderName, REFERER, USER_AGENT};
use hyper::{HeaderMap, Method, Uri, Version};

use super::{LogFormat, address, put};
use crate::site::generation::unix;

/// What is known of a request and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// When it was answered.
    pub at: SystemTime,
    /// Who asked.
    pub peer: IpAddr,
    /// How.
    pub method: &'a Method,
    /// What for.
    pub uri: &'a Uri,
    /// Over which version.
    pub version: Version,
    /// With which headers.
    pub headers: &'a HeaderMap,
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
        let Time { year, month, day, hour, minute, second } = Time::of(unix(self.at));
        put(line, format_args!("{} - - [{day:02}/", address(self.peer)));
        line.extend_from_slice(MONTHS[month as usize - 1]);
        put(line, format_args!("/{year}:{hour:02}:{minute:02}:{second:02} +0000] \""));
        self.request(line);
        put(line, format_args!("\" {} {} \"", self.status, self.bytes));
        escape(self.header(&REFERER).unwrap_or(b"-"), Escape::Hex, line);
        line.extend_from_slice(b"\" \"");
        escape(self.header(&USER_AGENT).unwrap_or(b"-"), Escape::Hex, line);
        line.extend_from_slice(b"\"\n");
    }

    fn request(&self, line: &mut Vec<u8>) {
        escape(self.method.as_str().as_bytes(), Escape::Hex, line);
        line.push(b' ');
        escape(self.target().as_bytes(), Escape::Hex, line);
        put(line, format_args!(" {:?}", self.version));
    }

    fn json(&self, line: &mut Vec<u8>) {
        let Time { year, month, day, hour, minute, second } = Time::of(unix(self.at));
        let time = format_args!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
        put(line, format_args!("{{\"time\":\"{time}\",\"peer\":\"{}\"", address(self.peer)));
        let texts: [(&str, Option<&[u8]>); 4] = [
            ("method", Some(self.method.as_str().as_bytes())),
            ("target", Some(self.target().as_bytes())),
            ("referer", self.header(&REFERER)),
            ("user-agent", self.header(&USER_AGENT)),
        ];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
            put(line, format_args!(",\"{name}\":\""));
            escape(text, Escape::Json, line);
            line.push(b'"');
        }
        let (version, status, bytes) = (self.version, self.status, self.bytes);
        put(line, format_args!(",\"version\":\"{version:?}\",\"status\":{status},\"bytes\":{bytes}}}\n"));
    }

    fn target(&self) -> &str {
        self.uri.path_and_query().map_or("*", |target| target.as_str())
    }

    fn header(&self, name: &HeaderName) -> Option<&[u8]> {
        self.headers.get(name).map(|value| value.as_bytes())
    }
}

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// How a byte that a line must not have is written.
#[derive(Clone, Copy)]
enum Escape {
    /// `\xHH`, as nginx does.
    Hex,
    /// `\u00HH` (RFC 8259 section 7); a byte stands for the character of its number.
    Json,
}

fn escape(bytes: &[u8], how: Escape, line: &mut Vec<u8>) {
    for byte in bytes {
        match (byte, how) {
            (b' '..=b'~', _) if !matches!(byte, b'"' | b'\\') => line.push(*byte),
            (_, Escape::Hex) => put(line, format_args!("\\x{byte:02X}")),
            (_, Escape::Json) => put(line, format_args!("\\u{byte:04x}")),
        }
    }
}

/// A moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Time {
    /// From seconds since 1970. The calendar is counted from 1 March of a year that 400 divides, so that the day that
    /// leap years add is the last of a year.
    fn of(unix: u64) -> Self {
        let (days, rest) = (unix / 86_400 + 719_468, unix % 86_400);
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn line(format: LogFormat, agent: &[u8]) -> String {
        let uri = "/a%0ab\"?x".parse().unwrap();
        let headers =
            HeaderMap::from_iter([(USER_AGENT, hyper::header::HeaderValue::from_bytes(agent).unwrap())]);
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_399);
        let (peer, method) = ("::ffff:192.0.2.1".parse().unwrap(), Method::GET);
        let seen = Answered {
            at,
            peer,
            method: &method,
            uri: &uri,
            version: Version::HTTP_11,
            headers: &headers,
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

    #[test]
    fn the_calendar_is_that_of_the_http_date() {
        for unix in (0..8_000_000_000).step_by(86_400 * 7 + 12_345) {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(unix);
            let Time { year, month, day, hour, minute, second } = Time::of(unix);
            let month = std::str::from_utf8(MONTHS[month as usize - 1]).unwrap();
            let text = format!("{day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT");
            assert_eq!(httpdate::fmt_http_date(at)[5..], text);
        }
    }

    proptest! {
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
