//! What `fallback = { … }` of a watch means.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use toml::Spanned;

use super::FallbackSettings;
use super::endpoint::default_port;
use super::file::fallback::Fallback;
use super::reading::Reading;
use super::value::At;
use crate::dns::Name;
use crate::failover::Shape;
use crate::probe::PageCheck;

/// The addresses of GitHub Pages, for names that cannot be a CNAME.
///
/// <https://docs.github.com/en/pages/configuring-a-custom-domain-for-your-github-pages-site/managing-a-custom-domain-for-your-github-pages-site>
const GITHUB_PAGES: [IpAddr; 8] = [
    IpAddr::V4(Ipv4Addr::new(185, 199, 108, 153)),
    IpAddr::V4(Ipv4Addr::new(185, 199, 109, 153)),
    IpAddr::V4(Ipv4Addr::new(185, 199, 110, 153)),
    IpAddr::V4(Ipv4Addr::new(185, 199, 111, 153)),
    IpAddr::V6(Ipv6Addr::new(0x2606, 0x50c0, 0x8000, 0, 0, 0, 0, 0x153)),
    IpAddr::V6(Ipv6Addr::new(0x2606, 0x50c0, 0x8001, 0, 0, 0, 0, 0x153)),
    IpAddr::V6(Ipv6Addr::new(0x2606, 0x50c0, 0x8002, 0, 0, 0, 0, 0x153)),
    IpAddr::V6(Ipv6Addr::new(0x2606, 0x50c0, 0x8003, 0, 0, 0, 0, 0x153)),
];

/// What it means; None when that was reported. `check` is the watch's.
pub(super) fn fallback(
    reading: &mut Reading<'_>,
    written: Spanned<Fallback>,
    site: &At<Name>,
    shape: Shape,
    check: &PageCheck,
) -> Option<FallbackSettings> {
    let span = written.span();
    let mut written = written.into_inner();
    match written.github_pages.take() {
        Some(name) => github_pages(reading, name, &written, &span, check),
        None => elsewhere(reading, written, &span, site, shape, check),
    }
}

fn github_pages(
    reading: &mut Reading<'_>,
    name: At<Name>,
    others: &Fallback,
    span: &Range<usize>,
    check: &PageCheck,
) -> Option<FallbackSettings> {
    let alone = others.name.is_none()
        && others.addresses.is_empty()
        && others.scheme.is_none()
        && others.port.is_none();
    if !alone {
        reading.error(span, "`github-pages` stands alone in a fallback", "remove the other keys");
        return None;
    }
    let labels = name.value.as_str().strip_suffix(".github.io").filter(|user| !user.contains('.'));
    if labels.is_none() {
        let message = format!("`{}` is not a name of GitHub Pages", name.value);
        reading.error(&name.span, message, "write \"user.github.io\", without the name of a repository");
        return None;
    }
    Some(FallbackSettings { name: Some(name.value), addresses: GITHUB_PAGES.to_vec(), check: check.clone() })
}

fn elsewhere(
    reading: &mut Reading<'_>,
    written: Fallback,
    span: &Range<usize>,
    site: &At<Name>,
    shape: Shape,
    check: &PageCheck,
) -> Option<FallbackSettings> {
    let example = "write { github-pages = \"user.github.io\" } or { addresses = [\"192.0.2.1\"] }";
    if written.addresses.is_empty() {
        reading.error(span, "a fallback needs `addresses`", example);
        return None;
    }
    reading.unique("the address", written.addresses.iter().map(|at| (&at.value, at.span.clone())));
    if shape == Shape::Cname && written.name.is_none() {
        reading.error(span, "the fallback of record = \"cname\" needs a `name`", "a CNAME leads to a name");
    }
    if let Some(name) = written.name.as_ref().filter(|name| name.value == site.value) {
        let message = format!("`{}` is the site itself", name.value);
        reading.error(&name.span, message, "a fallback has a name of its own");
    }
    let scheme = written.scheme.unwrap_or(check.scheme);
    let port = written.scheme.map_or(check.port, default_port);
    let port = written.port.map_or(port, Spanned::into_inner);
    Some(FallbackSettings {
        name: written.name.map(|at| at.value),
        addresses: written.addresses.into_iter().map(|at| at.value).collect(),
        check: PageCheck { scheme, port, ..check.clone() },
    })
}
