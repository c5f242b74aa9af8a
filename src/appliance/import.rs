//! Takes what stands on the card, and puts it where the system looks for it.
//!
//! Never in an order that a pulled plug could make worse: secrets are kept, then the configuration that points to them, and
//! only then are they starred out on the card; at any moment the next start finds either the old state or all that it needs
//! for the new one. Taking the same twice is taking it once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::card::Card;
use super::report::{Instead, Outcome};
use super::secrets::{self, Literal, Says};
use super::settings::{PiSettings, Protection, Visibility, Wifi};
use super::store::{Store, write_whole};
use super::text::Repaired;
use super::{CONFIG, PRESEED, names, preseed};
use crate::heartbeat::seal::SigningKey;
use crate::host::random;
use crate::host::state_file::{StateError, StateFile};
use crate::secret::Secret;

/// The form of [`Kept`] on the disk.
const FORM: u32 = 1;

/// The credential of the Wi-Fi's password, which goes to iwd instead.
const WIFI_PASSWORD: &str = "hearth.pi.wifi.password";

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// Where the card's FAT partition is mounted.
    pub card: PathBuf,
    /// A directory on the persistent partition.
    pub keep: PathBuf,
    /// The root of the system that is set up; `/`, but in tests.
    pub root: PathBuf,
    /// The configuration that the image was made with.
    pub example: PathBuf,
    /// systemd-creds(1).
    pub creds: PathBuf,
}

impl Places {
    fn state(&self) -> StateFile {
        StateFile::new(self.keep.join("taken.json"), FORM)
    }

    fn store(&self) -> Store {
        Store::new(&self.keep.join("credstore.encrypted"), &self.creds)
    }
}

/// What was taken from the card last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The name of the file.
    pub file: String,
    /// The SHA-256 of the card's files as they are when their secrets are starred out.
    pub digest: String,
    /// The configuration, pointing to its secrets.
    pub config: String,
    /// What the Pi itself is told to be.
    pub settings: PiSettings,
    /// The name of the node, which is also that of the Pi unless it has one of its own.
    pub node: Option<String>,
    /// What there is to say about how it was read.
    pub remarks: Vec<String>,
    /// The public halves of keys that were made here.
    pub keys: Vec<String>,
}

impl Kept {
    /// What the Pi is called.
    #[must_use]
    pub fn hostname(&self) -> &str {
        let own = self.settings.hostname.as_ref().map(|name| name.as_str());
        own.or(self.node.as_deref()).unwrap_or("hearth")
    }
}

/// What a configuration says that was found to be in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InOrder {
    /// `[pi]`.
    pub settings: PiSettings,
    /// The name of the node.
    pub node: Option<String>,
}

/// Checks a configuration; the error is for a person, with places.
pub type Check<'a> = &'a dyn Fn(&str, &Path) -> Result<InOrder, String>;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// What became of the card's configuration.
    pub outcome: Outcome,
    /// What is in force.
    pub kept: Kept,
    /// What there is to say.
    pub remarks: Vec<String>,
}

/// A write that must survive a pulled plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A secret goes into the store.
    Secret,
    /// What was taken goes to the persistent partition.
    State,
    /// A file on the card is starred out.
    Star,
}

/// Told before each [`Step`]; an error ends the import there. Tests pull the plug with it.
pub type Before<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

/// Why nothing could be taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The card cannot be read or written.
    #[error("the card at {path}: {source}", path = path.display())]
    Card {
        /// The file or directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A secret or a setting cannot be kept.
    #[error("{what} cannot be kept: {source}")]
    Keep {
        /// What.
        what: String,
        /// What the kernel or systemd-creds said.
        source: io::Error,
    },
    /// What was taken cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// Even the image's own configuration is not in order.
    #[error("the configuration that the image came with is not in order: {0}")]
    Example(String),
}

/// Takes what is new on the card; what is in force afterwards is in the answer.
///
/// # Errors
/// [`ImportError`]; what was in force before still is.
pub fn import(places: &Places, check: Check<'_>, before: Before<'_>) -> Result<Imported, ImportError> {
    let files = Files::on(&Card::at(&places.card), places)?;
    let mut remarks = files.remarks.clone();
    let mut state = places.state();
    let kept: Option<Kept> = match state.load() {
        Ok(kept) => kept,
        Err(error @ StateError::Disk { .. }) => return Err(error.into()),
        Err(damaged) => {
            remarks.push(format!("What was taken earlier is lost: {damaged}"));
            None
        }
    };
    if let Some(kept) = kept.clone().filter(|kept| kept.digest == files.digest()) {
        remarks.extend(kept.remarks.clone());
        return Ok(Imported { outcome: Outcome::InForce(kept.file.clone()), kept, remarks });
    }
    let mut taking = Taking { places, store: places.store(), before, check };
    let (outcome, now) = match taking.take(&files)? {
        Ok(kept) => {
            (taking.before)(Step::State).map_err(|source| keep_error("the configuration", source))?;
            state.save(&kept)?;
            taking.star_out(&files)?;
            taking.forget_others(&files, &kept)?;
            (Outcome::InForce(kept.file.clone()), kept)
        }
        Err(mistakes) => match kept {
            Some(kept) => (Outcome::Wrong { mistakes, instead: Instead::LastGood }, kept),
            None => {
                let example = taking.take(&Files::example(places)?)?.map_err(ImportError::Example)?;
                (Outcome::Wrong { mistakes, instead: Instead::Example }, example)
            }
        },
    };
    remarks.extend(now.remarks.clone());
    Ok(Imported { outcome, kept: now, remarks })
}

/// A file of the card: as it is, as it is meant, and the secrets in it.
struct Found {
    name: String,
    bytes: Vec<u8>,
    repaired: Repaired,
    literals: Vec<Literal>,
}

impl Found {
    fn new(name: &str, bytes: Vec<u8>, literals: fn(&Repaired) -> Vec<Literal>) -> Self {
        let repaired = Repaired::of(&bytes);
        Self { name: name.to_owned(), literals: literals(&repaired), bytes, repaired }
    }

    fn starred(&self) -> Vec<u8> {
        secrets::starred(&self.bytes, &self.repaired, &self.literals)
    }
}

/// The files that count.
struct Files {
    config: Found,
    preseed: Option<Found>,
    remarks: Vec<String>,
}

impl Files {
    fn on(card: &Card, places: &Places) -> Result<Self, ImportError> {
        let card_error = |path: &Path, source| ImportError::Card { path: path.to_owned(), source };
        let all = card.names().map_err(|source| card_error(&places.card, source))?;
        let read = |name: &str| card.read(name).map_err(|source| card_error(&places.card.join(name), source));
        let all = || all.iter().map(String::as_str);
        let mut remarks = names::remarks(all());
        let mut found = Vec::new();
        for name in names::configurations(all()) {
            found.push(Found::new(name, read(name)?, secrets::literals));
        }
        // A file that an editor saved under a longer name, beside the one that the image came with.
        let untouched = fs::read(&places.example).ok();
        let edited = found.iter().position(|found| Some(&found.bytes) != untouched.as_ref()).unwrap_or(0);
        if found.is_empty() {
            remarks.push(format!(
                "There is no {CONFIG} on the card; the one that the image came with is in force."
            ));
            return Ok(Self { remarks, ..Self::example(places)? });
        }
        let config = found.swap_remove(edited);
        for other in &found {
            remarks.push(format!("{} was left alone: {} is the configuration.", other.name, config.name));
        }
        let is_preseed = |name: &&str| name.eq_ignore_ascii_case(PRESEED);
        let preseed = match all().find(is_preseed) {
            Some(name) => Some(Found::new(name, read(name)?, secrets::literals_of_preseed)),
            None => None,
        };
        Ok(Self { config, preseed, remarks })
    }

    fn example(places: &Places) -> Result<Self, ImportError> {
        let bytes = fs::read(&places.example)
            .map_err(|source| ImportError::Card { path: places.example.clone(), source })?;
        let config = Found::new(CONFIG, bytes, secrets::literals);
        Ok(Self { config, preseed: None, remarks: Vec::new() })
    }

    fn digest(&self) -> String {
        digest_of(&self.config.bytes, self.preseed.as_ref().map(|found| &found.bytes[..]))
    }

    fn digest_when_starred(&self) -> String {
        let preseed = self.preseed.as_ref().map(Found::starred);
        digest_of(&self.config.starred(), preseed.as_deref())
    }
}

fn digest_of(config: &[u8], preseed: Option<&[u8]>) -> String {
    let of = |bytes: &[u8]| data_encoding::HEXLOWER.encode(digest(&SHA256, bytes).as_ref());
    format!("{} {}", of(config), preseed.map_or_else(|| "-".to_owned(), of))
}

fn keep_error(what: &str, source: io::Error) -> ImportError {
    ImportError::Keep { what: what.to_owned(), source }
}

/// Taking the files, once.
struct Taking<'a> {
    places: &'a Places,
    store: Store,
    before: Before<'a>,
    check: Check<'a>,
}

impl Taking<'_> {
    /// Keeps the secrets and says what is to be kept beside them; the inner error is what is wrong with the file, and
    /// then nothing was kept.
    fn take(&mut self, files: &Files) -> Result<Result<Kept, String>, ImportError> {
        let Found { repaired, literals, name, .. } = &files.config;
        let text = secrets::pointing(repaired, literals);
        let in_order = match (self.check)(&text, Path::new(name)) {
            Ok(in_order) => in_order,
            Err(mistakes) => return Ok(Err(mistakes)),
        };
        let preseed = files.preseed.as_ref().map(|found| preseed::read(&found.repaired, &found.literals));
        let preseed = preseed.unwrap_or_default();
        let mut remarks: Vec<String> =
            repaired.repairs.iter().map(|repair| format!("{name}: {}.", repair.describe())).collect();
        remarks.extend(preseed.remarks);
        let own_wifi = in_order.settings.wifi.is_some();
        let settings = in_order.settings.or(preseed.settings);
        let mut mistakes = self.missing(&files.config);
        let password = if own_wifi { wifi_password(literals) } else { preseed.wifi_password };
        if let Some(wifi) = &settings.wifi
            && wifi.protection == Protection::Password
            && password.is_none()
            && !self.profile(wifi).exists()
        {
            let file = if own_wifi { name } else { PRESEED };
            mistakes.push(format!(
                "{file}: the password of the Wi-Fi {} was starred out, and none is kept; write it again",
                wifi.ssid
            ));
        }
        if !mistakes.is_empty() {
            return Ok(Err(mistakes.join("\n")));
        }
        if let Some(wifi) = &settings.wifi {
            self.keep_wifi(wifi, password.as_ref())?;
        }
        let keys = self.keep_secrets(literals)?;
        Ok(Ok(Kept {
            file: name.clone(),
            digest: files.digest_when_starred(),
            config: text,
            settings,
            node: in_order.node,
            remarks,
            keys,
        }))
    }

    /// The secrets that were starred out and are not kept.
    fn missing(&self, found: &Found) -> Vec<String> {
        let missing = found.literals.iter().filter(|literal| {
            literal.says == Says::Taken && literal.name != WIFI_PASSWORD && !self.store.has(&literal.name)
        });
        missing
            .map(|literal| {
                let before = &found.repaired.text[..literal.place.start];
                let (line, column) = (
                    before.matches('\n').count() + 1,
                    before.lines().last().unwrap_or("").chars().count() + 1,
                );
                format!(
                    "{}:{line}:{column}: this secret was starred out, and none is kept; write it again",
                    found.name
                )
            })
            .collect()
    }

    /// Keeps the secrets; the public halves of those that were made.
    fn keep_secrets(&mut self, literals: &[Literal]) -> Result<Vec<String>, ImportError> {
        let mut keys = Vec::new();
        for literal in literals.iter().filter(|literal| literal.name != WIFI_PASSWORD) {
            match &literal.says {
                Says::Value(secret) => self.keep(&literal.name, secret)?,
                Says::Make => keys.push(self.made(&literal.name)?),
                Says::Taken => {}
            }
        }
        Ok(keys)
    }

    fn keep(&mut self, name: &str, secret: &Secret<String>) -> Result<(), ImportError> {
        (self.before)(Step::Secret)
            .and_then(|()| self.store.keep(name, secret))
            .map_err(|source| keep_error(name, source))
    }

    /// Makes a key unless it is there; its public half. That is written first, so that no key is without it.
    fn made(&mut self, name: &str) -> Result<String, ImportError> {
        let public = self.places.keep.join("public").join(name);
        let told =
            |key: &str| format!("{}: public-key = \"{}\"", name.trim_start_matches("hearth."), key.trim());
        match fs::read_to_string(&public) {
            Ok(key) if self.store.has(name) => Ok(told(&key)),
            _ => {
                let key = SigningKey::from_seed(random::bytes());
                let text = key.verifying().to_string();
                write_whole(&public, text.as_bytes(), 0o644).map_err(|source| keep_error(name, source))?;
                self.keep(name, &key.to_text())?;
                Ok(told(&text))
            }
        }
    }

    /// The file of a network, as iwd wants it (iwd.network(5)).
    fn profile(&self, wifi: &Wifi) -> PathBuf {
        let ending = match wifi.protection {
            Protection::Password => "psk",
            Protection::Open => "open",
        };
        self.places.keep.join("iwd").join(format!("{}.{ending}", wifi.ssid.file_stem()))
    }

    fn keep_wifi(&mut self, wifi: &Wifi, password: Option<&Secret<String>>) -> Result<(), ImportError> {
        let path = self.profile(wifi);
        if password.is_none() && wifi.protection == Protection::Password {
            return Ok(());
        }
        let mut text = String::new();
        if let Some(password) = password.map(Secret::expose) {
            let hex = password.len() == 64 && password.bytes().all(|b| b.is_ascii_hexdigit());
            let key = if hex { "PreSharedKey" } else { "Passphrase" };
            // A backslash begins an escape in the files of ell, iwd's library.
            text = format!("[Security]\n{key}={}\n", password.replace('\\', "\\\\"));
        }
        if wifi.visibility == Visibility::Hidden {
            text.push_str("[Settings]\nHidden=true\n");
        }
        (self.before)(Step::Secret)
            .and_then(|()| write_whole(&path, text.as_bytes(), 0o600))
            .map_err(|source| keep_error("the Wi-Fi", source))
    }

    /// Removes secrets and networks that the configuration names no more.
    fn forget_others(&self, files: &Files, kept: &Kept) -> Result<(), ImportError> {
        let secrets: Vec<&str> = files.config.literals.iter().map(|literal| literal.name.as_str()).collect();
        let profile = kept.settings.wifi.as_ref().map(|wifi| self.profile(wifi));
        let profile = profile.as_ref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
        only(&self.places.keep.join("credstore.encrypted"), &secrets)
            .and_then(|()| only(&self.places.keep.join("iwd"), profile.as_slice()))
            .map_err(|source| keep_error("the list of secrets", source))
    }

    /// Stars the secrets out on the card; they are kept by now.
    fn star_out(&mut self, files: &Files) -> Result<(), ImportError> {
        let card = Card::at(&self.places.card);
        for found in [Some(&files.config), files.preseed.as_ref()].into_iter().flatten() {
            let starred = found.starred();
            if starred != found.bytes {
                (self.before)(Step::Star).and_then(|()| card.overwrite(&found.name, &starred)).map_err(
                    |source| ImportError::Card { path: self.places.card.join(&found.name), source },
                )?;
            }
        }
        Ok(())
    }
}

/// Removes every file of a directory but those of these names; a directory that is not there has none.
fn only(directory: &Path, names: &[&str]) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() && !names.iter().any(|name| entry.file_name() == *name) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn wifi_password(literals: &[Literal]) -> Option<Secret<String>> {
    match &literals.iter().find(|literal| literal.name == WIFI_PASSWORD)?.says {
        Says::Value(password) => Some(password.clone()),
        Says::Taken | Says::Make => None,
    }
}
