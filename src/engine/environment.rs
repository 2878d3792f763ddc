//! The environment of an event.

use crate::model::event::Event;

/// The environment of events that name none.
pub(crate) const PRODUCTION: &str = "production";

/// The environment that counts: an unknown one is production.
pub(crate) fn environment(event: &Event) -> &str {
    event.environment.as_deref().unwrap_or(PRODUCTION)
}
