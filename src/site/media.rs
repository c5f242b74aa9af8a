//! What a file is, by its ending: media type, charset, and whether compressing it is worth the time.
//!
//! PURE. Never looks into a file.

use std::borrow::Cow;

use hyper::header::HeaderValue;

/// What a file without a known ending is.
const UNKNOWN: &str = "application/octet-stream";

/// The value of `Content-Type` for a file of this name, as GitHub Pages gives it: text, JavaScript and JSON carry
/// `; charset=utf-8`.
#[must_use]
pub fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_str(&media_type(name)).unwrap_or(HeaderValue::from_static(UNKNOWN))
}

/// Whether files of this name shrink: text and what is text underneath; pictures, film, fonts (WOFF) and archives are
/// compressed already.
#[must_use]
pub fn shrinks(name: &str) -> bool {
    let media = media_type(name);
    let essence = media.split(';').next().unwrap_or_default();
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || matches!(
            essence,
            "application/javascript"
                | "application/json"
                | "application/xml"
                | "application/wasm"
                | "application/vnd.ms-fontobject"
                | "font/ttf"
                | "font/otf"
                | "image/bmp"
                | "image/x-icon"
        )
}

/// The media type with its charset.
fn media_type(name: &str) -> Cow<'static, str> {
    let ending =
        name.rsplit('/').next().and_then(|last| last.rsplit_once('.')).map_or("", |(_, ending)| ending);
    let ending = ending.to_ascii_lowercase();
    if let Some(known) = as_pages_has_it(&ending) {
        return Cow::Borrowed(known);
    }
    let guess = mime_guess::from_ext(&ending).first_raw().unwrap_or(UNKNOWN);
    if guess.starts_with("text/") {
        Cow::Owned(format!("{guess}; charset=utf-8"))
    } else {
        Cow::Borrowed(guess)
    }
}

/// The endings for which mime-db, which GitHub Pages uses, differs from our table. JavaScript is what was last seen
/// there; RFC 9239 would say `text/javascript`, and browsers take both.
fn as_pages_has_it(ending: &str) -> Option<&'static str> {
    Some(match ending {
        "js" | "mjs" | "cjs" => "application/javascript; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "webmanifest" => "application/manifest+json; charset=utf-8",
        "xml" => "application/xml",
        "rss" => "application/rss+xml",
        "atom" => "application/atom+xml",
        "ico" => "image/x-icon",
        "md" => "text/markdown; charset=utf-8",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_github_pages() {
        for (name, wanted) in [
            ("index.html", "text/html; charset=utf-8"),
            ("a/b.CSS", "text/css; charset=utf-8"),
            ("app.js", "application/javascript; charset=utf-8"),
            ("data.json", "application/json; charset=utf-8"),
            ("robots.txt", "text/plain; charset=utf-8"),
            ("logo.svg", "image/svg+xml"),
            ("a.png", "image/png"),
            ("sitemap.xml", "application/xml"),
            ("font.woff2", "font/woff2"),
            ("CNAME", UNKNOWN),
            ("dir.html/none", UNKNOWN),
            ("odd.é", UNKNOWN),
        ] {
            assert_eq!(content_type(name), wanted, "{name}");
        }
    }

    #[test]
    fn text_shrinks_and_pictures_do_not() {
        assert!(shrinks("a.html") && shrinks("a.svg") && shrinks("a.js") && shrinks("feed.atom"));
        assert!(!shrinks("a.png") && !shrinks("a.woff2") && !shrinks("a.zip") && !shrinks("a"));
    }
}
