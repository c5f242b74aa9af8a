//! The one sector that says which slot is started: text, so that the first file system can read and write it with busybox.
//!
//! PURE. Never partly valid: a sector is what [`encode`] makes of a [`Standing`], or it says nothing.
//!
//! ```text
//! hearth-slots 1 IN-FORCE free 0 - -
//! hearth-slots 1 IN-FORCE on-trial STARTS LABEL SERVED
//! hearth-slots 1 IN-FORCE turned-down STARTS LABEL WHY
//! SHA-256 of the line above, its end included, in hex
//! ```
//!
//! The rest is zeros. It lies 2 MiB from the beginning of the card, between the partition table and the first partition and far
//! from both: flash is written in pieces of up to that size, and a card that dies in the middle of one is to lose neither.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use super::{Label, Other, Standing, Why};

/// The length of a sector, in bytes. A disk writes one whole or not at all.
pub const SIZE: usize = 512;

/// Where it begins on the card, in bytes.
pub const AT: u64 = 2 << 20;

/// What a line begins with: a word to know it by, and the form.
const MAGIC: &str = "hearth-slots 1";

/// The sector that says this.
#[must_use]
pub fn encode(standing: &Standing) -> [u8; SIZE] {
    let in_force = standing.in_force;
    let mut text = match &standing.other {
        Other::Free => format!("{MAGIC} {in_force} free 0 - -\n"),
        Other::OnTrial { label, starts, served } => {
            format!("{MAGIC} {in_force} on-trial {starts} {label} {served}\n")
        }
        Other::TurnedDown { label, starts, why } => {
            format!("{MAGIC} {in_force} turned-down {starts} {label} {why}\n")
        }
    };
    let sum = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
    let _ = writeln!(text, "{sum}");
    let mut sector = [0; SIZE];
    sector[..text.len()].copy_from_slice(text.as_bytes());
    sector
}

/// What a sector says; None: nothing that could be read, as on a card that was just flashed.
#[must_use]
pub fn decode(sector: &[u8; SIZE]) -> Option<Standing> {
    let line = sector.split(|&b| b == b'\n').next()?;
    let standing = parse(std::str::from_utf8(line).ok()?)?;
    (encode(&standing) == *sector).then_some(standing)
}

fn parse(line: &str) -> Option<Standing> {
    let mut words = line.strip_prefix(MAGIC)?.strip_prefix(' ')?.splitn(5, ' ');
    let mut word = || words.next();
    let (in_force, state, starts, label, rest) = (word()?, word()?, word()?, word()?, word()?);
    let starts = starts.parse().ok().filter(|starts| *starts < 10)?;
    let other = match state {
        "free" => Other::Free,
        "on-trial" => {
            let served = rest.parse().ok().filter(|served| *served <= super::MOST_SERVED)?;
            Other::OnTrial { label: Label::new(label)?, starts, served }
        }
        "turned-down" => Other::TurnedDown { label: Label::new(label)?, starts, why: Why::new(rest) },
        _ => return None,
    };
    Some(Standing { in_force: in_force.parse().ok()?, other })
}
