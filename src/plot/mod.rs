//! Plot of a condition over time, as SVG, as a table and in words.
//!
//! All three derive from one clipped input, so that the text describes exactly the picture.

mod clip;
mod describe;
mod layout;
mod scale;
mod svg;
mod table;
mod text;

use crate::model::plot::Plot;
use clip::ClippedPlot;
use table::Table;

/// Renders a condition as a standalone SVG file of at most 100 kB: no scripts, no external
/// resources, light or dark by the reader's preference.
///
/// The width is 960 units; the height follows from the rows of the legend. Below a display width of
/// 720 px, larger and fewer texts keep it readable on a phone.
#[must_use]
pub(crate) fn svg(plot: &Plot) -> String {
    svg::draw(&ClippedPlot::new(plot))
}

/// Describes the plot in one or two sentences without markup, for `alt` and for the `<desc>` of the
/// SVG.
#[must_use]
pub(crate) fn describe(plot: &Plot) -> String {
    describe::sentences(&ClippedPlot::new(plot))
}

/// Tabulates the plot: each change of state, each milestone, each extreme, and evenly spaced values
/// between.
#[must_use]
pub(crate) fn table(plot: &Plot) -> Table {
    table::table(&ClippedPlot::new(plot))
}

/// Renders the table in Markdown with every cell escaped.
#[must_use]
pub(crate) fn markdown(table: &Table) -> String {
    table::markdown(table)
}

#[cfg(test)]
mod tests;
