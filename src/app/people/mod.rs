//! People: on-call calendars, reviews, corrections and maintenance windows.

pub(crate) mod actor;
pub(crate) mod calendar_reader;
pub(crate) mod corrections;
pub(crate) mod maintenance;
pub(crate) mod on_call;
pub(crate) mod reviews;
