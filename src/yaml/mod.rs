//! YAML text to a tree with positions, and from there to typed settings: every fault has file, line
//! and column.
//!
//! YAML 1.2 core schema, so `on`, `off`, `yes` and `no` are words. Anchors, aliases and `<<` work
//! within a budget.

mod deserializer;
pub(crate) mod entry;
mod error;
mod excerpt;
pub(crate) mod node;
pub(crate) mod reader;
pub(crate) mod scalar;
pub(crate) mod tree;
pub(crate) mod unique_names;
pub(crate) mod weekly_hours;

#[cfg(test)]
mod tests;
