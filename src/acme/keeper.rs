//! The keeper of one certificate: shows what is kept, renews it in time, and hands it over to the other nodes.
//!
//! Never ends, whatever fails, and never hurries: after a failure it waits, also across restarts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use instant_acme::CertificateIdentifier;

use super::caa::Asked;
use super::error::{AcmeError, Authority};
use super::order::Orderer;
use super::proof::Prover;
use super::registration::Registration;
use super::renewal::{Chance, Setback, Window, due, pause};
use super::settings::{AcmeSettings, Challenge};
use super::share::{self, Held, LEASE, Lease, Share};
use super::store::{Kept, Names, Store, Tries};
use super::web::Web;
use crate::dns::account_book::AccountBook;
use crate::host::time::{ClockTrust, Timeline, clock_trust};
use crate::status::CertificateStatus;
use crate::tls::{Certificate, Shelf};

/// Between two looks at the share, and at the clock while it is not set.
const LOOK: Duration = Duration::from_secs(10);

/// The longest sleep: a wall clock may be put right meanwhile.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Between two questions when to renew, where the authority does not say (RFC 9773 section 4.3).
const ASK_AGAIN: Duration = Duration::from_secs(6 * 60 * 60);

/// An order that takes longer is given up; below the length of a lease.
const ORDER: Duration = Duration::from_secs(12 * 60);

/// With less left than this, failures are a person's business.
const LAST_DAYS: u64 = 7 * 24 * 60 * 60;

/// What keeps one certificate.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Who is asked, and how.
    pub settings: AcmeSettings,
    /// The number of the site.
    pub site: usize,
    /// What it is for: names of the public DNS, at least one.
    pub hosts: Vec<String>,
    /// Where it is shown, and where an authority looks.
    pub shelf: Arc<Shelf>,
    /// Who this is, among those that share it.
    pub node: String,
    /// Where it is kept on this machine.
    pub state: PathBuf,
    /// What the accounts of DNS providers put up with.
    pub book: AccountBook,
    /// What time it is.
    pub line: Timeline,
}

impl Keeper {
    /// Keeps it for ever, and reports whenever something is otherwise than before.
    pub async fn run(self, report: impl AsyncFn(CertificateStatus)) {
        let authority = self.settings.authority();
        let web = match Web::new(&self.settings.roots) {
            Ok(web) => web,
            Err(error) => return self.hopeless(&error.to_string(), &report).await,
        };
        let prover = match Prover::of(&self.settings.challenge, &self.shelf, &self.book) {
            Ok(prover) => prover,
            Err(error) => return self.hopeless(&error.to_string(), &report).await,
        };
        let names = Names::of(&self.settings, &self.hosts);
        let own = Store { directory: self.state.join("acme") };
        let share = self.settings.share.clone().map(|directory| Share::at(Store { directory }));
        let own = Share::at(own);
        let authority = Authority(authority);
        let registration = Registration {
            settings: self.settings.clone(),
            own: own.clone(),
            share: share.clone(),
            file: names.account.clone(),
            authority: authority.clone(),
            web: web.clone(),
            account: None,
        };
        let mut work = Work {
            own,
            share,
            names,
            authority,
            web,
            prover,
            registration,
            window: None,
            ask_at: 0,
            kept: None,
            tries: Tries::default(),
            setback: None,
            why: String::new(),
            keeper: self,
        };
        work.show_what_is_kept().await;
        let mut told = None;
        loop {
            let wait = work.round().await;
            let status = work.status();
            if told.as_ref() != Some(&status) {
                told = Some(status.clone());
                report(status).await;
            }
            tokio::time::sleep(wait.min(LONGEST)).await;
        }
    }

    /// Says what can never work, and waits for a person.
    async fn hopeless(&self, why: &str, report: &impl AsyncFn(CertificateStatus)) {
        report(CertificateStatus {
            hosts: self.hosts.clone(),
            from: self.settings.authority(),
            until: None,
            why: why.to_owned(),
            needs_person: true,
        })
        .await;
        std::future::pending().await
    }
}

/// A keeper at work.
struct Work {
    keeper: Keeper,
    /// On this machine; in the same form as on a volume, so that a disk that hangs costs no thread more than one.
    own: Share,
    share: Option<Share>,
    names: Names,
    authority: Authority,
    web: Web,
    prover: Prover,
    registration: Registration,
    /// What the authority suggested, and when it is asked again.
    window: Option<Window>,
    ask_at: u64,
    kept: Option<Kept>,
    tries: Tries,
    setback: Option<Setback>,
    why: String,
}

impl Work {
    /// Seconds since 1970.
    fn now(&self) -> u64 {
        self.keeper.line.wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    fn shown(&self) -> Option<Arc<Certificate>> {
        self.keeper.shelf.certificate(self.keeper.site)
    }

    fn chance(&self, what: &[u8]) -> Chance {
        Chance::of(&self.keeper.node, what)
    }

    /// What this machine has, at once: it needs no clock.
    async fn show_what_is_kept(&mut self) {
        let (certificate, tries) = (self.names.certificate.clone(), self.names.tries.clone());
        let loaded =
            self.own.with(move |store| Ok((store.load::<Kept>(&certificate)?, store.load::<Tries>(&tries)?)));
        match loaded.await {
            Ok((kept, tries)) => {
                self.tries = tries.unwrap_or_default();
                if let Some(kept) = kept {
                    self.show(kept);
                }
            }
            Err(error) => self.why = error.to_string(),
        }
    }

    /// Shows a certificate, unless it is worse than what is shown; whether it is shown.
    fn show(&mut self, kept: Kept) -> bool {
        let Keeper { shelf, site, hosts, line, .. } = &self.keeper;
        let certificate = match kept.certificate() {
            Ok(certificate) => certificate,
            Err(why) => {
                tracing::warn!("a certificate that was kept is left aside: {why}");
                return false;
            }
        };
        let leaf = certificate.leaf().clone();
        // What has ended is shown as well when there is nothing better: clocks can be wrong.
        let _ = shelf.offer(*site, certificate, hosts, line.wall());
        let shown = shelf.certificate(*site).is_some_and(|shown| *shown.leaf() == leaf);
        if shown {
            (self.kept, self.window, self.ask_at) = (Some(kept), None, 0);
        }
        shown
    }

    /// Does what is to be done now; how long until the next look.
    async fn round(&mut self) -> Duration {
        if clock_trust(self.keeper.line) == ClockTrust::NotSetYet {
            self.why = "the clock of this machine is not set yet; nothing is asked before".to_owned();
            return LOOK;
        }
        if self.setback.is_none() {
            self.why.clear();
        }
        self.exchange().await;
        let due = self.due().await.max(self.not_before());
        let now = self.now();
        if due > now {
            let wait = Duration::from_secs(due - now);
            return if self.share.is_some() { wait.min(LOOK) } else { wait };
        }
        match self.renew().await {
            Ok(None) => {
                self.setback = None;
                self.why.clear();
                self.remember(Tries::default()).await;
            }
            Ok(Some(holder)) => {
                self.why = format!("{holder} is about to renew it; waiting for what it gets");
                return LOOK;
            }
            Err(error) => self.note(&error).await,
        }
        Duration::from_secs(1)
    }

    /// Tries that were put off further than anything is ever put off were noted by a clock that was wrong.
    fn not_before(&self) -> u64 {
        let most = self.now() + 9 * 24 * 60 * 60;
        if self.tries.not_before > most { 0 } else { self.tries.not_before }
    }

    /// When it is to be renewed, in seconds since 1970.
    async fn due(&mut self) -> u64 {
        let hosts = &self.keeper.hosts;
        let Some(shown) = self.shown().filter(|shown| hosts.iter().all(|host| shown.covers(host))) else {
            return 0;
        };
        if self.ask_at <= self.now() {
            self.ask_when(&shown).await;
        }
        due(shown.validity(), self.window, self.chance(shown.leaf()))
    }

    /// Asks the authority when to renew; that it does not say is no failure.
    async fn ask_when(&mut self, shown: &Certificate) {
        let mut again = ASK_AGAIN;
        if let (Ok(id), Some(account)) =
            (CertificateIdentifier::try_from(shown.leaf()), self.registration.known().await)
            && let Ok((info, retry)) = account.renewal_info(&id).await
        {
            let stamp = |at: i64| u64::try_from(at).unwrap_or(0);
            let window = info.suggested_window;
            self.window = Some(Window {
                start: stamp(window.start.unix_timestamp()),
                end: stamp(window.end.unix_timestamp()),
            });
            again = retry.clamp(Duration::from_secs(60), 4 * ASK_AGAIN);
        }
        self.ask_at = self.now() + again.as_secs();
    }

    /// Renews. Some: another node is about to.
    async fn renew(&mut self) -> Result<Option<String>, AcmeError> {
        if let Some(share) = self.share.clone() {
            let now = self.now();
            let lease = Lease { holder: self.keeper.node.clone(), until: now + LEASE.as_secs() };
            let name = self.names.lease.clone();
            match share.with(move |store| share::take(store, &name, &lease, now)).await {
                Ok(Held::By(other)) => return Ok(Some(other.holder)),
                Ok(Held::Ours) => {
                    let renewed = self.renew_with_lease().await;
                    self.give_back(&share).await;
                    return renewed.map(|()| None);
                }
                // Better one order too many than a certificate that ends.
                Err(error) => tracing::warn!("the certificate is renewed without the share: {error}"),
            }
        }
        self.order().await.map(|()| None)
    }

    /// Another node may have been faster than the lease.
    async fn renew_with_lease(&mut self) -> Result<(), AcmeError> {
        self.exchange().await;
        if self.due().await > self.now() { Ok(()) } else { self.order().await }
    }

    async fn give_back(&self, share: &Share) {
        let (name, holder) = (self.names.lease.clone(), self.keeper.node.clone());
        if let Err(error) = share.with(move |store| share::give_back(store, &name, &holder)).await {
            tracing::warn!("the lease on the share ends by itself within {LEASE:?}: {error}");
        }
    }

    async fn order(&mut self) -> Result<(), AcmeError> {
        let ordered = tokio::time::timeout(ORDER, self.obtain()).await;
        let slow = || AcmeError::Slow { authority: self.authority.0.clone(), within: ORDER };
        let kept = ordered.map_err(|_| slow())??;
        self.keep(&kept).await?;
        self.show(kept);
        Ok(())
    }

    async fn obtain(&mut self) -> Result<Kept, AcmeError> {
        self.check_caa().await?;
        let account = self.registration.account().await?;
        let replaced = self.shown().map(|shown| shown.leaf().clone());
        let Self { authority, web, prover, keeper, .. } = &*self;
        let orderer = Orderer { account: &account, authority, web, prover };
        let obtained = orderer.obtain(&keeper.hosts, replaced.as_ref()).await;
        if obtained.as_ref().is_err_and(AcmeError::is_of_account) {
            self.registration.forget().await;
        }
        obtained
    }

    async fn check_caa(&self) -> Result<(), AcmeError> {
        let identities = self.web.caa_identities(&self.keeper.settings.directory).await;
        let servers = self.prover.name_servers().await;
        let zone = match &self.keeper.settings.challenge {
            Challenge::Dns01(settings) => servers.map(|servers| (settings.zone().clone(), servers)),
            Challenge::Http01 | Challenge::TlsAlpn01 => None,
        };
        let asked = Asked { zone };
        for host in &self.keeper.hosts {
            asked.check(host, &identities).await?;
        }
        Ok(())
    }

    /// Takes over what another node had, or hands over what this one has, whichever is good for longer.
    async fn exchange(&mut self) {
        let Some(share) = self.share.clone() else { return };
        let name = self.names.certificate.clone();
        let theirs = match share.with(move |store| store.load::<Kept>(&name)).await {
            Ok(theirs) => theirs,
            Err(error) => return tracing::debug!("the share of certificates: {error}"),
        };
        if theirs == self.kept {
            return;
        }
        let until = |kept: &Option<Kept>| {
            let certificate = kept.as_ref().and_then(|kept| kept.certificate().ok());
            certificate.map_or(0, |certificate| certificate.validity().until)
        };
        if until(&theirs) > until(&self.kept) {
            self.adopt(theirs).await;
        } else if let Some(ours) = self.kept.clone().filter(|_| self.is_good()) {
            self.hand_over(&share, ours).await;
        }
    }

    async fn adopt(&mut self, theirs: Option<Kept>) {
        let Some(theirs) = theirs else { return };
        if self.show(theirs.clone()) {
            (self.setback, self.tries) = (None, Tries::default());
            self.why.clear();
            let name = self.names.certificate.clone();
            if let Err(error) = self.own.with(move |store| store.save(&name, &theirs)).await {
                tracing::warn!("the certificate of another node is used, and not kept here: {error}");
            }
        }
    }

    async fn hand_over(&self, share: &Share, ours: Kept) {
        let name = self.names.certificate.clone();
        if let Err(error) = share.with(move |store| store.save(&name, &ours)).await {
            tracing::warn!("the other nodes cannot be given the certificate: {error}");
        }
    }

    fn is_good(&self) -> bool {
        let Keeper { hosts, line, .. } = &self.keeper;
        self.shown().is_some_and(|shown| shown.check(hosts, line.wall()).is_ok())
    }

    /// Keeps a new certificate here, before anybody is shown it, and gives it to the others.
    async fn keep(&self, kept: &Kept) -> Result<(), AcmeError> {
        let (name, own) = (self.names.certificate.clone(), kept.clone());
        self.own.with(move |store| store.save(&name, &own)).await?;
        if let Some(share) = &self.share {
            self.hand_over(share, kept.clone()).await;
        }
        Ok(())
    }

    /// Notes a failure, and when the next try may be.
    async fn note(&mut self, error: &AcmeError) {
        let setback = error.setback();
        let failures = self.tries.failures.saturating_add(1);
        let chance = self.chance(&failures.to_be_bytes());
        let wait = pause(setback, failures, chance);
        self.setback = Some(setback);
        self.why = format!("{error}; the next try is in {}", minutes(wait));
        self.remember(Tries { failures, not_before: self.now() + wait.as_secs() }).await;
    }

    async fn remember(&mut self, tries: Tries) {
        if self.tries == tries {
            return;
        }
        self.tries = tries;
        let name = self.names.tries.clone();
        if let Err(error) = self.own.with(move |store| store.save(&name, &tries)).await {
            tracing::warn!("after a restart it would be tried too early: {error}");
        }
    }

    fn status(&self) -> CertificateStatus {
        let shown = self.shown();
        let until = shown.map(|shown| shown.validity().until);
        let late = until.is_none_or(|until| until < self.now() + LAST_DAYS);
        let needs_person = match self.setback {
            Some(setback) => setback.needs_person() || (late && self.tries.failures >= 3),
            None => false,
        };
        CertificateStatus {
            hosts: self.keeper.hosts.clone(),
            from: format!("{} by {}", self.authority.0, self.keeper.settings.challenge.token()),
            until,
            why: self.why.clone(),
            needs_person,
        }
    }
}

fn minutes(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
