//! A condition over time as SVG, and the same as a table.
