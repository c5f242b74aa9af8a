use super::*;

const HOUR: u64 = 3_600_000;

/// Friday, 21 November 2025, 12:00 UTC.
const NOON: u64 = 1_763_726_400_000;

fn track(spans: &[(u64, Option<u64>, Standing)]) -> Track {
    let span = |(from, to, standing): &(u64, Option<u64>, Standing)| serde_json::json!({ "from_ms": from, "to_ms": to, "standing": standing });
    serde_json::from_value(spans.iter().map(span).collect()).unwrap()
}

fn month(track: &Track, zone: Zone) -> Month<'_> {
    Month { track, of: Of::Site, now_ms: NOON, zone }
}

/// The pieces that are drawn for a standing: x, y and height.
fn pieces(svg: &str, class: &str) -> Vec<(u64, f64, f64)> {
    let head = format!("<g class=\"{class}\">");
    let group = svg.split(&head).skip(1);
    let of = |rect: &str, key: &str| {
        let (_, rest) = rect.split_once(&format!(" {key}=\"")).unwrap();
        rest.split('"').next().unwrap().parse::<f64>().unwrap()
    };
    let rects = group.flat_map(|group| group.split("</g>").next().unwrap().split("<rect").skip(1));
    rects.map(|rect| (of(rect, "x") as u64, of(rect, "y"), of(rect, "height"))).collect()
}

#[test]
fn a_span_lies_in_its_days_and_at_its_hours() {
    let track = track(&[(NOON - 20 * HOUR, Some(NOON - 10 * HOUR), Standing::Dark)]);
    let svg = month(&track, Zone::default()).svg();
    let yesterday = GUTTER + 28 * DAY + 1;
    // From 16:00 to midnight, and from midnight to 02:00.
    assert_eq!(
        pieces(&svg, "dark"),
        [(yesterday, TOP as f64 + 64.0, 32.0), (yesterday + DAY, TOP as f64, 8.0)]
    );
    let east = month(&track, Zone { ahead_ms: 8 * 3_600_000 }).svg();
    // From midnight to 10:00 of the same day, eight hours further east.
    assert_eq!(pieces(&east, "dark"), [(yesterday + DAY, TOP as f64, 40.0)]);
}

#[test]
fn an_outage_of_a_minute_can_be_seen_and_lies_above_the_calm() {
    let (begin, end) = (NOON - 5 * HOUR, NOON - 5 * HOUR + 60_000);
    let track = track(&[
        (NOON - 48 * HOUR, Some(begin), Standing::Well),
        (begin, Some(end), Standing::Away),
        (end, None, Standing::Well),
    ]);
    let svg = month(&track, Zone::default()).svg();
    let [(_, _, tall)] = pieces(&svg, "away")[..] else { panic!("{svg}") };
    assert!((tall - LEAST).abs() < 1e-9);
    assert!(svg.rfind("class=\"away\"").unwrap() > svg.rfind("class=\"well\"").unwrap());
    assert_eq!(svg.matches("class=\"switch\"").count(), 2, "there and back");
    assert_eq!(
        month(&track, Zone::default()).summary(),
        "99.96 % at home; on the fallback once, 60 s in all; watched for 48 h"
    );
}

#[test]
fn what_was_before_the_month_is_left_out_and_nothing_known_is_told() {
    let old = track(&[(0, Some(NOON - 31 * DAY_MS), Standing::Dark)]);
    let month = month(&old, Zone::default());
    assert_eq!((month.spans().count(), month.summary()), (0, "nothing is known yet".to_owned()));
    assert!(!month.svg().contains("<rect"));
    let long = track(&[(0, None, Standing::Well)]);
    let long = Month { track: &long, ..month };
    assert_eq!(pieces(&long.svg(), "well").len(), 30, "one piece for each day");
}
