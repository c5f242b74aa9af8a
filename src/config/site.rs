//! What the tables of sites mean: `[site]`, or several times `[[site]]`.

use std::path::Path;
use std::time::Duration;

use toml::Spanned;

use super::file::site::{Site, SiteLog, Sites, Validators};
use super::listen::listen;
use super::mount::kind_below;
use super::provider::Providers;
use super::reading::Reading;
use super::tls::site_tls;
use crate::mount::MountSettings;
use crate::site::adopt::AdoptSettings;
use crate::site::host::Scheme;
use crate::site::log::{LogFormat, LogSettings};
use crate::site::{Rules, SiteSettings, entrances};

/// Between two files that are compared with the fallback's: a site of a thousand takes a quarter of an hour.
const PACE: Duration = Duration::from_secs(1);

/// What they mean, together: a host belongs to one site, and so does the place of a kept copy.
pub(super) fn sites(
    reading: &mut Reading<'_>,
    written: Sites,
    mounts: &[MountSettings],
    providers: &Providers,
) -> Vec<SiteSettings> {
    let hosts = written.0.iter().flat_map(|site| site.get_ref().hosts.get_ref());
    reading.unique("the host", hosts.map(|at| (&at.value.0, at.span.clone())));
    let keeps = written.0.iter().filter_map(|site| site.get_ref().keep.as_ref());
    let keeps: Vec<_> = keeps.map(|keep| (keep.get_ref().display().to_string(), keep.span())).collect();
    reading.unique("the place of a kept copy", keeps.iter().map(|(path, span)| (path, span.clone())));
    let spans: Vec<_> = written.0.iter().map(Spanned::span).collect();
    let sites: Vec<_> =
        written.0.into_iter().map(|written| site(reading, written.into_inner(), mounts, providers)).collect();
    for entrance in entrances(&sites).iter().filter(|entrance| entrance.scheme == Scheme::Https) {
        let is_plain = |site: &SiteSettings| site.listen.contains(&entrance.address);
        if let Some(plain) = sites.iter().position(is_plain) {
            let message = format!("{} would be both plain and HTTPS", entrance.address);
            reading.error(
                &spans[plain],
                message,
                "give `listen` of [site] and of [site.tls] different ports",
            );
        }
    }
    sites
}

fn site(
    reading: &mut Reading<'_>,
    written: Site,
    mounts: &[MountSettings],
    providers: &Providers,
) -> SiteSettings {
    reading.not_empty(&written.hosts, "`hosts`", "[\"www.example.com\"]");
    let root = reading.path(&written.root);
    let rules = written.rules.unwrap_or_default();
    let hosts: Vec<_> = written.hosts.into_inner().into_iter().map(|at| at.value.0).collect();
    SiteSettings {
        tls: written.tls.and_then(|written| site_tls(reading, written, &hosts, providers)),
        hosts,
        kind: kind_below(mounts, &root),
        rules,
        listen: listen(reading, written.listen, 80),
        memory: written.memory.map_or(64 << 20, |at| at.value.0),
        keep: written.keep.map(|keep| reading.path(keep.get_ref())),
        poll: written.poll.map_or(Duration::from_secs(2), |at| at.value),
        validators: written.validators.and_then(|written| validators(reading, written, rules)),
        log: access_log(reading, written.log, &root),
        root,
    }
}

/// `validators`: under other rules the tags are of another form.
fn validators(
    reading: &mut Reading<'_>,
    written: Spanned<Validators>,
    rules: Rules,
) -> Option<AdoptSettings> {
    let (span, written) = (written.span(), written.into_inner());
    if rules != Rules::GithubPages {
        let message =
            "validators are adopted from GitHub Pages, and these rules have validators of their own";
        reading.error(&span, message, "choose rules = \"github-pages\", or leave `validators` out");
        return None;
    }
    let url = &written.from.value.0;
    if url.query().is_some() || url.fragment().is_some() {
        reading.error(&written.from.span, "what follows `?` or `#` cannot be asked for here", "leave it out");
        return None;
    }
    Some(AdoptSettings {
        from: url.as_str().trim_end_matches('/').to_owned(),
        address: written.address.map(|at| at.value),
        every: written.every.map_or(Duration::from_secs(10 * 60), |at| at.value),
        pace: PACE,
    })
}

/// `[site.log]`: a file below the root would be written to the mount, which nothing may wait for.
fn access_log(reading: &mut Reading<'_>, written: Option<Spanned<SiteLog>>, root: &Path) -> LogSettings {
    let Some(written) = written else { return LogSettings::default() };
    let (span, written) = (written.span(), written.into_inner());
    let file = written.file.map(|file| reading.path(&file));
    if file.as_ref().is_some_and(|file| file.starts_with(root)) {
        let message =
            "the access log lies below the root of the site, where it would be served and could hang";
        reading.error(&span, message, "choose a file on local storage, such as /var/log/hearth/access.log");
    }
    LogSettings { format: written.format.unwrap_or(LogFormat::Combined), file }
}
