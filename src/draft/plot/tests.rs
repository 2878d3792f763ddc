#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::{describe, markdown, svg, table};
use crate::model::Time;
use crate::model::event::Labels;
use crate::model::incident::{MilestoneKind, Span, SpanState};
use crate::model::plot::{Bound, Line, Plot};

fn at(clock: &str) -> Time {
    format!("2026-11-23T{clock}Z").parse().unwrap()
}

fn span(start: &str, end: Option<&str>, state: SpanState) -> Span {
    Span { start: at(start), end: end.map(at), state }
}

fn bound(name: &str, text: &str, value: f64) -> Bound {
    Bound { name: name.into(), text: text.into(), value }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// A value every fifteen seconds, some noise on it.
fn line(labels: Labels, from: &str, to: &str, value: impl Fn(f64) -> Option<f64>) -> Line {
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
    Line { labels, points }
}

fn plot(lines: Vec<Line>) -> Plot {
    Plot {
        condition: "error-ratio".into(),
        service: "checkout".into(),
        query: "sum(rate(http_requests_total{code=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m]))".into(),
        from: at("09:48:00"),
        to: at("10:50:00"),
        lines,
        bounds: vec![bound("degraded", "> 0.02", 0.02), bound("recovered", "< 0.015", 0.015)],
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
    plot(vec![line(Labels::new(), "09:48:00", "10:50:00", |minute| Some(swell(minute, 0.21)))])
}

fn instances() -> Plot {
    let of = |name: &str, high: f64| {
        line(labels(&[("instance", name), ("job", "checkout")]), "09:48:00", "10:50:00", |minute| Some(swell(minute, high)))
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
    let mut plot = plot(vec![line(Labels::new(), "09:48:00", "10:50:00", |minute| Some(0.31 + swell(minute, 0.32)))]);
    plot.condition = "p99".into();
    plot.query = "histogram_quantile(0.99, sum by (le) (rate(request_duration_seconds_bucket[5m])))".into();
    plot.bounds = vec![bound("degraded", "> 1", 1.0), bound("near_miss", "> 0.6", 0.6)];
    plot.spans = vec![span("10:05:00", Some("10:24:00"), SpanState::NearMiss)];
    plot.milestones = vec![];
    plot
}

fn many() -> Plot {
    let of = |place: usize| {
        let name = format!("checkout-7d9f{place}");
        line(labels(&[("pod", &name)]), "09:48:00", "10:50:00", |minute| Some(swell(minute, 0.05 + place as f64 * 0.02)))
    };
    Plot { left_out: 3, ..plot((0..9).map(of).collect()) }
}

fn silent() -> Plot {
    let mut plot = plot(vec![]);
    plot.spans = vec![span("10:02:15", None, SpanState::Unknown)];
    plot
}

fn days() -> Plot {
    let mut plot = ratio();
    (plot.from, plot.to) = ("2026-11-22T20:00:00Z".parse().unwrap(), "2026-11-24T02:00:00Z".parse().unwrap());
    plot.query = String::new();
    plot.lines[0].points.iter_mut().for_each(|(at, value)| {
        *at = "2026-11-22T20:00:00Z".parse::<Time>().unwrap() + (*at - self::at("09:48:00")) * 29;
        *value = value.map(|value| value * 1e6);
    });
    plot.bounds = vec![bound("degraded", "> 30000", 30_000.0)];
    plot
}

#[test]
fn look() {
    let Ok(to) = std::env::var("LOOK") else { return };
    for (name, plot) in [
        ("ratio", ratio()),
        ("instances", instances()),
        ("gap", gap()),
        ("near", near_miss()),
        ("many", many()),
        ("silent", silent()),
        ("days", days()),
    ] {
        std::fs::write(format!("{to}/{name}.svg"), svg(&plot)).unwrap();
        std::fs::write(format!("{to}/{name}.md"), format!("{}\n\n{}", describe(&plot), markdown(&table(&plot)))).unwrap();
    }
}
