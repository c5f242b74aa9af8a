//! Signatures of minisign (<https://jedisct1.github.io/minisign/>): who made a program, and which version it is.
//!
//! PURE. Never takes the prehashed form: it needs BLAKE2b, which nothing else here does; `minisign -S -l` signs the file itself.

use std::str::FromStr;

use data_encoding::BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::Version;

/// Ed25519 over the file itself; also what a key is for.
const PLAIN: [u8; 2] = *b"Ed";

/// Ed25519 over the BLAKE2b hash of the file.
const PREHASHED: [u8; 2] = *b"ED";

/// What the trusted comment begins with: a signature of another program of the same maker is none of ours.
const OURS: &str = "hearth";

/// A public key, as the second line of `minisign.pub` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UpdateKey {
    id: [u8; 8],
    key: [u8; 32],
}

impl FromStr for UpdateKey {
    type Err = BadKey;
    fn from_str(text: &str) -> Result<Self, BadKey> {
        match parts(text) {
            Some((PLAIN, id, key)) => Ok(Self { id, key }),
            _ => Err(BadKey(text.to_owned())),
        }
    }
}

impl TryFrom<String> for UpdateKey {
    type Error = BadKey;
    fn try_from(text: String) -> Result<Self, BadKey> {
        text.parse()
    }
}

impl From<UpdateKey> for String {
    fn from(UpdateKey { id, key }: UpdateKey) -> String {
        BASE64.encode(&[&PLAIN[..], &id, &key].concat())
    }
}

/// A text that is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a public key of minisign; write the line of minisign.pub that begins with RW")]
pub struct BadKey(String);

/// Algorithm, key and the rest of what minisign writes in base64.
fn parts<const N: usize>(text: &str) -> Option<([u8; 2], [u8; 8], [u8; N])> {
    let bytes = BASE64.decode(text.trim_end().as_bytes()).ok()?;
    let (algorithm, rest) = bytes.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    Some((*algorithm, *id, rest.try_into().ok()?))
}

/// What is known of a program whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// What it runs on, as [`std::env::consts::ARCH`] has it.
    pub machine: String,
}

/// Why a program is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The text is no signature.
    #[error("the signature cannot be read; it is the file that minisign wrote beside the program")]
    Form,
    /// It is of the hash.
    #[error("the signature is of the prehashed form; sign with `minisign -S -l`")]
    Prehashed,
    /// Nobody whom this Pi trusts made it.
    #[error("the program was signed with a key that is not in `update-keys` of [pi]")]
    UnknownKey,
    /// It is of other bytes.
    #[error("the signature is not of this program: the file was damaged or changed")]
    Other,
    /// The comment does not say what is wanted.
    #[error("the trusted comment `{0}` does not say what this is; sign with `-t 'hearth VERSION MACHINE'`")]
    Comment(String),
}

/// What the signature in `text` vouches for, if it is one of `keys` over `program`.
///
/// # Errors
/// [`BadSignature`]
pub fn verified(text: &str, program: &[u8], keys: &[UpdateKey]) -> Result<Release, BadSignature> {
    let mut lines = text.lines();
    let mut line = || lines.next().ok_or(BadSignature::Form);
    let (_untrusted, signature, comment, whole) = (line()?, line()?, line()?, line()?);
    let comment = comment.strip_prefix("trusted comment: ").ok_or(BadSignature::Form)?;
    let (algorithm, id, signature) = parts::<64>(signature).ok_or(BadSignature::Form)?;
    match algorithm {
        PLAIN => {}
        PREHASHED => return Err(BadSignature::Prehashed),
        _ => return Err(BadSignature::Form),
    }
    let key = keys.iter().find(|key| key.id == id).ok_or(BadSignature::UnknownKey)?;
    let key = UnparsedPublicKey::new(&ED25519, &key.key);
    key.verify(program, &signature).map_err(|_| BadSignature::Other)?;
    let whole = BASE64.decode(whole.trim_end().as_bytes()).map_err(|_| BadSignature::Form)?;
    key.verify(&[&signature[..], comment.as_bytes()].concat(), &whole).map_err(|_| BadSignature::Other)?;
    release(comment).ok_or_else(|| BadSignature::Comment(comment.to_owned()))
}

/// `hearth 0.2.0 aarch64`
fn release(comment: &str) -> Option<Release> {
    let words: Vec<&str> = comment.split_whitespace().collect();
    match words[..] {
        [OURS, version, machine] => {
            Some(Release { version: version.parse().ok()?, machine: machine.to_owned() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    const COMMENT: &str = "hearth 0.2.0 aarch64";

    struct Maker {
        pair: Ed25519KeyPair,
        id: [u8; 8],
    }

    impl Maker {
        fn new(seed: u8) -> Self {
            Self { pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), id: [seed; 8] }
        }

        fn key(&self) -> UpdateKey {
            UpdateKey { id: self.id, key: self.pair.public_key().as_ref().try_into().unwrap() }
        }

        fn sign(&self, algorithm: [u8; 2], program: &[u8], comment: &str) -> String {
            let signature = self.pair.sign(program);
            let whole = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
            let head = [&algorithm[..], &self.id, signature.as_ref()].concat();
            format!(
                "untrusted comment: any\n{}\ntrusted comment: {comment}\n{}\n",
                BASE64.encode(&head),
                BASE64.encode(whole.as_ref())
            )
        }
    }

    #[test]
    fn a_program_of_a_known_maker_is_what_its_comment_says() {
        let (maker, other) = (Maker::new(1), Maker::new(2));
        let text = maker.sign(PLAIN, b"program", COMMENT);
        let release = verified(&text, b"program", &[other.key(), maker.key()]).unwrap();
        assert_eq!((release.version.to_string().as_str(), release.machine.as_str()), ("0.2.0", "aarch64"));
    }

    #[test]
    fn whatever_was_changed_is_found() {
        let (maker, other) = (Maker::new(1), Maker::new(2));
        let (keys, text) = ([maker.key()], maker.sign(PLAIN, b"program", COMMENT));
        assert_eq!(verified(&text, b"programs", &keys), Err(BadSignature::Other));
        let newer = text.replace("0.2.0", "9.9.9");
        assert_eq!(
            verified(&newer, b"program", &keys),
            Err(BadSignature::Other),
            "the comment is signed too"
        );
        assert_eq!(verified(&text, b"program", &[other.key()]), Err(BadSignature::UnknownKey));
        assert_eq!(verified(&text, b"program", &[]), Err(BadSignature::UnknownKey));
        let same_id = UpdateKey { id: maker.id, ..other.key() };
        assert_eq!(verified(&text, b"program", &[same_id]), Err(BadSignature::Other));
        let prehashed = maker.sign(PREHASHED, b"program", COMMENT);
        assert_eq!(verified(&prehashed, b"program", &keys), Err(BadSignature::Prehashed));
        for comment in ["hearth 0.2.0", "other 0.2.0 aarch64", "hearth two aarch64", ""] {
            let text = maker.sign(PLAIN, b"program", comment);
            assert_eq!(verified(&text, b"program", &keys), Err(BadSignature::Comment(comment.to_owned())));
        }
    }

    #[test]
    fn no_cut_of_a_signature_is_one() {
        let maker = Maker::new(1);
        let text = maker.sign(PLAIN, b"program", COMMENT);
        for end in 0..text.trim_end().len() {
            assert!(verified(&text[..end], b"program", &[maker.key()]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_key_is_written_as_minisign_does() {
        let key = Maker::new(1).key();
        let text = String::from(key.clone());
        assert_eq!((text.starts_with("RW"), text.len(), text.parse()), (true, 56, Ok(key)));
        for bad in ["", "RW", "ssh-ed25519 AAAA", &text[..52]] {
            assert!(bad.parse::<UpdateKey>().is_err(), "{bad}");
        }
    }
}
