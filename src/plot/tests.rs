#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assume, prop_oneof, proptest,
};

use super::clip::ClippedPlot;
use super::layout::{Anchor, FIELD, Label, WIDTH, frames};
use super::svg::axis;
use super::{describe, markdown, scale, svg, table, text};
use crate::model::labels::Labels;
use crate::model::milestone::MilestoneKind;
use crate::model::plot::{Plot, PlotSeries, ThresholdLine};
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;

fn at(clock: &str) -> Time {
    format!("2026-11-23T{clock}Z").parse().unwrap()
}

fn span(start: &str, end: Option<&str>, state: SpanState) -> Span {
    Span {
        start: at(start),
        end: end.map(at),
        state,
    }
}

fn bound(name: &str, text: &str, value: f64) -> ThresholdLine {
    ThresholdLine {
        name: name.into(),
        text: text.into(),
        value,
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

/// Noisy series with a value every fifteen seconds.
fn line(labels: Labels, from: &str, to: &str, value: impl Fn(f64) -> Option<f64>) -> PlotSeries {
    let (from, to) = (at(from), at(to));
    let points = (0..)
        .map(|step| from + chrono::Duration::seconds(15 * step))
        .take_while(|at| *at <= to)
        .enumerate()
        .map(|(step, at)| {
            let noise = ((step * 7_919 + 13) % 101) as f64 / 101.0 - 0.5;
            let minute = (at - from).num_seconds() as f64 / 60.0;
            (at, value(minute).map(|value| value * (1.0 + noise * 0.35)))
        })
        .collect();
    PlotSeries { labels, points }
}

fn plot(lines: Vec<PlotSeries>) -> Plot {
    Plot {
        condition: "error-ratio".into(),
        service: "checkout".into(),
        query:
            "sum(rate(http_requests_total{code=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m]))"
                .into(),
        from: at("09:48:00"),
        to: at("10:50:00"),
        lines,
        bounds: vec![
            bound("degraded", "> 0.02", 0.02),
            bound("recovered", "< 0.015", 0.015),
        ],
        spans: vec![span("10:02:15", Some("10:33:45"), SpanState::Degraded)],
        milestones: vec![
            (MilestoneKind::Began, at("10:02:15")),
            (MilestoneKind::Detected, at("10:03:30")),
            (MilestoneKind::Acknowledged, at("10:06:10")),
            (MilestoneKind::Mitigated, at("10:33:45")),
            (MilestoneKind::Resolved, at("10:43:45")),
        ],
        left_out: 0,
    }
}

fn swell(minute: f64, high: f64) -> f64 {
    let on = 1.0 / (1.0 + (-(minute - 15.5) * 1.4).exp());
    let off = 1.0 / (1.0 + ((minute - 40.0) * 0.45).exp());
    0.003 + high * on * off
}

fn ratio() -> Plot {
    plot(vec![line(
        Labels::new(),
        "09:48:00",
        "10:50:00",
        |minute| Some(swell(minute, 0.21)),
    )])
}

fn instances() -> Plot {
    let of = |name: &str, high: f64| {
        line(
            labels(&[("instance", name), ("job", "checkout")]),
            "09:48:00",
            "10:50:00",
            |minute| Some(swell(minute, high)),
        )
    };
    plot(vec![of("10.0.3.17:9090", 0.21), of("10.0.3.18:9090", 0.05)])
}

fn gap() -> Plot {
    let known = |minute: f64| (!(24.0..33.0).contains(&minute)).then(|| swell(minute, 0.21));
    let mut plot = plot(vec![line(Labels::new(), "09:48:00", "10:50:00", known)]);
    plot.spans = vec![
        span("09:50:00", Some("09:57:00"), SpanState::Planned),
        span("10:01:30", Some("10:02:15"), SpanState::NearMiss),
        span("10:02:15", Some("10:12:15"), SpanState::Degraded),
        span("10:12:15", Some("10:21:00"), SpanState::Unknown),
        span("10:21:00", Some("10:33:45"), SpanState::Degraded),
    ];
    plot
}

fn near_miss() -> Plot {
    let mut plot = plot(vec![line(
        Labels::new(),
        "09:48:00",
        "10:50:00",
        |minute| Some(0.31 + swell(minute, 0.32)),
    )]);
    plot.condition = "p99".into();
    plot.query =
        "histogram_quantile(0.99, sum by (le) (rate(request_duration_seconds_bucket[5m])))".into();
    plot.bounds = vec![
        bound("degraded", "> 1", 1.0),
        bound("near_miss", "> 0.6", 0.6),
    ];
    plot.spans = vec![span("10:05:00", Some("10:24:00"), SpanState::NearMiss)];
    plot.milestones = vec![];
    plot
}

fn many() -> Plot {
    let of = |place: usize| {
        let name = format!("checkout-7d9f{place}");
        line(
            labels(&[("pod", &name)]),
            "09:48:00",
            "10:50:00",
            |minute| Some(swell(minute, 0.05 + place as f64 * 0.02)),
        )
    };
    Plot {
        left_out: 3,
        ..plot((0..9).map(of).collect())
    }
}

fn silent() -> Plot {
    let mut plot = plot(vec![]);
    plot.spans = vec![span("10:02:15", None, SpanState::Unknown)];
    plot
}

fn days() -> Plot {
    let mut plot = ratio();
    (plot.from, plot.to) = (
        "2026-11-22T20:00:00Z".parse().unwrap(),
        "2026-11-24T02:00:00Z".parse().unwrap(),
    );
    plot.query = String::new();
    plot.lines[0].points.iter_mut().for_each(|(at, value)| {
        *at = "2026-11-22T20:00:00Z".parse::<Time>().unwrap() + (*at - self::at("09:48:00")) * 29;
        *value = value.map(|value| value * 1e6);
    });
    plot.bounds = vec![bound("degraded", "> 30000", 30_000.0)];
    plot
}

fn check_told(plot: &Plot, title: &str, told: &str) {
    assert_eq!(describe(plot), told);
    let drawn = svg(plot);
    let document = roxmltree::Document::parse(&drawn).unwrap();
    let text = |name: &str| {
        document
            .descendants()
            .find(|node| node.has_tag_name(name))
            .and_then(|node| node.text())
            .unwrap()
    };
    assert_eq!((text("title"), text("desc")), (title, told));
}

/// Prometheus goes on answering with the last value for five minutes after its targets went away.
#[test]
fn value_of_unknown_time_is_not_drawn() {
    let value = |minute: f64| Some(if minute < 20.0 { 0.01 } else { 0.5 });
    let mut plot = plot(vec![line(Labels::new(), "09:48:00", "10:12:00", value)]);
    plot.spans = vec![span("10:07:00", Some("10:30:00"), SpanState::Unknown)];
    let seen = ClippedPlot::new(&plot);
    let last = seen.traces[0].samples.last().unwrap();
    assert!(last.at < at("10:07:00").timestamp_millis());
    assert!(seen.worst().unwrap().value < 0.02);

    // Of several lines nobody knows which was unknown.
    plot.lines.push(plot.lines[0].clone());
    assert!(ClippedPlot::new(&plot).worst().unwrap().value > 0.4);
}

#[test]
fn description_matches_the_plot() {
    check_told(
        &gap(),
        "error-ratio of checkout",
        "Highest value 0.247 at 10:07:00, from 2026-11-23 09:48:00 to 10:50:00 UTC, against degraded > 0.02. Degraded for 22m 45s, \
         near miss for 45s, unknown for 8m 45s, planned for 7m, began at 10:02:15, detected at 10:03:30, acknowledged at 10:06:10, \
         mitigated at 10:33:45, resolved at 10:43:45.",
    );
    check_told(
        &Plot {
            milestones: vec![],
            ..silent()
        },
        "error-ratio of checkout",
        "No samples from 2026-11-23 09:48:00 to 10:50:00 UTC. Unknown for 47m 45s so far.",
    );
    let success = line(Labels::new(), "09:48:00", "09:49:00", |minute| {
        Some(0.9 + minute / 100.0)
    });
    let success = Plot {
        bounds: vec![bound("degraded", "< 0.5", 0.5)],
        spans: vec![],
        milestones: vec![],
        service: String::new(),
        ..plot(vec![success])
    };
    check_told(
        &success,
        "error-ratio",
        "Lowest value 0.783 at 09:48:00, from 2026-11-23 09:48:00 to 10:50:00 UTC, against degraded < 0.5. \
         Never degraded, a near miss or unknown.",
    );
}

/// Visible texts of the picture.
fn lettering(plot: &Plot, class: &str) -> String {
    let drawn = svg(plot);
    let document = roxmltree::Document::parse(&drawn).unwrap();
    let group = document
        .descendants()
        .find(|node| node.attribute("class") == Some(class))
        .unwrap();
    group
        .children()
        .filter(|node| node.has_tag_name("text"))
        .filter_map(|node| node.text())
        .collect::<Vec<_>>()
        .join(" | ")
}

#[test]
fn says_less_where_there_is_less_room() {
    insta::assert_snapshot!(lettering(&many(), "wide"), @r##"checkout: error-ratio | sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m])) | 0 | 0.05 | 0.10 | 0.15 | 0.20 | 0.25 | degraded > 0.02 | recovered < 0.015 | Began | Detected | Acknowledged | Mitigated | Resolved | 09:50 | 10:00 | 10:10 | 10:20 | 10:30 | 10:40 | 23 Nov 2026, UTC | degraded 31m 30s | by pod: | checkout-7d9f0 | checkout-7d9f1 | checkout-7d9f2 | checkout-7d9f3 | checkout-7d9f4 | checkout-7d9f5 | checkout-7d9f6 | checkout-7d9f7 | and 4 more"##);
    insta::assert_snapshot!(lettering(&many(), "narrow"), @"0 | 0.05 | 0.10 | 0.15 | 0.20 | 0.25 | degraded > 0.02 | recovered < 0.015 | Began | Detected | Acknowledged | Mitigated | Resolved | 10:00 | 10:15 | 10:30 | 10:45 | 23 Nov 2026, UTC | degraded 31m 30s | by pod: | checkout-7d9f0 | checkout-7d9f1 | checkout-7d9f2 | checkout-7d9f3 | and 8 more");
    insta::assert_snapshot!(lettering(&days(), "wide"), @"checkout: error-ratio | 0 | 50k | 100k | 150k | 200k | 250k | degraded > 30000 | Began | Detected | Acknowledged | Mitigated | Resolved | 21:00 | 23 Nov | 03:00 | 06:00 | 09:00 | 12:00 | 15:00 | 18:00 | 21:00 | 24 Nov | 22 Nov – 24 Nov 2026, UTC | degraded 31m 30s");
    insta::assert_snapshot!(lettering(&silent(), "narrow"), @"0 | 0.01 | 0.02 | 0.03 | 0.04 | no samples | degraded > 0.02 | recovered < 0.015 | Began | Detected | Acknowledged | Mitigated | Resolved | 10:00 | 10:15 | 10:30 | 10:45 | 23 Nov 2026, UTC | unknown 47m 45s so far");
}

#[test]
fn pictures_stay_as_they_are() {
    insta::assert_snapshot!("gap", svg(&gap()));
    insta::assert_snapshot!("near_miss", svg(&near_miss()));
    insta::assert_snapshot!("two_instances", svg(&instances()));
}

#[test]
fn tables_tell_each_turn() {
    let mut plot = gap();
    plot.lines[0].points.truncate(150);
    insta::assert_snapshot!(markdown(&table(&plot)), @r##"
    | Time (UTC, 2026-11-23) | Value | State | Note |
    | --- | --- | --- | --- |
    | 09:48:00 | 0.00261 | healthy |  |
    | 09:49:00 | 0.003265 | healthy |  |
    | 09:50:00 | 0.00287 | planned |  |
    | 09:50:45 | 0.003099 | planned |  |
    | 09:51:00 | 0.002475 | planned |  |
    | 09:52:45 | 0.003359 | planned |  |
    | 09:54:15 | 0.002767 | planned |  |
    | 09:56:00 | 0.002605 | planned |  |
    | 09:57:00 | 0.00328 | healthy |  |
    | 09:57:45 | 0.003561 | healthy |  |
    | 09:59:30 | 0.004173 | healthy |  |
    | 10:01:00 | 0.008315 | healthy |  |
    | 10:01:30 | 0.01267 | near miss |  |
    | 10:02:15 | 0.03131 | degraded | Began |
    | 10:03:15 | 0.1021 | degraded |  |
    | 10:03:30 | 0.1003 | degraded | Detected |
    | 10:05:00 | 0.2056 | degraded |  |
    | 10:06:10 | not known | degraded | Acknowledged |
    | 10:06:45 | 0.2163 | degraded |  |
    | 10:07:00 | 0.247 | degraded | highest value |
    | 10:08:30 | 0.2065 | degraded |  |
    | 10:10:15 | 0.1948 | degraded |  |
    | 10:11:45 | 0.2272 | degraded |  |
    | 10:12:15 | not known | unknown |  |
    | 10:21:00 | 0.2196 | degraded |  |
    | 10:22:45 | 0.1986 | degraded |  |
    | 10:24:15 | 0.2111 | degraded |  |
    | 10:25:15 | 0.1724 | degraded |  |
    | 10:33:45 | not known | healthy | Mitigated |
    | 10:43:45 | not known | healthy | Resolved |
    "##);
    assert_eq!(table(&many()).head.len(), 11);
}

#[test]
fn text_from_outside_stays_text() {
    let mut plot = instances();
    plot.condition = "a<b>&\"'\u{0}\u{ffff}\u{202e}\n]]>".into();
    plot.lines[0]
        .labels
        .insert("pod".into(), "</text><script>alert(1)</script>| x |".into());
    let drawn = svg(&plot);
    let document = roxmltree::Document::parse(&drawn).unwrap();
    assert!(
        !document
            .descendants()
            .any(|node| node.has_tag_name("script"))
    );
    assert!(
        lettering(&plot, "wide").contains("checkout: a<b>&\"'  ]]>"),
        "{}",
        lettering(&plot, "wide")
    );
    assert!(
        markdown(&table(&plot))
            .lines()
            .next()
            .unwrap()
            .contains("&lt;/text&gt;&lt;script&gt;ale")
    );
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let drawn = svg(&gap()).replace("http://www.w3.org/2000/svg", "");
    for word in [
        "http:",
        "https:",
        "//",
        "@import",
        "@font-face",
        "<script",
        "xlink",
        "data:",
        "url(h",
    ] {
        assert!(!drawn.contains(word), "{word}");
    }
}

#[test]
fn a_line_is_broken_where_nothing_is_known() {
    let drawn = |points: &[(&str, Option<f64>)]| {
        let points = points
            .iter()
            .map(|(clock, value)| (at(clock), *value))
            .collect();
        let plot = Plot {
            from: at("10:00:00"),
            to: at("10:10:00"),
            bounds: vec![bound("degraded", "> 4", 4.0)],
            ..plot(vec![PlotSeries {
                labels: Labels::new(),
                points,
            }])
        };
        let drawn = svg(&plot);
        let document = roxmltree::Document::parse(&drawn).unwrap();
        let line = document
            .descendants()
            .find(|node| node.attribute("class") == Some("line a"));
        line.and_then(|line| line.attribute("d").map(str::to_owned))
            .unwrap_or_default()
    };
    let one = Some(3.0);
    assert_eq!(
        drawn(&[("10:00:00", one), ("10:01:00", one), ("10:02:00", one)]),
        "M0 100 88 100 176 100"
    );
    assert_eq!(
        drawn(&[("10:00:00", one), ("10:01:00", None), ("10:02:00", one)]),
        "M0 100h0M176 100h0"
    );
    assert_eq!(
        drawn(&[
            ("10:00:00", one),
            ("10:01:00", one),
            ("10:02:00", Some(f64::NAN)),
            ("10:03:00", one),
            ("10:04:00", one)
        ]),
        "M0 100 88 100M264 100 352 100"
    );
    assert_eq!(
        drawn(&[
            ("10:00:00", one),
            ("10:01:00", one),
            ("10:05:00", one),
            ("10:06:00", one)
        ]),
        "M0 100 88 100M440 100 528 100"
    );
    assert_eq!(drawn(&[("10:05:00", one)]), "M440 100h0");
    assert_eq!(drawn(&[("11:05:00", one)]), "");
}

fn any_time() -> impl Strategy<Value = Time> {
    let near = 1_763_892_000_000_i64;
    let far = Time::MIN_UTC.timestamp_millis()..Time::MAX_UTC.timestamp_millis();
    prop_oneof![8 => near..near + 7_200_000, 2 => near - 400_000_000_000..near, 1 => -200_000_000_000..0_i64, 1 => far]
        .prop_map(|at| Time::from_timestamp_millis(at).unwrap())
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..1.0, 2 => -1e6..1e6, 1 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(f64::MAX), 1 => Just(5e-324), 1 => Just(7.0)]
}

fn any_line() -> impl Strategy<Value = PlotSeries> {
    let points = vec((any_time(), option::weighted(0.8, any_value())), 0..60);
    (btree_map("[a-c]", any::<String>(), 0..3), points)
        .prop_map(|(labels, points)| PlotSeries { labels, points })
}

fn any_plot() -> impl Strategy<Value = Plot> {
    let states = prop_oneof![
        Just(SpanState::Degraded),
        Just(SpanState::NearMiss),
        Just(SpanState::Unknown),
        Just(SpanState::Planned)
    ];
    let spans = vec(
        (any_time(), option::of(any_time()), states).prop_map(|(start, end, state)| Span {
            start,
            end,
            state,
        }),
        0..8,
    );
    let kinds = [
        MilestoneKind::Began,
        MilestoneKind::Detected,
        MilestoneKind::Acknowledged,
        MilestoneKind::Mitigated,
        MilestoneKind::Resolved,
    ];
    let milestones = vec((proptest::sample::select(kinds.to_vec()), any_time()), 0..9);
    let bounds = vec(
        (
            "degraded|near_miss|recovered",
            "[<>] ?[0-9.]{1,6}|\\PC*",
            any_value(),
        ),
        0..4,
    )
    .prop_map(|bounds| {
        bounds
            .iter()
            .map(|(name, text, value)| bound(name, text, *value))
            .collect()
    });
    let names = (any::<String>(), any::<String>(), any::<String>());
    let left_out = prop_oneof![Just(0), Just(3), Just(usize::MAX)];
    (
        names,
        any_time(),
        any_time(),
        vec(any_line(), 0..11),
        bounds,
        spans,
        milestones,
        left_out,
    )
        .prop_map(
            |(
                (condition, service, query),
                from,
                to,
                lines,
                bounds,
                spans,
                milestones,
                left_out,
            )| Plot {
                condition,
                service,
                query,
                from,
                to,
                lines,
                bounds,
                spans,
                milestones,
                left_out,
            },
        )
}

/// Left, top, right and bottom of a text, by its estimated width.
fn area(label: &Label, em: f64) -> [f64; 4] {
    let wide = text::width(&label.text) * em;
    let left = match label.anchor {
        Anchor::Start => label.x,
        Anchor::Middle => label.x - wide / 2.0,
        Anchor::End => label.x - wide,
    };
    [left, label.y - em * 0.78, left + wide, label.y + em * 0.2]
}

/// Points of a path in absolute coordinates.
fn points(path: &str) -> Vec<(f64, f64)> {
    let mut found = Vec::new();
    let (mut x, mut y) = (0.0, 0.0);
    let spaced: String = path
        .chars()
        .flat_map(|char| {
            if char.is_alphabetic() {
                vec![' ', char, ' ']
            } else {
                vec![char]
            }
        })
        .collect();
    let mut words = spaced.split_whitespace();
    let mut command = "M";
    while let Some(word) = words.next() {
        let number = if word.chars().all(char::is_alphabetic) {
            command = word;
            if command == "z" {
                continue;
            }
            words.next().unwrap()
        } else {
            word
        };
        let number: f64 = number.parse().unwrap();
        match command {
            "M" | "L" => (x, y) = (number, words.next().unwrap().parse().unwrap()),
            "H" => x = number,
            "V" => y = number,
            "h" => x += number,
            "v" => y += number,
            other => panic!("{other} in {path}"),
        }
        found.push((x, y));
    }
    found
}

fn check_picture(plot: &Plot) {
    let drawn = svg(plot);
    assert!(drawn.len() < 100_000, "{} bytes", drawn.len());
    let document =
        roxmltree::Document::parse(&drawn).unwrap_or_else(|fault| panic!("{fault}\n{drawn}"));
    let root = document.root_element();
    let height: f64 = root
        .attribute("viewBox")
        .unwrap()
        .split(' ')
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    assert!((150.0..600.0).contains(&height), "{height}");
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        for attribute in node.attributes() {
            assert!(
                !attribute.value().contains("NaN") && !attribute.value().contains("inf"),
                "{attribute:?}"
            );
        }
        let within = |id: &str| {
            node.ancestors()
                .any(|node| node.attribute("id") == Some(id) || node.has_tag_name(id))
        };
        let (right, bottom) = if within("field") {
            (FIELD.0, FIELD.1)
        } else if within("bars") {
            (FIELD.0, 10.0)
        } else {
            (WIDTH, height)
        };
        if let Some(path) = node.attribute("d").filter(|_| !within("pattern")) {
            for (x, y) in points(path) {
                // Each coordinate is rounded to a tenth, and those that are relative add up.
                assert!(
                    (-0.11..=right + 0.11).contains(&x) && (-0.11..=bottom + 0.11).contains(&y),
                    "{x} {y} in {path}"
                );
            }
        }
    }
    let seen = ClippedPlot::new(plot);
    let (frames, height) = frames(&seen, &axis(&seen));
    for frame in frames {
        let em = frame.lettering.em;
        assert!(
            frame.height >= 179.0 && frame.width > 500.0 && frame.left + frame.width <= WIDTH,
            "{} {}",
            frame.width,
            frame.height
        );
        let areas: Vec<[f64; 4]> = frame.labels.iter().map(|label| area(label, em)).collect();
        for (place, one) in areas.iter().enumerate() {
            assert!(
                one[0] >= -0.1 && one[1] >= 0.0 && one[2] <= WIDTH + 0.1 && one[3] <= height,
                "{:?} {one:?}",
                frame.labels[place]
            );
            for (other_place, other) in areas.iter().enumerate().skip(place + 1) {
                let overlap = one[0] < other[2]
                    && other[0] < one[2]
                    && one[1] < other[3]
                    && other[1] < one[3];
                assert!(
                    !overlap,
                    "{}: {:?} and {:?}",
                    frame.lettering.class, frame.labels[place], frame.labels[other_place]
                );
            }
        }
    }
    let told = table(plot);
    assert!(told.rows.len() <= 30 && told.rows.iter().all(|row| row.len() == told.head.len()));
    assert!(!markdown(&told).contains("NaN"));
}

#[test]
fn usual_pictures_are_sound() {
    for plot in [
        ratio(),
        instances(),
        gap(),
        near_miss(),
        many(),
        silent(),
        days(),
    ] {
        check_picture(&plot);
    }
}

#[test]
fn large_pictures_stay_small() {
    let noise = |step: i64| ((step * 7_919) % 1_009) as f64 * 1e-3;
    let points = |of: i64| {
        (0..20_000)
            .map(move |step| {
                (
                    at("09:48:00") + chrono::Duration::milliseconds(step * 186),
                    Some(noise(step + of)),
                )
            })
            .collect()
    };
    let broken = |of: i64| {
        let every_other = |step: i64| (step % 2 == 0).then(|| noise(step + of));
        (0..20_000)
            .map(move |step| {
                (
                    at("09:48:00") + chrono::Duration::milliseconds(step * 186),
                    every_other(step),
                )
            })
            .collect()
    };
    let spans = (0..20_000).map(|step| {
        let start = at("09:48:00") + chrono::Duration::milliseconds(step * 186);
        let states = [
            SpanState::Degraded,
            SpanState::NearMiss,
            SpanState::Unknown,
            SpanState::Planned,
        ];
        Span {
            start,
            end: Some(start + chrono::Duration::milliseconds(186)),
            state: states[(step / 7 % 4) as usize],
        }
    });
    let pod = |of: i64| labels(&[("pod", &of.to_string())]);
    let full = plot(
        (0..20)
            .map(|of| PlotSeries {
                labels: pod(of),
                points: points(of),
            })
            .collect(),
    );
    check_picture(&full);
    let holes = plot(
        (0..20)
            .map(|of| PlotSeries {
                labels: pod(of),
                points: broken(of),
            })
            .collect(),
    );
    check_picture(&Plot {
        spans: spans.collect(),
        ..holes
    });
    // One line alone keeps the lowest and the highest of each column.
    let one = plot(vec![PlotSeries {
        labels: Labels::new(),
        points: points(0),
    }]);
    check_picture(&one);
    assert!(
        (20_000..40_000).contains(&svg(&one).len()),
        "{}",
        svg(&one).len()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]
    #[test]
    fn any_picture_is_sound(plot in any_plot()) {
        check_picture(&plot);
    }

    #[test]
    fn every_number_is_on_its_axis(one in any_value(), other in any_value()) {
        prop_assume!([one, other].iter().all(|value| *value == 0.0 || (1e-300..1e300).contains(&value.abs())));
        let axis = scale::values(one.min(other), one.max(other));
        let bit = (axis.high - axis.low) * 1e-8;
        prop_assert!(axis.low <= one.min(other) + bit && one.max(other) <= axis.high + bit);
        prop_assert!((2..=7).contains(&axis.ticks.len()), "{:?}", axis.ticks);
        for pair in axis.ticks.windows(2) {
            prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1, "{:?}", axis.ticks);
        }
        prop_assert!(axis.ticks.iter().all(|(_, label)| label.len() <= 10), "{:?}", axis.ticks);
    }
}

/// The end of a degraded time between two samples, the first of which is beyond the threshold.
#[test]
fn earlier_sample_is_not_the_value_of_a_turn() {
    let mut plot = gap();
    plot.lines[0].points = [
        ("10:33:39", Some(0.2)),
        ("10:33:42", Some(0.0408)),
        ("10:33:48", Some(0.0)),
        ("10:33:51", Some(0.0)),
    ]
    .map(|(clock, value)| (at(clock), value))
    .to_vec();
    let row = |plot: &Plot| {
        let mut rows = table(plot).rows.into_iter();
        rows.find(|row| row[0] == "10:33:45").unwrap()[1..3].to_vec()
    };
    assert_eq!(row(&plot), ["not known", "not known"]);
    plot.lines[0].points.push((at("10:33:45"), Some(0.0008)));
    assert_eq!(row(&plot), ["0.0008", "healthy"]);
}

#[test]
fn value_beyond_a_threshold_is_not_called_healthy() {
    let mut plot = gap();
    plot.spans.clear();
    let states: Vec<(String, String)> = table(&plot)
        .rows
        .into_iter()
        .map(|row| (row[1].clone(), row[2].clone()))
        .collect();
    let of = |value: &str| {
        let (_, state) = states.iter().find(|(known, _)| known == value).unwrap();
        state.as_str()
    };
    assert_eq!(of("0.247"), "beyond the degraded threshold");
    for (value, state) in &states {
        if let Ok(value) = value.parse::<f64>() {
            assert_eq!(state == "healthy", value <= 0.02, "{value} is {state}");
        }
    }
}
