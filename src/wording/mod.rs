//! English words for facts, terms and durations, shared by pages, drafts, plots and commands.
//!
//! All of it is plain text on one line; the caller escapes it, for Markdown with `markdown`.

pub(crate) mod duration;
pub(crate) mod event;
pub(crate) mod markdown;
pub(crate) mod milestones;
pub(crate) mod number;
pub(crate) mod terms;
