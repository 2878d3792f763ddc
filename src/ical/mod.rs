//! iCalendar text (RFC 5545): invites written for meetings, on-call calendars read from feeds.

pub(crate) mod invite;
pub(crate) mod on_call_feed;
