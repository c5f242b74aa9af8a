//! What a watcher lets in: a body and a seal become a [`Beat`], or a [`Refusal`].
//!
//! Never changes anything, and believes nothing before the seal has been verified: until then only the form and the
//! name are read, to know which key to ask. Whether a beat was taken before is [`window`](super::window)'s business,
//! whether it is fresh the driver's, on the watcher's own clock.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::seal::{Purpose, Seal, VerifyingKey};
use super::window::Replayed;
use super::witness::Testimony;
use super::{Beat, MAX_BODY, NodeName};
use crate::address::Family;
use crate::probe::outcome::{Failure, Outcome};

/// The version of the form of beats and answers.
pub const FORM: u32 = 1;

/// The longest version, LED state and generation that is taken, in bytes.
const MAX_WORD: usize = 80;

/// The longest host that is taken, in bytes: that of a name (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 255;

/// The longest reason of a stop that is taken, in bytes.
const MAX_REASON: usize = 400;

/// Why a beat is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More than [`MAX_BODY`].
    #[error("a beat has at most {MAX_BODY} bytes")]
    TooLarge,
    /// Not a beat.
    #[error("this is not a beat: {0}")]
    Malformed(String),
    /// A version of the form that this watcher does not read.
    #[error("the beat has form {0}, this watcher reads form {FORM}; run the same version of hearth on both")]
    Form(u32),
    /// A name that is not among the peers.
    #[error("no peer is called {0}; add it to the watcher's configuration with its public key")]
    UnknownNode(NodeName),
    /// No seal, not a seal, or one that does not fit.
    #[error("the seal of {0} is missing or does not fit; compare its key with the watcher's configuration")]
    Seal(NodeName),
    /// It was taken before.
    #[error(transparent)]
    Replayed(#[from] Replayed),
}

impl Refusal {
    /// The HTTP status that says so (RFC 9110 section 15.5).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Refusal::TooLarge => 413,
            Refusal::Malformed(_) | Refusal::Form(_) => 400,
            Refusal::UnknownNode(_) => 403,
            Refusal::Seal(_) => 401,
            Refusal::Replayed(_) => 409,
        }
    }
}

/// What is read before the seal is verified: enough to find the key. Fields of other forms are passed over.
#[derive(Deserialize)]
struct Head {
    form: u32,
    node: NodeName,
}

/// Reads a beat of one of `peers`. `seal` is the value of [`SEAL_HEADER`](super::SEAL_HEADER); None when there was
/// none, or more than one.
///
/// # Errors
/// When it is not a beat, or not sealed by the peer that it names.
pub fn examine(
    body: &[u8],
    seal: Option<&str>,
    peers: &BTreeMap<NodeName, VerifyingKey>,
) -> Result<Beat, Refusal> {
    if body.len() > MAX_BODY {
        return Err(Refusal::TooLarge);
    }
    let head: Head = parse(body)?;
    if head.form != FORM {
        return Err(Refusal::Form(head.form));
    }
    let Some(key) = peers.get(&head.node) else { return Err(Refusal::UnknownNode(head.node)) };
    let seal: Option<Seal> = seal.and_then(|text| text.parse().ok());
    if seal.is_none_or(|seal| key.verify(Purpose::Beat, body, &seal).is_err()) {
        return Err(Refusal::Seal(head.node));
    }
    let beat: Beat = parse(body)?;
    check_words(&beat)?;
    check_addresses(&beat)?;
    check_testimonies(&beat)?;
    Ok(beat)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    // The message may repeat what was sent; it goes into logs and answers, so one line of it, without control bytes.
    let words = |e: serde_json::Error| e.to_string().escape_debug().take(200).collect();
    serde_json::from_slice(body).map_err(|e| Refusal::Malformed(words(e)))
}

/// Free texts end on the status page and in the log.
fn check_words(beat: &Beat) -> Result<(), Refusal> {
    let generations = beat.sites.iter().map(|site| ("sites.generation", site.generation.as_ref(), MAX_WORD));
    let hosts =
        beat.sites.iter().flat_map(|site| &site.hosts).map(|host| ("sites.hosts", Some(host), MAX_HOST));
    let texts = [
        ("version", Some(&beat.version), MAX_WORD),
        ("led", Some(&beat.led), MAX_WORD),
        ("leaving.reason", beat.leaving.as_ref().map(|l| &l.reason), MAX_REASON),
    ];
    for (field, text, most) in texts.into_iter().chain(generations).chain(hosts) {
        if text.is_some_and(|text| text.len() > most || text.chars().any(char::is_control)) {
            let why = format!("{field} must be one line of at most {most} bytes");
            return Err(Refusal::Malformed(why));
        }
    }
    Ok(())
}

fn check_addresses(beat: &Beat) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for claim in &beat.addresses {
        let family = Family::of(claim.address);
        if !seen.insert(family) {
            return Err(Refusal::Malformed(format!("more than one {family} address")));
        }
    }
    Ok(())
}

/// What a witness says of others is bounded in number and in words, and a node never says it of itself.
fn check_testimonies(beat: &Beat) -> Result<(), Refusal> {
    if beat.testimonies.len() > Testimony::MOST {
        let why = format!("more than {} testimonies", Testimony::MOST);
        return Err(Refusal::Malformed(why));
    }
    for testimony in &beat.testimonies {
        let words = match &testimony.outcome {
            Outcome::Failed(Failure::NotTheNode(words) | Failure::Tls(words)) => Some(words),
            Outcome::Up { generation, .. } => generation.as_ref(),
            Outcome::Failed(_) => None,
        };
        if words.is_some_and(|words| words.len() > Testimony::LONGEST || words.chars().any(char::is_control))
        {
            let why = format!("a testimony has one line of at most {} bytes", Testimony::LONGEST);
            return Err(Refusal::Malformed(why));
        }
        if testimony.node.as_ref() == Some(&beat.node) {
            return Err(Refusal::Malformed("a node is no witness of itself".to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
