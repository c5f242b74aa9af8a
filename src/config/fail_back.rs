//! What `[[heartbeat.fail-back]]` means: the right to send a site's visitors back when no watcher answers any more.

use std::time::Duration;

use toml::Spanned;

use super::FailBackSettings;
use super::endpoint::default_port;
use super::error::did_you_mean;
use super::fallback::fallback;
use super::file::agent::FailBack;
use super::provider::{Providers, check_reference, warn_low_ttl};
use super::reading::Reading;
use super::value::At;
use crate::dns::{Name, Owner, Ttl};
use crate::failover::Shape;
use crate::failover::orphan::{ALARM, PATIENCE};
use crate::probe::{PageCheck, Scheme};
use crate::site::SiteSettings;

/// What they mean; one with a mistake is reported and left out.
pub(super) fn fail_backs(
    reading: &mut Reading<'_>,
    written: Vec<Spanned<FailBack>>,
    sites: &[SiteSettings],
    providers: &Providers,
) -> Vec<FailBackSettings> {
    let names = written.iter().map(|w| (&w.get_ref().site.value, w.get_ref().site.span.clone()));
    reading.unique("the fail-back of", names);
    let one = |written: Spanned<FailBack>| fail_back(reading, written.into_inner(), sites, providers);
    written.into_iter().filter_map(one).collect()
}

fn fail_back(
    reading: &mut Reading<'_>,
    written: FailBack,
    sites: &[SiteSettings],
    providers: &Providers,
) -> Option<FailBackSettings> {
    check_reference(reading, &written.provider, &written.site, providers);
    check_served(reading, &written.site, sites);
    let (ttl, place) =
        written.ttl.as_ref().map_or((Ttl::from_secs(60), None), |at| (at.value, Some(&at.span)));
    warn_low_ttl(reading, &written.provider, providers, &written.site.value, (ttl, place));
    warn_impatient(reading, written.after.as_ref());
    let scheme = written.scheme.unwrap_or(Scheme::Http);
    let check = PageCheck {
        scheme,
        port: written.port.map_or(default_port(scheme), Spanned::into_inner),
        path: written.page.map_or("/".to_owned(), |at| at.value.0),
        contains: None,
    };
    let fallback = fallback(reading, written.fallback, &written.site, Shape::Address, &check)?;
    Some(FailBackSettings {
        site: written.site.value,
        provider: written.provider.value,
        owner: Owner::new(written.watcher.as_ref().map_or("watcher", |at| at.value.as_str())),
        fallback: fallback.addresses,
        ttl,
        after: written.after.map_or(PATIENCE, |at| at.value),
        hairpin: written.hairpin.unwrap_or_default(),
        check,
        roots: Vec::new(),
    })
}

/// Visitors are sent back only to a node that serves the site.
fn check_served(reading: &mut Reading<'_>, site: &At<Name>, sites: &[SiteSettings]) {
    let hosts = || sites.iter().flat_map(|site| &site.hosts).map(ToString::to_string);
    if hosts().any(|host| host == site.value.as_str()) {
        return;
    }
    let known: Vec<String> = hosts().collect();
    let hint = did_you_mean(site.value.as_str(), known.iter().map(String::as_str))
        .unwrap_or_else(|| format!("add \"{}\" to the `hosts` of the [site] that is meant", site.value));
    reading.error(&site.span, format!("this node does not serve `{}`", site.value), hint);
}

/// A watcher that restarts or is updated must not be taken for a dead one.
fn warn_impatient(reading: &mut Reading<'_>, after: Option<&At<Duration>>) {
    let Some(after) = after.filter(|after| after.value < ALARM) else { return };
    reading.warn(
        &after.span,
        "a watcher that restarts could be taken for a dead one",
        "leave `after` out: 15m is the default",
    );
}
