//! The meeting: its attendees, its facilitator and its slot. Pure: the time is an argument.

pub(crate) mod attendees;
pub(crate) mod slot;
