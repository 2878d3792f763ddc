//! Log record made from history.

use std::collections::BTreeSet;

use crate::model::event::Event;
use crate::model::time::Time;

/// Events of one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRecord {
    /// Time of logging.
    pub logged_at: Time,
    /// Events.
    pub events: Vec<Event>,
    /// Rule sets that contain the condition of the events; `None`: the events are of no condition.
    pub(super) of: Option<BTreeSet<usize>>,
}

impl HistoryRecord {
    /// Returns whether the record is in the log of the rule set at this index. Records of a
    /// condition are visible only to rule sets that contain that same condition.
    #[must_use]
    pub fn is_for(&self, rules: usize) -> bool {
        self.of.as_ref().is_none_or(|of| of.contains(&rules))
    }
}
