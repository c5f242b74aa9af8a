//! What `policy = …` and `speed = …` of a watch mean: the numbers of a profile, with single values replaced.

use std::num::NonZeroU32;
use std::time::Duration;

use toml::Spanned;

use super::file::policy::{PolicyChoice, PolicyTable};
use super::reading::Reading;
use super::value::At;
use crate::policy::Policy;

/// What they mean; None when that was reported.
pub(super) fn policy(
    reading: &mut Reading<'_>,
    written: Option<PolicyChoice>,
    speed: Option<Spanned<f64>>,
) -> Option<Policy> {
    let table = written.map(|choice| choice.0).unwrap_or_default();
    let policy = with(Policy::of(table.profile.unwrap_or_default()), table);
    let Some(speed) = speed else { return Some(policy) };
    if !(1.0..=1000.0).contains(speed.get_ref()) {
        reading.error(
            &speed.span(),
            "`speed` is a number from 1 to 1000",
            "leave it out but for a demonstration",
        );
        return None;
    }
    Some(policy.faster(speed.into_inner()))
}

/// `policy` with what is written in `table`. Every field of a policy can be written: the test below counts them.
fn with(policy: Policy, table: PolicyTable) -> Policy {
    let span = |written: Option<At<Duration>>, profile| written.map_or(profile, |at| at.value);
    let count = |written: Option<NonZeroU32>, profile| written.map_or(profile, NonZeroU32::get);
    Policy {
        probe_every: span(table.probe_every, policy.probe_every),
        probe_suspect_every: span(table.probe_suspect_every, policy.probe_suspect_every),
        probe_connect: span(table.probe_connect, policy.probe_connect),
        probe_total: span(table.probe_total, policy.probe_total),
        beat_stale: span(table.beat_stale, policy.beat_stale),
        silence_told: span(table.silence_told, policy.silence_told),
        hard: span(table.hard, policy.hard),
        hard_with_sibling: span(table.hard_with_sibling, policy.hard_with_sibling),
        hard_failures: count(table.hard_failures, policy.hard_failures),
        gray: span(table.gray, policy.gray),
        gray_agreed: span(table.gray_agreed, policy.gray_agreed),
        dissent: span(table.dissent, policy.dissent),
        testimony_fresh: span(table.testimony_fresh, policy.testimony_fresh),
        intermittent: count(table.intermittent, policy.intermittent),
        intermittent_clear: count(table.intermittent_clear, policy.intermittent_clear),
        rise: count(table.rise, policy.rise),
        rise_beats: count(table.rise_beats, policy.rise_beats),
        rise_span: span(table.rise_span, policy.rise_span),
        hold: span(table.hold, policy.hold),
        hold_cap: span(table.hold_cap, policy.hold_cap),
        returns: count(table.returns, policy.returns),
        budget_span: span(table.budget_span, policy.budget_span),
        warm_up: span(table.warm_up, policy.warm_up),
        announced: span(table.announced, policy.announced),
        fallback_every: span(table.fallback_every, policy.fallback_every),
        fallback_suspect_every: span(table.fallback_suspect_every, policy.fallback_suspect_every),
        fallback_fresh: span(table.fallback_fresh, policy.fallback_fresh),
        reference_every: span(table.reference_every, policy.reference_every),
        reference_span: span(table.reference_span, policy.reference_span),
        write_patience: span(table.write_patience, policy.write_patience),
        read_every: span(table.read_every, policy.read_every),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a policy, by their serialised form: `(key, is a span)`.
    fn fields(policy: &Policy) -> Vec<(String, bool)> {
        let serde_json::Value::Object(map) = serde_json::to_value(policy).unwrap() else { panic!("a map") };
        map.into_iter().map(|(key, value)| (key.replace('_', "-"), value.is_object())).collect()
    }

    #[test]
    fn every_value_of_a_policy_can_be_written_and_changes_that_value_alone() {
        let steady = Policy::default();
        let before = serde_json::to_value(&steady).unwrap();
        let fields = fields(&steady);
        assert_eq!(fields.len(), 31);
        for (key, is_span) in fields {
            let text = format!("{key} = {}", if is_span { "\"777ms\"" } else { "77" });
            let changed = with(steady.clone(), toml::from_str(&text).unwrap());
            let after = serde_json::to_value(&changed).unwrap();
            let name = key.replace('-', "_");
            for (field, value) in after.as_object().unwrap() {
                assert_eq!(*value != before[field], *field == name, "{key} and {field}");
            }
        }
    }
}
