//! Signatures of minisign (<https://jedisct1.github.io/minisign/>): who made a program or a system, and which version it is.
//!
//! PURE. Never takes one for the other: the comment that is signed along says what a file is.

use std::str::FromStr;

use data_encoding::BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::Version;
use crate::appliance::slots::SystemVersion;

/// Ed25519 over the file itself; also what a key is for.
const PLAIN: [u8; 2] = *b"Ed";

/// Ed25519 over the BLAKE2b hash of the file, 64 bytes long.
const PREHASHED: [u8; 2] = *b"ED";

/// A version of something that is signed.
pub trait Signed: FromStr {
    /// What the trusted comment begins with: a signature of anything else of the same maker is none of it.
    const WORD: &str;
}

impl Signed for Version {
    const WORD: &str = "hearth";
}

impl Signed for SystemVersion {
    const WORD: &str = "hearth-system";
}

/// The file that a signature lies beside.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// All of it: it can be signed in both forms.
    Whole(&'a [u8]),
    /// Of a file that is too large for the memory, its [`Hasher`]'s hash.
    Hash([u8; 64]),
}

/// The hash that the prehashed form signs, of a file that is read piece by piece.
#[derive(Clone, Debug)]
pub struct Hasher(blake2b_simd::State);

impl Default for Hasher {
    fn default() -> Self {
        Self(blake2b_simd::State::new())
    }
}

impl Hasher {
    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces.
    #[must_use]
    pub fn finish(&self) -> [u8; 64] {
        *self.0.finalize().as_array()
    }
}

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

/// What is known of a file whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release<V> {
    /// Its version.
    pub version: V,
    /// What it runs on, as [`std::env::consts::ARCH`] has it.
    pub machine: String,
}

/// Why a file is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The text is no signature.
    #[error("the signature cannot be read; it is the file that minisign wrote beside the signed one")]
    Form,
    /// It is of the whole of a file that is too large for that.
    #[error("the signature is of the legacy form; sign with `minisign -S`, without -l")]
    Legacy,
    /// Nobody whom this Pi trusts made it.
    #[error("the file was signed with a key that is not in `update-keys` of [pi]")]
    UnknownKey,
    /// It is of other bytes.
    #[error("the signature is not of this file: it was damaged or changed")]
    Other,
    /// The comment does not say what is wanted.
    #[error(
        "the trusted comment `{said}` does not say that this is what is wanted; sign with `-t '{word} VERSION MACHINE'`"
    )]
    Comment {
        /// What it says.
        said: String,
        /// What it has to begin with.
        word: &'static str,
    },
}

/// What the signature in `text` vouches for, if it is one of `keys` over `content`.
///
/// # Errors
/// [`BadSignature`]
pub fn verified<V: Signed>(
    text: &str,
    content: Content<'_>,
    keys: &[UpdateKey],
) -> Result<Release<V>, BadSignature> {
    let mut lines = text.lines();
    let mut line = || lines.next().ok_or(BadSignature::Form);
    let (_untrusted, signature, comment, whole) = (line()?, line()?, line()?, line()?);
    let comment = comment.strip_prefix("trusted comment: ").ok_or(BadSignature::Form)?;
    let (algorithm, id, signature) = parts::<64>(signature).ok_or(BadSignature::Form)?;
    let key = keys.iter().find(|key| key.id == id).ok_or(BadSignature::UnknownKey)?;
    let key = UnparsedPublicKey::new(&ED25519, &key.key);
    match (algorithm, content) {
        (PLAIN, Content::Whole(bytes)) => key.verify(bytes, &signature),
        (PLAIN, Content::Hash(_)) => return Err(BadSignature::Legacy),
        (PREHASHED, Content::Whole(bytes)) => key.verify(blake2b_simd::blake2b(bytes).as_bytes(), &signature),
        (PREHASHED, Content::Hash(hash)) => key.verify(&hash, &signature),
        _ => return Err(BadSignature::Form),
    }
    .map_err(|_| BadSignature::Other)?;
    let whole = BASE64.decode(whole.trim_end().as_bytes()).map_err(|_| BadSignature::Form)?;
    key.verify(&[&signature[..], comment.as_bytes()].concat(), &whole).map_err(|_| BadSignature::Other)?;
    release(comment).ok_or_else(|| BadSignature::Comment { said: comment.to_owned(), word: V::WORD })
}

/// `hearth 0.2.0 aarch64`
fn release<V: Signed>(comment: &str) -> Option<Release<V>> {
    let words: Vec<&str> = comment.split_whitespace().collect();
    match words[..] {
        [word, version, machine] if word == V::WORD => {
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
            let hash = blake2b_simd::blake2b(program);
            let signature = self.pair.sign(if algorithm == PREHASHED { hash.as_bytes() } else { program });
            let whole = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
            let head = [&algorithm[..], &self.id, signature.as_ref()].concat();
            format!(
                "untrusted comment: any\n{}\ntrusted comment: {comment}\n{}\n",
                BASE64.encode(&head),
                BASE64.encode(whole.as_ref())
            )
        }
    }

    /// What is vouched for, as a program.
    fn program(text: &str, bytes: &[u8], keys: &[UpdateKey]) -> Result<Release<Version>, BadSignature> {
        verified(text, Content::Whole(bytes), keys)
    }

    fn hash(bytes: &[u8]) -> Content<'static> {
        let mut hasher = Hasher::default();
        bytes.chunks(3).for_each(|piece| hasher.update(piece));
        Content::Hash(hasher.finish())
    }

    #[test]
    fn a_program_of_a_known_maker_is_what_its_comment_says() {
        let (maker, other) = (Maker::new(1), Maker::new(2));
        for form in [PLAIN, PREHASHED] {
            let text = maker.sign(form, b"program", COMMENT);
            let release = program(&text, b"program", &[other.key(), maker.key()]).unwrap();
            assert_eq!(
                (release.version.to_string().as_str(), release.machine.as_str()),
                ("0.2.0", "aarch64")
            );
        }
    }

    #[test]
    fn a_system_is_vouched_for_by_its_hash_and_never_by_the_signature_of_a_program() {
        const VERSION: &str = "0.2.0-20260131235959";
        let maker = Maker::new(1);
        let keys = [maker.key()];
        let system = |text: &str, content| verified::<SystemVersion>(text, content, &keys);
        let comment = format!("hearth-system {VERSION} aarch64");
        let text = maker.sign(PREHASHED, b"a system", &comment);
        assert_eq!(system(&text, hash(b"a system")).unwrap().version.to_string(), VERSION);
        assert_eq!(system(&text, hash(b"a sistem")), Err(BadSignature::Other));
        let plain = maker.sign(PLAIN, b"a system", &comment);
        assert_eq!(system(&plain, hash(b"a system")), Err(BadSignature::Legacy));
        for comment in [
            COMMENT.to_owned(),
            format!("hearth {VERSION} aarch64"),
            "hearth-system 0.2.0 aarch64".to_owned(),
        ] {
            let text = maker.sign(PREHASHED, b"a system", &comment);
            let wrong = BadSignature::Comment { said: comment, word: "hearth-system" };
            assert_eq!(system(&text, hash(b"a system")), Err(wrong));
        }
        assert!(matches!(
            program(&text, b"a system", &keys),
            Err(BadSignature::Comment { word: "hearth", .. })
        ));
    }

    #[test]
    fn whatever_was_changed_is_found() {
        let (maker, other) = (Maker::new(1), Maker::new(2));
        let (keys, text) = ([maker.key()], maker.sign(PLAIN, b"program", COMMENT));
        assert_eq!(program(&text, b"programs", &keys), Err(BadSignature::Other));
        let newer = text.replace("0.2.0", "9.9.9");
        assert_eq!(program(&newer, b"program", &keys), Err(BadSignature::Other), "the comment is signed too");
        assert_eq!(program(&text, b"program", &[other.key()]), Err(BadSignature::UnknownKey));
        assert_eq!(program(&text, b"program", &[]), Err(BadSignature::UnknownKey));
        let same_id = UpdateKey { id: maker.id, ..other.key() };
        assert_eq!(program(&text, b"program", &[same_id]), Err(BadSignature::Other));
        let prehashed = maker.sign(PREHASHED, b"program", COMMENT);
        assert_eq!(program(&prehashed, b"programs", &keys), Err(BadSignature::Other));
        for comment in
            ["hearth 0.2.0", "hearth-system 0.2.0 aarch64", "other 0.2.0 aarch64", "hearth two aarch64", ""]
        {
            let text = maker.sign(PLAIN, b"program", comment);
            assert_eq!(
                program(&text, b"program", &keys),
                Err(BadSignature::Comment { said: comment.to_owned(), word: "hearth" })
            );
        }
    }

    #[test]
    fn no_cut_of_a_signature_is_one() {
        let maker = Maker::new(1);
        let text = maker.sign(PLAIN, b"program", COMMENT);
        for end in 0..text.trim_end().len() {
            assert!(program(&text[..end], b"program", &[maker.key()]).is_err(), "{end}");
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
