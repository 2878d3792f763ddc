//! One incident derived from its members: signals, intervals, milestones, phase and verdicts.

pub(crate) mod degraded_time;
pub(crate) mod derive;
pub(crate) mod id;
pub(crate) mod index;
pub(crate) mod intervals;
pub(crate) mod milestones;
pub(crate) mod responders;
pub(crate) mod signals;
