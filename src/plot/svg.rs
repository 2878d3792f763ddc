//! SVG rendering of a plot.

use std::fmt::{self, Write as _};

use super::clip::{ClippedPlot, LINES, PlotPoint, Trace};
use super::describe::{sentences, title};
use super::layout::{Anchor, FIELD, Frame, Swatch, WIDTH, frames, share};
use super::scale;
use super::scale::Values;
use super::text::xml;
use crate::model::spans::SpanState;

const STYLE: &str = include_str!("style.css");
/// Maximum columns of points in total, two points in each: points make up most of a file.
const COLUMNS: usize = 2_000;
/// Minimum distance and width of spans in units: closer spans of one state are merged, shorter ones
/// are widened.
const APART: f64 = 2.5;
const COLOURS: [&str; 4] = ["a", "b", "c", "d"];

/// Renders the whole file.
pub(crate) fn draw(seen: &ClippedPlot) -> String {
    let values = axis(seen);
    let (frames, height) = frames(seen, &values);
    let mut out = String::with_capacity(16 * 1024);
    // Writing to a string does not fail.
    let _ = file(&mut out, seen, &values, &frames, height);
    out
}

/// Value axis of everything that is drawn.
pub(crate) fn axis(seen: &ClippedPlot) -> Values {
    let samples = seen
        .traces
        .iter()
        .flat_map(|trace| &trace.samples)
        .map(|sample| sample.value);
    let bounds = || seen.thresholds.iter().map(|threshold| threshold.value);
    let all = || samples.clone().chain(bounds());
    let Some(low) = all().reduce(f64::min) else {
        return Values {
            low: 0.0,
            high: 1.0,
            ticks: Vec::new(),
        };
    };
    let high = all().reduce(f64::max).unwrap_or(low);
    let mut values = scale::values(low, high);
    // The topmost threshold's text is above its line, and above that, without samples, the notice
    // that there are none.
    let most = if seen.traces.is_empty() { 0.5 } else { 0.72 };
    if let Some(bound) = bounds().reduce(f64::max) {
        for _ in 0..8 {
            if share(bound, values.low, values.high) <= most {
                break;
            }
            values = scale::values(low, values.high + (values.high - values.low) * 0.1);
        }
    }
    values
}

fn file(
    out: &mut String,
    seen: &ClippedPlot,
    values: &Values,
    frames: &[Frame],
    height: f64,
) -> fmt::Result {
    write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" "
    )?;
    writeln!(out, "aria-labelledby=\"title desc\" xml:lang=\"en\">")?;
    writeln!(
        out,
        "<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>",
        xml(&title(seen)),
        xml(&sentences(seen))
    )?;
    writeln!(out, "<style>\n{STYLE}</style>\n<defs>")?;
    for (id, size, path) in [
        ("dense", 6, "M-1 1l2-2M-1 7l8-8M5 7l2-2"),
        ("rising", 9, "M-1 1l2-2M-1 10l11-11M8 10l2-2"),
        ("falling", 12, "M-1-1l14 14M-1 11l2 2M11-1l2 2"),
    ] {
        writeln!(
            out,
            "<pattern id=\"{id}\" width=\"{size}\" height=\"{size}\" patternUnits=\"userSpaceOnUse\"><path d=\"{path}\"/></pattern>"
        )?;
    }
    writeln!(out, "<g id=\"field\">")?;
    field(out, seen, values)?;
    writeln!(out, "</g>\n<g id=\"bars\">")?;
    states(out, seen, |state| {
        (bar(state).0.to_owned(), bar(state).1, bar(state).2)
    })?;
    writeln!(
        out,
        "</g>\n</defs>\n<rect class=\"sheet\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>"
    )?;
    for frame in frames {
        lettered(out, seen, frame)?;
    }
    writeln!(out, "</svg>")
}

/// Renders everything but the texts, once for both layouts.
fn field(out: &mut String, seen: &ClippedPlot, values: &Values) -> fmt::Result {
    let (width, height) = FIELD;
    let x = |at: i64| width * share(at as f64, seen.from as f64, seen.to as f64);
    let y = |value: f64| height * (1.0 - share(value, values.low, values.high));
    states(out, seen, |state| {
        (format!("wash {}", bar(state).0), 0.0, height)
    })?;
    for (value, _) in &values.ticks {
        let class = if *value == values.low { "base" } else { "grid" };
        writeln!(
            out,
            "<path class=\"{class}\" d=\"M0 {}H{width}\"/>",
            Short(y(*value))
        )?;
    }
    if values.ticks.is_empty() {
        writeln!(out, "<path class=\"base\" d=\"M0 {height}H{width}\"/>")?;
    }
    for (_, at) in &seen.milestones {
        writeln!(
            out,
            "<path class=\"turn\" d=\"M{} 0V{height}\"/>",
            Short(x(*at))
        )?;
    }
    for threshold in &seen.thresholds {
        writeln!(
            out,
            "<path class=\"bound\" d=\"M0 {}H{width}\"/>",
            Short(y(threshold.value))
        )?;
    }
    let columns = (COLUMNS / seen.traces.len().max(1)).min(width as usize);
    for (place, trace) in seen.traces.iter().enumerate() {
        write!(out, "<path class=\"{}\" d=\"", line_class(place))?;
        line(
            out,
            &reduced(trace, columns, |at| {
                share(at as f64, seen.from as f64, seen.to as f64)
            }),
            x,
            y,
        )?;
        writeln!(out, "\"/>")?;
    }
    Ok(())
}

/// Renders one path per state, with the class, top and height from `look`.
fn states(
    out: &mut String,
    seen: &ClippedPlot,
    look: impl Fn(SpanState) -> (String, f64, f64),
) -> fmt::Result {
    let x = |at: i64| FIELD.0 * share(at as f64, seen.from as f64, seen.to as f64);
    // Worse states are drawn later, so that they remain visible where spans are merged or widened.
    for state in [
        SpanState::Planned,
        SpanState::Unknown,
        SpanState::NearMiss,
        SpanState::Degraded,
    ] {
        let stretches = seen
            .stretches
            .iter()
            .filter(|stretch| stretch.state == state)
            .map(|stretch| (x(stretch.from), x(stretch.to)));
        let drawn = merged(stretches);
        if drawn.is_empty() {
            continue;
        }
        let (class, top, tall) = look(state);
        write!(out, "<path class=\"{class}\" d=\"")?;
        for (from, to) in &drawn {
            write!(
                out,
                "M{} {}h{}v{}h{}z",
                Short(*from),
                Short(top),
                Short(to - from),
                Short(tall),
                Short(from - to)
            )?;
        }
        writeln!(out, "\"/>")?;
    }
    Ok(())
}

fn line(
    out: &mut String,
    samples: &[PlotPoint],
    x: impl Fn(i64) -> f64,
    y: impl Fn(f64) -> f64,
) -> fmt::Result {
    for (place, sample) in samples.iter().enumerate() {
        let ends = samples.get(place + 1).is_none_or(|next| next.starts);
        write!(
            out,
            "{}{} {}",
            if sample.starts { "M" } else { " " },
            Short(x(sample.at)),
            Short(y(sample.value))
        )?;
        if sample.starts && ends {
            // A line to itself: a dot, by the round ends of lines.
            write!(out, "h0")?;
        }
    }
    Ok(())
}

/// Downsamples to at most two samples per column, the lowest and the highest, in their order.
/// Breaks are kept.
fn reduced(trace: &Trace, columns: usize, share: impl Fn(i64) -> f64) -> Vec<PlotPoint> {
    let column =
        |sample: &PlotPoint| ((share(sample.at) * columns as f64) as usize).min(columns - 1);
    let mut kept: Vec<PlotPoint> = Vec::new();
    let mut broken = false;
    for group in trace
        .samples
        .chunk_by(|one, other| column(one) == column(other))
    {
        let extreme = |sign: f64| {
            let place = (0..group.len()).max_by(|one, other| {
                (group[*one].value * sign).total_cmp(&(group[*other].value * sign))
            });
            place.unwrap_or(0)
        };
        let (low, high) = (extreme(-1.0), extreme(1.0));
        for (place, sample) in group.iter().enumerate() {
            broken |= sample.starts;
            if place == low || place == high {
                kept.push(PlotPoint {
                    starts: broken,
                    ..*sample
                });
                broken = false;
            }
        }
    }
    kept
}

/// Merges spans that are too close to distinguish, and widens those too thin to see.
fn merged(stretches: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut drawn: Vec<(f64, f64)> = Vec::new();
    for (from, to) in stretches {
        let from = from.min(FIELD.0 - APART);
        let to = to.max(from + APART);
        match drawn.last_mut() {
            Some(last) if from < last.1 + APART => last.1 = last.1.max(to),
            _ => drawn.push((from, to)),
        }
    }
    drawn
}

/// Class, top and height of a state's bar in a row ten high: states differ in shape too, as on the
/// pages.
fn bar(state: SpanState) -> (&'static str, f64, f64) {
    match state {
        SpanState::Degraded => ("degraded", 0.0, 10.0),
        SpanState::NearMiss => ("near", 5.0, 5.0),
        SpanState::Unknown => ("unknown", 2.5, 5.0),
        SpanState::Planned => ("planned", 7.0, 3.0),
    }
}

fn line_class(place: usize) -> String {
    let second = if place % LINES >= COLOURS.len() {
        " second"
    } else {
        ""
    };
    format!("line {}{second}", COLOURS[place % COLOURS.len()])
}

/// Renders the plot area with one layout of texts around it.
fn lettered(out: &mut String, seen: &ClippedPlot, frame: &Frame) -> fmt::Result {
    let Frame {
        left,
        top,
        width,
        height,
        lettering,
        ..
    } = frame;
    let em = lettering.em;
    let (across, down) = (width / FIELD.0, height / FIELD.1);
    writeln!(out, "<g class=\"{}\">", lettering.class)?;
    let place = format!(
        "translate({} {}) scale({across:.4} {down:.4})",
        Short(*left),
        Short(*top)
    );
    writeln!(out, "<use href=\"#field\" transform=\"{place}\"/>")?;
    if !seen.stretches.is_empty() {
        let (x, y, down) = (Short(*left), Short(top + height + em * 0.2), em * 0.06);
        writeln!(
            out,
            "<use href=\"#bars\" transform=\"translate({x} {y}) scale({across:.4} {down:.2})\"/>"
        )?;
    }
    for mark in &frame.marks {
        writeln!(
            out,
            "<path class=\"tick\" d=\"M{} {}v{}\"/>",
            Short(*mark),
            Short(top + height),
            Short(em * 0.25)
        )?;
    }
    for (above, below, y) in &frame.leaders {
        writeln!(
            out,
            "<path class=\"leader\" d=\"M{} {}L{} {}\"/>",
            Short(*above),
            Short(*y),
            Short(*below),
            Short(*top)
        )?;
    }
    for (swatch, x, y) in &frame.swatches {
        match swatch {
            Swatch::None => {}
            Swatch::State(state) => {
                let (class, above, tall) = bar(*state);
                let (x, y) = (Short(*x), Short(y - em * 0.4 + em * 0.08 * above));
                let (wide, tall) = (Short(em * 0.9), Short(em * 0.08 * tall));
                writeln!(
                    out,
                    "<path class=\"{class}\" d=\"M{x} {y}h{wide}v{tall}h-{wide}z\"/>"
                )?;
            }
            Swatch::Line(place) => {
                writeln!(
                    out,
                    "<path class=\"{}\" d=\"M{} {}h{}\"/>",
                    line_class(*place),
                    Short(*x),
                    Short(*y),
                    Short(em * 1.4)
                )?;
            }
        }
    }
    for label in &frame.labels {
        let anchor = match label.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y) = (Short(label.x), Short(label.y));
        writeln!(
            out,
            "<text class=\"{}\" x=\"{x}\" y=\"{y}\"{anchor}>{}</text>",
            label.class,
            xml(&label.text)
        )?;
    }
    writeln!(out, "</g>")
}

/// Coordinate, formatted to a tenth of a unit.
#[derive(Clone, Copy)]
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round();
        if tenths % 10.0 == 0.0 {
            write!(f, "{}", (tenths / 10.0) as i64)
        } else {
            write!(f, "{:.1}", tenths / 10.0)
        }
    }
}
