//! A condition over time as SVG, and the same as a table and in words.
//!
//! All three are made of one reading of the input, so that whoever hears the words learns what the picture shows.

mod clip;
mod describe;
mod layout;
mod scale;
mod svg;
mod table;
mod text;

use crate::model::plot::Plot;
use clip::Seen;
use table::Table;

/// The condition as a standalone SVG file of at most 100 kB: no script, nothing to load, light or dark as its reader prefers.
///
/// It is drawn 960 units wide; its height follows from the lines its legend needs. Where it is shown less than 720 px wide, the same
/// picture is lettered larger and with fewer words, so that it can be read on a phone.
#[must_use]
pub(crate) fn svg(plot: &Plot) -> String {
    svg::draw(&Seen::new(plot))
}

/// What a sighted person would see, in one or two sentences without markup: the text for `alt`, and the `<desc>` of the picture.
#[must_use]
pub(crate) fn describe(plot: &Plot) -> String {
    describe::sentences(&Seen::new(plot))
}

/// The picture as a table: each turn of state and of the incident, each extreme, and values evenly between.
#[must_use]
pub(crate) fn table(plot: &Plot) -> Table {
    table::table(&Seen::new(plot))
}

/// The table in Markdown, every cell safe to stand in it.
#[must_use]
pub(crate) fn markdown(table: &Table) -> String {
    table::markdown(table)
}

#[cfg(test)]
mod tests;
