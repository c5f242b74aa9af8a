//! Which encoding of a file a client takes (`Accept-Encoding`, RFC 9110 section 12.5.3), and how each is made.
//!
//! PURE: compressing is work, but it looks at nothing but the bytes it is given.

use std::io::Write as _;

use bytes::Bytes;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

/// The codings that are made, the smallest answers first.
pub const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

/// Below this many bytes a file is not compressed: the answer fits one packet as it is.
const WORTH_IT: usize = 512;

impl Coding {
    /// Its name in `Content-Encoding`.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// What a client said of codings: the weight of each, in thousandths. 0: not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    identity: u16,
    gzip: u16,
    brotli: u16,
    zstd: u16,
}

impl Accepted {
    /// Reads `Accept-Encoding`. Without one a client gets the file as it is; what cannot be read counts as not said.
    #[must_use]
    pub fn read(list: Option<&[u8]>) -> Self {
        let mut said = Said::default();
        let items = list.into_iter().flat_map(|list| list.split(|byte| *byte == b','));
        items.filter_map(|item| std::str::from_utf8(item).ok()).for_each(|item| said.take(item));
        said.weights()
    }

    /// The weight of one coding.
    #[must_use]
    pub const fn weight(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Identity => self.identity,
            Coding::Gzip => self.gzip,
            Coding::Brotli => self.brotli,
            Coding::Zstd => self.zstd,
        }
    }
}

/// What was said, item by item.
#[derive(Default)]
struct Said {
    gzip: Option<u16>,
    brotli: Option<u16>,
    zstd: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

impl Said {
    fn take(&mut self, item: &str) {
        let (token, parameters) = item.split_once(';').unwrap_or((item, ""));
        let token = token.trim();
        let slot = if token.eq_ignore_ascii_case("gzip") || token.eq_ignore_ascii_case("x-gzip") {
            &mut self.gzip
        } else if token.eq_ignore_ascii_case("br") {
            &mut self.brotli
        } else if token.eq_ignore_ascii_case("zstd") {
            &mut self.zstd
        } else if token.eq_ignore_ascii_case("identity") {
            &mut self.identity
        } else if token == "*" {
            &mut self.any
        } else {
            return;
        };
        *slot = Some(weight(parameters));
    }

    /// Identity is acceptable unless it, or everything that was not named, was excluded.
    fn weights(self) -> Accepted {
        let of = |said: Option<u16>| said.or(self.any).unwrap_or(0);
        Accepted {
            identity: self.identity.or(self.any.filter(|w| *w == 0)).unwrap_or(1),
            gzip: of(self.gzip),
            brotli: of(self.brotli),
            zstd: of(self.zstd),
        }
    }
}

/// The `q` parameter in thousandths (RFC 9110 section 12.4.2); 1 when it is absent or unreadable.
fn weight(parameters: &str) -> u16 {
    let q = parameters.split(';').find_map(|p| {
        let (name, value) = p.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(number) = q.and_then(|value| value.parse::<f32>().ok()).filter(|n| (0.0..=1.0).contains(n))
    else {
        return 1000;
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (number * 1000.0).round() as u16;
    thousandths
}

/// `content` in a coding; None when that is not smaller, or was not worth trying.
#[must_use]
pub fn encode(content: &Bytes, coding: Coding) -> Option<Bytes> {
    if content.len() < WORTH_IT {
        return None;
    }
    let encoded = match coding {
        Coding::Identity => return None,
        Coding::Gzip => gzip(content)?,
        Coding::Brotli => brotli(content)?,
        Coding::Zstd => zstd::bulk::compress(content, 15).ok()?,
    };
    // Without the room that an encoder takes to be on the safe side.
    (encoded.len() + 32 < content.len()).then(|| Bytes::from(encoded.into_boxed_slice()))
}

fn gzip(content: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

/// Quality 9: 10 and 11 take many times as long on a small machine for a few percent.
fn brotli(content: &[u8]) -> Option<Vec<u8>> {
    let parameters =
        brotli::enc::BrotliEncoderParams { quality: 9, size_hint: content.len(), ..Default::default() };
    let mut encoded = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut encoded, &parameters).ok()?;
    Some(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn accepted(value: &str) -> Accepted {
        Accepted::read(Some(value.as_bytes()))
    }

    #[test]
    fn weights_are_read_as_the_rfc_says() {
        use Coding::{Brotli, Gzip, Identity, Zstd};
        for (value, coding, wanted) in [
            ("gzip, deflate, br, zstd", Brotli, 1000),
            ("gzip;q=0.5", Gzip, 500),
            ("gzip;q=0", Gzip, 0),
            ("GZIP ; Q=0.25", Gzip, 250),
            ("*", Zstd, 1000),
            ("*;q=0", Identity, 0),
            ("identity;q=0", Identity, 0),
            ("*;q=0, identity", Identity, 1000),
            ("gzip", Brotli, 0),
            ("gzip;q=7", Gzip, 1000),
            ("", Identity, 1),
        ] {
            assert_eq!(accepted(value).weight(coding), wanted, "{value}");
        }
        assert_eq!(Accepted::read(None).weight(Gzip), 0);
    }

    #[test]
    fn every_coding_is_undone_to_the_same_bytes() {
        let content = Bytes::from("the same line again\n".repeat(200));
        let undone = |coding| {
            let encoded = encode(&content, coding).unwrap();
            let mut out = Vec::new();
            match coding {
                Coding::Gzip => flate2::read::GzDecoder::new(&encoded[..]).read_to_end(&mut out).map(drop),
                Coding::Brotli => brotli::BrotliDecompress(&mut &encoded[..], &mut out),
                Coding::Zstd => zstd::stream::copy_decode(&encoded[..], &mut out),
                Coding::Identity => unreachable!("never made"),
            }
            .unwrap();
            out
        };
        for coding in CODINGS {
            assert_eq!(undone(coding), content, "{coding:?}");
        }
    }

    #[test]
    fn what_does_not_shrink_is_left_alone() {
        assert_eq!(encode(&Bytes::from_static(b"short"), Coding::Gzip), None);
    }
}
