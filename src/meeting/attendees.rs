//! Attendees and facilitator of the meeting.

use std::collections::BTreeSet;

use crate::model::id::{PostmortemId, hex};
use crate::model::meeting::Attendee;
use crate::model::settings::Person;

/// Maximum required attendees; beyond it the meeting is an audience, and the rest is optional.
const REQUIRED: usize = 12;

/// Candidates for the meeting by the ids of the settings. Unknown ids are skipped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidates<'a> {
    /// The postmortem.
    pub postmortem: &'a PostmortemId,
    /// Ids of the responders.
    pub responders: &'a [String],
    /// Ids of the owners of the services.
    pub owners: &'a [String],
    /// Ids of the stakeholders.
    pub stakeholders: &'a [String],
    /// Ids of the pool of facilitators.
    pub facilitators: &'a [String],
    /// All people of the settings.
    pub people: &'a [Person],
}

/// Invitees of the meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invitees {
    /// Required attendees: the responders, then the owners, then the facilitator; 12 at most.
    pub required: Vec<Attendee>,
    /// Ids of the required, in the same order: their working hours determine the slot.
    pub required_ids: Vec<String>,
    /// Optional attendees: those beyond the twelve, then the stakeholders.
    pub optional: Vec<Attendee>,
    /// Id of the facilitator, never a responder. `None`: one is still needed.
    pub facilitator: Option<String>,
    /// Count of people with an address. Fewer than two make no meeting.
    pub reachable: usize,
}

/// Chooses the attendees. Deterministic, and independent of the order of the pool.
#[must_use]
pub(crate) fn choose_attendees(concerned: &Candidates) -> Invitees {
    let facilitator = facilitator(concerned);
    let mut seen = BTreeSet::new();
    let mut taken = |id: &str| {
        let person = concerned.people.iter().find(|person| person.id == id)?;
        let email = reach(person)?;
        // Two ids with one address are one person to a calendar.
        seen.insert(email.to_lowercase()).then(|| {
            (
                person.id.clone(),
                Attendee {
                    name: person.name.clone(),
                    email: email.to_owned(),
                    optional: false,
                },
            )
        })
    };
    let leads = facilitator.and_then(|person| taken(&person.id));
    let mut required: Vec<_> = concerned
        .responders
        .iter()
        .chain(concerned.owners)
        .filter_map(|id| taken(id))
        .collect();
    let overflow = required.split_off(required.len().min(REQUIRED - usize::from(leads.is_some())));
    let curious: Vec<_> = concerned
        .stakeholders
        .iter()
        .filter_map(|id| taken(id))
        .collect();
    required.extend(leads);
    let optional: Vec<_> = overflow
        .into_iter()
        .chain(curious)
        .map(|(_, attendee)| Attendee {
            optional: true,
            ..attendee
        })
        .collect();
    let (required_ids, required): (Vec<_>, Vec<_>) = required.into_iter().unzip();
    Invitees {
        reachable: required.len() + optional.len(),
        required,
        required_ids,
        optional,
        facilitator: facilitator.map(|person| person.id.clone()),
    }
}

/// Picks a facilitator from the pool who did not respond, by a hash of postmortem and person. This
/// rotates the duty, and neither the order of the pool nor a newcomer changes it for the others.
fn facilitator<'a>(concerned: &Candidates<'a>) -> Option<&'a Person> {
    let person = |id: &String| concerned.people.iter().find(|person| person.id == *id);
    let responded: BTreeSet<_> = concerned
        .responders
        .iter()
        .filter_map(person)
        .filter_map(reach)
        .map(str::to_lowercase)
        .collect();
    let eligible = |person: &&Person| {
        !concerned.responders.contains(&person.id)
            && reach(person).is_some_and(|email| !responded.contains(&email.to_lowercase()))
    };
    let turn = |person: &&Person| hex(&format!("{}\0{}", concerned.postmortem, person.id), 16);
    concerned
        .facilitators
        .iter()
        .filter_map(person)
        .filter(eligible)
        .min_by_key(turn)
}

fn reach(person: &Person) -> Option<&str> {
    person
        .email
        .as_deref()
        .map(str::trim)
        .filter(|email| email.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::{Candidates, Invitees, choose_attendees};
    use crate::model::id::PostmortemId;
    use crate::model::settings::{Hours, Person};

    fn person(id: &str) -> Person {
        Person {
            id: id.into(),
            name: id.to_uppercase(),
            email: Some(format!("{id}@example.com")),
            time_zone: chrono_tz::UTC,
            hours: Hours {
                days: [true; 7],
                from: 540,
                to: 1020,
            },
            aliases: vec![],
        }
    }

    fn ids(list: &str) -> Vec<String> {
        list.split_whitespace().map(str::to_owned).collect()
    }

    fn guests(
        postmortem: &str,
        responders: &str,
        owners: &str,
        stakeholders: &str,
        facilitators: &str,
        people: &[Person],
    ) -> Invitees {
        choose_attendees(&Candidates {
            postmortem: &PostmortemId(postmortem.into()),
            responders: &ids(responders),
            owners: &ids(owners),
            stakeholders: &ids(stakeholders),
            facilitators: &ids(facilitators),
            people,
        })
    }

    fn emails(list: &[crate::model::meeting::Attendee]) -> Vec<&str> {
        list.iter()
            .map(|attendee| attendee.email.split('@').next().unwrap_or_default())
            .collect()
    }

    #[test]
    fn everybody_once_and_in_their_role() {
        let people: Vec<_> = ["ada", "bob", "lin", "mo"].map(person).into();
        let got = guests(
            "pm-1",
            "ada ghost ada",
            "bob ada",
            "mo lin bob",
            "lin ada",
            &people,
        );
        assert_eq!(emails(&got.required), ["ada", "bob", "lin"]);
        assert_eq!(got.required_ids, ["ada", "bob", "lin"]);
        assert_eq!(emails(&got.optional), ["mo"]);
        assert!(
            got.optional.iter().all(|attendee| attendee.optional)
                && got.required.iter().all(|attendee| !attendee.optional)
        );
        assert_eq!(got.facilitator.as_deref(), Some("lin"));
        assert_eq!(got.reachable, 4);
    }

    #[test]
    fn who_responded_never_leads() {
        let mut people: Vec<_> = ["ada", "bob"].map(person).into();
        assert_eq!(
            guests("pm-1", "ada bob", "", "", "ada bob", &people).facilitator,
            None
        );
        // The same person under a second id.
        people.push(Person {
            id: "ada2".into(),
            email: Some("ADA@example.com".into()),
            ..person("ada")
        });
        let got = guests("pm-1", "ada", "", "", "ada2", &people);
        assert_eq!((got.facilitator, got.reachable), (None, 1));
    }

    #[test]
    fn the_turn_goes_round_and_does_not_depend_on_order() {
        let people: Vec<_> = ["a", "b", "c", "d"].map(person).into();
        let mut led = std::collections::BTreeSet::new();
        for number in 0..40 {
            let one = guests(&format!("pm-{number}"), "d", "", "", "a b c d", &people).facilitator;
            assert_eq!(
                one,
                guests(&format!("pm-{number}"), "d", "", "", "d c b a", &people).facilitator
            );
            led.extend(one);
        }
        assert_eq!(led.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn the_thirteenth_is_optional_and_the_facilitator_has_a_seat() {
        let names: Vec<String> = (10..30).map(|number| format!("r{number}")).collect();
        let mut people: Vec<_> = names.iter().map(|name| person(name)).collect();
        people.push(person("lin"));
        let got = guests("pm-1", &names.join(" "), "", "", "lin", &people);
        assert_eq!(
            (got.required.len(), got.optional.len(), got.reachable),
            (12, 9, 21)
        );
        assert_eq!(got.required[11].email, "lin@example.com");
        let without = guests("pm-1", &names.join(" "), "", "", "", &people);
        assert_eq!((without.required.len(), without.optional.len()), (12, 8));
    }

    #[test]
    fn without_an_address_nobody_is_reached() {
        let people = [
            Person {
                email: None,
                ..person("ada")
            },
            Person {
                email: Some("  ".into()),
                ..person("bob")
            },
            person("lin"),
        ];
        let got = guests("pm-1", "ada", "bob", "lin", "bob", &people);
        assert_eq!(
            (
                got.required.len(),
                got.optional.len(),
                got.facilitator,
                got.reachable
            ),
            (0, 1, None, 1)
        );
    }
}
