//! Links from a draft to the sources of its facts.

use super::draft_input::DraftInput;
use crate::model::event::Event;
use crate::model::id::{EventId, IncidentId};
use crate::model::milestone::Certainty;
use crate::wording::markdown;

/// Link to the event's source: its own page, or else the incident's.
pub(crate) fn source(draft: &DraftInput, event: &Event) -> String {
    let own = event
        .links
        .iter()
        .find(|link| markdown::link_target(&link.url).is_some())
        .map(|link| link.url.clone());
    markdown::link(
        &event.source,
        &own.unwrap_or_else(|| format!("{}#{}", incident_page(draft), event.id)),
    )
}

/// Page of the incident.
pub(crate) fn incident_page(draft: &DraftInput) -> String {
    page(draft, &draft.incident.id)
}

/// Page of any incident.
pub(crate) fn page(draft: &DraftInput, incident: &IncidentId) -> String {
    format!(
        "{}/incidents/{incident}",
        draft.external_url.trim_end_matches('/')
    )
}

/// Finds an event by id.
pub(crate) fn event<'a>(draft: &DraftInput<'a>, id: &EventId) -> Option<&'a Event> {
    draft
        .incident
        .members
        .iter()
        .map(|member| &*member.event)
        .find(|event| event.id == *id)
}

/// Suffix for the certainty of a fact: ` (stated)`, ` (inferred)`, or empty for measured ones.
pub(crate) fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Measured => "",
        Certainty::Stated => " (stated)",
        Certainty::Inferred => " (inferred)",
    }
}
