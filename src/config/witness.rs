//! What `[watcher]` means with `mode = "witness"`: a watcher that looks and tells, and writes nothing.

use std::ops::Range;

use toml::Spanned;

use super::WitnessConfig;
use super::agent::{BEAT, pin};
use super::file::watcher::{Mode, Peer, Watch, Watcher};
use super::reading::Reading;

/// Whether a witness is meant.
pub(super) fn is_meant(written: &Watcher) -> bool {
    written.mode.as_ref().is_some_and(|mode| *mode.get_ref() == Mode::Witness)
}

/// What it means; None when that was reported.
pub(super) fn witness(
    reading: &mut Reading<'_>,
    written: Spanned<Watcher>,
    watch: &[Spanned<Watch>],
    peer: &[Spanned<Peer>],
) -> Option<WitnessConfig> {
    report_idle(reading, written.get_ref(), watch, peer);
    let place = written.span();
    let written = written.into_inner();
    let key = reading.signing_key("watcher.key", written.key);
    if written.name.is_none() {
        let hint =
            "add name = \"…\", and a [[peer]] of that name with role = \"witness\" to the decider's file";
        reading.error(&place, "a witness needs the `name` that the decider knows it by", hint);
    }
    if written.decider.is_none() {
        let hint = "add decider = { url = \"https://watch.example.net\", public-key = \"ed25519:…\" }";
        reading.error(&place, "a witness needs the `decider` that it tells what it sees", hint);
    }
    let decider = written.decider.map(|decider| pin(reading, decider.into_inner()));
    Some(WitnessConfig {
        name: written.name?.value,
        key: key?,
        decider: decider?,
        every: written.every.map_or(BEAT, |at| at.value),
    })
}

/// Reports what belongs to a decider.
fn report_idle(
    reading: &mut Reading<'_>,
    written: &Watcher,
    watch: &[Spanned<Watch>],
    peer: &[Spanned<Peer>],
) {
    let idle: [(&str, Option<Range<usize>>); 5] = [
        ("`listen`", written.listen.as_ref().map(Spanned::span)),
        ("[watcher.tls]", written.tls.as_ref().map(Spanned::span)),
        ("`references`", written.references.first().map(|at| at.span.clone())),
        ("[[watch]]", watch.first().map(Spanned::span)),
        ("[[peer]]", peer.first().map(Spanned::span)),
    ];
    for (what, span) in idle {
        if let Some(span) = span {
            let message = format!("{what} belongs to the watcher that decides, and this one is a witness");
            reading.error(&span, message, "remove it: the decider tells a witness what to look at");
        }
    }
}
