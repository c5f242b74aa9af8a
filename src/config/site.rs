//! What the tables of sites mean: `[site]`, or several times `[[site]]`.

use std::path::Path;
use std::time::Duration;

use toml::Spanned;

use super::agent::listen;
use super::file::site::{Site, SiteLog, Sites};
use super::mount::kind_below;
use super::reading::Reading;
use crate::mount::MountSettings;
use crate::site::SiteSettings;
use crate::site::log::{LogFormat, LogSettings};

/// What they mean, together: a host belongs to one site, and so does the place of a kept copy.
pub(super) fn sites(
    reading: &mut Reading<'_>,
    written: Sites,
    mounts: &[MountSettings],
) -> Vec<SiteSettings> {
    let hosts = written.0.iter().flat_map(|site| site.get_ref().hosts.get_ref());
    reading.unique("the host", hosts.map(|at| (&at.value.0, at.span.clone())));
    let keeps = written.0.iter().filter_map(|site| site.get_ref().keep.as_ref());
    let keeps: Vec<_> = keeps.map(|keep| (keep.get_ref().display().to_string(), keep.span())).collect();
    reading.unique("the place of a kept copy", keeps.iter().map(|(path, span)| (path, span.clone())));
    written.0.into_iter().map(|written| site(reading, written.into_inner(), mounts)).collect()
}

fn site(reading: &mut Reading<'_>, written: Site, mounts: &[MountSettings]) -> SiteSettings {
    reading.not_empty(&written.hosts, "`hosts`", "[\"www.example.com\"]");
    let root = reading.path(&written.root);
    SiteSettings {
        hosts: written.hosts.into_inner().into_iter().map(|at| at.value.0).collect(),
        kind: kind_below(mounts, &root),
        rules: written.rules.unwrap_or_default(),
        listen: listen(reading, written.listen, 80),
        memory: written.memory.map_or(64 << 20, |at| at.value.0),
        keep: written.keep.map(|keep| reading.path(keep.get_ref())),
        poll: written.poll.map_or(Duration::from_secs(2), |at| at.value),
        log: access_log(reading, written.log, &root),
        root,
    }
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
