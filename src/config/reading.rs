//! One reading of one file: its text, the secrets it points to, and what was found wrong so far.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::error::{Problem, Source, Warning, did_you_mean};
use super::secret::{SecretSource, exposure};
use super::value::At;
use super::{SecretUse, Secrets};
use crate::heartbeat::seal::SigningKey;
use crate::secret::Secret;

/// The seed of the key that stands in for one that was not read; it never leaves [`super::Checked`].
const NOT_READ: [u8; 32] = [0; 32];

/// One reading of one file.
pub(super) struct Reading<'a> {
    source: Source<'a>,
    secrets: Secrets,
    /// The names of the `[provider.…]` tables, those with a mistake too.
    pub(super) provider_names: Vec<String>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
    pub(super) uses: Vec<SecretUse>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(source: Source<'a>, secrets: Secrets) -> Self {
        let (problems, warnings, uses) = (Vec::new(), Vec::new(), Vec::new());
        Self { source, secrets, provider_names: Vec::new(), problems, warnings, uses }
    }

    /// A problem at a place of the file, not reported yet.
    pub(super) fn problem(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        self.source.problem(span, message)
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn error(&mut self, span: &Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        let problem = self.problem(span, message).hint(hint);
        self.report(problem);
    }

    pub(super) fn report_whole_file(&mut self, message: &str, hint: &str) {
        self.report(Problem::of_file(self.source.file, message).hint(hint));
    }

    pub(super) fn warn(&mut self, span: &Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        let problem = self.problem(span, message).hint(hint);
        self.warnings.push(Warning(problem));
    }

    pub(super) fn line(&self, span: &Range<usize>) -> String {
        self.source.line(span.start)
    }

    /// A relative path starts at the directory of the file.
    pub(super) fn path(&self, written: &Path) -> PathBuf {
        self.directory().join(written)
    }

    fn directory(&self) -> &Path {
        self.source.file.parent().unwrap_or(Path::new(""))
    }

    /// Reads a secret. The outer None: reported. The inner None: secrets are not read this time.
    pub(super) fn secret(
        &mut self,
        of: &str,
        source: Spanned<SecretSource>,
    ) -> Option<Option<Secret<String>>> {
        let span = source.span();
        let from = source.into_inner().resolved(self.directory());
        self.uses.push(SecretUse { of: of.to_owned(), from: from.clone() });
        if self.secrets == Secrets::Skip {
            return Some(None);
        }
        match from.read() {
            Ok(found) => {
                if let Some(exposure) = found.exposure {
                    self.warn(&span, exposure.to_string(), exposure.remedy());
                }
                Some(Some(found.secret))
            }
            Err(error) => {
                let hint =
                    "`hearth check-config --no-secrets` checks everything else where the secrets are not";
                self.error(&span, format!("the secret of `{of}` is missing: {error}"), hint);
                None
            }
        }
    }

    /// Whether secrets are read this time.
    pub(super) const fn secrets(&self) -> Secrets {
        self.secrets
    }

    /// The file that a secret is in, for whoever reads it again and again; None when that was reported.
    pub(super) fn secret_file(&mut self, of: &str, source: Spanned<SecretSource>) -> Option<PathBuf> {
        let span = source.span();
        let from = source.into_inner().resolved(self.directory());
        self.uses.push(SecretUse { of: of.to_owned(), from: from.clone() });
        match (from.path(), self.secrets) {
            (Ok(path), Secrets::Skip) => Some(path),
            (Ok(path), Secrets::Read) => {
                if let (SecretSource::File(_), Some(exposure)) = (&from, exposure(&path)) {
                    self.warn(&span, exposure.to_string(), exposure.remedy());
                }
                Some(path)
            }
            (Err(_), Secrets::Skip) => Some(PathBuf::new()),
            (Err(error), Secrets::Read) => {
                let hint = "write { file = \"/path/to/it\" } or { credential = \"name\" }";
                self.error(&span, format!("`{of}` must be in a file: {error}"), hint);
                None
            }
        }
    }

    /// Reads a private key.
    pub(super) fn signing_key(&mut self, of: &str, source: Spanned<SecretSource>) -> Option<SigningKey> {
        let span = source.span();
        let Some(text) = self.secret(of, source)? else { return Some(SigningKey::from_seed(NOT_READ)) };
        match text.expose().parse() {
            Ok(key) => Some(key),
            Err(error) => {
                self.error(&span, error.to_string(), "hearth key new --out FILE");
                None
            }
        }
    }

    /// Reports every value after its first appearance.
    pub(super) fn unique<'v, T: Ord + Display + 'v>(
        &mut self,
        what: &str,
        values: impl IntoIterator<Item = (&'v T, Range<usize>)>,
    ) {
        let mut seen: BTreeMap<&T, String> = BTreeMap::new();
        for (value, span) in values {
            let line = self.line(&span);
            if let Some(first) = seen.get(value) {
                let hint = format!("the first is on line {first}");
                self.error(&span, format!("{what} `{value}` is there twice"), hint);
            } else {
                seen.insert(value, line);
            }
        }
    }

    /// Reports an empty list.
    pub(super) fn not_empty<T>(&mut self, list: &Spanned<Vec<T>>, what: &str, example: &str) {
        if list.get_ref().is_empty() {
            self.error(&list.span(), format!("{what} must not be empty"), format!("write {example}"));
        }
    }

    /// Reports a provider that no table defines; one whose table has a mistake was reported there.
    pub(super) fn report_unknown_provider(&mut self, provider: &At<String>) {
        if self.provider_names.contains(&provider.value) {
            return;
        }
        let known = self.provider_names.iter().map(String::as_str);
        let hint = did_you_mean(&provider.value, known)
            .unwrap_or_else(|| format!("add a table [provider.{}]", provider.value));
        self.error(&provider.span, format!("there is no provider `{}`", provider.value), hint);
    }
}
