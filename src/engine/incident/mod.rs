//! One incident, derived from its members: signals, intervals, milestones, phase and verdicts; and
//! the incidents that are tracked.

pub(crate) mod attributes;
pub(crate) mod degraded_time;
pub(crate) mod derive;
pub(crate) mod episodes;
pub(crate) mod fingerprint;
pub(crate) mod id;
pub(crate) mod index;
pub(crate) mod intervals;
pub(crate) mod membership;
pub(crate) mod milestones;
pub(crate) mod recent_classes;
pub(crate) mod reconcile;
pub(crate) mod responders;
pub(crate) mod signals;
pub(crate) mod summary;
pub(crate) mod tracked;
