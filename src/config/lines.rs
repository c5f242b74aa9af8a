//! What `lines = [...]` means: the GeoDNS lines of a name that are this writer's, by the provider's ids.

use std::collections::BTreeSet;

use toml::Spanned;

use super::provider::Providers;
use super::reading::Reading;
use super::value::At;
use crate::dns::provider::ProviderSettings;
use crate::dns::snapshot::Line;

/// The lines; a provider without any, and what is no id of its lines, are reported.
pub(super) fn lines(
    reading: &mut Reading<'_>,
    written: Option<&Spanned<Vec<At<String>>>>,
    provider: &At<String>,
    providers: &Providers,
) -> BTreeSet<Line> {
    let Some(list) = written else { return BTreeSet::new() };
    let Some(ids) = providers.get(&provider.value).map(ProviderSettings::line_ids) else {
        return BTreeSet::new();
    };
    let Some(ids) = ids else {
        let message = format!("the provider `{}` has no GeoDNS lines", provider.value);
        let hint = "remove `lines`; the kinds `dnspod`, `tencent` and `alidns` have them";
        reading.error(&list.span(), message, hint);
        return BTreeSet::new();
    };
    reading.not_empty(list, "`lines`", &format!("[\"{}\"], or leave it out", ids.example()));
    reading.unique("the line", list.get_ref().iter().map(|line| (&line.value, line.span.clone())));
    for line in list.get_ref().iter().filter(|line| !ids.fits(&line.value)) {
        let message = format!("`{}` is no id of a line at the provider `{}`", line.value, provider.value);
        reading.error(&line.span, message, ids.hint());
    }
    list.get_ref().iter().map(|line| Line(line.value.clone())).collect()
}
