//! The account at an authority: kept here and on the share, so that nodes have one, and made when there is none.
//!
//! Never makes a second one while the first can be read, and never deletes one: what is not known there any more is put
//! aside.

use instant_acme::{Account, AccountCredentials, NewAccount};

use super::error::{AcmeError, Authority};
use super::settings::AcmeSettings;
use super::share::Share;
use super::web::Web;

/// An account, as far as it is known.
pub(super) struct Registration {
    pub(super) settings: AcmeSettings,
    /// On this machine.
    pub(super) own: Share,
    pub(super) share: Option<Share>,
    /// The name of its file.
    pub(super) file: String,
    pub(super) authority: Authority,
    pub(super) web: Web,
    pub(super) account: Option<Account>,
}

impl Registration {
    /// The account that is kept, here or on the share; None when there is none yet.
    pub(super) async fn known(&mut self) -> Option<Account> {
        if self.account.is_none() {
            let credentials = self.kept().await?;
            let builder = Account::builder_with_http(Box::new(self.web.clone()));
            self.account = builder.from_credentials(credentials).await.ok();
        }
        self.account.clone()
    }

    async fn kept(&self) -> Option<AccountCredentials> {
        for place in self.places() {
            let file = self.file.clone();
            if let Ok(Some(credentials)) = place.with(move |store| store.load(&file)).await {
                return Some(credentials);
            }
        }
        None
    }

    /// The account, a new one if need be.
    ///
    /// # Errors
    /// When none could be made, or when it could not be kept.
    pub(super) async fn account(&mut self) -> Result<Account, AcmeError> {
        if let Some(account) = self.known().await {
            return Ok(account);
        }
        let contact: Vec<&str> = self.settings.contact.as_deref().into_iter().collect();
        let new =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let builder = Account::builder_with_http(Box::new(self.web.clone()));
        let made = builder.create(&new, self.settings.directory.clone(), None).await;
        let (account, credentials) =
            made.map_err(|error| self.authority.error(&error, self.web.retry_after()))?;
        self.keep(&credentials).await?;
        self.account = Some(account.clone());
        Ok(account)
    }

    async fn keep(&self, credentials: &AccountCredentials) -> Result<(), AcmeError> {
        let form = serde_json::to_value(credentials).map_err(|e| AcmeError::Defect(e.to_string()))?;
        let (file, own) = (self.file.clone(), form.clone());
        self.own.with(move |store| store.save(&file, &own)).await?;
        if let Some(share) = &self.share {
            let file = self.file.clone();
            if let Err(error) = share.with(move |store| store.save(&file, &form)).await {
                tracing::warn!("the other nodes cannot be given the account: {error}");
            }
        }
        Ok(())
    }

    /// The authority does not know it any more; the file stays, aside.
    pub(super) async fn forget(&mut self) {
        self.account = None;
        for place in self.places() {
            let file = self.file.clone();
            if let Err(error) = place.with(move |store| store.set_aside(&file)).await {
                tracing::warn!("the account that is not known any more cannot be put aside: {error}");
            }
        }
    }

    /// Where it is kept: the share first, so that nodes have one account.
    fn places(&self) -> Vec<Share> {
        self.share.iter().chain([&self.own]).cloned().collect()
    }
}
