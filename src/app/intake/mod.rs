//! Intake: from an inbound message to events that are durable in the log.

pub(crate) mod active_alerts;
pub(crate) mod commit;
pub(crate) mod rate_limit;
pub(crate) mod reprocess;
pub(crate) mod sns_verification;
pub(crate) mod source_stats;
pub(crate) mod source_status;
