//! What `[[hook]]` means.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use toml::Spanned;

use super::endpoint::WebUrl;
use super::file::hook::{Hook, HookUrl, Webhook};
use super::reading::Reading;
use super::value::{At, Written};
use crate::hook::{Deed, HookSettings, Subject};
use crate::secret::Secret;

/// The longest that one run or one try may take.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Stands where a secret URL was not read. No name ends like this (RFC 6761 section 6.4).
const NOT_READ: &str = "https://not-read.invalid/";

/// The hooks that are written; one with a mistake is reported and left out.
pub(super) fn hooks(reading: &mut Reading<'_>, written: Vec<Spanned<Hook>>) -> Vec<HookSettings> {
    let one = |(index, hook): (usize, Spanned<Hook>)| {
        let span = hook.span();
        self::hook(reading, index + 1, &span, hook.into_inner())
    };
    written.into_iter().enumerate().filter_map(one).collect()
}

fn hook(
    reading: &mut Reading<'_>,
    number: usize,
    span: &Range<usize>,
    written: Hook,
) -> Option<HookSettings> {
    let on = subjects(reading, written.on);
    let timeout = timeout(reading, written.timeout);
    let deed = match (written.command, written.webhook) {
        (Some(command), None) => self::command(reading, command).map(Deed::Command),
        (None, Some(webhook)) => self::webhook(reading, number, webhook.into_inner()),
        (Some(_), Some(_)) => {
            reading.error(span, "a hook does one thing, and this has two", "make it two tables [[hook]]");
            None
        }
        (None, None) => {
            let hint = "command = [\"/usr/local/bin/x\"], or webhook = { url = \"https://…\" }";
            reading.error(span, "this hook does nothing", hint);
            None
        }
    };
    Some(HookSettings { deed: deed?, on, timeout })
}

fn subjects(reading: &mut Reading<'_>, written: Option<Spanned<Vec<Spanned<Subject>>>>) -> BTreeSet<Subject> {
    let Some(list) = written else { return BTreeSet::from([Subject::Record]) };
    reading.not_empty(&list, "`on`", "[\"record\"]");
    reading.unique("the event", list.get_ref().iter().map(|at| (at.get_ref(), at.span())));
    list.into_inner().into_iter().map(Spanned::into_inner).collect()
}

fn timeout(reading: &mut Reading<'_>, written: Option<At<Duration>>) -> Duration {
    let Some(written) = written else { return Duration::from_secs(10) };
    if written.value > LONGEST {
        let hint = "what takes longer is started by the command, as a service of its own";
        reading.error(&written.span, "a hook may take five minutes at most", hint);
    }
    written.value
}

/// A program by its whole path: which one runs must not depend on where hearth was started.
pub(super) fn command(reading: &mut Reading<'_>, written: Spanned<Vec<String>>) -> Option<Vec<String>> {
    let words = written.get_ref();
    if !words.first().is_some_and(|program| Path::new(program).is_absolute()) {
        let hint = "write the whole path, such as [\"/usr/local/bin/x\", \"arg\"]";
        reading.error(&written.span(), "a command begins with the path of a program", hint);
        return None;
    }
    if words.iter().any(|word| word.contains('\0')) {
        reading.error(&written.span(), "no word of a command can hold a NUL", "leave it out");
        return None;
    }
    Some(written.into_inner())
}

fn webhook(reading: &mut Reading<'_>, number: usize, written: Webhook) -> Option<Deed> {
    let (url, origin) = url(reading, &secret_key(number), written.url)?;
    Some(Deed::Webhook { url, origin })
}

/// A URL that may be a secret, which `of` points to; and the part of it that may be seen.
pub(super) fn url(
    reading: &mut Reading<'_>,
    of: &str,
    written: Spanned<HookUrl>,
) -> Option<(Secret<String>, Option<String>)> {
    let span = written.span();
    let (url, origin) = match written.into_inner() {
        HookUrl::Plain(url) => {
            let origin = url.0.origin().ascii_serialization();
            (url, Some(origin))
        }
        HookUrl::Secret(source) => {
            let found = reading.secret(of, Spanned::new(span.clone(), source))?;
            (secret_url(reading, &span, found)?, None)
        }
    };
    if url.is_in_the_clear() {
        let message = "anybody on the way can read and change what is sent there";
        reading.warn(&span, message, "use https:// where the service offers it");
    }
    Some((Secret::new(url.0.into()), origin))
}

/// What the secret URL of the hook with this number is called.
#[must_use]
pub fn secret_key(number: usize) -> String {
    format!("hook.{number}.webhook.url")
}

fn secret_url(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    found: Option<Secret<String>>,
) -> Option<WebUrl> {
    let text = found.unwrap_or_else(|| Secret::new(NOT_READ.to_owned()));
    match WebUrl::read(text.expose()) {
        Ok(url) => Some(url),
        Err(error) => {
            reading.error(span, error, "the secret is the whole URL, and nothing else");
            None
        }
    }
}
