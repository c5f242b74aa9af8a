//! A text at a name: put beside whatever stands there, and taken away again alone.
//!
//! For whoever has to show that a zone is ours (RFC 8555 section 8.4). Never touches another text of the name, or
//! anything that is no text, and never repeats a write by itself.

use super::{Provider, ProviderError, ProviderSettings};
use crate::dns::mark::TxtData;
use crate::dns::{Name, Ttl};

/// How long resolvers may keep a text, where the provider takes so little.
pub(super) const BRIEF: Ttl = Ttl::from_secs(60);

/// The same at the clouds in China, whose free plans take no less.
pub(super) const CLOUD: Ttl = Ttl::from_secs(600);

/// What is done with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextChange {
    /// It is put there.
    Put,
    /// It is taken away.
    Take,
}

impl Provider {
    /// Puts `text` at `name`, or takes it away; that it is there already, or gone, is no error.
    ///
    /// # Errors
    /// When it was not done, or when it is not known whether it was ([`ProviderError::Unconfirmed`]).
    pub async fn change_text(
        &self,
        change: TextChange,
        name: &Name,
        text: &str,
    ) -> Result<(), ProviderError> {
        match self {
            Provider::Rfc2136(server) => server.change_text(change, name, text).await,
            Provider::DnsPod(domain) => domain.change_text(change, name, text).await,
            Provider::Tencent(domain) => domain.change_text(change, name, text).await,
            Provider::Alidns(domain) => domain.change_text(change, name, text).await,
            Provider::Desec(domain) => domain.change_text(change, name, text).await,
            Provider::DuckDns(names) => names.change_text(change, name, text).await,
            Provider::Cloudflare(zone) => zone.change_text(change, name, text).await,
            Provider::PowerDns(zone) => zone.change_text(change, name, text).await,
            Provider::Dyndns2(_) => {
                Err(ProviderError::Unusable("services that speak dyndns2 hold no texts".to_owned()))
            }
        }
    }
}

impl ProviderSettings {
    /// The zone that it writes to.
    #[must_use]
    pub const fn zone(&self) -> &Name {
        match self {
            ProviderSettings::Rfc2136(settings) => &settings.zone,
            ProviderSettings::DnsPod(settings) => &settings.zone,
            ProviderSettings::Tencent(settings) => &settings.zone,
            ProviderSettings::Alidns(settings) => &settings.zone,
            ProviderSettings::Desec(settings) => &settings.zone,
            ProviderSettings::Dyndns2(settings) => &settings.zone,
            ProviderSettings::DuckDns(settings) => &settings.zone,
            ProviderSettings::Cloudflare(settings) => &settings.zone,
            ProviderSettings::PowerDns(settings) => &settings.zone,
        }
    }

    /// Whether the provider holds texts at names of one's own.
    #[must_use]
    pub const fn holds_texts(&self) -> bool {
        !matches!(self, ProviderSettings::Dyndns2(_))
    }
}

/// One string.
pub(super) fn data(text: &str) -> TxtData {
    TxtData::new([text.as_bytes().to_vec()])
}

/// The members of a set afterwards; None when they are as they were. `is` tells the one that is meant.
pub(super) fn changed<M: Clone>(
    change: TextChange,
    members: &[M],
    is: impl Fn(&M) -> bool,
    make: impl FnOnce() -> M,
) -> Option<Vec<M>> {
    match (change, members.iter().any(&is)) {
        (TextChange::Put, false) => Some(members.iter().cloned().chain([make()]).collect()),
        (TextChange::Take, true) => Some(members.iter().filter(|member| !is(member)).cloned().collect()),
        (TextChange::Put, true) | (TextChange::Take, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_member_comes_and_goes_and_the_others_stay() {
        let change = |change, members: &[&str]| {
            let members: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
            changed(change, &members, |member| member == "ours", || "ours".to_owned()).map(|m| m.join(" "))
        };
        assert_eq!(change(TextChange::Put, &["theirs"]).as_deref(), Some("theirs ours"));
        assert_eq!(change(TextChange::Take, &["theirs", "ours"]).as_deref(), Some("theirs"));
        assert_eq!(change(TextChange::Take, &["ours"]).as_deref(), Some(""));
        assert_eq!(change(TextChange::Put, &["ours"]), None);
        assert_eq!(change(TextChange::Take, &["theirs"]), None);
    }
}
