//! Model values as text for people: badges, terms, times, event lines and source status.

pub(crate) mod badge;
pub(crate) mod event;
pub(crate) mod link;
pub(crate) mod source;
pub(crate) mod terms;
pub(crate) mod time;
