//! Names of people in a draft, and the responders among them.

use std::collections::BTreeMap;

use super::draft_input::{DraftInput, PersonNaming};
use crate::model::event::{Actor, ActorKind, Event, Fact};
use crate::model::settings::Person;

/// Display names of people in a draft, escaped.
pub(crate) struct Contributors<'a> {
    draft: &'a DraftInput<'a>,
    roles: BTreeMap<String, String>,
}

impl<'a> Contributors<'a> {
    /// Numbers the roles in the order in which people appear.
    pub(crate) fn new(draft: &'a DraftInput<'a>) -> Self {
        let mut called = Self {
            draft,
            roles: BTreeMap::new(),
        };
        if draft.names == PersonNaming::Role {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for member in &draft.incident.members {
                for (key, asks) in called.keys(&member.event) {
                    let role = if draft.owners.contains(&key) {
                        "owner"
                    } else if asks {
                        "stakeholder"
                    } else {
                        "responder"
                    };
                    called.roles.entry(key).or_insert_with(|| {
                        let count = counts.entry(role).or_default();
                        *count += 1;
                        format!("{role} {count}")
                    });
                }
            }
        }
        called
    }

    /// Name of the actor, if the event has one.
    pub(crate) fn actor(&self, event: &Event) -> Option<String> {
        event
            .actor
            .as_ref()
            .map(|actor| self.name(&event.source, &actor.id, self.kind(&event.source, actor)))
    }

    /// Name for the user `id` of `source`.
    pub(crate) fn name(&self, source: &str, id: &str, kind: ActorKind) -> String {
        let person = self.person(source, id);
        let key = person.map_or(id, |person| person.id.as_str());
        match (self.roles.get(key), person) {
            _ if kind == ActorKind::Robot => id.to_owned(),
            (Some(role), _) => role.clone(),
            (None, _) if self.draft.names == PersonNaming::Role => "a person".to_owned(),
            (None, Some(person)) => person.name.clone(),
            (None, None) => id.to_owned(),
        }
    }

    /// Responders: people who acknowledged, intervened, declared or took notes, in the order of
    /// their first act. Actors not known to be people appear in the timeline only.
    pub(crate) fn responders(&self) -> Vec<String> {
        let mut names = Vec::new();
        for event in self
            .draft
            .incident
            .members
            .iter()
            .map(|member| &*member.event)
        {
            let worked = matches!(
                event.fact,
                Fact::Acknowledgement(_)
                    | Fact::Intervention(_)
                    | Fact::Declaration(_)
                    | Fact::Note(_)
            ) || self.draft.incident.rollbacks.contains(&event.id);
            let human = |actor: &&Actor| self.kind(&event.source, actor) == ActorKind::Human;
            let Some(actor) = event.actor.as_deref().filter(|_| worked).filter(human) else {
                continue;
            };
            let name = self.name(&event.source, &actor.id, ActorKind::Human);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The first owner, who leads until another person takes over.
    pub(crate) fn lead(&self) -> Option<String> {
        let owner = self.draft.owners.first()?;
        match self.draft.names {
            PersonNaming::Full => Some(
                self.draft
                    .who
                    .by_id(owner)
                    .map_or_else(|| owner.clone(), |person| person.name.clone()),
            ),
            PersonNaming::Role => Some(
                self.roles
                    .get(owner)
                    .cloned()
                    .unwrap_or_else(|| "an owner of the service".to_owned()),
            ),
        }
    }

    /// Ids of the people that an event names, and true where the event is a request.
    fn keys(&self, event: &Event) -> Vec<(String, bool)> {
        let key = |id: &str| {
            self.person(&event.source, id)
                .map_or_else(|| id.to_owned(), |person| person.id.clone())
        };
        let asks = matches!(event.fact, Fact::Request(_));
        let requester = match &event.fact {
            Fact::Request(request) => request.requester.as_deref(),
            _ => None,
        };
        let actor = event
            .actor
            .as_ref()
            .filter(|actor| self.kind(&event.source, actor) != ActorKind::Robot)
            .map(|actor| actor.id.as_str());
        requester
            .into_iter()
            .chain(actor)
            .map(|id| (key(id), asks))
            .collect()
    }

    fn person(&self, source: &str, id: &str) -> Option<&'a Person> {
        self.draft
            .who
            .person(source, id, &self.draft.incident.identities)
    }

    fn kind(&self, source: &str, actor: &Actor) -> ActorKind {
        self.draft
            .who
            .kind(source, actor, &self.draft.incident.identities)
    }
}
