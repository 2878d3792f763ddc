//! iCalendar (RFC 5545): writes meeting invites and reads on-call feeds.

pub(crate) mod content_line;
pub(crate) mod date_time;
pub(crate) mod holidays;
pub(crate) mod invite;
pub mod on_call_feed;
pub(crate) mod recurrence_rule;
pub(crate) mod series;
pub(crate) mod time_zone;
