//! What the watcher knows, as Prometheus reads it: the text format, version 0.0.4. PURE.
//!
//! One gauge for each number of the status, in base units; a state is one series for each that there is, of which one
//! is 1. A time that is not known has no sample. Never holds a secret.

use std::fmt::{Display, Write};

use crate::dns::Name;
use crate::failover::view::{FallbackStatus, NodeStatus, RrsetStatus, SiteStatus, WatcherStatus};
use crate::liveness::Health;
use crate::notify::run::Fared;

/// What the text is served as.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a node can look.
const HEALTHS: [Health; 8] = [
    Health::Unknown,
    Health::Up,
    Health::Degraded,
    Health::Suspect,
    Health::DownHard,
    Health::DownGray,
    Health::Recovering,
    Health::Draining,
];

/// The text.
#[must_use]
pub fn text(status: &WatcherStatus, fared: &[Fared]) -> String {
    let mut out = Exposition(String::new());
    watcher(&mut out, status);
    sites(&mut out, &status.sites);
    rrsets(&mut out, &status.sites);
    nodes(&mut out, &status.sites);
    fallbacks(&mut out, &status.sites);
    notices(&mut out, fared);
    out.0
}

/// The text so far.
struct Exposition(String);

/// The labels of a sample, and its value.
type Sample<'a> = (Vec<(&'a str, String)>, f64);

impl Exposition {
    fn family<'a>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = Sample<'a>>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        self.put(format_args!("# HELP hearth_{name} {help}\n# TYPE hearth_{name} {kind}"));
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            self.put(format_args!("hearth_{name}{labels} {value}"));
        }
    }

    fn gauge<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = Sample<'a>>) {
        self.family(name, "gauge", help, samples);
    }

    fn put(&mut self, line: impl Display) {
        writeln!(self.0, "{line}").expect("a String takes everything");
    }
}

/// A backslash, a quote and a line feed are the only characters that a label's value escapes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "no span is longer than 2^53 ms")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn truth(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

#[expect(clippy::cast_precision_loss, reason = "nothing here counts to 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}

fn watcher(out: &mut Exposition, status: &WatcherStatus) {
    let one = |value: f64| [(Vec::new(), value)];
    let version = vec![("version", status.version.clone())];
    let (answered, asked) = status.references;
    out.gauge("build_info", "The version that runs; always 1.", [(version, 1.0)]);
    out.gauge("uptime_seconds", "Time since the watcher started.", one(seconds(status.uptime_ms)));
    out.gauge(
        "isolated",
        "1 while the watcher itself is cut off; nothing is decided then.",
        one(truth(status.isolated_for_ms.is_some())),
    );
    out.gauge(
        "warming_up",
        "1 while nothing is decided yet, after a start or an isolation.",
        one(truth(status.warming_up_for_ms.is_some())),
    );
    out.gauge("references_answering", "References that answered last.", one(f64::from(answered)));
    out.gauge("references", "References that were asked last.", one(f64::from(asked)));
    let writable = truth(status.journal_trouble.is_none());
    out.gauge(
        "journal_writable",
        "0 while nothing can be written down; no decision is carried out then.",
        one(writable),
    );
}

fn of(site: &Name) -> Vec<(&'static str, String)> {
    vec![("site", site.to_string())]
}

fn sites(out: &mut Exposition, sites: &[SiteStatus]) {
    let each = |value: fn(&SiteStatus) -> Option<f64>| {
        sites.iter().filter_map(move |site| Some((of(&site.site), value(site)?))).collect::<Vec<_>>()
    };
    out.gauge(
        "site_on_fallback",
        "1 while the record leads to the fallback.",
        each(|s| Some(truth(s.on_fallback))),
    );
    #[expect(clippy::cast_precision_loss, reason = "nobody decides 2^53 times")]
    out.family(
        "site_writes_total",
        "counter",
        "Writes of the record that were decided on, by the number of the last.",
        each(|s| Some(s.epoch as f64)),
    );
    out.gauge(
        "site_write_pending_seconds",
        "Time since a write that is not confirmed yet was decided on.",
        each(|s| Some(seconds(s.pending.as_ref()?.for_ms))),
    );
    out.gauge(
        "site_record_readable",
        "0 when the record could not be read at the last attempt.",
        each(|s| Some(truth(s.read_trouble.is_none()))),
    );
    out.gauge(
        "site_overridden",
        "1 while a person or a drill sends visitors elsewhere than the watcher would.",
        each(|s| Some(truth(s.pinned.is_some()))),
    );
    out.gauge(
        "site_frozen",
        "1 while the record is left alone since somebody else has changed it.",
        each(|s| Some(truth(s.frozen_for_ms.is_some()))),
    );
    out.gauge(
        "site_frozen_by_hand",
        "1 while the record is left alone since a person wants that.",
        each(|s| Some(truth(s.freeze.is_some()))),
    );
    drills(out, sites);
    out.gauge(
        "site_name_servers_agreeing",
        "Name servers that answered with the last write.",
        each(|s| Some(f64::from(s.confirmed?.0))),
    );
    out.gauge(
        "site_name_servers",
        "Name servers that were asked after the last write.",
        each(|s| Some(f64::from(s.confirmed?.1))),
    );
}

fn drills(out: &mut Exposition, sites: &[SiteStatus]) {
    let each = |value: fn(&SiteStatus) -> Option<f64>| {
        sites.iter().filter_map(move |site| Some((of(&site.site), value(site)?))).collect::<Vec<_>>()
    };
    out.gauge("site_drill", "1 while a drill is under way.", each(|s| Some(truth(s.drill.is_some()))));
    out.gauge(
        "site_drill_age_seconds",
        "Time since the last drill ended.",
        each(|s| Some(seconds(s.last_drill.as_ref()?.ended_ms_ago))),
    );
    out.gauge(
        "site_drill_well",
        "1 when nothing went wrong in the last drill.",
        each(|s| Some(truth(s.last_drill.as_ref()?.trouble.is_none()))),
    );
    out.gauge(
        "site_drill_there_seconds",
        "Time that the last drill took until the record led to the fallback.",
        each(|s| Some(seconds(s.last_drill.as_ref()?.there_ms?))),
    );
    out.gauge(
        "site_drill_back_seconds",
        "Time that it took from the end of the last drill until the record led home again.",
        each(|s| Some(seconds(s.last_drill.as_ref()?.back_ms?))),
    );
}

fn rrsets(out: &mut Exposition, sites: &[SiteStatus]) {
    let each = |value: fn(&RrsetStatus) -> f64| {
        let of_site = move |site: &SiteStatus| {
            let labels = |rrset: &RrsetStatus| {
                [of(&site.site), vec![("type", rrset.record_type.to_string())]].concat()
            };
            site.rrsets.iter().map(|rrset| (labels(rrset), value(rrset))).collect::<Vec<Sample<'static>>>()
        };
        sites.iter().flat_map(of_site).collect::<Vec<_>>()
    };
    out.gauge(
        "rrset_returns_left",
        "Returns of nodes that this hour's budget still allows.",
        each(|r| count(r.returns_left)),
    );
    out.gauge(
        "rrset_hold_seconds",
        "How long a node must be steady before it may come back.",
        each(|r| seconds(r.hold_ms)),
    );
    out.gauge(
        "rrset_members",
        "Record data in force.",
        each(|r| count(r.in_force.as_ref().map_or(0, |set| set.iter().count()))),
    );
}

fn nodes(out: &mut Exposition, sites: &[SiteStatus]) {
    let labels = |site: &SiteStatus, node: &NodeStatus| {
        [of(&site.site), vec![("node", node.node.to_string())]].concat()
    };
    let all = || sites.iter().flat_map(|site| site.nodes.iter().map(move |node| (site, node)));
    let each = |value: fn(&NodeStatus) -> Option<f64>| {
        all().filter_map(|(site, node)| Some((labels(site, node), value(node)?))).collect::<Vec<_>>()
    };
    out.gauge("node_up", "1 while visitors can be sent there.", each(|n| Some(truth(n.health.is_up()))));
    let healths = all().flat_map(|(site, node)| {
        HEALTHS.map(|health| {
            let labels = [labels(site, node), vec![("health", health.to_string())]].concat();
            (labels, truth(node.health == health))
        })
    });
    out.gauge("node_health", "How the node looks: 1 for what it is.", healths.collect::<Vec<_>>());
    out.gauge("node_published", "1 while visitors are sent there.", each(|n| Some(truth(n.published))));
    let drained = all().map(|(site, node)| (labels(site, node), truth(site.drains.contains_key(&node.node))));
    out.gauge(
        "node_drained",
        "1 while a person keeps visitors away from the node.",
        drained.collect::<Vec<_>>(),
    );
    out.gauge("node_beat_age_seconds", "Time since its last beat.", each(|n| n.beat_ms_ago.map(seconds)));
    let looks = all().flat_map(|(site, node)| {
        let look = |target: &crate::failover::view::TargetStatus| {
            let labels = [labels(site, node), vec![("address", target.address.to_string())]].concat();
            Some((labels, seconds(target.looked_ms_ago?)))
        };
        node.targets.iter().filter_map(look).collect::<Vec<_>>()
    });
    out.gauge(
        "target_look_age_seconds",
        "Time since the last look at an address came back.",
        looks.collect::<Vec<_>>(),
    );
}

fn fallbacks(out: &mut Exposition, sites: &[SiteStatus]) {
    let each = |value: fn(&FallbackStatus) -> Option<f64>| {
        let of_site = move |site: &SiteStatus| {
            let labels = |place: &FallbackStatus| {
                [of(&site.site), vec![("address", place.address.to_string())]].concat()
            };
            let sample = |place| Some((labels(place), value(place)?));
            site.fallback.iter().filter_map(sample).collect::<Vec<Sample<'static>>>()
        };
        sites.iter().flat_map(of_site).collect::<Vec<_>>()
    };
    out.gauge(
        "fallback_good",
        "1 when this address of the fallback was good at the last look.",
        each(|f| Some(truth(f.state == "good"))),
    );
    out.gauge(
        "fallback_good_age_seconds",
        "Time since this address of the fallback was seen to be good.",
        each(|f| f.good_ms_ago.map(seconds)),
    );
    out.gauge(
        "fallback_certificate_left_seconds",
        "Time until the certificate ends that this address of the fallback showed last.",
        each(|f| f.certificate_left_ms.map(seconds)),
    );
}

fn notices(out: &mut Exposition, fared: &[Fared]) {
    #[expect(clippy::cast_precision_loss, reason = "nobody is told 2^53 things")]
    let each = |value: fn(&Fared) -> u64| {
        fared.iter().map(move |way| (vec![("way", way.label.clone())], value(way) as f64)).collect::<Vec<_>>()
    };
    out.family("notifications_sent_total", "counter", "Messages that were taken.", each(|way| way.sent));
    out.family("notifications_lost_total", "counter", "Messages that were given up.", each(|way| way.lost));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::engine::Engine;
    use crate::moment::Moment;

    #[test]
    fn a_family_has_one_head_and_its_labels_are_escaped() {
        let mut out = Exposition(String::new());
        out.gauge(
            "x",
            "Help.",
            [(vec![("a", "q\"b\\c\nd".to_owned())], 1.0), (vec![("a", "2".to_owned())], 0.5)],
        );
        out.gauge("never", "Nothing.", []);
        assert_eq!(
            out.0,
            "# HELP hearth_x Help.\n# TYPE hearth_x gauge\nhearth_x{a=\"q\\\"b\\\\c\\nd\"} 1\nhearth_x{a=\"2\"} 0.5\n"
        );
    }

    #[test]
    fn a_watcher_that_knows_nothing_yet_tells_that_it_runs() {
        let text =
            text(&Engine::default().status(Moment::from_millis(1_500), Moment::START, Vec::new()), &[]);
        assert!(
            text.contains("\nhearth_uptime_seconds 1.5\n") && text.contains("\nhearth_isolated 0\n"),
            "{text}"
        );
        assert!(!text.contains("hearth_site"), "{text}");
    }
}
