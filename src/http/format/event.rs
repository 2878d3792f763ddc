//! Events as one line of a timeline, and the people in them by their display names.

use crate::model::directory::{Directory, Identities};
use crate::model::event::{Actor, ActorKind, Event};
use crate::model::incident::Incident;
use crate::wording;
use crate::wording::event::SentenceContext;

/// Display names of people within one incident.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DisplayNames<'a> {
    /// People of the settings.
    pub(crate) who: &'a Directory,
    /// Identities entered by people.
    pub(crate) stated: &'a Identities,
}

impl<'a> DisplayNames<'a> {
    /// Display name of the person with this id at `source`, or the id itself.
    pub(crate) fn display_name<'b>(&self, source: &str, id: &'b str) -> &'b str
    where
        'a: 'b,
    {
        self.who
            .person(source, id, self.stated)
            .map_or(id, |person| &person.name)
    }
}

/// Display name of an actor.
pub(crate) fn actor_name(event: &Event, actor: &Actor, names: &DisplayNames<'_>) -> String {
    match names.who.kind(&event.source, actor, names.stated) {
        ActorKind::Robot => format!("{} (automatic)", actor.id),
        ActorKind::Human | ActorKind::Unknown => {
            names.display_name(&event.source, &actor.id).to_owned()
        }
    }
}

/// The event in one sentence; its actor and service are shown beside it.
pub(crate) fn describe_in(incident: &Incident, event: &Event, names: &DisplayNames<'_>) -> String {
    let context = SentenceContext {
        incident: Some(incident),
        actor: None,
        service: None,
        person: &|source, id| names.display_name(source, id).to_owned(),
    };
    wording::event::sentence(event, &context)
}
