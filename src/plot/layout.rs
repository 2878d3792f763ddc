//! Layout of a plot, once for a page and once for a phone, without overlapping texts.

use chrono::Datelike;

use super::clip::{ClippedPlot, PlotPoint, instant, milestone_name, state_name};
use super::describe::{lasted, same_day};
use super::{scale, text};
use crate::model::spans::SpanState;

/// Width of all plots in user units.
pub(crate) const WIDTH: f64 = 960.0;
/// Size of the plot area in its own units; each layout stretches it to the space that is left.
pub(crate) const FIELD: (f64, f64) = (880.0, 200.0);
/// Height of the state bars below the plot area, in font sizes.
const BARS: f64 = 0.9;

/// Font size and amount of text of a layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lettering {
    pub(crate) class: &'static str,
    /// Font size in user units.
    pub(crate) em: f64,
    /// True with room for a heading; on a phone the page has one.
    heading: bool,
    /// Maximum rows of the legend.
    rows: usize,
    /// Line height in font sizes.
    leading: f64,
    /// Minimum height of the plot area.
    least: f64,
}

pub(crate) const LETTERINGS: [Lettering; 2] = [
    Lettering {
        class: "wide",
        em: 14.0,
        heading: true,
        rows: 4,
        leading: 1.5,
        least: 180.0,
    },
    Lettering {
        class: "narrow",
        em: 32.0,
        heading: false,
        rows: 3,
        leading: 1.25,
        least: 210.0,
    },
];

/// Positioned text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Label {
    pub(crate) x: f64,
    /// Baseline.
    pub(crate) y: f64,
    pub(crate) anchor: Anchor,
    pub(crate) class: &'static str,
    pub(crate) text: String,
}

/// Horizontal alignment of a text to its `x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Swatch of a legend entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swatch {
    /// No swatch.
    None,
    /// Bar of a state.
    State(SpanState),
    /// Line of a series, by its index.
    Line(usize),
}

/// Layout of a plot in one lettering.
pub(crate) struct Frame {
    pub(crate) lettering: Lettering,
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    /// Height of the plot area, without the bars.
    pub(crate) height: f64,
    pub(crate) labels: Vec<Label>,
    /// Leader lines from a milestone's label to its line: `x` above, `x` below, `y` above.
    pub(crate) leaders: Vec<(f64, f64, f64)>,
    /// Swatches with their left edge and vertical centre.
    pub(crate) swatches: Vec<(Swatch, f64, f64)>,
    /// Positions of the marks on the time axis.
    pub(crate) marks: Vec<f64>,
}

/// Layouts of a plot and their common height.
pub(crate) fn frames(seen: &ClippedPlot, values: &scale::Values) -> (Vec<Frame>, f64) {
    let needs: Vec<f64> = LETTERINGS
        .iter()
        .map(|lettering| above(seen, lettering) + lettering.least + below(seen, lettering))
        .collect();
    let height = needs.into_iter().fold(0.0, f64::max).ceil();
    (
        LETTERINGS
            .iter()
            .map(|lettering| frame(seen, values, *lettering, height))
            .collect(),
        height,
    )
}

fn above(seen: &ClippedPlot, lettering: &Lettering) -> f64 {
    let heading = if lettering.heading { 1.7 } else { 0.0 };
    let milestones = if seen.milestones.is_empty() { 0.5 } else { 1.9 };
    lettering.em * (0.4 + heading + milestones)
}

fn below(seen: &ClippedPlot, lettering: &Lettering) -> f64 {
    let rows = legend(seen, lettering).len() as f64;
    lettering.em * (BARS + 1.1 + lettering.leading * rows + 0.6)
}

fn frame(seen: &ClippedPlot, values: &scale::Values, lettering: Lettering, height: f64) -> Frame {
    let em = lettering.em;
    let widest = values
        .ticks
        .iter()
        .map(|(_, label)| text::width(label))
        .fold(0.0, f64::max);
    let left = (em * (widest + 1.0)).max(24.0);
    let top = above(seen, &lettering);
    let width = WIDTH - left - em * 0.75;
    let mut frame = Frame {
        lettering,
        left,
        top,
        width,
        height: height - top - below(seen, &lettering),
        labels: Vec::new(),
        leaders: Vec::new(),
        swatches: Vec::new(),
        marks: Vec::new(),
    };
    frame.heading(seen);
    frame.values(values);
    frame.thresholds(seen, values);
    frame.milestones(seen);
    frame.times(seen);
    frame.legend(seen);
    frame
}

impl Frame {
    fn label(&mut self, x: f64, y: f64, anchor: Anchor, class: &'static str, text: String) {
        self.labels.push(Label {
            x,
            y,
            anchor,
            class,
            text,
        });
    }

    fn heading(&mut self, seen: &ClippedPlot) {
        let em = self.lettering.em;
        if !self.lettering.heading {
            return;
        }
        let (x, y) = (em, em * 1.5);
        let service = if seen.service.is_empty() {
            String::new()
        } else {
            format!("{}: ", seen.service)
        };
        let name = text::cut(&format!("{service}{}", seen.condition), 40.0);
        // The heading is bold, which is a little wider.
        let used = text::width(&name) * 1.08 + 1.0;
        let query = text::cut(&seen.query, WIDTH / em - used - 2.0);
        self.label(x, y, Anchor::Start, "heading", name);
        if !seen.query.is_empty() {
            self.label(x + used * em, y, Anchor::Start, "soft", query);
        }
    }

    fn values(&mut self, values: &scale::Values) {
        let em = self.lettering.em;
        for (value, label) in &values.ticks {
            let y = self.top + self.height * (1.0 - share(*value, values.low, values.high));
            self.label(
                self.left - em * 0.5,
                y + em * 0.35,
                Anchor::End,
                "soft",
                label.clone(),
            );
        }
    }

    /// Places a threshold's text above its line; texts of close thresholds go above the upper one.
    fn thresholds(&mut self, seen: &ClippedPlot, values: &scale::Values) {
        let em = self.lettering.em;
        let mut bounds: Vec<(f64, &str)> = seen
            .thresholds
            .iter()
            .map(|bound| {
                (
                    self.top + self.height * (1.0 - share(bound.value, values.low, values.high)),
                    bound.words.as_str(),
                )
            })
            .collect();
        bounds.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut groups: Vec<(f64, f64, Vec<&str>)> = Vec::new();
        for (y, words) in bounds {
            match groups.last_mut() {
                Some((_, lowest, group)) if y - *lowest < em * 1.3 => {
                    group.push(words);
                    *lowest = y;
                }
                _ => groups.push((y, y, vec![words])),
            }
        }
        if seen.traces.is_empty() {
            self.label(
                self.left + self.width / 2.0,
                self.top + em * 1.2,
                Anchor::Middle,
                "soft",
                "no samples".to_owned(),
            );
        }
        let (near, far) = (self.left + em * 0.3, self.left + self.width - em * 0.3);
        let room = self.width / em;
        for (y, _, group) in groups {
            let y = y - em * 0.35;
            if let [one] = group[..] {
                let words = text::cut(one, room - 0.6);
                let (x, anchor) = if self.hides_less_first(&words, y, seen, values) {
                    (near, Anchor::Start)
                } else {
                    (far, Anchor::End)
                };
                self.label(x, y, anchor, "threshold", words);
            } else {
                // At both ends, where it is calm most often.
                self.label(
                    near,
                    y,
                    Anchor::Start,
                    "threshold",
                    text::cut(group[0], room / 2.0 - 0.8),
                );
                self.label(
                    far,
                    y,
                    Anchor::End,
                    "threshold",
                    text::cut(&group[1..].join(", "), room / 2.0 - 0.8),
                );
            }
        }
    }

    /// True where a text on this baseline would hide fewer samples at the left end than at the
    /// right.
    fn hides_less_first(
        &self,
        words: &str,
        y: f64,
        seen: &ClippedPlot,
        values: &scale::Values,
    ) -> bool {
        let em = self.lettering.em;
        let (wide, tall) = (text::width(words) * em / self.width, em / self.height);
        let floor = 1.0 - (y - self.top) / self.height;
        let hidden = |from: f64| {
            let inside = |sample: &&PlotPoint| {
                (from..=from + wide).contains(&share(
                    sample.at as f64,
                    seen.from as f64,
                    seen.to as f64,
                )) && (floor..=floor + tall).contains(&share(sample.value, values.low, values.high))
            };
            seen.traces
                .iter()
                .flat_map(|trace| &trace.samples)
                .filter(inside)
                .count()
        };
        hidden(0.0) < hidden(1.0 - wide)
    }

    /// Places each milestone above its line, moved aside as far as its neighbours need.
    fn milestones(&mut self, seen: &ClippedPlot) {
        let em = self.lettering.em;
        let gap = em * 0.6;
        let names: Vec<&str> = seen
            .milestones
            .iter()
            .map(|(kind, _)| milestone_name(*kind))
            .collect();
        let widths: Vec<f64> = names.iter().map(|name| text::width(name) * em).collect();
        let lines: Vec<f64> = seen
            .milestones
            .iter()
            .map(|(_, at)| {
                self.left + self.width * share(*at as f64, seen.from as f64, seen.to as f64)
            })
            .collect();
        let mut starts: Vec<f64> = Vec::new();
        let mut free = em * 0.3;
        for (line, width) in lines.iter().zip(&widths) {
            let start = (line - width / 2.0).max(free);
            starts.push(start);
            free = start + width + gap;
        }
        let mut end = WIDTH - em * 0.3;
        for (start, width) in starts.iter_mut().zip(&widths).rev() {
            *start = start.min(end - width);
            end = *start - gap;
        }
        let y = self.top - em * 0.85;
        for (((name, width), line), start) in names.iter().zip(&widths).zip(lines).zip(starts) {
            let middle = start + width / 2.0;
            self.label(middle, y, Anchor::Middle, "milestone", (*name).to_owned());
            // From the nearest place below the word.
            self.leaders.push((
                line.clamp(start + em * 0.3, start + width - em * 0.3),
                line,
                y + em * 0.25,
            ));
        }
    }

    fn times(&mut self, seen: &ClippedPlot) {
        let em = self.lettering.em;
        let y = self.top + self.height + em * (BARS + 1.1);
        for (at, label) in scale::times(seen.from, seen.to, self.width / em) {
            let x = self.left + self.width * share(at as f64, seen.from as f64, seen.to as f64);
            self.marks.push(x);
            let half = text::width(&label) * em / 2.0;
            // At the edge the mark stays and the text would be cut.
            if x - half >= 0.0 && x + half <= WIDTH {
                self.label(x, y, Anchor::Middle, "soft", label);
            }
        }
    }

    fn legend(&mut self, seen: &ClippedPlot) {
        let em = self.lettering.em;
        let mut y = self.top + self.height + em * (BARS + 1.1 + self.lettering.leading);
        for row in legend(seen, &self.lettering) {
            let mut x = em * 0.75;
            for (swatch, text) in row {
                let width = entry(swatch, &text) * em;
                if swatch != Swatch::None {
                    self.swatches.push((swatch, x, y - em * 0.35));
                }
                let class = if swatch == Swatch::None {
                    "soft"
                } else {
                    "key"
                };
                self.label(x + indent(swatch) * em, y, Anchor::Start, class, text);
                x += width + em * 1.2;
            }
            y += em * self.lettering.leading;
        }
    }
}

type Entry = (Swatch, String);

/// Rows below the axis: the date, the states with their total time, the series.
fn legend(seen: &ClippedPlot, lettering: &Lettering) -> Vec<Vec<Entry>> {
    let room = WIDTH / lettering.em - 1.5;
    let states = |long: bool| {
        let words = move |(state, total, open)| {
            let time = if long {
                format!(" {}", lasted(total, open))
            } else {
                String::new()
            };
            (Swatch::State(state), format!("{}{time}", state_name(state)))
        };
        [(Swatch::None, dates(seen))]
            .into_iter()
            .chain(seen.states().into_iter().map(words))
            .collect::<Vec<Entry>>()
    };
    let long = states(true);
    let about = if flow(&long, room).len() > 1 {
        states(false)
    } else {
        long
    };
    let count = seen.traces.len();
    let alone = count <= 1 && seen.left_out == 0;
    let with = |named: usize| {
        let mut entries = about.clone();
        let width = room - indent(Swatch::Line(0));
        entries.extend(seen.by.iter().map(|by| (Swatch::None, format!("by {by}:"))));
        entries.extend(
            seen.traces
                .iter()
                .take(named)
                .enumerate()
                .map(|(place, trace)| (Swatch::Line(place), text::cut(&trace.short, width))),
        );
        let rest = seen.left_out.saturating_add(count - named);
        if rest > 0 {
            entries.push((Swatch::None, format!("and {rest} more")));
        }
        flow(&entries, room)
    };
    if alone {
        return flow(&about, room);
    }
    // As many names as there is room for, and at least one.
    (1..=count)
        .rev()
        .map(with)
        .find(|rows| rows.len() <= lettering.rows)
        .unwrap_or_else(|| with(count.min(1)))
}

fn flow(entries: &[Entry], room: f64) -> Vec<Vec<Entry>> {
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    let mut used = f64::INFINITY;
    for (swatch, text) in entries.iter().filter(|(_, text)| !text.is_empty()) {
        let width = entry(*swatch, text);
        if used + 1.2 + width > room {
            rows.push(Vec::new());
            used = -1.2;
        }
        used += 1.2 + width;
        if let Some(row) = rows.last_mut() {
            row.push((*swatch, text.clone()));
        }
    }
    rows
}

fn entry(swatch: Swatch, words: &str) -> f64 {
    indent(swatch) + text::width(words)
}

/// Width of a swatch in font sizes.
fn indent(swatch: Swatch) -> f64 {
    match swatch {
        Swatch::None => 0.0,
        Swatch::State(_) => 1.25,
        Swatch::Line(_) => 1.8,
    }
}

/// Date range: `23 Nov 2026, UTC`
fn dates(seen: &ClippedPlot) -> String {
    let (from, to) = (instant(seen.from), instant(seen.to));
    let last = to.format("%-d %b %Y, UTC");
    if same_day(seen) {
        last.to_string()
    } else if from.year() == to.year() {
        format!("{} – {last}", from.format("%-d %b"))
    } else {
        format!("{} – {last}", from.format("%-d %b %Y"))
    }
}

/// Fraction of the way from `low` to `high`.
pub(crate) fn share(number: f64, low: f64, high: f64) -> f64 {
    ((number - low) / (high - low)).clamp(0.0, 1.0)
}
